"""The benchmark as a step. The cases are measured by a process of its own, which a kernel or a peer can take down or keep from ever coming back:
then another goes on, and whoever it was is left out of that case. A case whose schedule was tuned since it was measured is measured again."""

import argparse
import contextlib
import pathlib
import site
import subprocess
import sys
import time

import report
from cases import cases
from contestants import Normforge, contestants, failure, versions
from driver import Driver, GpuError
from library import Library
from measure import EMULATED, FULL, Bench, Broken
from steps import Output
from tuned import Choices, PackedLibrary

STUCK_SECONDS = 240  # without a sign of life; the first torch.compile takes longest
GRACE_SECONDS = 20  # for the case that was begun before the time was over
MOST_DEATHS = 20  # of workers, in one run
OVER, BROKEN = 0, 3  # a worker's exit statuses
WORKER = [sys.executable, "-B", __file__]


def say(text):
    print(f"gpu: bench: {text}", flush=True)


def cases_left(output, choices):
    """What is to be measured: new cases first, then those that were tuned since, then what failed."""
    left = []
    for case in cases(output.facts["emulated"]):
        found = output.read(f"bench/{case.name}")
        failed = found is not None and not found["passed"]
        schedules = (found or {}).get("results", {}).get("normforge", {}).get("schedules")
        if found is None or failed or (schedules not in (None, "tuned here") and choices.of(case)):
            left.append(((failed, found is not None), case))
    return [case for _, case in sorted(left, key=lambda item: item[0])]


def blame(output, why):
    """Writes what is known of the case that a worker did not come back from."""
    trying = output.read("bench/trying")
    if not trying:
        return
    broke = (output.read(f"bench/{trying['case']}") or {}).get("broke", [])
    result = {"passed": False, "error": f"{trying['contestant']} {why}", "broke": sorted({*broke, trying["contestant"]} - {Normforge.name})}
    output.write(f"bench/{trying['case']}", result)
    output.path("bench/trying").unlink()
    say(f"{trying['case']}: {result['error']}")


def wait_for(worker, output, clock):
    """Its exit status; None: it was stuck, and has been killed. Where the time is over, it is killed at a case that counts as not begun."""
    started, trying = time.time(), output.path("bench/trying")
    while True:
        try:
            return worker.wait(timeout=1)
        except subprocess.TimeoutExpired:
            late = clock.end is not None and time.time() > clock.end + GRACE_SECONDS
            last = max(started, trying.stat().st_mtime if trying.exists() else 0)
            if late or time.time() - last > STUCK_SECONDS:
                worker.kill()
                worker.wait()
            if late:
                trying.unlink(missing_ok=True)
                return OVER
            if worker.returncode is not None:
                return None
        except KeyboardInterrupt:  # which the worker gets, too
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=10)
            worker.kill()
            raise


def run_bench(output, clock, environment):
    """Whether all cases passed that there was time for. `environment`: the worker's."""
    output.path("bench/trying").unlink(missing_ok=True)  # of a run that was cut
    words = [*WORKER, output.directory, *(["--end", str(clock.end)] if clock.end else [])]
    for _ in range(MOST_DEATHS):
        if clock.over():
            break
        worker = subprocess.Popen([str(word) for word in words], env=environment)
        status = wait_for(worker, output, clock)
        if status == OVER:
            break
        if status not in (None, BROKEN) and not output.read("bench/trying"):
            raise GpuError("the bench ended before its first case")  # it has said why
        if status != BROKEN:
            blame(output, "did not come back" if status is None else f"ended the process (exit status {status})")
    found = [output.read(f"bench/{case.name}") for case in cases(output.facts["emulated"])]
    if missing := found.count(None):
        say(f"{missing} of {len(found)} cases are left; the same command goes on with them")
    return all(result["passed"] for result in found if result)


def work(output, end, driver):
    """The worker: measures case by case. Returns whether it ends because it is done or its time is over; else a kernel broke the context."""
    emulated = output.facts["emulated"]
    choices = Choices(output.kit / "pack", output.directory / "records.db", None)
    left = cases_left(output, choices)
    if not left:
        return True
    site.addsitedir(str(output.kit / "peers"))
    normforge = Normforge(Library(output.kit / "libbench.so"), driver, PackedLibrary(output.kit / "libpacked.so"), choices)
    taking_part, absent = contestants(normforge, driver, emulated)
    for why in sorted(set(absent.values())):
        say(f"without {', '.join(name for name in absent if absent[name] == why)}: {why}")
    trying = lambda case, contestant: output.write("bench/trying", {"case": case.name, "contestant": contestant})
    bench = Bench(driver, taking_part, EMULATED if emulated else FULL, trying)
    output.write("device", output.read("device") | {"copy_bytes_per_second": bench.copy_speed, "absent": absent, "versions": versions()})
    for case in left:
        if end and time.time() >= end:
            return True
        broke = (output.read(f"bench/{case.name}") or {}).get("broke", [])
        began = time.time()
        try:
            result = bench.run(case, broke) | {"passed": True}
        except Broken as error:
            result = {"passed": False, "error": str(error), "broke": [*broke, error.contestant]}
        except Exception as error:  # normforge's own: those of peers are their results
            result = {"passed": False, "error": failure(error), "broke": broke}
        output.write(f"bench/{case.name}", result | {"took_seconds": time.time() - began})
        output.path("bench/trying").unlink(missing_ok=True)
        say(f"{case.name}: {report.case_line(result, emulated)}")
        try:
            driver.synchronize()
        except GpuError:
            return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--end", type=float, help="when to stop, in seconds of the epoch")
    arguments = parser.parse_args()
    output = Output(arguments.out)
    try:
        return OVER if work(output, arguments.end, Driver()) else BROKEN
    except GpuError as error:
        sys.exit(f"gpu: bench: {error}")
    except KeyboardInterrupt:  # a case that is cut is no one's fault
        output.path("bench/trying").unlink(missing_ok=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
