"""The file of the index: columns of tables by the md5 of the table, in SQLite. It may go at any time.

It is a memory and no evidence. Whatever stands in it is checked when it is read (a checksum over every
blob, a chain of checksums over the numbering), so that no journal is needed: what a kill or a full
disk tears is noticed, and the file is made anew.
"""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

Look: TypeAlias = tuple[int, int, int, int]  # size, mtime, ctime, inode

# 1: the first. Another one is never read: the file is made anew.
VERSION: Final = 1
NAME: Final = "index.sqlite"
_PATIENCE_SECONDS: Final = 20.0  # for another process's writing of one table
_LAYOUT: Final = """
    create table numbering (
        kind text, first integer, top integer, chain integer, data blob, primary key (kind, first)
    );
    create table digest (
        md5 text, form text, ids integer, ids_chain integer, words integer, words_chain integer,
        checksum integer, data blob, primary key (md5, form)
    );
    create table hashed (
        path text primary key, size integer, mtime integer, ctime integer, inode integer, md5 text
    );
    create table fact (name text primary key, told text, checksum integer);
"""
KINDS: Final = ("ids", "words")


class DamagedError(Exception):
    """The file does not hold what it says."""


class IndexFile:
    """An open file, or the same in memory where no file can be written."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, laying it out if it is new.

        Raises:
            DamagedError: it is of another version, or not readable.
            sqlite3.OperationalError: the place cannot be written.
        """
        self.path = path
        target = ":memory:" if path is None else str(path)
        self._chains: dict[tuple[str, int], int] = {}
        self._base = sqlite3.connect(target, timeout=_PATIENCE_SECONDS, isolation_level=None)
        try:
            with told_as_damage():
                self._base.execute("pragma journal_mode = memory")
                self._base.execute("pragma synchronous = off")
                self._lay_out()
        except BaseException:
            self._base.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all that the block writes, or nothing; other processes wait so long."""
        with told_as_damage():
            self._base.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._chains.clear()
                if self._base.in_transaction:
                    self._base.execute("rollback")
                raise
            self._base.execute("commit")

    def numbering(self, kind: str, known: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield (top, chain, packed) of what was numbered behind the first ``known``."""
        chain = self.chain_at(kind, known)
        asked = "select first, top, chain, data from numbering where kind = ? and first >= ? order by first"
        with told_as_damage():
            parts = self._base.execute(asked, (kind, known)).fetchall()
        for first, top, told, data in parts:
            chain = zlib.crc32(data, chain)
            if (first, told) != (known, chain):
                raise DamagedError("the numbering is torn")
            known = top
            yield top, chain, data

    def chain_at(self, kind: str, top: int) -> int:
        """Return the checksum over the first ``top`` of a numbering."""
        if top and (kind, top) not in self._chains:
            with told_as_damage():
                asked = "select kind, top, chain from numbering"
                rows = self._base.execute(asked).fetchall()
            self._chains |= {(kind, top): chain for kind, top, chain in rows}
        if top and (kind, top) not in self._chains:
            raise DamagedError("a part of the numbering is missing")
        return self._chains[(kind, top)] if top else 0

    def add_numbering(self, kind: str, first: int, top: int, chain: int, data: bytes) -> int:
        """Keep what was numbered behind ``chain``; return the checksum over it all."""
        chain = zlib.crc32(data, chain)
        self._base.execute(
            "insert into numbering values (?, ?, ?, ?, ?)", (kind, first, top, chain, data)
        )
        return chain

    def top(self, kind: str) -> int:
        """Return how many are numbered."""
        with told_as_damage():
            asked = "select coalesce(max(top), 0) from numbering where kind = ?"
            return int(self._base.execute(asked, (kind,)).fetchone()[0])

    def has(self, md5: str, form: str) -> bool:
        """Whether the columns of a table are kept."""
        asked = "select 1 from digest where md5 = ? and form = ?"
        with told_as_damage():
            return self._base.execute(asked, (md5, form)).fetchone() is not None

    def get(self, md5: str, form: str) -> tuple[bytes, int, int] | None:
        """Return the columns of a table, and how many ids and words there were when they were put."""
        asked = "select * from digest where md5 = ? and form = ?"
        with told_as_damage():
            found = self._base.execute(asked, (md5, form)).fetchone()
        if found is None:
            return None
        _, _, ids, ids_chain, words, words_chain, checksum, data = found
        whole = checksum == _check(md5, form, data)
        ids_fit = self.chain_at("ids", ids) == ids_chain
        if not (whole and ids_fit and self.chain_at("words", words) == words_chain):
            raise DamagedError("the columns of a table are torn")
        return bytes(data), int(ids), int(words)

    def put(self, md5: str, form: str, data: bytes) -> None:
        """Keep the columns of a table, whose numbers are all kept by now."""
        tops = [(top := self.top(kind), self.chain_at(kind, top)) for kind in KINDS]
        values = (md5, form, *tops[0], *tops[1], _check(md5, form, data), data)
        self._base.execute("insert or replace into digest values (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def get_md5(self, path: str, seen: Look) -> str:
        """Return the md5 that a file had when it looked just so; empty where nothing is kept."""
        asked = (
            "select md5 from hashed where path = ? and size = ? and mtime = ? and ctime = ? "
            "and inode = ?"
        )
        with told_as_damage():
            found = self._base.execute(asked, (path, *seen)).fetchone()
        return str(found[0]) if found else ""

    def put_md5s(self, told: Mapping[str, tuple[Look, str]]) -> None:
        """Keep the md5s of files that look so."""
        values = [(path, *seen, md5) for path, (seen, md5) in told.items()]
        self._base.executemany("insert or replace into hashed values (?, ?, ?, ?, ?, ?)", values)

    def get_fact(self, name: str) -> str | None:
        """Return what is told of some bytes, by a name that holds their hash; None where nothing is."""
        asked = "select told, checksum from fact where name = ?"
        with told_as_damage():
            found = self._base.execute(asked, (name,)).fetchone()
        if found is None:
            return None
        if found[1] != _check(name, "", found[0].encode()):
            raise DamagedError("a line is torn")
        return str(found[0])

    def put_fact(self, name: str, told: str) -> None:
        """Keep what is told of some bytes."""
        values = (name, told, _check(name, "", told.encode()))
        self._base.execute("insert or replace into fact values (?, ?, ?)", values)

    def _lay_out(self) -> None:
        version = self._base.execute("pragma user_version").fetchone()[0]
        if version == VERSION:
            return
        self._base.execute("begin immediate")
        version = self._base.execute("pragma user_version").fetchone()[0]
        tables = self._base.execute("select count(*) from sqlite_master").fetchone()[0]
        if version == 0 and tables == 0:
            for statement in _LAYOUT.split(";"):
                self._base.execute(statement)
            self._base.execute(f"pragma user_version = {VERSION}")
        self._base.execute("commit")
        if version not in (0, VERSION) or (version == 0 and tables):
            raise DamagedError(f"it has layout {version}, not {VERSION}")


def remove(path: Path) -> None:
    """Take an index out of the way; who has it open goes on with what was."""
    with suppress(FileNotFoundError):
        path.unlink()


@contextmanager
def told_as_damage() -> Iterator[None]:
    """Turn what SQLite cannot read into ``DamagedError``; that it is busy or full stays what it is."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_ERROR:
            raise
        raise DamagedError(str(exc)) from exc  # a table or column of the layout is missing
    except sqlite3.DatabaseError as exc:
        raise DamagedError(str(exc)) from exc


def _check(md5: str, form: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(f"{md5} {form}".encode()))
