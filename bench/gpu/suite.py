"""The conformance suite as steps: plain, and under each of compute-sanitizer's tools."""

import json
import os
import shutil
import subprocess

from clock import OutOfTime

TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
FINDINGS = 99  # the sanitizer's exit status then


def find_sanitizer():
    beside_toolkit = os.path.join(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin/compute-sanitizer")
    return shutil.which("compute-sanitizer") or shutil.which(beside_toolkit)


def run_suite(output, library, log, clock, environment, prefix=()):
    """Runs the suite over libLIBRARY.so; what it said goes to the file `log` of the output directory."""
    report = output.directory / f"{log}.gtest"
    report.unlink(missing_ok=True)
    words = [*prefix, output.kit / "normforge_library_suite", output.kit / f"lib{library}.so", f"--gtest_output=json:{report}", "--gtest_brief=1"]
    if output.facts["emulated"]:
        words.append("--gtest_filter=*.small_0:*.small_1")
    log_path = output.directory / f"{log}.log"
    words = [str(word) for word in words]
    with open(log_path, "w") as file:
        try:
            status = subprocess.run(words, stdout=file, stderr=subprocess.STDOUT, env=environment, timeout=clock.left()).returncode
        except subprocess.TimeoutExpired:
            raise OutOfTime("the time is over") from None
    result = {"passed": status == 0, "exit": status, "log": log_path.name}
    if report.exists():
        counted = json.loads(report.read_text())
        result |= {"tests": counted["tests"], "failures": counted["failures"]}
        failed = [f"{suite['name']}.{test['name']}" for suite in counted["testsuites"] for test in suite["testsuite"] if test.get("failures")]
        result["failed"] = failed[:20]
        report.unlink()
        if not counted["tests"]:
            result["passed"] = False
    return result


def conformance(output, library, clock, environment):
    return run_suite(output, library, f"conformance-{library}", clock, environment)


def sanitized(output, tool, library, clock, environment):
    if output.facts["emulated"]:
        return {"passed": None, "skipped": "not on the emulator, which itself looks for what the sanitizer finds"}
    sanitizer = find_sanitizer()
    if not sanitizer:
        return {"passed": None, "skipped": "compute-sanitizer was not found on PATH, in $CUDA_HOME or in /usr/local/cuda"}
    words = [sanitizer, "--tool", tool, "--error-exitcode", FINDINGS]
    return run_suite(output, library, f"{tool}-{library}", clock, environment, words)
