"""Makes what `./dev gpu` takes to a machine with a GPU that has no compiler for norms and no network.

That is kit.tar.xz, some MB, with

  normforge_library_suite   the conformance suite, a program that needs libc and the driver
  libsuite_MIX.so           a library of every norm in a mix of dtypes, for GPUs and, summing in the same order, for the CPU
  libbench.so               the benchmark's kernels: default schedules, or those of a lockfile
  pack/                     candidates of the benchmark's problems, and the program that measures them
  libpacked.so              calls of the candidates that win
  peers/                    Python packages of peers that the machine may lack, from wheels
  kit.json                  what it was made of

Wheels that are known to go together with PyTorch 2.11, for Python 3.12: liger-kernel 0.8.5, one MB; and quack-kernels 0.2.4 with
nvidia-cutlass-dsl 4.3.5, apache-tvm-ffi 0.1.15 and torch-c-dlpack-ext 0.1.5, 43 MB, the most of it a compiler, beside which there is room
for 75 problems to tune. Later compilers are too large.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile

import cases
import command
from targets import gpu_targets

MOST_BYTES = 60_000_000  # that are carried
TUNING_SECONDS = 5  # for a problem
EMULATED_NORMS = ("layer_norm", "rms_norm_quant", "batch_norm_train", "group_norm", "softmax_ragged")


def run(words, **options):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if result.returncode:
        raise SystemExit(f"gpu: {pathlib.Path(words[0]).name} failed: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def shared_object(normforge, directory, name, problems, *options):
    """libNAME.so in `directory`."""
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, "problems")
        file.write_text(problems)
        run([normforge, "build", file, "-o", f"{scratch}/package", "--name", name, *options])
        archive = f"{scratch}/package/lib/lib{name}.a"
        link = ["-shared", "-o", directory / f"lib{name}.so", "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", "-pthread", "-ldl"]
        run([os.environ.get("CC", "cc"), *link])


def undated(member):
    """The same kit has the same bytes."""
    member.mtime = 0
    return member


def add_peers(directory, wheels):
    """Unpacks wheels, which is all that installing them would do here."""
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise SystemExit(f"gpu: --wheels {wheels}: there are no wheels (*.whl) in it")
    for wheel in found:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(directory)
    return [wheel.name for wheel in found]


def check_size(packed, kit, scratch):
    """Refuses a kit that is too large, and says how much of it each part is."""
    if packed.stat().st_size <= MOST_BYTES:
        return
    sizes = {}
    for part in sorted(kit.iterdir()):
        alone = scratch / "part.tar.xz"
        with tarfile.open(alone, "w:xz", preset=1, dereference=True) as tar:
            tar.add(part, part.name)
        sizes[part.name] = alone.stat().st_size
    largest = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:4])
    made, most = packed.stat().st_size / 1e6, MOST_BYTES / 1e6
    raise SystemExit(f"gpu: the kit has {made:.1f} MB, more than {most:.0f}: {largest}; leave out wheels, or have fewer problems tuned by --tune N")


def main():
    parser = command.Parser(__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build directory of normforge")
    parser.add_argument("kit", type=pathlib.Path, help="the file to write")
    parser.add_argument("--target", default="sm_90", help="GPU architecture; newer ones get its PTX")
    parser.add_argument("--lock", help="lockfile with the schedules of the benchmark's kernels")
    parser.add_argument("--tune", type=int, metavar="N", help="take the first N of the benchmark's problems to be tuned (default: all); 0: none")
    parser.add_argument("--wheels", type=pathlib.Path, metavar="DIR", help="directory of wheels of peers, for the Python of the machine with the GPU")
    parser.add_argument("--emulate", action="store_true", help="a small kit, for the emulator")
    arguments = parser.parse_args()
    if arguments.tune is not None and arguments.tune < 0:
        parser.error(f"argument --tune: expected 0 or more, not {arguments.tune}")
    normforge, suite = arguments.build / "bin/normforge", arguments.build / "bin/normforge_library_suite"
    packed_calls, began = arguments.build / "lib/libnormforge_packed.so", time.time()
    for program in (normforge, suite, packed_calls):
        if not program.exists():
            raise SystemExit(f"gpu: {program} is not there; build it, or run ./dev gpu --prepare, which does")
    if arguments.emulate:
        os.environ["NORMFORGE_PTXAS"] = "none"  # the emulator takes PTX
    required = [] if arguments.emulate else ["--require", "cubin"]
    with_stand_in = dict(os.environ, LD_LIBRARY_PATH=str(arguments.build / "tests/driver/stand_in"))
    arguments.kit.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.kit.parent) as scratch:
        kit = pathlib.Path(scratch, "kit")
        kit.mkdir()
        os.symlink(suite.resolve(), kit / suite.name)
        os.symlink(packed_calls.resolve(), kit / "libpacked.so")
        peers = add_peers(kit / "peers", arguments.wheels) if arguments.wheels else []
        mixes = ["f32"] if arguments.emulate else run([suite, "--mixes"], env=with_stand_in).split()
        for mix in mixes:
            print(f"gpu: compiling the suite in {mix}", flush=True)
            lines = run([suite, "--problems", mix], env=with_stand_in).splitlines()
            kept = [line for line in lines if not arguments.emulate or line.split()[0] in EMULATED_NORMS]
            target = f"x86-64-v3,{arguments.target}"
            shared_object(normforge, kit, f"suite_{mix}", "\n".join(kept) + "\n", "--target", target, "--same-bits", "--no-lock", *required)
        print("gpu: compiling the benchmark's kernels", flush=True)
        schedules = ["--lock", arguments.lock] if arguments.lock else ["--no-lock"]
        shared_object(normforge, kit, "bench", cases.problems(arguments.emulate), "--target", arguments.target, *schedules, *required)
        tuned = cases.tuned_problems(arguments.emulate)[: arguments.tune]
        if tuned:
            print(f"gpu: compiling candidates to tune for {len(tuned)} problems (many minutes, where they are compiled for the first time)", flush=True)
            problems = pathlib.Path(scratch, "tuned.problems")
            problems.write_text("".join(tuned))
            seconds = 0.2 if arguments.emulate else TUNING_SECONDS * len(tuned)
            run([normforge, "tune", problems, "--target", arguments.target, "--pack", kit / "pack", "--budget", f"{seconds}s"])
            shutil.copy(problems, kit / "pack")
        facts = {"normforge": run([normforge, "--version"]).strip(), "target": arguments.target, "targets": gpu_targets(), "mixes": mixes}
        facts |= {"emulated": arguments.emulate, "locked": bool(arguments.lock), "tuned_problems": len(tuned), "peers": peers}
        (kit / "kit.json").write_text(json.dumps(facts, indent=1) + "\n")
        packed = pathlib.Path(scratch, "kit.tar.xz")
        with tarfile.open(packed, "w:xz", preset=1 if arguments.emulate else 9, dereference=True) as tar:
            tar.add(kit, "kit", filter=undated)
        check_size(packed, kit, pathlib.Path(scratch))
        packed.replace(arguments.kit)
    print(f"gpu: {arguments.kit} has {arguments.kit.stat().st_size / 1e6:.1f} MB; made in {(time.time() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    command.run(main)
