"""What the whole and the pilot ask, what of it is answered already, and what the rest is likely to cost."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from stillhouse.base.records import Request
from stillhouse.pilot.fractions import Cell
from stillhouse.prompts.plan import Draw
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Budget, Reservation

_BLOCK: Final = 512

Drawn: TypeAlias = Iterable[tuple[Draw, Sequence[Request]]]
# A teacher, task by id of requests without an answer, whether an earlier output may be unreadable ->
# those that are found nowhere.
Recall: TypeAlias = Callable[[str, Mapping[str, str], bool], set[str]]


@dataclass(slots=True)
class Cost:
    """What requests without an answer are likely to cost, and can cost at most, in dollars.

    At most: where every answer of theirs is unreadable, and asked for once more as often as may be.

    ``paid``: how many of them go to a teacher that costs; ``unpriced``: models of those without a price.
    """

    paid: int = 0
    expected: float = 0.0
    at_most: float = 0.0
    unpriced: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Share:
    """What is asked in one cell: places, distinct requests, and those of them without an answer.

    ``usd`` is what all of them are likely to cost, were none answered, ``new_usd`` what the new do.
    """

    places: int = 0
    requests: int = 0
    new: int = 0
    usd: float = 0.0
    new_usd: float = 0.0


@dataclass(slots=True)
class Asking:
    """All that a plan asks."""

    cells: dict[Cell, Share] = field(default_factory=lambda: defaultdict(Share))
    cost: Cost = field(default_factory=Cost)

    @property
    def requests(self) -> int:
        """Return how many distinct requests there are."""
        return sum(share.requests for share in self.cells.values())

    @property
    def new(self) -> int:
        """Return how many of them have no answer yet."""
        return sum(share.new for share in self.cells.values())


@dataclass(frozen=True, slots=True)
class Place:
    """A place that the pilot asks about: the unit that is drawn, with all requests made of it."""

    cell: Cell
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foresight:
    """The whole beside its sample. ``spent`` is what the budget's window holds already, in dollars."""

    whole: Asking
    pilot: Asking
    places: tuple[Place, ...]
    spent: float = 0.0
    budget: Budget | None = None

    @property
    def affordable(self) -> bool:
        """Whether the pilot is likely to stay within the budget."""
        return self.budget is None or self.spent + self.pilot.cost.expected <= self.budget.usd


@dataclass(frozen=True, slots=True)
class _Missing:
    """A request without an answer, as far as counting needs it."""

    cell: Cell
    task: str
    teacher: str
    model: str
    reserved: Reservation


def foresee(
    drawn: Drawn,
    fractions: Mapping[Cell, float],
    journal: Journal,
    estimator: Estimator,
    costs: Callable[[str], bool],
    recall: Recall,
    *,
    batch: bool = False,
    ask_again: int = 0,
    budget: Budget | None = None,
) -> Foresight:
    """Return what is asked, in one walk over the requests of the whole plan.

    Only what has no answer is held in memory; what was answered elsewhere is recalled first.

    Args:
        drawn: the requests of the whole by place, each with its draw.
        fractions: of each task in the pilot; a place below it is the pilot's, too.
        journal: what was answered here.
        estimator: says what a request is likely to cost.
        costs: whether a teacher, by its name, costs money.
        recall: brings answers of earlier outputs into the journal.
        batch: whether message batches are used.
        ask_again: how often an unreadable answer is asked for once more, and paid for.
        budget: what may be spent within which window.

    Raises:
        InputError: answers that were paid for, and that the pilot would ask again, cannot be read.
    """

    def price(request: Request) -> float:
        return estimator.reserve(request, batch=batch).expected if costs(request.teacher) else 0.0

    walk = _Walk(fractions, price)
    missing: dict[str, _Missing] = {}
    requests = walk.count(drawn)
    while block := list(islice(requests, _BLOCK)):
        names = [request.request_id for _, request in block]
        known = journal.find_answered(names) | journal.read_refusals(names).keys()
        missing |= {
            request.request_id: _Missing(
                cell,
                request.task,
                request.teacher,
                request.model,
                estimator.reserve(request, batch=batch),
            )
            for cell, request in block
            if request.request_id not in known
        }
    for name in _recall_all(missing, walk.sampled, costs, recall):
        for asking in (walk.whole, walk.pilot) if name in walk.sampled else (walk.whole,):
            asking.cells[missing[name].cell].new += 1
            if costs(missing[name].teacher):
                _add_cost(asking.cost, missing[name], estimator, calls=1 + ask_again)
                asking.cells[missing[name].cell].new_usd += missing[name].reserved.expected
    spent = journal.read_account(budget.window_seconds).spent if budget else 0.0
    return Foresight(walk.whole, walk.pilot, tuple(walk.places), spent, budget)


class _Walk:
    """Counts places and requests of the whole and of the sample in it."""

    def __init__(self, fractions: Mapping[Cell, float], price: Callable[[Request], float]) -> None:
        self._fractions, self._price = fractions, price
        self._seen: set[bytes] = set()
        self.whole, self.pilot = Asking(), Asking()
        self.places: list[Place] = []
        self.sampled: set[str] = set()

    def count(self, drawn: Drawn) -> Iterator[tuple[Cell, Request]]:
        """Yield each distinct request once, as it is counted."""
        for draw, requests in drawn:
            cell = Cell(draw.group, draw.task)
            self.whole.cells[cell].places += 1
            if draw.number < self._fractions[cell]:
                fresh = [r for r in requests if r.request_id not in self.sampled]
                own = tuple(request.request_id for request in fresh)
                self.sampled.update(own)
                self.places.append(Place(cell, own))
                self.pilot.cells[cell].places += 1
                self.pilot.cells[cell].requests += len(own)
                self.pilot.cells[cell].usd += sum(map(self._price, fresh))
            for request in requests:
                key = bytes.fromhex(request.request_id)[:16]
                if key not in self._seen:
                    self._seen.add(key)
                    self.whole.cells[cell].requests += 1
                    self.whole.cells[cell].usd += self._price(request)
                    yield cell, request


def _add_cost(cost: Cost, missing: _Missing, estimator: Estimator, *, calls: int) -> None:
    cost.paid += 1
    cost.expected += missing.reserved.expected
    cost.at_most += missing.reserved.at_most * calls
    if not estimator.knows_price(missing.model):
        cost.unpriced.add(missing.model)


def _recall_all(
    missing: Mapping[str, _Missing],
    sampled: Collection[str],
    costs: Callable[[str], bool],
    recall: Recall,
) -> list[str]:
    """Return what is found nowhere; of the pilot nothing may be asked that cannot be looked for."""
    by_teacher: dict[str, dict[str, str]] = {}
    for name, one in missing.items():
        by_teacher.setdefault(one.teacher, {})[name] = one.task
    left: set[str] = set()
    for teacher, wanted in sorted(by_teacher.items()):
        found_nowhere = recall(teacher, wanted, True)
        own = {name: wanted[name] for name in sorted(found_nowhere) if name in sampled}
        if own and costs(teacher):
            recall(teacher, own, False)
        left |= found_nowhere
    return [name for name in missing if name in left]
