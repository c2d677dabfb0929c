"""Commands measured: each a process of its own, with its seconds and its own peak memory."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Run:
    """One process: wall and CPU seconds, peak resident megabytes, and what it printed."""

    wall: float
    cpu: float
    memory: float
    printed: str


def describe_machine() -> str:
    """Return what the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({_name_processor()}), {memory:.0f} GiB, Python {platform.python_version()}"
    )


def run(command: Sequence[str], folder: Path) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("STILLHOUSE_HOME", None)
    with tempfile.TemporaryDirectory() as scratch:
        told = Path(scratch) / "told.json"
        timed = [sys.executable, "-S", str(ROOT / "bench/timed.py"), str(told)]
        done = subprocess.run(
            [*timed, *command],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
        used = json.loads(told.read_text())
    if used["code"]:
        raise RuntimeError(f"{list(command)[:4]} ended with {used['code']}: {done.stderr[-800:]}")
    return Run(used["wall"], used["cpu"], used["kilobytes"] / 1000, done.stdout)


def find_middle(runs: Sequence[Run]) -> Run:
    """Return the medians of the seconds, and the greatest peak."""
    wall, cpu = (statistics.median(getattr(one, what) for one in runs) for what in ("wall", "cpu"))
    return Run(wall, cpu, max(one.memory for one in runs), "")


def describe_run(one: Run) -> str:
    """Return a run in words; its CPU seconds tell whether the machine was shared."""
    return f"{one.wall:7.2f} s ({one.cpu:6.2f} CPU) {one.memory:6.0f} MB"


def _name_processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
