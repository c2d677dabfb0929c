"""Who holds a lease: a process, named so that another one can tell whether it still lives."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process. ``place`` is where its pid means anything; ``started`` tells it from a successor.

    A pid is used again, hence the start time; and it means another process, or none, in another
    container, hence the place.
    """

    place: str
    pid: int
    started: str

    def is_gone(self, place: str) -> bool | None:
        """Say whether the process has ended, as seen from ``place``; None where that cannot be told."""
        if self.place != place or not self.started:
            return None
        started = read_start(self.pid)
        return None if started is None else started != self.started


def name_process() -> Owner:
    """Return the running process as an owner."""
    return Owner(place=name_place(), pid=os.getpid(), started=read_start(os.getpid()) or "")


def name_place() -> str:
    """Return a name for this boot of this machine and this space of process ids.

    Where the kernel names neither (macOS), the machine's name: two machines of one name must not
    share a journal, which has to lie on a local disk anyway.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def read_start(pid: int) -> str | None:
    """Return when a process started; empty if it has ended, None where that cannot be told.

    In the kernel's ticks where there is ``/proc``, which no change of the clock moves.
    """
    if not (_PROC / "self/stat").exists():
        return _ask_system(pid)
    try:
        # The command's name may hold spaces and brackets; the fields after it may not (proc(5)).
        after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    except OSError:  # such as too many open files here, which says nothing of the other process
        return None
    state, started = after_name[0], after_name[19]
    return "" if state in "ZX" else started


def _ask_system(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return ""
        return f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:  # also a zombie's own error
        return ""
    except psutil.Error:
        return None
