"""What stands in a journal, in figures."""

import math
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.teachers import outbox
from stillhouse.teachers.database import open_beside
from stillhouse.teachers.owner import Owner, name_place

_FILES: Final = ("", "-wal", "-shm")  # SQLite's own, beside the journal


@dataclass(frozen=True, slots=True)
class Use:
    """Calls to a model for a task that were billed; ``input_tokens`` are all that were read."""

    teacher: str
    model: str
    task: str
    calls: int
    usd: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class InFlight:
    """Requests that are out: leased to living processes, left by dead ones, in so many batches.

    ``reserved`` is what all of them may cost at most, in dollars.
    """

    leased: int
    abandoned: int
    batched: int
    batches: int
    reserved: float


@dataclass(frozen=True, slots=True)
class Shared:
    """What of the answers that are shared a remote has, as far as is known here."""

    place: str
    there: int
    only_here: int
    segments: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Answers by teacher (``""``: of an old journal), failures, money in dollars, size in bytes.

    ``spent`` and ``spent_in_window`` count what was lost, too: calls that a process left behind.
    """

    answers: Mapping[str, int]
    passing: int
    permanent: int
    in_flight: InFlight
    spent: float
    spent_in_window: float
    uses: tuple[Use, ...]
    lost: int
    lost_usd: float
    size: int
    shared: Shared | None


def read_stats(journal: Path, window_seconds: float, remote: str = "") -> Stats:
    """Return the figures of a journal that is laid out; ``remote`` is the place of its remote."""
    with open_beside(journal) as base:
        base.execute("BEGIN")  # one state of all tables
        passing, permanent = _count_failures(base)
        lost, lost_usd = base.execute(
            "SELECT count(*), total(usd) FROM spending WHERE kind = 'lost'"
        ).fetchone()
        return Stats(
            answers=dict(
                base.execute("SELECT teacher, count(*) FROM answers GROUP BY 1 ORDER BY 1")
            ),
            passing=passing,
            permanent=permanent,
            in_flight=_count_in_flight(base),
            spent=_sum_spending(base, math.inf),
            spent_in_window=_sum_spending(base, window_seconds),
            uses=_read_uses(base),
            lost=lost,
            lost_usd=lost_usd,
            size=_measure(journal),
            shared=_read_shared(base, remote) if remote else None,
        )


def _count_failures(base: sqlite3.Connection) -> tuple[int, int]:
    counts = dict(base.execute("SELECT permanent, count(*) FROM failures GROUP BY 1"))
    return counts.get(0, 0), counts.get(1, 0)


def _count_in_flight(base: sqlite3.Connection) -> InFlight:
    here, now, alive, dead = name_place(), time.time(), 0, 0
    query = "SELECT place, pid, started, max(expires), count(*) FROM leases GROUP BY 1, 2, 3"
    for place, pid, started, expires, count in base.execute(query):
        gone = Owner(place, pid, started).is_gone(here)
        if expires <= now if gone is None else gone:
            dead += count
        else:
            alive += count
    (batched,) = base.execute("SELECT count(*) FROM batched").fetchone()
    (batches,) = base.execute("SELECT count(*) FROM batches WHERE NOT ended").fetchone()
    (reserved,) = base.execute(
        "SELECT (SELECT total(reserved) FROM leases) + (SELECT total(reserved) FROM batched)"
    ).fetchone()
    return InFlight(alive, dead, batched, batches, reserved)


def _sum_spending(base: sqlite3.Connection, window_seconds: float) -> float:
    since = time.time() - window_seconds
    (usd,) = base.execute("SELECT total(usd) FROM spending WHERE at > ?", (since,)).fetchone()
    return float(usd)


def _read_uses(base: sqlite3.Connection) -> tuple[Use, ...]:
    query = (
        "SELECT teacher, model, task, count(*), total(usd), sum(input_tokens + cache_read +"
        " cache_write), sum(output_tokens), sum(cache_read) FROM spending WHERE kind = 'answer'"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return tuple(Use(*row) for row in base.execute(query))


def _read_shared(base: sqlite3.Connection, remote: str) -> Shared:
    query = (
        "SELECT count(*) FROM shared WHERE remote = ? AND EXISTS"
        " (SELECT 1 FROM answers WHERE request_id = shared.name)"
    )
    (there,) = base.execute(query, (remote,)).fetchone()
    only_here = outbox.count_missing(base, remote)
    return Shared(remote, there, only_here, len(outbox.list_segments(base, remote)))


def _measure(journal: Path) -> int:
    paths = [journal.with_name(journal.name + end) for end in _FILES]
    return sum(path.stat().st_size for path in paths if path.exists())
