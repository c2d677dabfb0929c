"""What was computed before, as bytes by name in one SQLite file; a convenience, never evidence."""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_BLOCK: Final = 500  # names in one question to SQLite
_BROKEN: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class ByteStore:
    """Remembers bytes by name. What cannot be read counts as not there.

    A file that is no database, or a broken one, gives way to a new one; where none can be written,
    nothing is remembered beyond this process.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = _open(path)

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Return the bytes that are known, by name."""
        return dict(self._select("name, vector", names))

    def find(self, names: Collection[str]) -> set[str]:
        """Return the names for which bytes are known."""
        return {name for (name,) in self._select("name", names)}

    def _select(self, columns: str, names: Collection[str]) -> list[tuple[Any, ...]]:
        wanted, found = list(names), list[tuple[Any, ...]]()
        with suppress(sqlite3.DatabaseError):
            for start in range(0, len(wanted), _BLOCK):
                part = wanted[start : start + _BLOCK]
                marks = ",".join("?" * len(part))
                query = f"SELECT {columns} FROM vectors WHERE name IN ({marks})"  # noqa: S608 - no values
                found += self._database.execute(query, part)
        return found

    def write(self, values: Mapping[str, bytes]) -> None:
        """Remember bytes by name; what a name already stands for stays."""
        with suppress(sqlite3.DatabaseError), self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?)", values.items()
            )


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _lay_out(path)
    except sqlite3.DatabaseError as exc:
        if exc.sqlite_errorcode & 0xFF not in _BROKEN:  # the extended codes lie above
            return _lay_out(":memory:")
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    return _lay_out(path)


def _lay_out(path: Path | str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        # No write-ahead log: whoever only reads (`stillhouse plan`) leaves no file beside it.
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS vectors (name TEXT PRIMARY KEY, vector BLOB NOT NULL)"
            " WITHOUT ROWID"
        )
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
