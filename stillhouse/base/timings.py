"""How long stages took here: their last successful runs, in a file that nothing hashes.

Whoever asks what the next run will take reads it; where it says nothing, nothing is guessed.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from stillhouse.base.alone import hold
from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import read_text, write_json

_log = logging.getLogger("stillhouse")
_FILE: Final = "timings.json"
_KEPT: Final = 10  # runs of each stage
_PATIENCE: Final = 2.0  # seconds for which another process's writing is waited for


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a run that grows with ``count``, and the seconds that it took."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one successful run, and the parts of it, by name, that are known by themselves."""

    seconds: float
    parts: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timings:
    """The last runs of each stage, oldest first."""

    runs: Mapping[str, tuple[Timing, ...]]

    def typical(self, stage: str) -> float | None:
        """Return the median seconds of a stage's last runs without their parts; None if unknown."""
        rests = [
            run.seconds - sum(part.seconds for part in run.parts.values())
            for run in self.runs.get(stage, ())
        ]
        return median(rests) if rests else None

    def pace(self, stage: str, part: str) -> float | None:
        """Return the seconds for one of a part, over the last runs that had any; None if unknown."""
        found = [run.parts[part] for run in self.runs.get(stage, ()) if part in run.parts]
        count = sum(one.count for one in found)
        return sum(one.seconds for one in found) / count if count else None


_parts: ContextVar[dict[str, Part] | None] = ContextVar("parts", default=None)


def note_part(name: str, count: int, seconds: float) -> None:
    """Note a part of the stage that is being timed, added to what was noted of it before."""
    parts = _parts.get()
    if parts is not None and count:
        before = parts.get(name, Part(0, 0.0))
        parts[name] = Part(before.count + count, before.seconds + seconds)


@contextmanager
def time_stage(name: str, folder: Path, before: float = 0.0) -> Iterator[None]:
    """Keep in ``folder`` how long the block took, if it ends well and the file can be written.

    ``before`` are seconds that had passed already: those in which a process starts count, too.
    """
    token, began = _parts.set({}), time.monotonic()
    try:
        yield
        parts = _parts.get() or {}
    finally:
        _parts.reset(token)
    timing = Timing(before + time.monotonic() - began, parts)
    try:
        with hold(folder / "locks" / "timings.lock", "timings", _PATIENCE):
            _keep(folder, name, timing)
    except (StillhouseError, OSError) as exc:  # the stage itself has ended well
        _log.warning("how long it took could not be written down (%s)", exc)


def read_age() -> float:
    """Return for how many seconds this process has been running; 0 where the system does not say."""
    try:
        # The command's name may hold spaces and brackets; the fields after it may not (proc(5)).
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks)
    except (OSError, AttributeError):
        return 0.0


def _keep(folder: Path, name: str, timing: Timing) -> None:
    runs = read_timings(folder).runs
    kept = {**runs, name: (*runs.get(name, ()), timing)[-_KEPT:]}
    write_json(folder / _FILE, {stage: [asdict(one) for one in kept[stage]] for stage in kept})


def read_timings(folder: Path) -> Timings:
    """Return what is known of earlier runs; a file that cannot be read says nothing."""
    try:
        found = json.loads(read_text(folder / _FILE))
        return Timings({str(name): tuple(map(_parse, runs)) for name, runs in found.items()})
    except (StillhouseError, ValueError, KeyError, TypeError, AttributeError):
        return Timings({})


def _parse(run: Mapping[str, object]) -> Timing:
    parts = run["parts"]
    if not isinstance(parts, Mapping):
        raise TypeError
    read = {
        str(name): Part(int(part["count"]), float(part["seconds"])) for name, part in parts.items()
    }
    return Timing(float(str(run["seconds"])), read)
