"""`normforge run` against numpy's float64 formulas: dtypes, layouts, packs, ragged rows, updates in place, and norms of one's own."""

import json

from program import ProgramTest, np, unittest

F32, F64 = np.float32, np.float64


def wide(*arrays):
    return [np.asarray(array, F64) for array in arrays]


def layer_norm(x, gamma=1.0, beta=0.0, eps=1e-5, axis=-1):
    x, gamma, beta = wide(x, gamma, beta)
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * gamma + beta


def to_bf16(values):
    """Rounded to nearest even, as 2-byte integers."""
    bits = np.asarray(values, F32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(F32)


class Run(ProgramTest):
    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(3)

    def normal(self, *shape, dtype=F32, mean=0.0):
        return (self.random.standard_normal(shape) + mean).astype(dtype)

    def close(self, got, want, tolerance=2e-6):
        self.assertEqual(got.shape, np.shape(want))
        np.testing.assert_array_less(np.abs(got - want), tolerance * np.maximum(1, np.abs(want)) + 1e-300)

    def test_layer_norm_with_its_statistics(self):
        x, gamma, beta = self.normal(37, 768, mean=1000), self.normal(768), self.normal(768)
        y, mean, rstd = self.normalize("layer_norm", dict(x=x, gamma=gamma, beta=beta), ("y", "mean", "rstd"), "--set", "eps=1e-12")
        self.close(y, layer_norm(x, gamma, beta, 1e-12))
        self.close(mean, wide(x)[0].mean(1))
        self.close(rstd, 1 / wide(x)[0].std(1))

    def test_a_parameter_splits_the_packs(self):
        x, gamma = self.normal(2, 3, 4, 5, 6), self.normal(5, 6)
        y, mean = self.normalize("layer_norm", dict(x=x, gamma=gamma), ("y", "mean"))
        self.close(y, layer_norm(x, gamma, axis=(3, 4)))
        self.assertEqual(mean.shape, (2, 3, 4))
        (y,) = self.normalize("layer_norm", dict(x=x, gamma=self.normal(*x.shape)), ("y",))
        self.assertEqual(y.shape, x.shape)

    def test_bind_splits_the_packs(self):
        x = self.normal(2, 3, 10)
        (y,) = self.normalize("layer_norm", dict(x=x), ("y",), "--bind", "cols=3x10")
        self.close(y, layer_norm(x, axis=(1, 2)))
        (y,) = self.normalize("softmax", dict(x=x), ("y",), "--bind", "cols=10")
        self.close(y.sum(2), np.ones((2, 3)))

    def test_as_many_dimensions_as_packs(self):
        x = self.normal(5, 33)
        (y,) = self.normalize("l2_normalize", dict(x=x), ("y",))
        self.close(y, wide(x)[0] / np.linalg.norm(wide(x)[0], axis=1, keepdims=True))

    def test_an_axis_that_is_split(self):
        x, gamma, beta = self.normal(2, 12, 5, 7), self.normal(12), self.normal(12)
        y, mean = self.normalize("group_norm", dict(x=x, gamma=gamma, beta=beta), ("y", "mean"), "--bind", "group=4")
        groups = wide(x)[0].reshape(2, 4, -1)
        want = layer_norm(groups).reshape(x.shape) * wide(gamma)[0][:, None, None] + wide(beta)[0][:, None, None]
        self.close(y, want)
        self.close(mean, groups.mean(2))

    def test_memory_order(self):
        x, gamma = self.normal(2, 6, 5, 3), self.normal(6)
        channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        for norm, words in (("layer_norm_channels", ()), ("instance_norm", ()), ("group_norm", ("--bind", "group=3"))):
            (plain,) = self.normalize(norm, dict(x=x, gamma=gamma), ("y",), *words)
            (y,) = self.normalize(norm, dict(x=channels_last, gamma=gamma), ("y",), "--axes", "x=batch,space,channel", *words)
            self.assertEqual(y.shape, channels_last.shape)
            self.close(y, wide(plain)[0].transpose(0, 2, 3, 1))
        (y,) = self.normalize("layer_norm_channels", dict(x=x, gamma=gamma), ("y",))
        self.close(y, layer_norm(x, gamma[:, None, None], axis=1))

    def test_reduction_over_the_outer_dimension(self):
        x = self.normal(7, 100)
        (y,) = self.normalize("softmax", dict(x=x), ("y",), "--axes", "x=cols,rows")
        e = np.exp(wide(x)[0] - x.max(0))
        self.close(y, e / e.sum(0))

    def test_tensors_updated_in_place(self):
        x = self.normal(8, 3, 5, 5, mean=2)
        running_mean, running_var = self.normal(3), self.normal(3) ** 2
        inputs = dict(x=x, running_mean=running_mean, running_var=running_var)
        y, new_mean, new_var = self.normalize("batch_norm_train", inputs, ("y", "running_mean", "running_var"), "--set", "momentum=0.25")
        x64 = wide(x)[0]
        self.close(y, layer_norm(x, axis=(0, 2, 3)))
        self.close(new_mean, 0.75 * wide(running_mean)[0] + 0.25 * x64.mean((0, 2, 3)))
        self.close(new_var, 0.75 * wide(running_var)[0] + 0.25 * x64.var((0, 2, 3), ddof=1))

    def test_ragged_rows(self):
        x = self.normal(5, 40)
        lengths = np.array([40, 1, 0, 17, 99], np.int32)
        (y,) = self.normalize("softmax_ragged", dict(x=x, length=lengths), ("y",))
        for row, length in enumerate(np.clip(lengths, 0, 40)):
            if length:
                e = np.exp(wide(x)[0][row, :length] - x[row, :length].max())
                self.close(y[row, :length], e / e.sum())
            self.assertFalse(y[row, length:].any(), "what no kernel writes stays zero")

    def test_quantized(self):
        x = self.normal(9, 65)
        x[4] = 0
        y, scale = self.normalize("rms_norm_quant", dict(x=x), ("y", "scale"))
        x64 = wide(x)[0]
        normal = x64 / np.sqrt((x64**2).mean(1, keepdims=True) + 1e-6)
        self.assertEqual(y.dtype, np.int8)
        self.close(scale, np.abs(normal).max(1) / 127)
        self.assertLessEqual(np.abs(y * wide(scale)[0][:, None] - normal).max(), 0.51 * scale.max())
        self.assertFalse(y[4].any() or scale[4])

    def test_dtypes(self):
        x64 = self.normal(6, 100, dtype=F64)
        (y,) = self.normalize("layer_norm", dict(x=x64), ("y",))
        self.assertEqual(y.dtype, F64)
        self.close(y, layer_norm(x64), 1e-13)
        x16 = x64.astype(np.float16)
        y, mean = self.normalize("layer_norm", dict(x=x16), ("y", "mean"))
        self.assertEqual((y.dtype, mean.dtype), (np.float16, F32))
        np.testing.assert_allclose(y, layer_norm(x16), rtol=2**-11, atol=1e-6)
        (y,) = self.normalize("layer_norm", dict(x=x16), ("y",), "--dtype", "y=f32")
        self.close(y, layer_norm(x16))

    def test_bf16(self):
        bits, gamma = to_bf16(self.normal(6, 100)), self.normal(100)
        want = layer_norm(from_bf16(bits), gamma)
        (y,) = self.normalize("layer_norm", dict(x=bits, gamma=gamma), ("y",), "--dtype", "x=bf16")
        self.assertEqual(y.dtype, np.uint16)
        np.testing.assert_allclose(from_bf16(y), want, rtol=2**-8, atol=1e-6)
        (y,) = self.normalize("layer_norm", dict(x=from_bf16(bits), gamma=gamma), ("y",), "--dtype", "y=bf16")
        np.testing.assert_allclose(from_bf16(y), want, rtol=2**-8, atol=1e-6)
        (y,) = self.normalize("layer_norm", dict(x=bits.view("V2"), gamma=gamma), ("y",), "--dtype", "x=bf16", "--dtype", "y=f32")
        self.close(y, want)

    def test_neither_target_nor_threads_nor_mapping_changes_a_bit(self):
        x, gamma, beta = self.normal(301, 517), self.normal(517), self.normal(517)
        inputs = dict(x=x, gamma=gamma, beta=beta)
        for norm in ("layer_norm", "softmax"):
            inputs = dict(x=x, gamma=gamma, beta=beta) if norm == "layer_norm" else dict(x=x)
            (want,) = self.normalize(norm, inputs, ("y",), "--threads", "1")
            for words in (("--threads", "2"), ("--target", "x86-64-v3"), ("--schedule", "rows=1"), ("--schedule", "rows=2 unroll=2")):
                (y,) = self.normalize(norm, inputs, ("y",), *words)
                np.testing.assert_array_equal(y.view(np.uint32), want.view(np.uint32), f"{norm} {words}")
        (want,) = self.normalize("layer_norm", dict(x=x, gamma=gamma, beta=beta), ("y",))
        (y,) = self.normalize("layer_norm", dict(x=x, gamma=gamma, beta=beta), ("y",), "--target", "x86-64-v2")
        np.testing.assert_array_equal(y.view(np.uint32), want.view(np.uint32))

    def test_the_reference_in_place_of_a_kernel(self):
        x = self.normal(5, 100)
        (y,) = self.normalize("log_softmax", dict(x=x), ("y",), "--reference")
        x64 = wide(x)[0]
        want = x64 - x64.max(1, keepdims=True)
        np.testing.assert_array_equal(y, (want - np.log(np.exp(want).sum(1, keepdims=True))).astype(F32))

    def test_what_ran(self):
        np.save(self.path("x.npy"), self.normal(4, 64))
        words = ("run", "rms_norm", "--in", "x=x.npy", "--out", "y=y.npy", "--target", "x86-64-v3", "--schedule", "rows=2")
        report = json.loads(self.ok(*words, "--json", "--time"))
        self.assertEqual(report["target"], "x86-64-v3")
        self.assertIn("rows=4 cols=64", report["problem"])
        self.assertIn("rows=2", report["schedule"])
        self.assertEqual(report["outputs"]["y"]["shape"], [4, 64])
        self.assertGreater(report["seconds"], 0)
        self.assertEqual(self.ok(*words), "")

    def test_extents_of_zero_and_one(self):
        for shape in ((0, 5), (3, 0), (1, 1), (1, 3)):
            x = self.normal(*shape)
            (y,) = self.normalize("rms_norm", dict(x=x), ("y",))
            self.close(y, wide(x)[0] / np.sqrt((wide(x)[0] ** 2).mean(1, keepdims=True) + 1e-6) if x.size else x)

    def test_a_norm_of_ones_own(self):
        self.write(
            "mine.norm",
            """/// Dynamic tanh (Zhu, Chen, He, LeCun and Liu, 2025).
norm dynamic_tanh(x[rows..., cols...], gamma[cols...] = 1, beta[cols...] = 0; alpha = 0.5) -> y[rows..., cols...] {
  y = tanh(alpha * x) * gamma + beta
}

/// Scale norm (Nguyen and Salazar, 2019).
norm scale_norm(x[rows..., cols...]; g = 1, eps = 1e-5 in [0, inf)) -> y[rows..., cols...], length[rows...] {
  length = sqrt(sum(x^2, cols))
  y = g * x / max(length, eps)
}
""",
        )
        x, gamma = self.normal(6, 50), self.normal(50)
        (y,) = self.normalize("mine.norm:dynamic_tanh", dict(x=x, gamma=gamma), ("y",), "--set", "alpha=0.7")
        self.close(y, np.tanh(0.7 * wide(x)[0]) * gamma)
        y, length = self.normalize("mine.norm:scale_norm", dict(x=x), ("y", "length"), "--set", "g=3")
        self.close(length, np.linalg.norm(wide(x)[0], axis=1))
        self.close(y, 3 * wide(x)[0] / np.linalg.norm(wide(x)[0], axis=1, keepdims=True))


if __name__ == "__main__":
    unittest.main()
