"""What of the journal a remote has, and what it has not yet. For threads: on connections of its own."""

import sqlite3
import time
from collections.abc import Collection, Iterator
from typing import Final

from stillhouse.teachers.journal import COLUMNS, unpack
from stillhouse.teachers.segments import Answer, Batch, Line, make_answer

# ruff: noqa: S608 - into the text of a query go only the constants below, never a value

# Their answers are many, cost nothing, and come out the same again: they stay where they are. The
# condition is word for word that of the index `answers_to_share`.
_KEPT_HERE: Final = ("", "offline", "base")
_TO_SHARE: Final = "teacher NOT IN ('', 'offline', 'base')"
_NAMES: Final = ", ".join(COLUMNS)
_MISSING: Final = (
    f"{_TO_SHARE} AND NOT EXISTS (SELECT 1 FROM shared WHERE remote = ? AND name = request_id)"
)
_BATCH_SECONDS: Final = 28 * 86_400.0  # a server keeps the results of a batch for 29 days or less


def is_shared(teacher: str) -> bool:
    """Say whether the answers of a teacher go to the remote."""
    return teacher not in _KEPT_HERE


def name_of(line: Line) -> str:
    """Return what the journal calls that which a line says."""
    return line.request_id if isinstance(line, Answer) else _name_batch(line.name, line.ended)


def count_missing(base: sqlite3.Connection, remote: str) -> int:
    """Return how many answers the remote does not have."""
    query = f"SELECT count(*) FROM answers WHERE {_MISSING}"
    (count,) = base.execute(query, (remote,)).fetchone()
    return int(count)


def read_missing(base: sqlite3.Connection, remote: str, most: int) -> list[Line]:
    """Return up to so many answers that the remote does not have."""
    query = (
        f"SELECT teacher, {_NAMES} FROM answers WHERE {_MISSING}"
        " ORDER BY teacher, request_id LIMIT ?"
    )
    found = base.execute(query, (remote, most)).fetchall()
    return [make_answer(row[0], unpack(row[1:])) for row in found]


def list_segments(base: sqlite3.Connection, remote: str) -> set[str]:
    """Return the segments that were read or written here."""
    query = "SELECT name FROM segments WHERE remote = ?"
    return {name for (name,) in base.execute(query, (remote,))}


def mark_shared(
    base: sqlite3.Connection, remote: str, segment: str, names: Collection[str]
) -> None:
    """Note that a segment is there and what it holds."""
    base.execute("BEGIN IMMEDIATE")
    base.executemany(
        "INSERT OR IGNORE INTO shared VALUES (?, ?, ?)", [(remote, name, segment) for name in names]
    )
    base.execute("INSERT OR IGNORE INTO segments VALUES (?, ?)", (remote, segment))
    base.execute("COMMIT")


def forget_segments(base: sqlite3.Connection, remote: str, segments: Collection[str]) -> None:
    """Note that segments are not there any more: what they held is shared anew."""
    gone = [(remote, segment) for segment in segments]
    base.execute("BEGIN IMMEDIATE")
    base.executemany("DELETE FROM shared WHERE remote = ? AND segment = ?", gone)
    base.executemany("DELETE FROM segments WHERE remote = ? AND name = ?", gone)
    base.execute("COMMIT")


_WRITE_OFF: Final = (
    "INSERT INTO spending SELECT ?, request_id, 'lost', expected, '', model, task, characters,"
    " 0, 0, 0, 0 FROM batched WHERE batch = ? AND expected > 0"
)


def take_batch(base: sqlite3.Connection, batch: Batch) -> None:
    """Note a batch that was submitted elsewhere, so that it is resumed here, or that it has ended.

    Nothing is reserved for it: what it costs was reserved where it was submitted. There, what was
    fetched elsewhere counts as spent at its likely price: the bill is in that other journal.
    """
    base.execute("BEGIN IMMEDIATE")
    known = base.execute(
        "SELECT batch FROM batches WHERE teacher = ? AND name = ?", (batch.teacher, batch.name)
    ).fetchone()
    if batch.ended and known:
        base.execute(_WRITE_OFF, (time.time(), *known))
        base.execute("DELETE FROM batched WHERE batch = ?", known)
        base.execute("UPDATE batches SET ended = 1 WHERE batch = ?", known)
    elif not batch.ended and not known and time.time() - batch.submitted < _BATCH_SECONDS:
        _add_batch(base, batch)
    base.execute("COMMIT")


def _add_batch(base: sqlite3.Connection, batch: Batch) -> None:
    wanted = [name for name in batch.request_ids if not _is_settled(base, name)]
    if not wanted:
        return
    number = base.execute(
        "INSERT INTO batches (teacher, name, submitted, requests, ended) VALUES (?, ?, ?, ?, 0)",
        (batch.teacher, batch.name, batch.submitted, len(batch.request_ids)),
    ).lastrowid
    base.executemany(
        "INSERT OR IGNORE INTO batched (request_id, batch, expected, reserved) VALUES (?, ?, 0, 0)",
        [(name, number) for name in wanted],
    )


def _is_settled(base: sqlite3.Connection, name: str) -> bool:
    query = (
        "SELECT 1 FROM answers WHERE request_id = ?1 UNION ALL"
        " SELECT 1 FROM failures WHERE permanent AND request_id = ?1"
    )
    return base.execute(query, (name,)).fetchone() is not None


def read_batches(base: sqlite3.Connection, remote: str) -> Iterator[Batch]:
    """Yield each batch whose submission, or whose end, the remote has not been told of."""
    query = "SELECT batch, teacher, name, submitted, ended FROM batches WHERE name != ''"
    for number, teacher, name, submitted, ended in base.execute(query).fetchall():
        told = {_name_batch(name, state) for state in (False, True)} & {
            what
            for (what,) in base.execute(
                "SELECT name FROM shared WHERE remote = ? AND name IN (?, ?)",
                (remote, _name_batch(name, False), _name_batch(name, True)),
            )
        }
        if _name_batch(name, bool(ended)) in told or (ended and not told):
            continue  # of one that began and ended between two uploads nobody needs to know
        waiting = base.execute("SELECT request_id FROM batched WHERE batch = ?", (number,))
        ids = tuple(sorted(request_id for (request_id,) in waiting))
        yield Batch(
            teacher=teacher, name=name, submitted=submitted, request_ids=ids, ended=bool(ended)
        )


def _name_batch(name: str, ended: bool) -> str:
    return f"batch {name} {'ended' if ended else 'submitted'}"
