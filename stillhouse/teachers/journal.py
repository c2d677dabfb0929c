"""The journal: every answer that a teacher gave here, written before anything else happens with it.

One SQLite file, shared by all runs and experiments of a project. A request in flight is leased to
the process that asks it, so that two processes never buy the same answer. Failures stand apart,
with their error; they are never answers, and what was paid for them is kept, too. The file must lie on a local disk (SQLite's WAL).
"""

import json
import math
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, fields
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from stillhouse.base.errors import InputError
from stillhouse.base.records import Response
from stillhouse.base.stage import log
from stillhouse.teachers.batchbook import BatchBook
from stillhouse.teachers.database import Database, is_busy, open_shared
from stillhouse.teachers.heartbeat import beat
from stillhouse.teachers.money import Account, Bill, Budget, Rate, Reservation
from stillhouse.teachers.owner import Owner, name_process
from stillhouse.teachers.protocol import Failure, Outcome, Usage

# ruff: noqa: S608 - into the text of a query go only the constants below, never a value

# Only an owner on another machine or in another container is judged by the clock; one that can be
# seen keeps its lease for as long as it lives.
LEASE_SECONDS: Final = 900.0
_PARTING_SECONDS: Final = 1.0  # for which an ending process waits to give its leases back

COLUMNS: Final = tuple(field.name for field in fields(Response))
_read_columns: Final = attrgetter(*COLUMNS)
_read_usage: Final = attrgetter(*(field.name for field in fields(Usage)))
_NAMES: Final = ", ".join(COLUMNS)
_AMONG: Final = "request_id IN (SELECT value FROM json_each(?))"
_MINE: Final = "place = ? AND pid = ? AND started = ?"


class Journal:
    """The open journal. Leave it as a context manager: that gives the leases back."""

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path`` and lay it out if it is new.

        Raises:
            InputError: the file is no journal, or of another layout than this version knows.
        """
        self._use(open_shared(path))

    def _use(self, database: Database) -> None:
        self._owner = name_process()
        self._database, self._base = database, database.base

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._database.close()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._database.path

    def set_durable(self, durable: bool) -> None:
        """Have each commit survive a power cut (milliseconds), or only the end of this process."""
        self._database.set_durable(durable)

    def read(self, request_ids: Collection[str]) -> dict[str, Response]:
        """Return the answers known among ``request_ids``."""
        query = f"SELECT {', '.join(COLUMNS)} FROM answers WHERE {_AMONG}"
        with self._database.explained():
            found = self._database.wait_for(query, _list(request_ids))
            return {row[0]: unpack(row) for row in found}

    def find_answered(self, request_ids: Collection[str]) -> set[str]:
        """Return which of the requests have an answer."""
        query = f"SELECT request_id FROM answers WHERE {_AMONG}"
        with self._database.explained():
            return {name for (name,) in self._database.wait_for(query, _list(request_ids))}

    def read_failures(self) -> list[Failure]:
        """Return every request that has failed and has had no answer since, by id."""
        query = "SELECT request_id, error, permanent FROM failures ORDER BY request_id"
        with self._database.explained():
            return [
                Failure(name, error, bool(p)) for name, error, p in self._database.wait_for(query)
            ]

    def read_refusals(self, request_ids: Collection[str]) -> dict[str, Failure]:
        """Return what is known to fail for good among ``request_ids``: an outcome like an answer."""
        query = f"SELECT request_id, error FROM failures WHERE permanent AND {_AMONG}"
        with self._database.explained():
            found = self._database.wait_for(query, _list(request_ids))
            return {name: Failure(name, error, permanent=True) for name, error in found}

    def forget_failures(self, request_ids: Collection[str]) -> None:
        """Have these requests asked again; what was paid for them stays."""
        with self._database.transaction():
            query = f"DELETE FROM failures WHERE {_AMONG}"
            self._base.execute(query, (_list(request_ids),))

    def claim(self, request_ids: Sequence[str], limit: int) -> list[str]:
        """Lease up to ``limit`` of the requests without an outcome and a lease; return those.

        A lease whose owner has ended is taken over. All of ``request_ids`` are looked up, so
        whoever has many asks for a few at a time.
        """
        with self._database.passing_transaction():
            taken = self._read_held(request_ids) | self._read_settled(request_ids)
            granted = [name for name in request_ids if name not in taken][:limit]
            query = f"SELECT request_id, expected FROM leases WHERE {_AMONG}"
            self._charge_lost(self._base.execute(query, (_list(granted),)).fetchall())
            lease = (self._owner.place, self._owner.pid, self._owner.started, _expiry())
            self._base.executemany(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, 0, 0)",
                [(name, *lease) for name in granted],
            )
        return granted

    def has_batched(self, request_ids: Collection[str], teacher: str) -> bool:
        """Say whether any of the requests waits for the answer of a teacher's batch."""
        query = (
            "SELECT 1 FROM batched JOIN batches USING (batch)"
            f" WHERE teacher = ? AND NOT ended AND {_AMONG} LIMIT 1"
        )
        with self._database.explained():
            return bool(self._database.wait_for(query, teacher, _list(request_ids)).fetchall())

    def has_free(self, request_ids: Collection[str]) -> bool:
        """Say whether any of the requests could be claimed now, if it is not answered."""
        with self._database.explained():
            held = self._read_held(request_ids) | self._read_batched(request_ids)
            return len(held) < len(request_ids)

    def reserve(self, costs: Sequence[Reservation], budget: Budget | None) -> int:
        """Note what leased requests may cost; return how many of them, from the first on, may be sent.

        All of them without a budget. A reservation counts against the budget of every process
        until its outcome is recorded.
        """
        with self._database.passing_transaction():
            affordable = len(costs)
            if budget is not None:
                affordable = self._count_affordable(costs, budget)
            if affordable < len(costs) and budget is not None and self._charge_ended():
                affordable = self._count_affordable(costs, budget)
            self._base.executemany(
                f"UPDATE leases SET expected = ?, reserved = ? WHERE request_id = ? AND {_MINE}",
                [
                    (one.expected, one.at_most, one.request_id, *astuple(self._owner))
                    for one in costs[:affordable]
                ],
            )
        return affordable

    def read_account(self, window_seconds: float = math.inf) -> Account:
        """Return what was spent within the window until now, and what is reserved at the same moment."""
        query = (
            "SELECT (SELECT total(usd) FROM spending WHERE at > ?),"
            " (SELECT total(reserved) FROM leases), (SELECT total(reserved) FROM batched)"
        )
        with self._database.explained():
            row = self._database.wait_for(query, time.time() - window_seconds).fetchone()
        spent, leased, batched = row
        return Account(spent, leased + batched, batched)

    def read_spent(self, request_ids: Collection[str]) -> float:
        """Return the dollars that were ever spent on these requests."""
        query = f"SELECT total(usd) FROM spending WHERE {_AMONG}"
        with self._database.explained():
            (spent,) = self._database.wait_for(query, _list(request_ids)).fetchone()
        return float(spent)

    def read_rates(self) -> list[Rate]:
        """Return what the calls that were billed used, summed for each model and task."""
        query = (
            "SELECT model, task, count(*), sum(characters), sum(input_tokens + cache_read +"
            " cache_write), sum(output_tokens) FROM spending WHERE kind = 'answer' AND task != ''"
            " GROUP BY model, task ORDER BY model, task"
        )
        with self._database.explained():
            return [Rate(*row) for row in self._database.wait_for(query)]

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

    @property
    def batches(self) -> BatchBook:
        """What is known of message batches."""
        return BatchBook(self._base, self._database.transaction, self._owner, self._charge_lost)

    def record(
        self,
        outcomes: Sequence[Outcome],
        bills: Sequence[Bill] = (),
        teacher: str = "",
        *,
        batched: bool = False,
    ) -> list[Outcome]:
        """Write answers, failures and what they cost, in one transaction, and give back their leases.

        ``teacher`` is who gave them, by the name in requests: those of some teachers are shared.
        ``batched``: they come from a message batch, which two processes may read at a time. Only
        what no other has written counts, and only once.

        Returns:
            What the journal now holds for each that was written: of two answers to one request the
            first.
        """
        if not outcomes:
            return []
        ids = [outcome.request_id for outcome in outcomes]
        with self._database.transaction():
            due = self._read_batched(ids) if batched else set(ids)
            self._charge([bill for bill in bills if bill.request_id in due])
            kept = [
                self._write_answer(outcome, teacher)
                if isinstance(outcome, Response)
                else self._write_failure(outcome)
                for outcome in outcomes
                if outcome.request_id in due
            ]
            if batched:
                self._base.execute(f"DELETE FROM batched WHERE {_AMONG}", (_list(ids),))
            else:
                query = f"DELETE FROM leases WHERE {_AMONG} AND {_MINE}"
                self._base.execute(query, (_list(ids), *astuple(self._owner)))
        return kept

    def write_off(self, request_ids: Collection[str]) -> None:
        """Count as spent what these requests of this process were likely to cost, and give them back.

        They were sent, and nobody will read their answers.
        """
        with self._database.transaction():
            query = f"SELECT request_id, expected FROM leases WHERE {_AMONG} AND {_MINE}"
            names = _list(request_ids)
            self._charge_lost(self._base.execute(query, (names, *astuple(self._owner))).fetchall())
            query = f"DELETE FROM leases WHERE {_AMONG} AND {_MINE}"
            self._base.execute(query, (names, *astuple(self._owner)))

    def release(self) -> None:
        """Give back every lease of this process, unless the journal stays locked for a second.

        They end with the process in any case: whoever wants one sees that its owner has gone.
        """
        try:
            with self._database.transaction(_PARTING_SECONDS):
                self._base.execute(f"DELETE FROM leases WHERE {_MINE}", astuple(self._owner))
        except InputError as exc:
            if not is_busy(exc.__cause__):
                raise
            log.warning("the journal is locked: leases end with this process")

    def _write_answer(self, response: Response, teacher: str) -> Response:
        # The first answer stays: outputs made from it must come out the same again.
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        written = self._base.execute(
            f"INSERT OR IGNORE INTO answers ({_NAMES}, teacher) VALUES ({marks})",
            (*pack(response), teacher),
        )
        self._base.execute("DELETE FROM failures WHERE request_id = ?", (response.request_id,))
        if written.rowcount:
            return response
        return self.read([response.request_id])[response.request_id]

    def _write_failure(self, failure: Failure) -> Outcome:
        if failure.response is not None:
            marks = ", ".join("?" * len(COLUMNS))
            statement = f"INSERT INTO unusable ({_NAMES}) VALUES ({marks})"
            self._base.execute(statement, pack(failure.response))
        answered = self.read([failure.request_id]).get(failure.request_id)
        if answered not in (None, failure.response):
            return answered
        # What an earlier version took for an answer goes where it belongs.
        name = (failure.request_id,)
        if self._base.execute("DELETE FROM answers WHERE request_id = ?", name).rowcount:
            self._base.execute("DELETE FROM shared WHERE name = ?", name)
        self._base.execute(
            "INSERT INTO failures VALUES (?, ?, ?, 1) ON CONFLICT (request_id) DO UPDATE SET"
            " error = excluded.error, permanent = excluded.permanent, attempts = attempts + 1"
            " WHERE NOT permanent",
            (failure.request_id, _mend(failure.error), failure.permanent),
        )
        return self.read_refusals([failure.request_id]).get(failure.request_id, failure)

    def _read_settled(self, ids: Collection[str]) -> set[str]:
        """Return which of the requests have an outcome, or wait for a batch that was submitted."""
        names = _list(ids)
        query = (
            f"SELECT request_id FROM answers WHERE {_AMONG}"
            f" UNION SELECT request_id FROM failures WHERE permanent AND {_AMONG}"
        )
        found = self._base.execute(query, (names, names))
        return {name for (name,) in found} | self._read_batched(ids)

    def _read_batched(self, ids: Collection[str]) -> set[str]:
        found = self._database.wait_for(
            f"SELECT request_id FROM batched WHERE {_AMONG}", _list(ids)
        )
        return {name for (name,) in found}

    def _count_affordable(self, costs: Sequence[Reservation], budget: Budget) -> int:
        return budget.count_affordable(self.read_account(budget.window_seconds), costs)

    def _charge_ended(self) -> bool:
        """Count as spent what processes that have ended left in flight, if there is any.

        Nobody may ever want those requests again, and what is reserved for them would weigh for ever.
        """
        query = (
            "SELECT place, pid, started, max(expires) FROM leases WHERE reserved > 0"
            " GROUP BY place, pid, started"
        )
        ended = [
            owner
            for *owner, expires in self._base.execute(query).fetchall()
            if not self._is_live(Owner(*owner), expires)
        ]
        for owner in ended:
            query = f"SELECT request_id, expected FROM leases WHERE {_MINE}"
            self._charge_lost(self._base.execute(query, owner).fetchall())
            self._base.execute(f"DELETE FROM leases WHERE {_MINE}", owner)
        return bool(ended)

    def _charge(self, bills: Sequence[Bill], kind: str = "answer") -> None:
        now = time.time()
        self._base.executemany(
            "INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    now,
                    bill.request_id,
                    kind,
                    bill.usd,
                    bill.teacher,
                    bill.model,
                    bill.task,
                    bill.characters,
                    *_read_usage(bill.usage),
                )
                for bill in bills
            ],
        )

    def _charge_lost(self, leases: Sequence[tuple[str, float]]) -> None:
        lost = [Bill(name, expected, "", "", "", 0) for name, expected in leases if expected]
        self._charge(lost, "lost")

    def _read_held(self, ids: Collection[str]) -> set[str]:
        """Return which of the requests are leased to a process that still counts."""
        query = f"SELECT request_id, place, pid, started, expires FROM leases WHERE {_AMONG}"
        leases = self._database.wait_for(query, _list(ids)).fetchall()
        held: dict[Owner, bool] = {}
        for _, place, pid, started, expires in leases:
            owner = Owner(place, pid, started)
            if owner not in held:
                held[owner] = self._is_live(owner, expires)
        return {name for name, *owner, _ in leases if held[Owner(*owner)]}

    def _is_live(self, owner: Owner, expires: float) -> bool:
        gone = owner.is_gone(self._owner.place)
        return expires > time.time() if gone is None else not gone

    def _renew(self) -> None:
        """Put off the end of this process's leases; from another thread, so on its own connection."""
        query = f"UPDATE leases SET expires = ? WHERE {_MINE}"
        try:
            with closing(
                sqlite3.connect(self.path, timeout=_PARTING_SECONDS, isolation_level=None)
            ) as base:
                base.execute(query, (_expiry(), *astuple(self._owner)))
        except sqlite3.Error as exc:  # nine more beats before one of them ends
            log.warning("the leases could not be renewed (%s)", exc)


def pack(response: Response) -> tuple[str | int, ...]:
    """Return an answer as the columns of its table."""
    # Not `astuple`, which copies deeply: this is done for each answer.
    values = _read_columns(response)
    whole = (_mend(value) if isinstance(value, str) else value for value in values[:-1])
    return (*whole, json.dumps(values[-1]))


def _mend(text: str) -> str:
    """Return a text that can be written: servers send half of a character, which is no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def unpack(row: Sequence[Any]) -> Response:
    """Return the answer that stands in the columns of a row."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["confidences"] = tuple(json.loads(values["confidences"]))
    return Response(**values)


def _list(request_ids: Collection[str]) -> str:
    return json.dumps(list(request_ids))


def _expiry() -> float:
    return time.time() + LEASE_SECONDS
