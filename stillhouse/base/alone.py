"""One process at a time, by a lock file that the kernel lets go of when its holder ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from stillhouse.base.errors import StillhouseError

_POLL: Final = 0.2  # seconds between two tries


@contextmanager
def hold(path: Path, what: str, patience: float = 15.0) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs.

    Args:
        path: made when missing and left behind; it holds the process id of the last holder.
        what: names the holder in the message, such as ``train smollm2``.
        patience: seconds to wait: a stage whose DVC was just killed needs a moment to end.

    Raises:
        StillhouseError: somebody else still holds it.
    """
    deadline = time.monotonic() + patience
    while True:
        with try_hold(path) as held:
            if held:
                yield
                return
        if time.monotonic() > deadline:
            holder = path.read_text(encoding="ascii").strip() or "unknown"
            raise StillhouseError(
                f"`{what}` is already running in this folder (process {holder})",
                expected="one at a time",
                remedy=f"wait for it, or end it with `kill {holder}`",
            )
        time.sleep(_POLL)


@contextmanager
def try_hold(path: Path) -> Iterator[bool]:
    """Yield whether the lock file ``path`` could be had at once; it is held while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        held = _lock(file)
        if held:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield held


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
