"""Makes what `./dev gpu` takes to a machine with a GPU that has no compiler for norms and no network: kit.tar.xz, some MB, with

  normforge_library_suite   the conformance suite, a program that needs libc and the driver
  libsuite_MIX.so           a library of every norm in a mix of dtypes, for GPUs and, summing in the same order, for the CPU
  libbench.so               the benchmark's kernels: default schedules, or those of a lockfile
  pack/                     candidates of the benchmark's main problems, and the program that measures them
  kit.json                  what it was made of
"""

import json
import os
import pathlib
import subprocess
import tarfile
import tempfile

import cases
import command

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


def main():
    parser = command.Parser(__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build directory of normforge")
    parser.add_argument("kit", type=pathlib.Path, help="the file to write")
    parser.add_argument("--target", default="sm_90", help="GPU architecture; newer ones get its PTX")
    parser.add_argument("--lock", help="lockfile with the schedules of the benchmark's kernels")
    parser.add_argument("--emulate", action="store_true", help="a small kit, for the emulator")
    arguments = parser.parse_args()
    normforge, suite = arguments.build / "bin/normforge", arguments.build / "bin/normforge_library_suite"
    for program in (normforge, suite):
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
        print("gpu: compiling candidates to tune (minutes)", flush=True)
        tuned = pathlib.Path(scratch, "tuned.problems")
        tuned.write_text(cases.tuned_problems(arguments.emulate))
        budget = ["--budget", "0.2s"] if arguments.emulate else []
        run([normforge, "tune", tuned, "--target", arguments.target, "--pack", kit / "pack", *budget])
        facts = {"normforge": run([normforge, "--version"]).strip(), "target": arguments.target, "mixes": mixes, "emulated": arguments.emulate, "tuned": bool(arguments.lock)}
        (kit / "kit.json").write_text(json.dumps(facts, indent=1) + "\n")
        packed = pathlib.Path(scratch, "kit.tar.xz")
        with tarfile.open(packed, "w:xz", preset=1 if arguments.emulate else 6, dereference=True) as tar:
            tar.add(kit, "kit", filter=undated)
        packed.replace(arguments.kit)
    print(f"gpu: {arguments.kit} has {arguments.kit.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    command.run(main)
