"""How a run uses its machine. The section ``runtime:`` that no stage lists: it invalidates nothing.

So nothing may stand here that is meant to change a result: only where, how wide and how fast.
"""

import math
import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.params import PARAMS, Params, load_section
from stillhouse.base.processes import count_processes


class Runtime(Params):
    """Device, threads and batch widths of everything that runs a model here; how teachers are asked.

    ``processes`` train a student together, on one machine; ``accelerate`` is a configuration file of
    that launcher, for several machines or weights that are spread out, and says how many itself.

    ``budget_usd`` holds for all that ``budget_window`` (``12h``, ``30d``, ``all``) covers, over all
    processes, stages and teachers that share a journal.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=0, ge=0)
    processes: int = Field(default=1, ge=1)
    accelerate: str | None = None
    generation_batch: int = Field(default=32, ge=1)
    checkpoint_minutes: float = Field(default=3, ge=0)
    concurrency: int = Field(default=64, ge=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    retries: int = Field(default=6, ge=0)
    timeout_seconds: float = Field(default=600, gt=0)
    deadline_minutes: float | None = Field(default=None, gt=0)
    batch: bool = False
    budget_usd: float | None = Field(default=None, ge=0)
    budget_window: str = Field(default="30d", pattern=r"^([1-9][0-9]*[hd]|all)$")

    @property
    def window_seconds(self) -> float:
        """The length of the budget's window; infinite for ``all``."""
        if self.budget_window == "all":
            return math.inf
        unit = {"h": 3600.0, "d": 86400.0}[self.budget_window[-1]]
        return int(self.budget_window[:-1]) * unit


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
    """Let torch compute with the threads of ``runtime``, shared among the processes of this work."""
    import torch

    torch.set_num_threads(max(1, count_threads(runtime) // count_processes()))
