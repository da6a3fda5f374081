"""Arrays in files: every dtype numpy and the program share goes through, and every file that is not an array is refused with a reason."""

import io
import struct

from program import ProgramTest, np, unittest


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy(header, data=b"", version=(1, 0)):
    """A file with any header text at all."""
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + size + header.encode() + data


class Npy(ProgramTest):
    def refuse(self, content, *says, flags=()):
        self.write("x.npy", content)
        return self.refused("run", "softmax", "--in", "x=x.npy", "--out", "y=y.npy", *flags, says=("x.npy", *says))

    def test_every_prefix_of_a_file_is_refused(self):
        whole = saved(np.ones((2, 3), np.float32))
        for size in range(len(whole)):
            self.refuse(whole[:size], "truncated" if size else "not an npy file")

    def test_bytes_after_the_data(self):
        self.refuse(saved(np.ones((2, 3), np.float32)) + b"1234", "4 bytes follow the data of 2x3 of <f4")

    def test_dtypes_that_no_kernel_has(self):
        for dtype in ("<c8", ">f4", "<i8", "|b1", "<U4", "<M8[s]", "<f16"):
            self.refuse(saved(np.zeros((2, 3), dtype)), f"dtype '{np.dtype(dtype).str}'", "expected f8, f4, f2")
        self.refuse(saved(np.zeros((2, 3), [("a", "<f4"), ("b", "<f4")])), "structured dtype")

    def test_two_byte_integers_are_bf16_only_if_said(self):
        for dtype in ("<u2", "<i2", "|V2"):
            self.refuse(saved(np.zeros((2, 3), dtype)), "--dtype", "bf16")
            self.ok("run", "softmax", "--in", "x=x.npy", "--out", "y=y.npy", "--dtype", "x=bf16")
            self.assertEqual(np.load(self.path("y.npy")).dtype, np.uint16)

    def test_a_dtype_that_the_array_is_not(self):
        self.refuse(saved(np.zeros((2, 3), np.float32)), "<f4", "f64 was declared", flags=("--dtype", "x=f64"))
        self.refuse(saved(np.zeros((2, 3), np.int8)), "i8")

    def test_fortran_order(self):
        self.refuse(saved(np.asfortranarray(np.ones((2, 3), np.float32))), "Fortran order", "ascontiguousarray")

    def test_headers_that_are_no_header(self):
        good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
        for header, says in (
            ("", "expected '{'"),
            (good[:-1], "expected"),
            (good + "x", "follows the closing brace"),
            (good.replace("'shape'", "'size'"), "unknown key 'size'"),
            (good.replace("'descr': '<f4', ", ""), "expected the keys"),
            (good.replace("False", "0"), "True or False"),
            (good.replace("(2, 3)", "(2, -3)"), "expected an extent"),
            (good.replace("(2, 3)", "[2, 3]"), "expected '('"),
            (good.replace("(2, 3)", "(2, 3.0)"), "expected ','"),
            (good.replace("'<f4'", "'<f4"), "expected"),
            (good.replace("(2, 3)", "(99999999999999999999, 3)"), "64 bits"),
        ):
            self.refuse(npy(header, bytes(24)), says)
        self.refuse(npy(good.replace("(2, 3)", f"({2**40}, {2**40})"), bytes(24)), "63 bits")
        self.refuse(npy(good.replace("(2, 3)", f"({2**40}, 3)"), bytes(24)), "truncated")
        self.refuse(npy(good, bytes(24), version=(4, 0)), "npy version 4.0")

    def test_versions_and_spellings_that_numpy_reads(self):
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        want = np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)
        for version in ((1, 0), (2, 0), (3, 0)):
            for header in ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", '{"shape":(2,3),"fortran_order":False,"descr":"<f4"}'):
                self.write("x.npy", npy(header, x.tobytes(), version))
                self.ok("run", "softmax", "--in", "x=x.npy", "--out", "y=y.npy")
                np.testing.assert_allclose(np.load(self.path("y.npy")), want, rtol=1e-6)

    def test_missing_file(self):
        self.refused("run", "softmax", "--in", "x=nowhere.npy", "--out", "y=y.npy", says=("nowhere.npy", "No such file"))


if __name__ == "__main__":
    unittest.main()
