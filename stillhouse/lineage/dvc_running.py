"""Who holds DVC's own locks: ``.dvc/tmp/rwlock``, which DVC fills with process ids and rewrites in place.

DVC takes any process of a recorded number for the holder, also one that has ended and that nobody has
waited for: in a container whose first process collects no orphans, that is for ever.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

RWLOCK: Final = Path(".dvc/tmp/rwlock")

_POLL: Final = 0.1  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Holders:
    """The processes that DVC takes for holders: those that run DVC, those that are something else.

    ``torn`` says that the table cannot be read, as DVC then cannot either.
    """

    running: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    torn: bool = False


def read_holders(root: Path = Path()) -> Holders:
    """Return who holds locks in a project."""
    path = root / RWLOCK
    try:
        # An empty one is torn as well: DVC rewrites it in place and cannot read it any more.
        held: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Holders()
    except ValueError:
        return Holders(torn=True)
    there = {pid: said for pid in _list_pids(held) if (said := _find_command(pid)) is not None}
    return Holders(
        running=tuple(sorted(pid for pid, said in there.items() if "dvc" in said)),
        others=tuple(sorted(pid for pid, said in there.items() if "dvc" not in said)),
    )


def release_abandoned(root: Path, patience: float = 5.0) -> None:
    """Remove the table of locks unless a DVC that runs is in it, which then refuses by itself.

    Args:
        root: a project that nobody else starts DVC in.
        patience: seconds to wait for a DVC that is about to end, or to write the table again.
    """
    deadline = time.monotonic() + patience
    while ((found := read_holders(root)).running or found.torn) and time.monotonic() < deadline:
        time.sleep(_POLL)
    if not found.running:
        (root / RWLOCK).unlink(missing_ok=True)


def _list_pids(held: object) -> Iterator[int]:
    """Yield the processes of DVC's table: path -> read: a list of holders, write: one holder."""
    if isinstance(held, Mapping):
        pid = held.get("pid")
        if isinstance(pid, int):
            yield pid
        for inner in held.values():
            yield from _list_pids(inner)
    elif isinstance(held, list):
        for inner in held:
            yield from _list_pids(inner)


def _find_command(pid: int) -> str | None:
    """Return the command line of a process, None where none of that number is there.

    That of one which has ended and waits for its parent is empty: DVC takes it for a holder, too.
    """
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.AccessDenied:
        return "dvc"  # somebody else's: taken for what DVC takes it for
    except psutil.ZombieProcess:
        return ""
    except psutil.NoSuchProcess:
        return None
