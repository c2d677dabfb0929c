"""How a run uses its machine. The section ``runtime:`` that no stage lists: it invalidates nothing.

So nothing may stand here that is meant to change a result: only where, how wide and how fast.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.params import PARAMS, Params, load_section


class Runtime(Params):
    """Device, threads and batch widths of everything that runs a model here."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=0, ge=0)
    generation_batch: int = Field(default=32, ge=1)
    checkpoint_minutes: float = Field(default=3, ge=0)


def load_runtime(path: Path = PARAMS) -> Runtime:
    """Return the section ``runtime`` of ``params.yaml``."""
    return load_section("runtime", Runtime, path)


def count_threads(runtime: Runtime) -> int:
    """Return how many threads to compute with: as told, or every core this process may use."""
    if runtime.threads:
        return runtime.threads
    # A container's CPU set is what counts, not the cores of the machine around it.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_device(runtime: Runtime) -> str:
    """Return ``cpu`` or ``cuda`` for torch; ``cuda`` asked for and absent is an ``InputError``."""
    if runtime.device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if runtime.device == "cuda":
        raise InputError(
            "`runtime.device` is `cuda`, but torch sees no such device",
            where=str(PARAMS),
            remedy="set it to `auto` or `cpu`",
        )
    return "cpu"


def use_threads(runtime: Runtime) -> None:
    """Let torch compute with the threads of ``runtime``."""
    import torch

    torch.set_num_threads(count_threads(runtime))
