"""What `./dev gpu` does on a machine with a GPU, or on the emulator; a second call goes on where one was cut off.

The parts are conformance, tuning, the benchmark beside its peers, and compute-sanitizer, which takes longest.

What it takes was never measured; estimates, for `--minutes`: tuning has 5 s a problem for samples, and half as much again goes into the gate
and into contexts; the first group of problems (cases.families) is through in four minutes, all of them in half an hour. A case of the
benchmark takes half a second for samples, and most of its seconds for what the peers compile; the first group, 125 cases, is through in
ten minutes, all of them in an hour or more."""

import datetime
import os
import pathlib
import sys
import tempfile

import command
import report
from bench import run_bench
from clock import Clock, OutOfTime
from driver import Driver, GpuError
from steps import Output
from suite import TOOLS, conformance, sanitized
from targets import gpu_targets
from tuning import packed_kernels, tune

TUNE_SHARE = 0.5  # of what is left of --minutes; the bench gets the rest


def say(text):
    print(f"gpu: {text}", flush=True)


def told(name, result):
    """One line on a step."""
    if result.get("skipped"):
        return f"{name}: skipped: {result['skipped']}"
    if "tests" in result:
        counted = f"{result['tests']} tests, {result['failures']} failed"
    elif "timed" in result:
        counted = f"{result['timed']} records of times"
    else:
        counted = f"exit status {result['exit']}"
    return f"{name}: {'passed' if result['passed'] else 'FAILED'}: {counted}" + ("" if result["passed"] else f"; see {result['log']}")


def run_steps(output, clock, steps):
    """Runs (name, function, arguments) one after the other, those that are done left out. Whether nothing failed."""
    good, reasons = True, set()
    for name, function, arguments in steps:
        if output.done(name):
            continue
        try:
            if clock.over():
                raise OutOfTime("the time is over")
            result = function(output, *arguments)
        except OutOfTime as error:
            say(f"{name}: {error}; the same command goes on with it")
            return good
        output.write(name, result)
        if result.get("skipped") not in reasons:
            say(told(name, result))
        reasons |= {result["skipped"]} if "skipped" in result else set()
        good = good and result["passed"] is not False
    return good


def run_conformance(output, clock, environment):
    return run_steps(output, clock, [(f"conformance-{name}", conformance, (name, clock, environment)) for name in output.libraries()])


def run_tune(output, clock, environment):
    return run_steps(output, clock, [("tune", tune, (clock, environment))])


def run_sanitizer(output, clock, environment):
    return run_steps(output, clock, [(f"{tool}-{name}", sanitized, (tool, name, clock, environment)) for tool in TOOLS for name in output.libraries()])


def best_target(driver, targets):
    """The newest target that the GPU runs."""
    runs = [target for target in targets if int(target.removeprefix("sm_")) <= driver.level()]
    if not runs:
        raise GpuError(f"this GPU is sm_{driver.level()}, normforge has code for {targets[0]} and later")
    return runs[-1]


def look_at(driver, output):
    """What is known of the GPU, once it runs the kit and is the one that the rest was found on."""
    kit, facts, before = output.facts, driver.facts(), output.read("device") or {}
    if driver.level() < int(kit["target"].removeprefix("sm_")):
        better = best_target(driver, kit["targets"])
        raise GpuError(f"the kit is for {kit['target']}, this GPU is sm_{driver.level()}; make one by ./dev gpu --prepare --target {better}")
    if before.get("device", facts["device"]) != facts["device"]:
        raise GpuError(f"what is in {output.directory} was found on {before['device']}, this GPU is {facts['device']}; give another directory with --out")
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    output.write("device", {"date": date} | facts | before)
    return facts


PARTS = {"conformance": run_conformance, "tune": run_tune, "bench": run_bench, "sanitizer": run_sanitizer}


def run_part(part, output, clock, environment):
    """Whether nothing failed."""
    try:
        return PARTS[part](output, clock, environment)
    except GpuError as error:
        say(f"{part}: {error}")
        return False


def stand_in_environment(directory, kit, announced):
    """Of programs that are to find the stand-in for the driver; `announced`: the file that tells it what kernels it may be asked to run."""
    pathlib.Path(announced).write_text(packed_kernels(kit / "pack"))
    return dict(os.environ, LD_LIBRARY_PATH=str(directory), NORMFORGE_STAND_IN_KERNELS=announced)


def main():
    parser = command.Parser(__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="directory with kit.tar.xz, for all that is found")
    parser.add_argument("--results", type=pathlib.Path, help="directory that gets the results of a GPU")
    parser.add_argument("--only", choices=PARTS, help="this part alone")
    parser.add_argument("--stand-in", type=pathlib.Path, help="directory of the libcuda.so.1 that stands in for a GPU's")
    parser.add_argument("--minutes", type=float, help="end in time, and leave the rest to another run (default: run to the end)")
    parser.add_argument("--look", action="store_true", help="only print the target that this machine's GPU wants a kit for")
    arguments = parser.parse_args()
    if arguments.minutes is not None and arguments.minutes <= 0:
        parser.error(f"argument --minutes: expected more than 0, not {arguments.minutes:g}")
    clock = Clock(arguments.minutes, 1.0 if arguments.only else TUNE_SHARE)
    if arguments.look:
        try:
            return print(best_target(Driver(), gpu_targets()))
        except GpuError as error:
            sys.exit(f"gpu: {error}")
    output = Output(arguments.out)
    if output.facts["emulated"] != bool(arguments.stand_in):
        sys.exit(f"gpu: {arguments.out}/kit.tar.xz is for {'the emulator' if output.facts['emulated'] else 'a GPU'}; give another directory with --out")
    environments = dict.fromkeys(PARTS, dict(os.environ))
    with tempfile.TemporaryDirectory() as scratch:
        path = "libcuda.so.1"
        if arguments.stand_in:
            path = str(arguments.stand_in / path)
            environments = {part: stand_in_environment(arguments.stand_in, output.kit, f"{scratch}/{part}.txt") for part in PARTS}
        try:
            facts = look_at(Driver(path), output)
        except GpuError as error:
            sys.exit(f"gpu: {error}")
        say(f"{facts['device']}; {arguments.out} keeps what is found")
        good = all([run_part(part, output, clock, environments[part]) for part in PARTS if arguments.only in (None, part)])
    for file in report.write(output, None if arguments.stand_in else arguments.results):
        say(f"wrote {file}")
    say(f"wrote {output.carry()}, which another machine's run goes on from")
    print(report.summary(output))
    if not good:
        sys.exit("gpu: not everything passed; the same command tries again what failed")


if __name__ == "__main__":
    command.run(main)
