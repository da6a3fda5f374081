"""f8e4m3 outputs, on the CPU and in GPU kernels, against ml_dtypes (which onnx brings): every value and every tie, NaNs and what is too large."""

import sys

from program import ProgramTest, np, unittest

try:
    import ml_dtypes
except ImportError:
    print("skipped: this needs Python's ml_dtypes (./dev test installs it)")
    sys.exit(77)

F32, F8 = np.float32, ml_dtypes.float8_e4m3fn
LARGEST = F32(ml_dtypes.finfo(F8).max)

NORM = "norm copy(x[rows..., cols...]) -> y[rows..., cols...] { y = x * 1 }\n"
# Rounded in between; the output holds it exactly.
CAST = "norm cast(x[rows..., cols...]) -> y[rows..., cols...] { y = f8e4m3(x) }\n"


def saturated(x):
    """ONNX's Cast with saturate=1, its default. NaNs stay."""
    with np.errstate(invalid="ignore"):
        return np.clip(x, -LARGEST, LARGEST).astype(F8)


def every_f32():
    """Each upper half of an f32 with the lower halves between which rounding to 4 bits of mantissa may tell."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    return np.stack([upper | lower for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)]).view(F32)


class Float8(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("copy.norm", NORM)
        self.write("cast.norm", CAST)

    def same(self, got, want):
        got, want = got.view(F8).astype(F32), want.astype(F32)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        # The sign of a zero counts; that of a NaN does not.
        number = ~np.isnan(want)
        np.testing.assert_array_equal(got[number].view(np.uint32), want[number].view(np.uint32))

    def test_every_f32(self):
        x = every_f32()
        for words in (("--device", "cpu"), ("--device", "cpu", "--target", "x86-64-v2"), ("--device", "emulator", "--target", "sm_80")):
            with self.subTest(words):
                (y,) = self.normalize("copy.norm", dict(x=x), ("y",), "--dtype", "y=f8e4m3", *words)
                self.same(y, saturated(x))

    def test_every_f16(self):
        x = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(64, 1024)
        (y,) = self.normalize("copy.norm", dict(x=x), ("y",), "--dtype", "y=f8e4m3")
        self.same(y, saturated(x.astype(F32)))

    def test_f64_is_rounded_once(self):
        # Halfway between two neighbours, and so little to either side that an f32 does not hold it.
        values = np.arange(0x7F, dtype=np.uint8).view(F8).astype(np.float64)
        ties = (values[1:] + values[:-1]) / 2
        x = np.stack([ties, np.nextafter(ties, 1e9), np.nextafter(ties, -1e9)])
        (y,) = self.normalize("copy.norm", dict(x=x), ("y",), "--dtype", "y=f8e4m3")
        self.same(y, np.stack([ties.astype(F8), values[1:].astype(F8), values[:-1].astype(F8)]))

    def test_casts(self):
        x = every_f32()
        for device in ("cpu", "emulator"):
            (y,) = self.normalize("cast.norm", dict(x=x), ("y",), "--device", device)
            np.testing.assert_array_equal(y, saturated(x).astype(F32))


if __name__ == "__main__":
    unittest.main()
