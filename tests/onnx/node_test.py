"""ONNX's own node tests, which PyPI's onnx carries in memory, through `normforge run`: every case of the operators below, compared at 1e-5.

An operator's attributes become a norm's words. `axis` splits an array's dimensions into packs, which the parameters' shapes or --bind tell the program. ONNX's
softmaxes and LpNormalization reduce one axis anywhere: the first axis of all is run in place (--axes x=cols,rows), one in the middle is moved to the end
and back here, since a pack's dimensions lie together."""

import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
from program import ProgramTest, np, unittest  # noqa: E402

warnings.filterwarnings("ignore")
try:
    from onnx import helper
    from onnx.backend.test.case.node import collect_testcases
except ImportError:
    print("skipped: this needs Python's onnx (./dev test installs it)")
    sys.exit(77)

CASES = 67  # in onnx 1.23; a newer one has no fewer


class Call:
    """What `normforge run` is told, and where its outputs stand among the node's."""

    def __init__(self, norm, inputs, outputs, *words, arrange=lambda array: array):
        self.norm, self.inputs, self.outputs, self.words, self.arrange = norm, inputs, outputs, words, arrange


def set_flags(**scalars):
    return [word for name, value in scalars.items() for word in ("--set", f"{name}={value!r}")]


def bind_cols(shape):
    return ["--bind", "cols=" + "x".join(map(str, shape))]


def layer_norm(attributes, x, scale, bias=None):
    inputs = dict(x=x, gamma=scale) | ({} if bias is None else dict(beta=bias))
    return Call("layer_norm", inputs, ("y", "mean", "rstd"), *set_flags(eps=attributes.get("epsilon", 1e-5)))


def rms_norm(attributes, x, scale):
    return Call("rms_norm", dict(x=x, gamma=scale), ("y",), *set_flags(eps=attributes.get("epsilon", 1e-5)))


def group_norm(attributes, x, scale, bias):
    words = set_flags(eps=attributes.get("epsilon", 1e-5)) + ["--bind", f"group={attributes['num_groups']}"]
    return Call("group_norm", dict(x=x, gamma=scale, beta=bias), ("y",), *words)


def instance_norm(attributes, x, scale, bias):
    return Call("instance_norm", dict(x=x, gamma=scale, beta=bias), ("y",), *set_flags(eps=attributes.get("epsilon", 1e-5)))


def batch_norm(attributes, x, scale, bias, mean, var):
    eps = attributes.get("epsilon", 1e-5)
    if not attributes.get("training_mode"):
        return Call("batch_norm_infer", dict(x=x, gamma=scale, beta=bias, mean=mean, var=var), ("y",), *set_flags(eps=eps))
    # ONNX's momentum is the share that the old value keeps, and its running variance the population's.
    words = set_flags(eps=eps, momentum=1 - attributes.get("momentum", 0.9), unbiased=0)
    inputs = dict(x=x, gamma=scale, beta=bias, running_mean=mean, running_var=var)
    return Call("batch_norm_train", inputs, ("y", "running_mean", "running_var"), *words)


def mean_variance_norm(attributes, x):
    return Call("mean_variance_norm", dict(x=x), ("y",))


def over_axis(norm, x, axis):
    axis %= x.ndim
    if axis == x.ndim - 1:
        return Call(norm, dict(x=x), ("y",), *bind_cols(x.shape[-1:]))
    if axis == 0:
        return Call(norm, dict(x=x), ("y",), "--axes", "x=cols,rows", *bind_cols(x.shape[:1]))
    last = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    return Call(norm, dict(x=last), ("y",), *bind_cols(last.shape[-1:]), arrange=lambda y: np.moveaxis(y, -1, axis))


def lp_normalize(attributes, x):
    return over_axis({1: "l1_normalize", 2: "l2_normalize"}[attributes.get("p", 2)], x, attributes.get("axis", -1))


def softmax(attributes, x):
    return over_axis("softmax", x, attributes.get("axis", -1))


def log_softmax(attributes, x):
    return over_axis("log_softmax", x, attributes.get("axis", -1))


OPERATORS = {
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "BatchNormalization": batch_norm,
    "MeanVarianceNormalization": mean_variance_norm,
    "LpNormalization": lp_normalize,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
}


def cases():
    """The cases whose model is the operator itself; the `_expanded` ones spell it out in other operators."""
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in OPERATORS:
            yield case, nodes[0]


class NodeTests(ProgramTest):
    def test_every_case(self):
        passed = {}
        for case, node in cases():
            with self.subTest(case.name):
                attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
                for inputs, wanted in case.data_sets:
                    call = OPERATORS[node.op_type](attributes, *inputs)
                    outputs = self.normalize(call.norm, call.inputs, call.outputs[: len(wanted)], *call.words)
                    for name, output, want in zip(call.outputs, outputs, wanted, strict=True):
                        # ONNX keeps the reduced dimensions of a statistic as ones.
                        got = call.arrange(output).reshape(want.shape)
                        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, err_msg=name)
                passed[node.op_type] = passed.get(node.op_type, 0) + 1
        for operator, count in sorted(passed.items()):
            print(f"{operator}: {count} cases passed")
        print(f"ONNX node tests: {sum(passed.values())} cases passed")
        self.assertEqual(passed.keys(), OPERATORS.keys())
        self.assertGreaterEqual(sum(passed.values()), CASES)


if __name__ == "__main__":
    unittest.main()
