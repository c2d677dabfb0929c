"""Checkpoints of a training run: a killed run goes on, and ends with the bytes of an undisturbed one.

Transformers' trainer writes and reads the folder of a checkpoint. What stands here is which one may be
believed: it belongs to a run with the same key (inputs, parameters, code, versions), and it carries a
mark, written last, with the size of each of its files.
"""

import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from accelerate.utils import broadcast_object_list, wait_for_everyone
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stillhouse.base.alone import try_hold
from stillhouse.base.files import write_json
from stillhouse.base.processes import count_processes, is_first, rank_of_this

MARK: Final = "complete.json"
BEST: Final = "best-{rank}.safetensors"  # of the first process, or of each where weights are spread
_KEPT: Final = (
    1  # runs of other keys whose checkpoints stay, newest first: to go back costs nothing
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run must remember beside the trainer's own state; ``best_loss`` is ``None`` before any look."""

    step: int
    tokens: int
    best_step: int
    best_loss: float | None
    worse: int


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one run. ``every``: seconds between two of them; 0 writes none."""

    folder: Path
    every: float

    def find(self) -> Path | None:
        """Return the newest checkpoint that was written to its end."""
        whole = [path for path in self.folder.glob("checkpoint-*") if _is_whole(path)]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    def mark(self, path: Path, progress: Progress, best: dict[str, torch.Tensor]) -> None:
        """Declare the checkpoint at ``path`` whole, and remove those before it."""
        if best:
            save_best(path, best)
        sizes = {}
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
            sizes[file.relative_to(path).as_posix()] = file.stat().st_size
        write_json(path / MARK, {"progress": asdict(progress), "files": sizes})
        for other in self.folder.glob("checkpoint-*"):
            if other != path:
                shutil.rmtree(other)

    def remove(self) -> None:
        """Forget this run: its model is written."""
        for path in self.folder.glob("checkpoint-*"):
            shutil.rmtree(path)


@contextmanager
def open_checkpoints(root: Path, key: str, every: float) -> Iterator[Checkpoints | None]:
    """Yield the checkpoints of the run that ``key`` names, below ``root``, for this process alone.

    Checkpoints of other runs are never used; of those that nobody is writing, all but the last are
    removed. ``None`` where the same run is under way elsewhere, in an experiment's folder: both train.
    """
    folder = root / key[:16]
    with try_hold(_lock_of(folder)) as held:
        if not held:
            log.info("the same training runs elsewhere: this one keeps no checkpoints")
            yield None
            return
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(root, folder)
        yield Checkpoints(folder, every)


def read_progress(path: Path) -> tuple[Progress, dict[str, torch.Tensor]]:
    """Return what :meth:`Checkpoints.mark` stored: the progress, and the best weights so far."""
    told = json.loads((path / MARK).read_text(encoding="utf-8"))["progress"]
    own, first = (path / BEST.format(rank=rank) for rank in (rank_of_this(), 0))
    found = own if own.exists() else first
    return Progress(**told), load_file(found) if found.exists() else {}


def save_best(path: Path, best: dict[str, torch.Tensor]) -> None:
    """Write this process's best weights so far into a checkpoint that is not marked yet."""
    save_file(best, path / BEST.format(rank=rank_of_this()))


class SaveNow(TrainerCallback):
    """Ask the trainer for a checkpoint when its time has come, and mark it once it is written.

    Only at steps that are logged: between them the trainer holds sums that no checkpoint keeps.
    """

    def __init__(self, checkpoints: Checkpoints, keeper: Any, count_tokens: Any) -> None:
        self.checkpoints = checkpoints
        self.keeper = keeper
        self.count_tokens = count_tokens
        self.last = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ARG002 - the signature is the base class's
    ) -> None:
        """Ask for a checkpoint, all processes in the same step: the first one's clock decides."""
        control.should_save = False
        if state.global_step % int(args.logging_steps) or state.global_step >= state.max_steps:
            return
        due = [time.monotonic() - self.last >= self.checkpoints.every]
        if count_processes() > 1:
            broadcast_object_list(due)
        control.should_save = due[0]

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Mark the checkpoint, unless training has just decided to stop: a resumed run would go on."""
        if control.should_training_stop:
            return
        keeper = self.keeper
        path = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        if keeper.spread and keeper.weights and not is_first():
            save_best(path, keeper.weights)
        wait_for_everyone()  # each process writes files of its own into the folder
        if not is_first():
            return
        progress = Progress(
            step=state.global_step,
            tokens=self.count_tokens(),
            best_step=keeper.best_step,
            best_loss=keeper.best_loss if math.isfinite(keeper.best_loss) else None,
            worse=keeper.worse,
        )
        self.checkpoints.mark(path, progress, keeper.weights)
        self.last = time.monotonic()


def _is_whole(path: Path) -> bool:
    try:
        told = json.loads((path / MARK).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return False
    return all((path / name).is_file() and (path / name).stat().st_size == size
               for name, size in told.items())  # fmt: skip


def _remove_stale(root: Path, own: Path) -> None:
    others = [path for path in root.iterdir() if path.is_dir() and path != own]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    full = [path for path in others if any(path.iterdir())]
    for path in others:
        if path in full[:_KEPT]:
            continue
        with try_hold(_lock_of(path)) as held:
            if held:
                log.info("removing the checkpoints of an older training run: %s", path.name)
                shutil.rmtree(path)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
