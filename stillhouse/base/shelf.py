"""Records under keys on disk: put in any order, read back by key, in memory that does not grow."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.packing import builder, decode, encode, flattener

T = TypeVar("T")

_CACHE_KIB: Final = 16_384


class Shelf(Generic[T]):
    """A temporary table of records of one type, open within a ``with`` block and gone after it.

    It is a private database of SQLite, which keeps it in memory while it is small, then in a file
    that has no name, so that a killed process leaves nothing behind.
    """

    def __init__(self, record_type: type[T]) -> None:
        self._flatten, self._build = flattener(record_type), builder(record_type)
        self._base = sqlite3.connect("", isolation_level=None)
        for line in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE shelf (place INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL)",
            "BEGIN",
        ):
            self._base.execute(line)
        self._sealed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self._base.close()

    def put(self, key: str, record: T) -> None:
        """Add a record; several may share a key."""
        blob = encode(self._flatten(record))
        with _explain_full_disk():
            self._base.execute("INSERT INTO shelf (key, value) VALUES (?, ?)", (key, blob))

    def __iter__(self) -> Iterator[T]:
        """Yield the records in order of their keys (by code point), equal keys as they were put."""
        return map(self._build, self.iter_plain())

    def iter_plain(self) -> Iterator[dict[str, Any]]:
        """Yield the records in the same order as plain values, with lists for tuples."""
        self._seal()
        for (blob,) in self._base.execute("SELECT value FROM shelf ORDER BY key, place"):
            yield decode(blob)

    def get(self, key: str) -> T:
        """Return the first record put under ``key``; a key that is not there is a ``KeyError``."""
        self._seal()
        found = self._base.execute(
            "SELECT value FROM shelf WHERE key = ? ORDER BY place LIMIT 1", (key,)
        ).fetchone()
        if found is None:
            raise KeyError(key)
        return self._build(decode(found[0]))

    def _seal(self) -> None:
        """Index the keys once all records are there: sorted as a whole, not one by one."""
        if not self._sealed:
            with _explain_full_disk():
                self._base.execute("CREATE INDEX by_key ON shelf (key)")
            self._sealed = True


@contextmanager
def _explain_full_disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise InputError(
            f"no room for temporary data ({exc})",
            remedy="free some, or name a folder with room in the variable SQLITE_TMPDIR",
        ) from exc
