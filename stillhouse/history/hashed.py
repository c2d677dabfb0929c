"""The md5 of files that were hashed before and that nobody has touched since.

DVC believes a file's size and time, which can be set back. The time at which the file system changed
a file's entry cannot be set by whoever writes the file, so that it is asked for as well. `verify`
asks nothing of this: it reads every byte again.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stillhouse.base.ids import md5_file

_FILE: Final = "hashed.sqlite"
_SETTLED: Final = (
    2.0  # seconds; a file that changed within the clock's last tick could change again
)
_LAYOUT: Final = """
    create table if not exists hashed (
        path text primary key, size integer, mtime integer, ctime integer, inode integer, md5 text
    )
"""


class Hashed:
    """Remembers md5s in the folder that outlives a stage (``base.home``); without one it remembers none.

    A memory that cannot be read or written is none: every file is hashed then.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def md5(self, path: Path) -> str:
        """Return the md5 of a file's bytes: remembered, where the file is untouched since."""
        before = _look(path)
        with self._open() as database:
            if database is not None and (known := _recall(database, path, before)):
                return known
        md5 = md5_file(path)
        if _look(path) == before and time.time() - before[2] / 1e9 > _SETTLED:
            with self._open() as database:
                if database is not None:
                    _remember(database, path, before, md5)
        return md5

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        if not self._file.parent.is_dir():
            yield None
            return
        try:
            database = sqlite3.connect(self._file, timeout=1.0)
        except sqlite3.Error:
            yield None
            return
        try:
            yield database
        finally:
            database.close()


def _look(path: Path) -> tuple[int, int, int, int]:
    seen = path.stat()
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


def _recall(database: sqlite3.Connection, path: Path, seen: tuple[int, ...]) -> str:
    asked = "select md5 from hashed where path = ? and size = ? and mtime = ? and ctime = ? and inode = ?"
    try:
        row = database.execute(asked, (os.fspath(path.resolve()), *seen)).fetchone()
    except sqlite3.Error:  # no table yet, or no database: nothing is remembered
        return ""
    return str(row[0]) if row else ""


def _remember(database: sqlite3.Connection, path: Path, seen: tuple[int, ...], md5: str) -> None:
    told = (os.fspath(path.resolve()), *seen, md5)
    try:
        with database:
            database.execute(_LAYOUT)
            database.execute("insert or replace into hashed values (?, ?, ?, ?, ?, ?)", told)
    except sqlite3.Error:  # read-only, full, or held by another: it is only hashed again next time
        return
