"""What the journal knows of message batches, so that none is submitted twice and no answer is lost.

Before a batch is submitted, its requests move here in one transaction with a batch that has no name
yet: the intent. The server's id is its name. An intent whose process has gone was submitted or was
not; only the server can tell.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass
from typing import Final, TypeAlias

from stillhouse.teachers.money import Bill
from stillhouse.teachers.owner import Owner

# ruff: noqa: S608 - into the text of a query go only the constants below, never a value

# An owner that cannot be seen from here is judged by the clock: no submission takes so long.
_UNSEEN_SECONDS: Final = 3600.0
_AMONG: Final = "request_id IN (SELECT value FROM json_each(?))"
_MINE: Final = "place = ? AND pid = ? AND started = ?"

ChargeLost: TypeAlias = Callable[[Sequence[tuple[str, float]]], None]


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose answers are not all here. ``submitted`` is when that was begun, in epoch seconds."""

    number: int
    name: str
    submitted: float
    requests: int


class BatchBook:
    """The tables ``batches`` and ``batched`` of an open journal."""

    def __init__(
        self,
        base: sqlite3.Connection,
        transaction: Callable[[], AbstractContextManager[None]],
        owner: Owner,
        charge_lost: ChargeLost,
    ) -> None:
        self._base, self._transaction, self._owner = base, transaction, owner
        self._charge_lost = charge_lost

    def intend(self, bills: Sequence[Bill]) -> int:
        """Move requests from this process's leases into a batch without a name; return its number.

        ``bills`` say what each is about, and in ``usd`` what it is likely to cost. What it can cost
        at most stays reserved.

        Raises:
            ValueError: one of them is not leased to this process.
        """
        mine = astuple(self._owner)
        with self._transaction():
            number = self._base.execute(
                "INSERT INTO batches (teacher, name, submitted, requests, ended, place, pid, started)"
                " VALUES (?, '', ?, ?, 0, ?, ?, ?)",
                (bills[0].teacher, time.time(), len(bills), *mine),
            ).lastrowid
            moved = self._base.executemany(
                "INSERT INTO batched (request_id, batch, model, task, characters, expected, reserved)"
                f" SELECT request_id, ?, ?, ?, ?, ?, reserved FROM leases WHERE request_id = ? AND {_MINE}",
                [
                    (number, one.model, one.task, one.characters, one.usd, one.request_id, *mine)
                    for one in bills
                ],
            ).rowcount
            if number is None or moved != len(bills):
                raise ValueError("only requests that are leased here go into a batch")
            names = json.dumps([bill.request_id for bill in bills])
            self._base.execute(f"DELETE FROM leases WHERE {_AMONG} AND {_MINE}", (names, *mine))
        return number

    def renew(self, number: int) -> None:
        """Note that an intent is carried out now."""
        with self._transaction():
            query = "UPDATE batches SET submitted = ? WHERE batch = ?"
            self._base.execute(query, (time.time(), number))

    def set_name(self, number: int, name: str) -> None:
        """Note the server's id of a batch."""
        with self._transaction():
            self._base.execute("UPDATE batches SET name = ? WHERE batch = ?", (name, number))

    def take_over(self, number: int) -> bool:
        """Make an intent this process's own if its owner has gone; return whether it is."""
        with self._transaction():
            row = self._base.execute(
                "SELECT place, pid, started, submitted FROM batches WHERE batch = ? AND name = ''",
                (number,),
            ).fetchone()
            if row is None:
                return False
            owner = Owner(*row[:3])
            if owner == self._owner:
                return True
            gone = owner.is_gone(self._owner.place)
            if gone is None:
                gone = time.time() - row[3] > _UNSEEN_SECONDS
            if gone:
                query = "UPDATE batches SET place = ?, pid = ?, started = ? WHERE batch = ?"
                self._base.execute(query, (*astuple(self._owner), number))
            return gone

    def list_open(self, teacher: str) -> list[OpenBatch]:
        """Return the batches that have not ended, by whomever they were submitted, oldest first."""
        with self._transaction():
            found = self._base.execute(
                "SELECT batch, name, submitted, requests FROM batches WHERE teacher = ? AND NOT ended"
                " ORDER BY batch",
                (teacher,),
            ).fetchall()
        return [OpenBatch(*row) for row in found]

    def list_names(self, teacher: str) -> set[str]:
        """Return the server's id of each batch that was ever known here."""
        with self._transaction():
            query = "SELECT name FROM batches WHERE teacher = ?"
            return {name for (name,) in self._base.execute(query, (teacher,))}

    def list_requests(self, number: int) -> list[str]:
        """Return the requests of a batch that have no outcome from it yet."""
        with self._transaction():
            query = "SELECT request_id FROM batched WHERE batch = ?"
            return [name for (name,) in self._base.execute(query, (number,))]

    def list_unknown(self, number: int) -> list[str]:
        """Return those of them that were submitted elsewhere: nothing is known of what they are about."""
        with self._transaction():
            query = "SELECT request_id FROM batched WHERE batch = ? AND model = ''"
            return [name for (name,) in self._base.execute(query, (number,))]

    def describe(self, bills: Sequence[Bill]) -> None:
        """Note what requests that were submitted elsewhere are about."""
        with self._transaction():
            self._base.executemany(
                "UPDATE batched SET model = ?, task = ?, characters = ? WHERE request_id = ?",
                [(bill.model, bill.task, bill.characters, bill.request_id) for bill in bills],
            )

    def read_bills(self, request_ids: Collection[str]) -> dict[str, Bill]:
        """Return a bill without usage for each of the requests that waits for a batch's answer."""
        with self._transaction():
            found = self._base.execute(
                "SELECT request_id, 0.0, teacher, model, task, characters FROM batched"
                f" JOIN batches USING (batch) WHERE {_AMONG}",
                (json.dumps(list(request_ids)),),
            ).fetchall()
        return {row[0]: Bill(*row) for row in found}

    def end(self, number: int) -> None:
        """Note that every answer of a batch is here."""
        with self._transaction():
            self._base.execute("UPDATE batches SET ended = 1 WHERE batch = ?", (number,))

    def free(self, number: int, *, lost: bool) -> list[str]:
        """Give the requests of a batch free again, and return them.

        ``lost``: it was submitted and is gone, so that what they were likely to cost counts as
        spent; else it never was.
        """
        with self._transaction():
            rows = self._base.execute(
                "SELECT request_id, expected FROM batched WHERE batch = ?", (number,)
            ).fetchall()
            self._base.execute("DELETE FROM batched WHERE batch = ?", (number,))
            if lost:
                self._charge_lost(rows)
                self._base.execute("UPDATE batches SET ended = 1 WHERE batch = ?", (number,))
            else:
                self._base.execute("DELETE FROM batches WHERE batch = ?", (number,))
        return [name for name, _ in rows]
