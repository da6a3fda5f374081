"""The norms by others, as functions of tensors that return what cases.NORMS names as outputs. They are called as their users call them: modules are found and parameters
converted beforehand."""

import importlib

import torch
import torch.nn.functional as F

from cases import NORMS, Absent

MANY_ROWS = 1024  # there are enough of them to fill a GPU, however many


def eager(norm, cols, eps):
    def add_rms_norm(x, residual, gamma):
        total = x + residual
        return F.rms_norm(total, (cols,), gamma, eps), total

    def rms_norm_quant(x, gamma):
        v = F.rms_norm(x.float(), (cols,), gamma.float(), eps)
        scale = v.abs().amax(-1, keepdim=True) / 127
        return (v / scale).round().to(torch.int8), scale

    return {
        "layer_norm": lambda x, gamma, beta: F.layer_norm(x, (cols,), gamma, beta, eps),
        "rms_norm": lambda x, gamma: F.rms_norm(x, (cols,), gamma, eps),
        "softmax": lambda x: torch.softmax(x, -1),
        "add_rms_norm": add_rms_norm,
        "rms_norm_quant": rms_norm_quant,
    }[norm]


def compiled(norm, cols, eps):
    """Compiled for this number of columns, and for these rows alone or, where they are many, for any number of them: a compilation that the
    next cases find in the compiler's cache. Each starts anew, since what was compiled before would count against its limit of variants."""
    torch._dynamo.config.automatic_dynamic_shapes = False  # only what is marked below
    torch._dynamo.reset()
    function = torch.compile(eager(norm, cols, eps))
    full = len(NORMS[norm].full)

    def call(*tensors):
        if tensors[0].shape[0] >= MANY_ROWS:
            for tensor in tensors[:full]:
                torch._dynamo.maybe_mark_dynamic(tensor, 0)
        return function(*tensors)

    return call


def triton(norm, cols, eps):
    import triton_kernels

    return triton_kernels.function(norm, cols, eps)


def quack(norm, cols, eps):
    rmsnorm, softmax = importlib.import_module("quack.rmsnorm"), importlib.import_module("quack.softmax")
    return {
        "layer_norm": lambda x, gamma, beta: rmsnorm.layernorm_fwd(x, gamma, beta, eps),
        "rms_norm": lambda x, gamma: rmsnorm.rmsnorm(x, gamma, eps=eps),
        "softmax": softmax.softmax,
        "add_rms_norm": lambda x, residual, gamma: rmsnorm.rmsnorm(x, gamma, residual=residual, eps=eps, prenorm=True),
    }.get(norm)


LIGER = {
    "layer_norm": ("layer_norm", "LigerLayerNormFunction"),
    "rms_norm": ("rms_norm", "LigerRMSNormFunction"),
    "softmax": ("softmax", "LigerSoftmaxFunction"),
    "add_rms_norm": ("fused_add_rms_norm", "LigerFusedAddRMSNormFunction"),
}


def liger(norm, cols, eps):
    if norm not in LIGER:
        return None
    module, name = LIGER[norm]
    apply = getattr(importlib.import_module(f"liger_kernel.ops.{module}"), name).apply
    return apply if eps is None else lambda *tensors: apply(*tensors, eps)


def converted(peer, norm, parameters):
    """Parameters as the peer takes them."""
    return [tensor.float() for tensor in parameters] if (peer, norm) == ("quack", "layer_norm") else parameters


def function(peer, case):
    made = {"eager": eager, "compile": compiled, "triton": triton, "quack": quack, "liger": liger}[peer](case.norm, case.cols, case.definition.eps)
    if not made:
        raise Absent(f"it has no {case.norm}")
    return made
