"""README.md does what it says. Its fenced blocks that name a file (```c app.c) become that file, its `sh` blocks run, in order, in one empty
directory. Blocks that work in a clone (./dev …, cmake --preset …) are checked for verbs and presets that exist.

NORMFORGE names the program."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)


def fail(what):
    sys.exit(f"readme_test.py: {what}")


def check_clone_commands(commands, root):
    """Whether the verbs and presets that a line names exist."""
    verbs = subprocess.run([root / "dev", "help"], check=True, capture_output=True, text=True).stdout
    presets = json.loads((root / "CMakePresets.json").read_text())
    for verb in re.findall(r"\./dev (\w+)", commands):
        if not re.search(rf"^{verb}\b", verbs, re.M):
            fail(f"./dev has no verb '{verb}'")
    for tool, preset in re.findall(r"(cmake|cmake --build|ctest) --preset (\w+)", commands):
        kind = {"cmake": "configurePresets", "cmake --build": "buildPresets", "ctest": "testPresets"}[tool]
        if preset not in [p["name"] for p in presets[kind]]:
            fail(f"CMakePresets.json has no '{preset}' among its {kind}")


def main(normforge):
    root = pathlib.Path(__file__).resolve().parents[2]
    text = (root / "README.md").read_text("utf-8")
    check_clone_commands(text, root)
    path = f"{normforge.resolve().parent}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = 0
    with tempfile.TemporaryDirectory() as directory:
        for language, file, body in BLOCK.findall(text):
            if file:
                (pathlib.Path(directory) / file).write_text(body, "utf-8")
            elif language == "sh" and not re.search(r"\./dev |--preset ", body):
                print(f"$ {body}", end="", flush=True)
                env = dict(os.environ, PATH=path, CMAKE_GENERATOR="Ninja", XDG_CACHE_HOME=directory + "/cache")
                patient = re.sub(r"--budget \d+s", "--budget 120s", body)  # for a machine so busy that a few seconds measure nothing
                if all(subprocess.run(["sh", "-ec", each], cwd=directory, env=env).returncode for each in dict.fromkeys((body, patient))):
                    fail("a command of README.md failed")
                ran += 1
            elif language not in ("sh", "text"):
                fail(f"a block of '{language}' that names no file is not tested")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (root / link).exists():
            fail(f"README.md links to {link}, which is not there")
    if ran < 4:
        fail("README.md has fewer commands than it had; is its markup as readme_test.py expects?")


if __name__ == "__main__":
    main(pathlib.Path(os.environ["NORMFORGE"]))
