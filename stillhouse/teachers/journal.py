"""The journal: every answer that a teacher gave here, written before anything else happens with it.

One SQLite file, shared by all runs and experiments of a project. A request in flight is leased to
the process that asks it, so that two processes never buy the same answer. Failures stand apart,
with their error; they are never answers, and what was paid for them is kept, too. The file must lie on a local disk (SQLite's WAL).
"""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.records import Response
from stillhouse.base.stage import log
from stillhouse.teachers.heartbeat import beat
from stillhouse.teachers.owner import Owner, name_process
from stillhouse.teachers.protocol import Failure

# ruff: noqa: S608 - into the text of a query go only the constants below, never a value

# Only an owner on another machine or in another container is judged by the clock; one that can be
# seen keeps its lease for as long as it lives.
LEASE_SECONDS: Final = 900.0
_BUSY_SECONDS: Final = 60.0  # for which another process's writing is waited for ...
_TURN_SECONDS: Final = 0.2  # ... in turns: within one, SQLite does not let Ctrl-C through
_PARTING_SECONDS: Final = 1.0  # for which an ending process waits to give its leases back

_COLUMNS: Final = tuple(field.name for field in fields(Response))
_LAYOUT: Final = """
CREATE TABLE answers (
    request_id TEXT PRIMARY KEY, text TEXT NOT NULL, reasoning TEXT NOT NULL,
    stop_reason TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, model TEXT NOT NULL
) STRICT;
CREATE TABLE failures (
    request_id TEXT PRIMARY KEY, error TEXT NOT NULL, permanent INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT;
CREATE TABLE leases (
    request_id TEXT PRIMARY KEY, place TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL,
    expires REAL NOT NULL
) STRICT;
"""
# What was paid for and is no answer: refusals, answers that were cut off. Nothing reads them back.
_ADDED_IN_2: Final = """
CREATE TABLE unusable (
    request_id TEXT NOT NULL, text TEXT NOT NULL, reasoning TEXT NOT NULL,
    stop_reason TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, model TEXT NOT NULL
) STRICT;
"""
_STEPS: Final = (_LAYOUT, _ADDED_IN_2)  # from each layout to the next, the first from an empty file
_AMONG: Final = "request_id IN (SELECT value FROM json_each(?))"
_MINE: Final = "place = ? AND pid = ? AND started = ?"


class Journal:
    """The open journal. Leave it as a context manager: that gives the leases back."""

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path`` and lay it out if it is new.

        Raises:
            InputError: the file is no journal, or of another layout than this version knows.
        """
        self._path = path
        self._owner = name_process()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._base = sqlite3.connect(path, timeout=_TURN_SECONDS, isolation_level=None)
            self._wait_for("PRAGMA journal_mode = WAL")
            self.set_durable(True)
            self._lay_out()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._base.close()

    def set_durable(self, durable: bool) -> None:
        """Have each commit survive a power cut (milliseconds), or only the end of this process."""
        self._base.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    def read(self, request_ids: Collection[str]) -> dict[str, Response]:
        """Return the answers known among ``request_ids``."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM answers WHERE {_AMONG}"
        with self._explained():
            found = self._wait_for(query, _list(request_ids))
            return {row[0]: Response(*row) for row in found}

    def read_failures(self) -> list[Failure]:
        """Return every request that has failed and has had no answer since, by id."""
        query = "SELECT request_id, error, permanent FROM failures ORDER BY request_id"
        with self._explained():
            return [Failure(name, error, bool(p)) for name, error, p in self._wait_for(query)]

    def read_refusals(self, request_ids: Collection[str]) -> dict[str, Failure]:
        """Return what is known to fail for good among ``request_ids``: an outcome like an answer."""
        query = f"SELECT request_id, error FROM failures WHERE permanent AND {_AMONG}"
        with self._explained():
            found = self._wait_for(query, _list(request_ids))
            return {name: Failure(name, error, permanent=True) for name, error in found}

    def forget_failures(self, request_ids: Collection[str]) -> None:
        """Have these requests asked again; what was paid for them stays."""
        with self._transaction():
            query = f"DELETE FROM failures WHERE {_AMONG}"
            self._base.execute(query, (_list(request_ids),))

    def claim(self, request_ids: Sequence[str], limit: int) -> list[str]:
        """Lease up to ``limit`` of the requests without an outcome and a lease; return those.

        A lease whose owner has ended is taken over. All of ``request_ids`` are looked up, so
        whoever has many asks for a few at a time.
        """
        with self._transaction():
            taken = self._read_held(request_ids) | self._read_answered(request_ids)
            taken |= self.read_refusals(request_ids).keys()
            granted = [name for name in request_ids if name not in taken][:limit]
            lease = (self._owner.place, self._owner.pid, self._owner.started, _expiry())
            self._base.executemany(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
                [(name, *lease) for name in granted],
            )
        return granted

    def has_free(self, request_ids: Collection[str]) -> bool:
        """Say whether any of the requests could be claimed now, if it is not answered."""
        with self._explained():
            return len(self._read_held(request_ids)) < len(request_ids)

    @contextmanager
    def keep_leases(self) -> Iterator[None]:
        """Renew the leases of this process while the block runs, then give all of them back.

        By the clock, and not with each answer: a teacher may say nothing for longer than a lease.
        """
        try:
            with beat(self._renew, LEASE_SECONDS / 10):
                yield
        finally:
            self.release()

    def record(self, outcomes: Sequence[Response | Failure]) -> list[Response | Failure]:
        """Write answers and failures, in one transaction, and give back their leases.

        Returns:
            What the journal now holds for each: of two answers to one request the first.
        """
        if not outcomes:
            return []
        with self._transaction():
            kept = [
                self._write_answer(outcome)
                if isinstance(outcome, Response)
                else self._write_failure(outcome)
                for outcome in outcomes
            ]
            self._base.execute(
                f"DELETE FROM leases WHERE {_AMONG} AND {_MINE}",
                (_list([outcome.request_id for outcome in outcomes]), *astuple(self._owner)),
            )
        return kept

    def release(self) -> None:
        """Give back every lease of this process, unless the journal stays locked for a second.

        They end with the process in any case: whoever wants one sees that its owner has gone.
        """
        try:
            with self._transaction(_PARTING_SECONDS):
                self._base.execute(f"DELETE FROM leases WHERE {_MINE}", astuple(self._owner))
        except InputError as exc:
            if not _is_busy(exc.__cause__):
                raise
            log.warning("the journal is locked: leases end with this process")

    def _lay_out(self) -> None:
        with self._transaction():
            (layout,) = self._base.execute("PRAGMA user_version").fetchone()
            if not 0 <= layout <= versions.JOURNAL:
                raise InputError(
                    f"the journal has layout {layout}",
                    where=str(self._path),
                    expected=f"layout {versions.JOURNAL} or an older one",
                    remedy="use the version of this program that wrote it, "
                    "or name another folder in STILLHOUSE_HOME",
                )
            for statement in filter(str.strip, "".join(_STEPS[layout:]).split(";")):
                self._base.execute(statement)
            if layout != versions.JOURNAL:
                self._base.execute(f"PRAGMA user_version = {versions.JOURNAL}")

    def _write_answer(self, response: Response) -> Response:
        # The first answer stays: outputs made from it must come out the same again.
        marks = ", ".join("?" * len(_COLUMNS))
        written = self._base.execute(
            f"INSERT OR IGNORE INTO answers VALUES ({marks})", astuple(response)
        )
        self._base.execute("DELETE FROM failures WHERE request_id = ?", (response.request_id,))
        if written.rowcount:
            return response
        return self.read([response.request_id])[response.request_id]

    def _write_failure(self, failure: Failure) -> Response | Failure:
        if failure.response is not None:
            marks = ", ".join("?" * len(_COLUMNS))
            self._base.execute(f"INSERT INTO unusable VALUES ({marks})", astuple(failure.response))
        answered = self.read([failure.request_id]).get(failure.request_id)
        if answered not in (None, failure.response):
            return answered
        # What an earlier version took for an answer goes where it belongs.
        self._base.execute("DELETE FROM answers WHERE request_id = ?", (failure.request_id,))
        self._base.execute(
            "INSERT INTO failures VALUES (?, ?, ?, 1) ON CONFLICT (request_id) DO UPDATE SET"
            " error = excluded.error, permanent = excluded.permanent, attempts = attempts + 1"
            " WHERE NOT permanent",
            (failure.request_id, failure.error, failure.permanent),
        )
        return self.read_refusals([failure.request_id]).get(failure.request_id, failure)

    def _read_answered(self, ids: Collection[str]) -> set[str]:
        found = self._base.execute(f"SELECT request_id FROM answers WHERE {_AMONG}", (_list(ids),))
        return {name for (name,) in found}

    def _read_held(self, ids: Collection[str]) -> set[str]:
        """Return which of the requests are leased to a process that still counts."""
        query = f"SELECT request_id, place, pid, started, expires FROM leases WHERE {_AMONG}"
        leases = self._wait_for(query, _list(ids)).fetchall()
        now, held = time.time(), {}
        for _, place, pid, started, expires in leases:
            owner = Owner(place, pid, started)
            if owner not in held:
                gone = owner.is_gone(self._owner.place)
                held[owner] = expires > now if gone is None else not gone
        return {name for name, *owner, _ in leases if held[Owner(*owner)]}

    def _renew(self) -> None:
        """Put off the end of this process's leases; from another thread, so on its own connection."""
        query = f"UPDATE leases SET expires = ? WHERE {_MINE}"
        try:
            with closing(
                sqlite3.connect(self._path, timeout=_PARTING_SECONDS, isolation_level=None)
            ) as base:
                base.execute(query, (_expiry(), *astuple(self._owner)))
        except sqlite3.Error as exc:  # nine more beats before one of them ends
            log.warning("the leases could not be renewed (%s)", exc)

    def _wait_for(
        self, statement: str, *values: str, patience: float | None = None
    ) -> sqlite3.Cursor:
        """Execute a statement for which another process may have to be waited; Ctrl-C ends that."""
        deadline = time.monotonic() + (_BUSY_SECONDS if patience is None else patience)
        while True:
            try:
                return self._base.execute(statement, values)
            except sqlite3.OperationalError as exc:
                if not _is_busy(exc) or time.monotonic() > deadline:
                    raise
            time.sleep(_TURN_SECONDS / 10)

    @contextmanager
    def _transaction(self, patience: float | None = None) -> Iterator[None]:
        with self._explained():
            self._wait_for("BEGIN IMMEDIATE", patience=patience)
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise InputError(
                f"the journal cannot be used ({exc})",
                where=str(self._path),
                expected="a SQLite file on a local disk with room left",
                remedy="free the disk, or name another folder in STILLHOUSE_HOME",
            ) from exc


def _is_busy(error: BaseException | None) -> bool:
    """Whether SQLite says that another process has the file; its finer codes count as well."""
    code: int = getattr(error, "sqlite_errorcode", 0)  # Python's own errors of this kind have none
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _list(request_ids: Collection[str]) -> str:
    return json.dumps(list(request_ids))


def _expiry() -> float:
    return time.time() + LEASE_SECONDS
