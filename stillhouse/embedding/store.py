"""Vectors that were computed before, in one SQLite file; a convenience, never evidence."""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

_BLOCK: Final = 500  # names in one question to SQLite


class VectorStore:
    """Remembers bytes by name. What cannot be read counts as not there."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS vectors (name TEXT PRIMARY KEY, vector BLOB NOT NULL)"
            " WITHOUT ROWID"
        )

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Return the vectors that are known, by name."""
        wanted, found = list(names), dict[str, bytes]()
        for start in range(0, len(wanted), _BLOCK):
            part = wanted[start : start + _BLOCK]
            marks = ",".join("?" * len(part))
            found |= dict(
                self._database.execute(
                    f"SELECT name, vector FROM vectors WHERE name IN ({marks})",  # noqa: S608 - marks
                    part,
                )
            )
        return found

    def write(self, vectors: Mapping[str, bytes]) -> None:
        """Remember vectors."""
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?)", vectors.items()
            )
