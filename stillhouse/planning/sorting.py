"""Every request of the next run: answered already, refused for good, on its way, or to be sent.

The look-up is that of `generate`, in its order, and nothing of it is written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from stillhouse.base.records import Request
from stillhouse.teachers.journal_view import JournalView
from stillhouse.teachers.lookup import Archive, find_recalled
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.protocol import Failure

_BLOCK: Final = 512  # requests whose answers are held in memory together


@dataclass(frozen=True, slots=True)
class Count:
    """Distinct requests. ``refused`` for good are not asked again, nor are those ``submitted``."""

    total: int = 0
    answered: int = 0
    refused: int = 0
    submitted: int = 0
    new: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.total + other.total,
            self.answered + other.answered,
            self.refused + other.refused,
            self.submitted + other.submitted,
            self.new + other.new,
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """What requests are counted by: who is asked, whether that costs, and for which task."""

    teacher: str
    costs: bool
    task: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """The requests counted, those to be sent, and those that wait in batches.

    ``unreadable`` are earlier outputs that may hold answers and cannot be read, by teacher.
    """

    counts: Mapping[Kind, Count]
    to_be_sent: frozenset[str]
    submitted: frozenset[str]
    unreadable: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class _Tally:
    counts: dict[Kind, Count] = field(default_factory=dict)
    missing: dict[str, dict[str, Kind]] = field(default_factory=dict)
    submitted: set[str] = field(default_factory=set)

    def add(self, kind: Kind, count: Count) -> None:
        self.counts[kind] = self.counts.get(kind, Count()) + count


def sort_requests(
    requests: Iterable[Request], costs: Mapping[str, bool], journal: JournalView, archive: Archive
) -> Sorted:
    """Return what `generate` would find and what it would send.

    Args:
        requests: each once, as `render` writes them; walked once.
        costs: whether each teacher costs money; one that is not named there does.
        journal: what was answered here.
        archive: what earlier versions of the stage's output hold.
    """
    tally = _Tally()
    for block in _cut(requests):
        _look_up(block, costs, journal, tally)
    to_be_sent: set[str] = set()
    unreadable = {}
    for teacher, missing in sorted(tally.missing.items()):
        paid = costs.get(teacher, True)
        tasks = {name: kind.task for name, kind in missing.items()}
        wanted, lost = find_recalled(tasks, costs=paid, archive=archive, teacher=teacher)
        for name, kind in missing.items():
            tally.add(kind, Count(new=1) if name in wanted else Count(answered=1))
        to_be_sent |= wanted
        if lost:
            unreadable[teacher] = lost
    return Sorted(tally.counts, frozenset(to_be_sent), frozenset(tally.submitted), unreadable)


def settle(found: Sorted) -> Sorted:
    """Return what becomes of the requests where DVC puts all answers back and nobody is asked."""
    counts = {
        kind: replace(count, answered=count.answered + count.new, new=0)
        for kind, count in found.counts.items()
    }
    return Sorted(counts, frozenset(), found.submitted, {})


def _look_up(
    block: list[Request], costs: Mapping[str, bool], journal: JournalView, tally: _Tally
) -> None:
    names = [request.request_id for request in block]
    answers = journal.read(names)
    refused = journal.read_refusals(names).keys()
    submitted = journal.find_submitted(names)
    for request in block:
        kind = Kind(request.teacher, costs.get(request.teacher, True), request.task)
        tally.add(kind, Count(total=1))
        answer = answers.get(request.request_id)
        # An older version may have kept a refusal, or half an answer, as an answer.
        outcome = answer and look_over(request.task, answer)
        if request.request_id in refused or isinstance(outcome, Failure):
            tally.add(kind, Count(refused=1))
        elif answer is not None:
            tally.add(kind, Count(answered=1))
        elif request.request_id in submitted:
            tally.add(kind, Count(submitted=1))
            tally.submitted.add(request.request_id)
        else:
            tally.missing.setdefault(request.teacher, {})[request.request_id] = kind


def _cut(requests: Iterable[Request]) -> Iterator[list[Request]]:
    iterator = iter(requests)
    while block := list(islice(iterator, _BLOCK)):
        yield block
