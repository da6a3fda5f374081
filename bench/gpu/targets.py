"""The GPU architectures that normforge has code for, read from its own table: a kit is made, or asked for, where the sources are."""

import pathlib
import re

TABLE = pathlib.Path(__file__).resolve().parents[2] / "codegen/target.cpp"


def gpu_targets():
    """Oldest first."""
    return sorted(set(re.findall(r'\{"(sm_\d+)", "cuda"', TABLE.read_text())), key=lambda name: int(name[3:]))
