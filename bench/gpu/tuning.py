"""The kit's tuning pack (`normforge tune --pack`) as a step: its runner measures the candidates of the problems that it has, and Records come
home in records.db. It knows by itself what was measured before."""

import json
import re
import subprocess

from clock import OutOfTime

FACTS = re.compile(rb'\n(\{[^\n]*"schedule":[^\n]*\})\n')


def packed_kernels(directory):
    """What a stand-in for the driver may be asked to run of a pack: the lines of NORMFORGE_STAND_IN_KERNELS."""
    lines = set()
    for path in directory.glob("*.problem"):
        for fact in map(json.loads, FACTS.findall(path.read_bytes())):
            lines.add("\t".join([fact["target"], fact["problem"], fact["schedule"], f"{fact['code_hash'] % 2**64:016x}"]) + "\n")
    return "".join(sorted(lines))


def tune(output, clock, environment):
    if not (output.kit / "pack").exists():
        return {"passed": None, "skipped": "the kit has nothing to tune"}
    log, records = output.directory / "tune.log", output.directory / "records.db"
    with open(log, "a") as file:
        words = [output.kit / "pack/run", "--db", records]
        try:
            status = subprocess.run(words, stdout=file, stderr=subprocess.STDOUT, env=environment, timeout=clock.left_to_tune()).returncode
        except subprocess.TimeoutExpired:
            raise OutOfTime("its share of the time is over") from None
    timed = sum('"samples"' in line and '"rejected"' not in line for line in records.read_text().splitlines()) if records.exists() else 0
    if not timed:
        records.unlink(missing_ok=True)  # where every candidate failed, the GPU did: they are tried again
    return {"passed": status == 0 and timed > 0, "exit": status, "log": log.name, "timed": timed}
