"""The norms as Triton's tutorials write them: one program a row, the whole row in one block while it fits, else blocks that are read again
for each pass. No tuning but the tutorials' rule for warps."""

import torch
import triton
import triton.language as tl

TO_INTEGER = tl.constexpr(1.5 * 2**23)  # added to a small f32 and taken off again it rounds to an integer, halves to even


@triton.jit
def layer_norm_kernel(x, gamma, beta, y, cols, eps, BLOCK: tl.constexpr):
    start = tl.program_id(0).to(tl.int64) * cols
    total = tl.zeros([BLOCK], tl.float32)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        total += tl.load(x + start + i, mask=i < cols, other=0.0).to(tl.float32)
    mean = tl.sum(total) / cols
    squares = tl.zeros([BLOCK], tl.float32)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        d = tl.where(i < cols, tl.load(x + start + i, mask=i < cols, other=0.0).to(tl.float32) - mean, 0.0)
        squares += d * d
    rstd = 1 / tl.sqrt(tl.sum(squares) / cols + eps)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        v = (tl.load(x + start + i, mask=i < cols).to(tl.float32) - mean) * rstd
        v = v * tl.load(gamma + i, mask=i < cols).to(tl.float32) + tl.load(beta + i, mask=i < cols).to(tl.float32)
        tl.store(y + start + i, v, mask=i < cols)


@triton.jit
def rms_norm_kernel(x, residual, gamma, y, total, scale, cols, eps, ADD: tl.constexpr, QUANT: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    start = row * cols
    squares = tl.zeros([BLOCK], tl.float32)
    source = x
    if ADD:
        source = total
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        v = tl.load(x + start + i, mask=i < cols, other=0.0).to(tl.float32)
        if ADD:
            v += tl.load(residual + start + i, mask=i < cols, other=0.0).to(tl.float32)
            tl.store(total + start + i, v, mask=i < cols)
        squares += v * v
    rstd = 1 / tl.sqrt(tl.sum(squares) / cols + eps)
    step = 1.0
    if QUANT:
        largest = tl.zeros([BLOCK], tl.float32)
        for at in range(0, cols, BLOCK):
            i = at + tl.arange(0, BLOCK)
            v = tl.load(x + start + i, mask=i < cols, other=0.0).to(tl.float32) * rstd
            largest = tl.maximum(largest, tl.abs(v * tl.load(gamma + i, mask=i < cols, other=0.0).to(tl.float32)))
        step = tl.max(largest) / 127
        tl.store(scale + row, step)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        v = tl.load(source + start + i, mask=i < cols, other=0.0).to(tl.float32) * rstd
        v = v * tl.load(gamma + i, mask=i < cols, other=0.0).to(tl.float32)
        if QUANT:
            v = (v / step + TO_INTEGER - TO_INTEGER).to(tl.int8)
        tl.store(y + start + i, v, mask=i < cols)


@triton.jit
def softmax_kernel(x, y, cols, BLOCK: tl.constexpr):
    start = tl.program_id(0).to(tl.int64) * cols
    top = tl.full([BLOCK], -float("inf"), tl.float32)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        top = tl.maximum(top, tl.load(x + start + i, mask=i < cols, other=-float("inf")).to(tl.float32))
    most = tl.max(top)
    total = tl.zeros([BLOCK], tl.float32)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        total += tl.exp(tl.load(x + start + i, mask=i < cols, other=-float("inf")).to(tl.float32) - most)
    inverse = 1 / tl.sum(total)
    for at in range(0, cols, BLOCK):
        i = at + tl.arange(0, BLOCK)
        e = tl.exp(tl.load(x + start + i, mask=i < cols, other=-float("inf")).to(tl.float32) - most)
        tl.store(y + start + i, e * inverse, mask=i < cols)


def function(norm, cols, eps):
    def launch(kernel, x, *arguments, **constants):
        block = min(65536 // x.element_size(), triton.next_power_of_2(cols))
        kernel[(x.shape[0],)](x, *arguments, **constants, BLOCK=block, num_warps=min(max(block // 256, 1), 16))

    def layer_norm(x, gamma, beta):
        y = torch.empty_like(x)
        launch(layer_norm_kernel, x, gamma, beta, y, cols, eps)
        return y

    def rms_norm(x, gamma):
        y = torch.empty_like(x)
        launch(rms_norm_kernel, x, x, gamma, y, y, y, cols, eps, ADD=False, QUANT=False)
        return y

    def softmax(x):
        y = torch.empty_like(x)
        launch(softmax_kernel, x, y, cols)
        return y

    def add_rms_norm(x, residual, gamma):
        y, total = torch.empty_like(x), torch.empty_like(x)
        launch(rms_norm_kernel, x, residual, gamma, y, total, y, cols, eps, ADD=True, QUANT=False)
        return y, total

    def rms_norm_quant(x, gamma):
        y = torch.empty_like(x, dtype=torch.int8)
        scale = torch.empty(x.shape[0], dtype=torch.float32, device=x.device)
        launch(rms_norm_kernel, x, x, gamma, y, y, scale, cols, eps, ADD=False, QUANT=True)
        return y, scale

    return {made.__name__: made for made in (layer_norm, rms_norm, softmax, add_rms_norm, rms_norm_quant)}[norm]
