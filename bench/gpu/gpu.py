"""What `./dev gpu` does on a machine with a GPU, or on the emulator: conformance, tuning, the benchmark beside its
peers, and compute-sanitizer, which takes longest. A second call goes on where one was cut off."""

import datetime
import os
import pathlib
import sys
import tempfile

import command
import report
from cases import cases
from contestants import contestants, versions
from driver import Driver, GpuError
from library import Library
from measure import EMULATED, FULL, Bench, Broken
from steps import Output
from suite import TOOLS, conformance, sanitized
from tuning import tune

TARGET_LEVELS = (80, 86, 89, 90)  # of codegen/target.cpp


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


def run_steps(output, steps):
    """Runs (name, function, arguments) one after the other, those that are done left out. Whether nothing failed."""
    good, reasons = True, set()
    for name, function, arguments in steps:
        if output.done(name):
            continue
        result = function(output, *arguments)
        output.write(name, result)
        if result.get("skipped") not in reasons:
            say(told(name, result))
        reasons |= {result["skipped"]} if "skipped" in result else set()
        good = good and result["passed"] is not False
    return good


def run_conformance(output, driver, environment):
    return run_steps(output, [(f"conformance-{name}", conformance, (name, environment)) for name in output.libraries()])


def run_tune(output, driver, environment):
    return run_steps(output, [("tune", tune, (environment,))])


def run_sanitizer(output, driver, environment):
    return run_steps(output, [(f"{tool}-{name}", sanitized, (tool, name, environment)) for tool in TOOLS for name in output.libraries()])


def run_bench(output, driver, environment):
    emulated = output.facts["emulated"]
    found = {case: output.read(f"bench/{case.name}") for case in cases(emulated)}
    left = sorted([case for case in found if not output.done(f"bench/{case.name}")], key=lambda case: found[case] is not None)  # what failed comes last
    if not left:
        return True
    taking_part, absent = contestants(Library(output.kit / "libbench.so"), driver, emulated)
    for why in sorted(set(absent.values())):
        say(f"bench: without {', '.join(name for name in absent if absent[name] == why)}: {why}")
    bench = Bench(driver, taking_part, EMULATED if emulated else FULL)
    output.write("device", output.read("device") | {"copy_bytes_per_second": bench.copy_speed, "absent": absent, "versions": versions()})
    good = True
    for case in left:
        broke = (found[case] or {}).get("broke", [])
        try:
            result = bench.run(case, broke) | {"passed": True}
        except Broken as error:
            result = {"passed": False, "error": str(error), "broke": [*broke, error.contestant]}
        except GpuError as error:
            result = {"passed": False, "error": str(error)}
        good = good and result["passed"]
        output.write(f"bench/{case.name}", result)
        say(f"bench: {case.name}: {report.case_line(result, emulated)}")
        driver.synchronize()  # ends the run where a kernel has broken the context
    return good


def best_target(driver):
    """The newest target that the GPU runs."""
    runs = [level for level in TARGET_LEVELS if level <= driver.level()]
    if not runs:
        raise GpuError(f"this GPU is sm_{driver.level()}, normforge has code for sm_{TARGET_LEVELS[0]} and later")
    return f"sm_{runs[-1]}"


def check_target(driver, target):
    if driver.level() < int(target.removeprefix("sm_")):
        raise GpuError(f"the kit is for {target}, this GPU is sm_{driver.level()}; make one by ./dev gpu --prepare --target {best_target(driver)}")


PARTS = {"conformance": run_conformance, "tune": run_tune, "bench": run_bench, "sanitizer": run_sanitizer}


def main():
    parser = command.Parser(__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="directory with kit.tar.xz, for all that is found")
    parser.add_argument("--results", type=pathlib.Path, help="directory that gets the results of a GPU")
    parser.add_argument("--only", choices=PARTS, help="this part alone")
    parser.add_argument("--stand-in", type=pathlib.Path, help="directory of the libcuda.so.1 that stands in for a GPU's")
    parser.add_argument("--look", action="store_true", help="only print the target that this machine's GPU wants a kit for")
    arguments = parser.parse_args()
    if arguments.look:
        try:
            return print(best_target(Driver()))
        except GpuError as error:
            sys.exit(f"gpu: {error}")
    output = Output(arguments.out)
    if output.facts["emulated"] != bool(arguments.stand_in):
        sys.exit(f"gpu: {arguments.out}/kit.tar.xz is for {'the emulator' if output.facts['emulated'] else 'a GPU'}; give another directory with --out")
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as scratch:
        path = "libcuda.so.1"
        if arguments.stand_in:
            path = str(arguments.stand_in / path)
            os.environ["NORMFORGE_STAND_IN_KERNELS"] = f"{scratch}/bench.txt"
            environment |= {"LD_LIBRARY_PATH": str(arguments.stand_in), "NORMFORGE_STAND_IN_KERNELS": f"{scratch}/suite.txt"}
        try:
            driver = Driver(path)
            check_target(driver, output.facts["target"])
            date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
            output.write("device", {"date": date} | driver.facts() | (output.read("device") or {}))
            say(f"{driver.facts()['device']}; {arguments.out} keeps what is found")
            good = all([PARTS[part](output, driver, environment) for part in PARTS if arguments.only in (None, part)])
        except GpuError as error:
            sys.exit(f"gpu: {error}")
    for file in report.write(output, None if arguments.stand_in else arguments.results):
        say(f"wrote {file}")
    print(report.summary(output))
    if not good:
        sys.exit("gpu: not everything passed; the same command tries again what failed")


if __name__ == "__main__":
    command.run(main)
