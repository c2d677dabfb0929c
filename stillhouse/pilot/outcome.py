"""What came of a pilot, read from the tables in its copy: yield, rejections, the gate, the gain."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.records import Pair, Rejection, Request, Response, Row
from stillhouse.base.requests import read_requests
from stillhouse.base.tables import read_table
from stillhouse.pilot.foresight import Place
from stillhouse.pilot.projection import Projection, share_interval
from stillhouse.pilot.settings import PROBE
from stillhouse.quality.gate import Check
from stillhouse.report.scores import Metrics, read_metrics

BESIDE: Final = ("abstain", "replay")  # tasks whose rows teach nothing of the documents
EXAMPLES: Final = 3  # ids named for each reason of rejection
_LESS: Final = 0.5  # of the others' share: below that, a task is called poor

# Dollars that an answer cost or would cost at today's prices: of its request and of what came back.
Price = Callable[[Request, Response], float]


@dataclass(frozen=True, slots=True)
class TaskYield:
    """What the requests of one task gave: ``fruitful`` of them at least one row.

    ``share`` is that of the fruitful ones with its interval; None where none was asked.
    """

    task: str
    prompt: str
    requests: int
    refused: int
    pairs: int
    rows: int
    fruitful: int
    usd: float
    share: Projection | None

    @property
    def usd_per_row(self) -> float | None:
        """Return what a row cost; None where there is none."""
        return self.usd / self.rows if self.rows else None


@dataclass(frozen=True, slots=True)
class Reason:
    """How often something was rejected for one reason in one task, and the first few of them."""

    task: str
    stage: str
    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A task that gave nothing, or much less than the others."""

    task: str
    prompt: str
    problem: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A sampled place with what came of it."""

    place: Place
    pairs: int
    rows: int
    taught_rows: int
    usd: float


@dataclass(frozen=True, slots=True)
class Yield:
    """What the pilot's requests gave; ``train_taught`` rows of train teach, ``replay`` rows replay."""

    tasks: tuple[TaskYield, ...]
    reasons: tuple[Reason, ...]
    units: tuple[Unit, ...]
    train_taught: int
    declining: int
    replay: int
    test: int

    @property
    def requests(self) -> int:
        """Return how many requests the pilot asked."""
        return sum(task.requests for task in self.tasks)

    @property
    def pairs(self) -> int:
        """Return how many pairs came of them."""
        return sum(task.pairs for task in self.tasks)

    @property
    def rows(self) -> int:
        """Return how many rows were kept."""
        return sum(task.rows for task in self.tasks)

    @property
    def usd(self) -> float:
        """Return what all answers cost at today's prices."""
        return sum(task.usd for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate said: how many checks, and those that failed with the rows they name."""

    checks: int
    failed: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.failed


def measure_yield(copy: Path, places: Sequence[Place], price: Price) -> Yield:
    """Return what came of each request, from the tables of the copy.

    Raises:
        InputError: a table is missing or cannot be read.
    """
    data = copy / "data"
    requests = {r.request_id: r for r in read_requests(copy)}
    usd = {
        response.request_id: price(requests[response.request_id], response)
        for response in read_table(data / "generated/responses.parquet", Response)
        if response.request_id in requests
    }
    pairs: Counter[str] = Counter()
    of_pair: dict[str, str] = {}
    for pair in read_table(data / "generated/pairs.parquet", Pair):
        pairs[pair.request_id] += 1
        of_pair[pair.pair_id] = pair.request_id
    rows = Counter(row.request_id for row in read_table(data / "reviewed.parquet", Row))
    rejections = [
        rejection
        for name in ("generated", "curated")
        for rejection in read_table(data / name / "rejections.parquet", Rejection)
    ]
    parts = {
        part: Counter(row.task for row in read_table(data / f"dataset/{part}.parquet", Row))
        for part in ("train", "test")
    }
    return Yield(
        tasks=_sum_tasks(requests, usd, pairs, rows),
        reasons=_sum_reasons(rejections, requests, of_pair),
        units=tuple(_sum_unit(place, requests, usd, pairs, rows) for place in places),
        train_taught=sum(n for task, n in parts["train"].items() if task not in BESIDE),
        declining=parts["train"]["abstain"],
        replay=parts["train"]["replay"],
        test=sum(n for task, n in parts["test"].items() if task != "replay"),
    )


def _sum_tasks(
    requests: Mapping[str, Request],
    usd: Mapping[str, float],
    pairs: Mapping[str, int],
    rows: Mapping[str, int],
) -> tuple[TaskYield, ...]:
    by_task: dict[str, list[Request]] = defaultdict(list)
    for request in requests.values():
        by_task[request.task].append(request)
    found = []
    for task, asked in sorted(by_task.items()):
        names = [request.request_id for request in asked]
        fruitful = sum(rows.get(name, 0) > 0 for name in names)
        found.append(
            TaskYield(
                task=task,
                prompt=asked[0].prompt_path,
                requests=len(names),
                refused=sum(name not in usd for name in names),
                pairs=sum(pairs.get(name, 0) for name in names),
                rows=sum(rows.get(name, 0) for name in names),
                fruitful=fruitful,
                usd=sum(usd.get(name, 0.0) for name in names),
                share=share_interval(fruitful, len(names)),
            )
        )
    return tuple(found)


def _sum_unit(
    place: Place,
    requests: Mapping[str, Request],
    usd: Mapping[str, float],
    pairs: Mapping[str, int],
    rows: Mapping[str, int],
) -> Unit:
    names = [name for name in place.requests if name in requests]
    kept = sum(rows.get(name, 0) for name in names)
    return Unit(
        place=place,
        pairs=sum(pairs.get(name, 0) for name in names),
        rows=kept,
        taught_rows=0 if place.cell.task in BESIDE else kept,
        usd=sum(usd.get(name, 0.0) for name in names),
    )


def _sum_reasons(
    rejections: Iterable[Rejection], requests: Mapping[str, Request], of_pair: Mapping[str, str]
) -> tuple[Reason, ...]:
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for rejection in rejections:
        name = rejection.rejected_id
        request = requests.get(of_pair.get(name, name))
        found[request.task if request else "", rejection.stage, rejection.reason].append(name)
    return tuple(
        Reason(*key, count=len(names), examples=tuple(sorted(names)[:EXAMPLES]))
        for key, names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def find_poor(tasks: Sequence[TaskYield]) -> tuple[Flag, ...]:
    """Return the tasks that gave no row, or surely less than half as often one as all others do.

    Surely: the upper end of the interval of their share of fruitful requests is below that.
    """
    flags = []
    for task in tasks:
        share = task.share
        if share is None:
            continue
        if not task.rows:
            problem = f"no row from {task.requests} requests"
            if task.pairs:
                problem += f", though {task.pairs} {'pair' if task.pairs == 1 else 'pairs'}"
            most = f"at most {share.high:.0%} of its requests can be expected to give one"
            flags.append(Flag(task.task, task.prompt, f"{problem} ({most})"))
            continue
        others = [other for other in tasks if other is not task]
        asked = sum(other.requests for other in others)
        rest = sum(other.fruitful for other in others) / asked if asked else 0.0
        if share.high < _LESS * rest:
            flags.append(
                Flag(
                    task.task,
                    task.prompt,
                    f"{task.fruitful} of {task.requests} requests gave rows ({share.low:.0%} to "
                    f"{share.high:.0%}), of all others {rest:.0%}",
                )
            )
    return tuple(flags)


def read_gate_report(copy: Path) -> Gate:
    """Return what ``validation.json`` of the copy says.

    Raises:
        InputError: it is missing or not what ``validate`` writes.
    """
    path = copy / "reports/validation.json"
    try:
        checks = [
            Check(**{**check, "rows": tuple(check["rows"])})
            for check in json.loads(read_text(path))["checks"]
        ]
    except (ValueError, KeyError, TypeError) as exc:
        raise InputError(f"not a validation ({exc})", where=str(path)) from exc
    return Gate(len(checks), tuple(check for check in checks if not check.passed))


def read_gain(copy: Path) -> Metrics:
    """Return the probe's metrics, with those of its base beside them."""
    return read_metrics(copy / "reports/students" / PROBE / "metrics.json")
