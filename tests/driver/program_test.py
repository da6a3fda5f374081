"""GPUs and the program: `normforge run --device cuda:0` through the stand-in driver ($NORMFORGE_STAND_IN is its directory) and without any, and libraries with code
for GPUs, linked by a C compiler on a machine that has no driver."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../cli"))
from program import ProgramTest, np, run, unittest

NO_PTXAS = {"NORMFORGE_PTXAS": "no/such/ptxas"}

MAIN = """
#include <stdio.h>
#include "norms.h"
int main(void) {
  float x[8] = {1}, y[8];
  int64_t bytes;
  int32_t capability;
  norms_choice choice;
  norms_layer_norm_f32_args args = norms_layer_norm_f32_defaults();
  args.rows = 1, args.cols = 8, args.x = x, args.y = y;
  if (norms_layer_norm_f32(&args, NULL) != NORMS_OK || norms_layer_norm_f32_cuda(&args, NULL) != NORMS_NO_DRIVER ||
      norms_layer_norm_f32_cuda_which(&args, NULL, &choice) != NORMS_NO_DRIVER ||
      norms_layer_norm_f32_cuda_workspace_bytes(&args, &bytes) != NORMS_NO_DRIVER || norms_cuda_capability(&capability) != NORMS_NO_DRIVER)
    return 1;
  puts(choice.why);
  return norms_describe()->cuda_functions != 1;
}
"""


class Environment(ProgramTest):
    def setUp(self):
        super().setUp()
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))


class Run(Environment):
    def setUp(self):
        super().setUp()
        self.x = np.random.default_rng(7).standard_normal((5, 1500)).astype(np.float32)
        np.save(self.path("x.npy"), self.x)
        self.call = ("run", "rms_norm", "--in", "x=x.npy", "--out", "y=y.npy")

    def stand_in(self, **settings):
        os.environ["LD_LIBRARY_PATH"] = os.environ["NORMFORGE_STAND_IN"]
        os.environ["NORMFORGE_STAND_IN_KERNELS"] = self.path("kernels.txt")
        for name, value in settings.items():
            os.environ["NORMFORGE_STAND_IN_" + name] = value

    def test_the_bits_of_the_emulator(self):
        bits = []
        for schedule in ("", "grid=resident rows=1 blocks=1", "cluster=2 rows=1 blocks=1 threads=32 vector=4", "cluster=16 rows=1 blocks=1 threads=32 vector=4"):
            words = (*self.call, "--schedule", schedule, "--json", "--device")
            ran = json.loads(self.ok(*words, "emulator"))
            bits.append(np.load(self.path("y.npy")))
            self.write("kernels.txt", f"{ran['target']}\t{ran['problem']}\t{ran['schedule']}\n")
            with self.subTest(schedule=schedule):
                self.stand_in()
                again = json.loads(self.ok(*words, "cuda:0", "--time"))
                self.assertEqual([ran[key] for key in ("problem", "target", "schedule")], [again[key] for key in ("problem", "target", "schedule")])
                self.assertGreater(again["seconds"], 0)
                bits.append(np.load(self.path("y.npy")))
        for other in bits:
            np.testing.assert_array_equal(other, bits[0])

    def test_an_older_gpu_has_an_older_target(self):
        ran = json.loads(self.ok(*self.call, "--device", "emulator", "--target", "sm_86", "--json"))
        self.write("kernels.txt", f"{ran['target']}\t{ran['problem']}\t{ran['schedule']}\n")
        self.stand_in(DEVICES="90,87")
        self.assertEqual(json.loads(self.ok(*self.call, "--device", "cuda:1", "--json"))["target"], "sm_86")
        self.refused(*self.call, "--device", "cuda:1", "--target", "sm_90", says="cuda:1 does not run sm_90 code; choose sm_86 or lower")
        self.refused(*self.call, "--device", "cuda:2", says="this machine has GPUs 0 to 1")

    def test_devices_have_it(self):
        self.assertNotIn("gpu", json.loads(self.ok("devices", "--json")))
        self.stand_in(DEVICES="90,80")
        gpu = json.loads(self.ok("devices", "--json"))["gpu"]
        self.assertEqual((gpu["level"], gpu["multiprocessors"], gpu["name"], gpu["cuda_of_driver"]), ("sm_90", 3, "emulated sm_90", "13.0"))
        self.assertEqual(gpu["fingerprint"], "sm_90 64K 3 multiprocessors 1500 MHz CUDA 13.0 emulated sm_90")
        self.assertEqual(self.ok("devices").splitlines()[-1], gpu["fingerprint"])
        self.stand_in(FAIL="cuInit=999")
        self.assertNotIn("emulated", self.ok("devices"))

    def test_what_is_refused(self):
        self.refused(*self.call, "--device", "cuda:0", says="no driver: the CUDA driver does not load: libcuda.so.1: cannot open shared object file: No such file or directory; give --device emulator")
        self.refused(*self.call, "--device", "cuda:", says="expected the number of a GPU, such as cuda:0")
        self.refused(*self.call, "--device", "gpu", says="expected cpu, emulator, or a GPU such as cuda:0")
        self.write("kernels.txt", "")
        self.stand_in()
        self.refused(*self.call, "--device", "cuda:0", "--target", "x86-64-v3", says="cuda:0 is a GPU; give a target such as sm_90")
        self.refused(*self.call, "--device", "cuda:0", says="the call is refused: the CUDA driver reports error 209, of the stand-in")
        self.stand_in(VERSION="11080")
        self.refused(*self.call, "--device", "cuda:0", says="older than CUDA 12")
        self.stand_in(VERSION="13000", FAIL="cuInit=999")
        self.refused(*self.call, "--device", "cuda:0", says="the CUDA driver reports error 999, unknown error; give --device emulator")
        self.stand_in(FAIL="cuModuleLoadData=218")
        self.refused(*self.call, "--device", "cuda:0", says="the call is refused: the CUDA driver reports error 218, a PTX JIT compilation failed")
        self.stand_in(FAIL="cuModuleLoadData=222")
        self.refused(*self.call, "--device", "cuda:0", says="or does not know the kernel's code (error 222, of the stand-in)")
        self.stand_in(FAIL="cuInit=34")
        self.refused(*self.call, "--device", "cuda:0", says="libcuda.so.1 is the one that the CUDA toolkit has to link against; give --device emulator")
        self.stand_in(FAIL="", DEVICES="75")
        self.refused(*self.call, "--device", "cuda:0", says="cuda:0: its compute capability is 7.5, expected 8.0 or later")
        self.stand_in(DEVICES="90")
        self.refused(*self.call, "--device", "cuda:1", says="cuda:1: GPU 0 is the only one of this machine")
        self.stand_in(DEVICES="none")
        self.refused(*self.call, "--device", "cuda:0", says="no device: the driver finds no GPU")
        self.write("libcuda.so.1", "")
        os.environ["LD_LIBRARY_PATH"] = self.directory
        self.refused(*self.call, "--device", "cuda:0", says=("no driver: the CUDA driver does not load: ", "libcuda.so.1: file too short; give --device emulator"))


class Build(Environment):
    def setUp(self):
        super().setUp()
        self.write("norms.problems", "layer_norm cols=64\n")
        self.words = ("build", "norms.problems", "-o", "out", "--name", "norms", "--cache", "cache", "--target", "x86-64-v3,sm_90")

    def manifest(self):
        with open(self.path("out/share/norms/manifest.json")) as file:
            return json.load(file)

    def failed(self, *words, says):
        """A build that leaves nothing."""
        result = run(*words, cwd=self.directory)
        self.assertEqual(result.returncode, 1)
        self.assertIn(says, result.stderr)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_links_and_runs_from_c_without_a_driver(self):
        os.environ.update(NO_PTXAS)
        self.assertEqual(run(*self.words, cwd=self.directory).returncode, 0)
        self.write("main.c", MAIN)
        flags = "-std=c11 -Wall -Wextra -Wpedantic -Werror -Iout/include main.c out/lib/libnorms.a -pthread -Wl,--no-undefined -Wl,--fatal-warnings -o main"
        subprocess.run(["cc", *flags.split()], cwd=self.directory, check=True)
        subprocess.run(["c++", "-std=c++17", "-x", "c++", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "out/include/norms.h"], cwd=self.directory, check=True)
        self.assertNotIn("cuda", subprocess.run(["readelf", "-d", "main"], cwd=self.directory, check=True, capture_output=True, text=True).stdout)
        said = subprocess.run(["./main"], cwd=self.directory, check=True, capture_output=True, text=True).stdout
        self.assertEqual(said, "no driver: the CUDA driver does not load: libcuda.so.1: cannot open shared object file: No such file or directory\n")

    def test_without_an_assembler(self):
        os.environ.update(NO_PTXAS)
        self.failed(*self.words, "--require", "cubin", says="no machine code for GPUs: no/such/ptxas does not say its version")
        result = run(*self.words, cwd=self.directory)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: GPUs get PTX alone, which their driver compiles: no/such/ptxas", result.stderr)
        kernels = [kernel for kernel in self.manifest()["functions"][0]["kernels"] if kernel["target"] == "sm_90"]
        self.assertTrue(kernels)
        self.assertEqual({kernel["cubin_bytes"] for kernel in kernels}, {0})

    def assembler(self, script):
        """A ptxas that tells its version, and for a kernel does what `script` says: $5 is the kernel's PTX, $4 what it is to write."""
        self.write("ptxas", '#!/bin/sh\n[ "$1" = --version ] && echo "release 0" && exit\n' + script)
        os.chmod(self.path("ptxas"), 0o755)
        os.environ["NORMFORGE_PTXAS"] = self.path("ptxas")

    def test_an_assembler_that_writes_nothing(self):
        for script in ("exit 0\n", 'rm "$4"\n'):
            self.assembler(script)
            says = "does not assemble the kernel for sm_90: it ends well and writes nothing; install the CUDA toolkit, or name its ptxas by NORMFORGE_PTXAS"
            self.failed(*self.words, "--require", "cubin", says=says)
            result = run(*self.words, cwd=self.directory)
            self.assertEqual(result.returncode, 0)
            self.assertIn(says, result.stderr)
            shutil.rmtree(self.path("out"))
            packing = run("tune", "norms.problems", "--target", "sm_90", "--pack", "pack", "--budget", "0.1s", "--cache", "cache", cwd=self.directory)
            self.assertIn(says, packing.stderr)

    def test_an_assembler_that_fails_on_one_kernel(self):
        self.write("norms.problems", "layer_norm cols=64\n")
        self.assembler('mkdir count 2>/dev/null && echo "ptxas fatal : once" && exit 1\necho code >"$4"\n')
        os.chdir(self.directory)
        self.addCleanup(os.chdir, os.getcwd())
        result = run(*self.words, "--jobs", "1")
        self.assertEqual(result.returncode, 0)
        kernels = [kernel for function in self.manifest()["functions"] for kernel in function["kernels"] if kernel["target"] == "sm_90"]
        self.assertEqual([kernel["cubin_bytes"] > 0 for kernel in kernels].count(False), 1)
        self.assertRegex(result.stderr, r"warning: 1 of \d+ kernels for GPUs is PTX alone, which their driver compiles: .*fatal : once")
        os.rmdir(self.path("count"))
        refused = run(*["other" if word == "cache" else word for word in self.words], "--require", "cubin")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"no machine code for 1 of \d+ kernels for GPUs: ")

    def test_an_assembler_that_says_nothing(self):
        self.assembler("exit 3\n")
        self.failed(*self.words, "--require", "cubin", says="does not assemble the kernel for sm_90: exit status 3; install the CUDA toolkit, or name its ptxas")
        self.assembler("")
        os.environ["NORMFORGE_PTXAS"] = "/bin/false"
        self.failed(*self.words, "--require", "cubin", says="; install the CUDA toolkit, or name its ptxas by NORMFORGE_PTXAS")

    def test_an_assembler_that_fails(self):
        self.assembler('echo "ptxas fatal : out of registers"\nexit 1\n')
        result = run(*self.words, cwd=self.directory)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: GPUs get PTX alone, which their driver compiles: " + self.path("ptxas"), result.stderr)
        self.assertIn("does not assemble the kernel for sm_90: ptxas fatal : out of registers", result.stderr)
        before = self.manifest()
        result = run(*self.words, "--require", "cubin", cwd=self.directory)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no machine code for GPUs", result.stderr)
        self.assertEqual(self.manifest(), before)

    def test_same_bits_need_a_cpu(self):
        self.failed(*self.words[:-1], "sm_90", "--same-bits", says="add one such as x86-64-v3")


if __name__ == "__main__":
    unittest.main()
