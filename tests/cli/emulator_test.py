"""`normforge run --device emulator`: GPU kernels against numpy's float64 formulas, and what is refused."""

from program import ProgramTest, np, unittest

F32, F64 = np.float32, np.float64


class Emulator(ProgramTest):
    def setUp(self):
        super().setUp()
        self.x = np.random.default_rng(5).standard_normal((7, 1001)).astype(F32) + F32(3)
        self.wide = self.x.astype(F64)

    def close(self, got, want):
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=2e-6)

    def emulate(self, norm, *words):
        (y,) = self.normalize(norm, dict(x=self.x), ("y",), "--device", "emulator", *words)
        return y

    def test_layer_norm(self):
        want = (self.wide - self.wide.mean(1, keepdims=True)) / np.sqrt(self.wide.var(1, keepdims=True) + 1e-5)
        self.close(self.emulate("layer_norm"), want)
        self.close(self.emulate("layer_norm", "--target", "sm_80", "--schedule", "keep=reread unroll=2"), want)

    def test_rms_norm(self):
        want = self.wide / np.sqrt((self.wide**2).mean(1, keepdims=True) + 1e-5)
        self.close(self.emulate("rms_norm", "--set", "eps=1e-5"), want)

    def test_softmax(self):
        powers = np.exp(self.wide - self.wide.max(1, keepdims=True))
        self.close(self.emulate("softmax", "--schedule", "rows=2"), powers / powers.sum(1, keepdims=True))

    def test_same_bits_as_on_the_cpu(self):
        (cpu,) = self.normalize("layer_norm", dict(x=self.x), ("y",))
        numerics = "two_pass lanes=32 chunk=1024 fold=high fma=off | threads=32 vector=4 keep=reread rows=1"
        np.testing.assert_array_equal(self.emulate("layer_norm", "--schedule", numerics), cpu)

    def test_what_is_refused(self):
        np.save(self.path("x.npy"), self.x)
        call = ("run", "rms_norm", "--in", "x=x.npy", "--out", "y=y.npy")
        self.refused(*call, "--target", "sm_90", says="no GPU is used here; give --device cuda:0 or --device emulator")
        self.refused(*call, "--device", "emulator", "--target", "x86-64-v3", says="the emulator runs GPU kernels")


if __name__ == "__main__":
    unittest.main()
