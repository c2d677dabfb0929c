"""Checks of the folder that is never hashed: where it lies, and the journal in it."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from stillhouse.base import versions
from stillhouse.base.home import find_home
from stillhouse.lineage.doctor import Check, Finding

_MOUNTS: Final = Path("/proc/mounts")
# SQLite's WAL shares memory between processes: it needs all of them on one machine, and real locks.
_REMOTE: Final = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre")
_REMOTE_FUSE: Final = ("sshfs", "s3fs", "rclone", "gcsfuse", "goofys", "glusterfs")
_SECONDS: Final = 1.0  # a large journal is read for so long and no longer
_STEPS: Final = 10_000  # of SQLite's machine between two looks at the clock


def check_home(root: Path) -> Iterator[Finding]:
    """Find a folder that cannot be written to, or whose place depends on where one stands."""
    home = find_home(root)
    nearest = next(path for path in (home, *home.parents) if path.exists())
    named = os.environ.get("STILLHOUSE_HOME", "")
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        found = f"{nearest} cannot be written to"
        yield Finding("home", "fail", found, "set STILLHOUSE_HOME to a folder that can be")
    elif named and not Path(named).is_absolute():
        found = f"STILLHOUSE_HOME is {named}, another folder from each working directory"
        yield Finding("home", "warn", found, "set it to an absolute path")
    else:
        yield Finding("home", "ok", str(home))


def check_filesystem(root: Path) -> Iterator[Finding]:
    """Find a journal on a network disk, on which two machines would damage it."""
    home = find_home(root)
    kind = _find_filesystem(home)
    if kind in _REMOTE or kind.removeprefix("fuse.") in _REMOTE_FUSE:
        found = f"{home} lies on {kind}; the journal's locks need a local disk"
        yield Finding("filesystem", "warn", found, "set STILLHOUSE_HOME to a local folder")
    elif kind:
        yield Finding("filesystem", "ok", kind)


def check_journal(root: Path) -> Iterator[Finding]:
    """Find a journal that is damaged or of another layout."""
    path = find_home(root) / "journal.sqlite"
    if not path.exists():
        yield Finding("journal", "ok", "none yet")
        return
    # Opened as it is: without a write-ahead log nobody writes, and SQLite need not make one either.
    log = path.with_name(path.name + "-wal")
    mode = "mode=ro" if log.exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)) as base:
            yield _look_into(base)
    except sqlite3.Error as exc:
        remedy = "move it aside; answers are looked for in DVC's cache as well"
        yield Finding("journal", "fail", f"cannot be read ({exc})", remedy)


def _look_into(base: sqlite3.Connection) -> Finding:
    (layout,) = base.execute("PRAGMA user_version").fetchone()
    if not 1 <= layout <= versions.JOURNAL:  # an older one is brought up by the next run
        found = f"has layout {layout}, this version knows {versions.JOURNAL}"
        remedy = "use the version that wrote it, or another STILLHOUSE_HOME"
        return Finding("journal", "fail", found, remedy)
    until = time.monotonic() + _SECONDS
    base.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        (answers,) = base.execute("SELECT count(*) FROM answers").fetchone()
        (said,) = base.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as exc:
        if "interrupted" not in str(exc):
            raise
        return Finding("journal", "ok", "too large to check in a second")
    if said != "ok":
        remedy = "move it aside; answers are looked for in DVC's cache as well"
        return Finding("journal", "fail", f"damaged ({said})", remedy)
    return Finding("journal", "ok", f"{answers:,} answers, whole")


def _find_filesystem(path: Path) -> str:
    """Return the type of the file system that holds a path; empty where that is not told (Linux)."""
    if not _MOUNTS.exists():
        return ""
    entries = (line.split() for line in _MOUNTS.read_text(encoding="utf-8").splitlines())
    points = {entry[1].replace("\\040", " "): entry[2] for entry in entries if len(entry) > 2}
    holders = [point for point in points if path.is_relative_to(point)]
    return points[max(holders, key=len)] if holders else ""


HOME: Final[tuple[Check, ...]] = (check_home, check_filesystem, check_journal)
