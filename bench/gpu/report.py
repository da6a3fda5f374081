"""What all steps found, as one JSON file, plots, and a few lines to read."""

import json
import math
import re
import shutil

import plot
from cases import DTYPES, NORMS, cases
from steps import write_whole
from suite import TOOLS


def case_line(result, emulated):
    """One case in a line: what fraction of the copy speed each contestant reached; times of the emulator say nothing."""
    if why := result.get("error") or result.get("skipped"):
        return why
    if emulated:
        return "right"
    parts = []
    for name, answer in result["results"].items():
        parts.append(f"{name} {answer['copy_fraction']:.2f}" if "seconds" in answer else f"{name} -")
    return "of copy speed: " + ", ".join(parts)


def gather(output):
    suites = {}
    for library in output.libraries():
        for name in ("conformance", *TOOLS):
            if found := output.read(f"{name}-{library}"):
                suites[f"{name}-{library}"] = found
    measured = [output.read(f"bench/{case.name}") for case in cases(output.facts["emulated"])]
    return {"made_by": output.facts, "device": output.read("device"), "suites": suites, "bench": [found for found in measured if found]}


def series(bench, norm, dtype, rows):
    """By contestant, (columns, fraction of copy speed, whether its dot is solid) of a norm."""
    lines = {}
    for case in bench:
        if (case.get("norm"), case.get("dtype"), case.get("rows")) == (norm, dtype, rows):
            for name, answer in case.get("results", {}).items():
                if "seconds" in answer:
                    lines.setdefault(name, []).append((case["cols"], answer["copy_fraction"], answer.get("schedules") != "default"))
    return {name: sorted(points) for name, points in lines.items()}


def write(output, results):
    """Writes results.json and a plot for each dtype, and copies them to the directory `results`, if any, named by device and date."""
    found = gather(output)
    device = found["device"] or {}
    write_whole(output.directory / "results.json", json.dumps(found, indent=1) + "\n")
    files = [output.directory / "results.json"]
    heights = sorted({case["rows"] for case in found["bench"] if case.get("results")}, reverse=True)
    for dtype in DTYPES:
        rows = [(f"{rows} rows", [(norm, series(found["bench"], norm, dtype, rows)) for norm in NORMS]) for rows in heights]
        title = f"{dtype} on {device.get('device', 'no device')}: fraction of the copy speed by columns; hollow: a default schedule"
        files.append(output.directory / f"results_{dtype}.svg")
        write_whole(files[-1], plot.svg(title, rows))
    if results and device:
        results.mkdir(parents=True, exist_ok=True)
        stem = "gpu_" + re.sub(r"[^A-Za-z0-9]+", "_", device["device"]) + "_" + device["date"]
        for file in list(files):
            named = results / file.name.replace("results", stem)
            shutil.copyfile(file, named)
            files.append(named)
    return files


def summary(output):
    found = gather(output)
    suites = found["suites"].values()
    lines = [
        f"suite: {sum(s['passed'] is True for s in suites)} steps passed, {sum(s['passed'] is False for s in suites)} failed, "
        f"{sum(s['passed'] is None for s in suites)} skipped"
    ]
    for reason in sorted({s["skipped"] for s in suites if s.get("skipped")}):
        lines.append(f"  skipped: {reason}")
    if output.facts["emulated"]:
        return "\n".join(lines + [f"bench: {sum(case['passed'] for case in found['bench'])} of {len(found['bench'])} shapes are right"])
    for dtype in DTYPES:
        for norm in NORMS:
            fractions, best, raced, tuned = [], 0, 0, 0
            for case in found["bench"]:
                answers = {k: v for k, v in case.get("results", {}).items() if "seconds" in v}
                if (case.get("norm"), case.get("dtype")) != (norm, dtype) or "normforge" not in answers:
                    continue
                fractions.append(answers["normforge"]["copy_fraction"])
                tuned += answers["normforge"]["schedules"] != "default"
                peers = [answer["seconds"] for name, answer in answers.items() if name != "normforge"]
                raced += bool(peers)
                best += bool(peers) and answers["normforge"]["seconds"] <= min(peers)
            if fractions:
                mean = math.exp(math.fsum(map(math.log, fractions)) / len(fractions))
                beside = f"; at or above the best peer on {best} of {raced}" if raced else "; no peer took part"
                lines.append(f"{norm} {dtype}: {mean:.3f} of the copy speed, the mean of {len(fractions)} shapes, {tuned} of them tuned{beside}")
    skipped = [case for case in found["bench"] if case.get("skipped")]
    failed = [case for case in found["bench"] if not case["passed"]]
    lines += [f"{len(skipped)} shapes were skipped, for memory"] if skipped else []
    lines += [f"{len(failed)} shapes failed"] if failed else []
    return "\n".join(lines)
