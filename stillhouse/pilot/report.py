"""The verdict of a pilot: all figures, computed here and printed elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.distill.params import Student
from stillhouse.pilot.foresight import Foresight
from stillhouse.pilot.fractions import Cell
from stillhouse.pilot.outcome import Flag, Gate, Unit, Yield, find_poor
from stillhouse.pilot.projection import NOTHING, Projection, Stratum, project_total
from stillhouse.pilot.settings import PROBE, choose_probed
from stillhouse.report.scores import Metrics

_BY_PAIRS: Final = ("judge", "curate", "review", "split", "validate")
_STARTUP: Final = (*_BY_PAIRS, "ingest", "render")


@dataclass(frozen=True, slots=True)
class ExamSize:
    """Prompts that a model answers: base and probe in the pilot, each student in the whole."""

    references: int
    student: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What the whole plan is likely to give and to cost.

    ``left_usd`` is what is still to be paid after the pilot, ``usd`` all of it at today's prices.
    ``seconds`` is None where not every stage was measured; ``unmeasured`` names what is left out.
    """

    requests: int
    answered: int
    pairs: Projection
    rows: Projection
    usd: Projection
    left_usd: Projection
    seconds: Projection | None
    unmeasured: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Money:
    """Dollars: spent by this pilot, within the budget's window, and the budget; None: no limit."""

    spent: float
    in_window: float
    budget: float | None
    costs: bool
    unpriced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a pilot says. ``gain`` is None where the gate ended it."""

    fraction: float
    found: Yield
    flags: tuple[Flag, ...]
    gate: Gate
    gain: Metrics | None
    money: Money
    whole: Whole
    copy: str

    @property
    def over_budget(self) -> str:
        """Say whether the rest of the whole goes over the budget: ``no``, ``perhaps`` or ``yes``."""
        if self.money.budget is None:
            return "no"
        left = self.money.budget - self.money.in_window
        if self.whole.left_usd.value > left:
            return "yes"
        return "perhaps" if self.whole.left_usd.high > left else "no"


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of the time a pilot took.

    ``sent`` are the requests that were answered anew in those seconds of ``generate``; ``steps``
    those of the probe's training; ``exam`` the prompts of the pilot, ``whole_exam`` of the whole.
    """

    seconds: Mapping[str, float]
    sent: int = 0
    steps: int = 0
    exam: ExamSize | None = None
    whole_exam: ExamSize | None = None


def build_report(
    fraction: float,
    foresight: Foresight,
    found: Yield,
    gate: Gate,
    gain: Metrics | None,
    money: Money,
    measured: Measured,
    students: Mapping[str, Student],
    copy: str,
) -> Report:
    """Return the verdict on what a pilot found."""
    whole = project_whole(foresight, found, measured, students)
    return Report(fraction, found, find_poor(found.tasks), gate, gain, money, whole, copy)


def project_whole(
    foresight: Foresight, found: Yield, measured: Measured, students: Mapping[str, Student]
) -> Whole:
    """Return the projection of all that the sample tells about the whole."""
    units = group_units(found.units)
    whole, pilot = foresight.whole, foresight.pilot
    pairs = _project(foresight, {cell: [u.pairs for u in own] for cell, own in units.items()})
    rows = _project(foresight, {cell: [u.rows for u in own] for cell, own in units.items()})
    taught = _project(
        foresight, {cell: [u.taught_rows for u in own] for cell, own in units.items()}
    )
    usd = {cell: [u.usd for u in own] for cell, own in units.items()}
    left = whole.new - pilot.new
    seconds, unmeasured = project_seconds(
        measured, found, students, left, whole.requests, pairs, taught
    )
    return Whole(
        requests=whole.requests,
        answered=whole.requests - left,
        pairs=pairs,
        rows=rows,
        usd=_project(foresight, usd),
        left_usd=_project_left(foresight, usd),
        seconds=seconds,
        unmeasured=unmeasured,
    )


def group_units(units: Sequence[Unit]) -> dict[Cell, list[Unit]]:
    """Return the sampled places by stratum."""
    grouped: dict[Cell, list[Unit]] = {}
    for unit in units:
        grouped.setdefault(unit.place.cell, []).append(unit)
    return grouped


def _project(foresight: Foresight, values: Mapping[Cell, Sequence[float]]) -> Projection:
    cells = foresight.whole.cells
    return project_total([Stratum(cells[cell].places, own) for cell, own in values.items()])


def _project_left(foresight: Foresight, values: Mapping[Cell, Sequence[float]]) -> Projection:
    """Return what the requests cost that nobody has answered: of each stratum's rest, their share.

    That is of its dollars and not of its requests: some may be free, or of a cheaper model.
    """
    strata, seen = [], 0.0
    for cell, own in values.items():
        whole, pilot = foresight.whole.cells[cell], foresight.pilot.cells[cell]
        rest = whole.usd - pilot.usd
        share = (whole.new_usd - pilot.new_usd) / rest if rest > 0 else 0.0
        open_share = min(1.0, max(0.0, share))  # sums of floats, in another order
        strata.append(Stratum(whole.places, [value * open_share for value in own]))
        seen += sum(own) * open_share
    total = project_total(strata)
    return Projection(*(max(0.0, part - seen) for part in (total.value, total.low, total.high)))


def project_seconds(
    measured: Measured,
    found: Yield,
    students: Mapping[str, Student],
    new_requests: int,
    requests: int,
    pairs: Projection,
    taught: Projection,
) -> tuple[Projection | None, tuple[str, ...]]:
    """Return how long the whole is likely to take, all of it run, and what was not measured.

    Each stage takes its own multiple of the pilot's seconds, less a start-up that is counted once:
    the shortest of the stages that load no model. ``register`` and ``report`` are not part of it.
    """
    seconds = measured.seconds
    startup = min((seconds[name] for name in _STARTUP if name in seconds), default=0.0)
    ratio = pairs.scale(1 / found.pairs) if found.pairs else NOTHING
    factors: dict[str, Projection] = {
        "ingest": _exactly(1),
        "render": _exactly(requests / found.requests) if found.requests else NOTHING,
        **dict.fromkeys(_BY_PAIRS, ratio),
    }
    unmeasured = []
    if new_requests and measured.sent:
        factors["generate"] = _exactly(new_requests / measured.sent)
    elif new_requests:
        unmeasured.append(f"asking {new_requests:,} requests (the pilot had its answers already)")
    if measured.steps:
        probed = students[choose_probed({name: one.model_dump() for name, one in students.items()})]
        apart = {name: _tell_apart(one, probed) for name, one in students.items()}
        same = [students[name] for name, reason in apart.items() if not reason]
        unmeasured += [f"student {name} ({reason})" for name, reason in apart.items() if reason]
        steps = count_steps(same, found, taught)
        factors[f"train@{PROBE}"] = steps.scale(1 / measured.steps)
        captures = probed.method == "logits" or found.replay
        factors[f"capture@{PROBE}"] = ratio if captures else _exactly(len(same))
        if measured.exam and measured.whole_exam:
            factors["references"] = _grow(measured.exam.references, measured.whole_exam.references)
            grown = _grow(measured.exam.student, measured.whole_exam.student)
            factors[f"evaluate@{PROBE}"] = grown.scale(len(same))
    total, known = NOTHING, True
    for name, factor in factors.items():
        if name not in seconds:
            known = False
            continue
        fixed = min(startup, seconds[name])
        total += _exactly(fixed) + factor.scale(seconds[name] - fixed)
    return (total if known and measured.steps else None), tuple(unmeasured)


def _tell_apart(student: Student, probed: Student) -> str:
    """Return why a step of a student takes another time than the probe's, or nothing."""
    reasons = {
        "another base": student.model != probed.model,
        "another method": student.method != probed.method,
        "another teacher": student.soft != probed.soft,
        "other layers": student.keep_layers != probed.keep_layers,
    }
    return next((reason for reason, true in reasons.items() if true), "")


def count_steps(students: Sequence[Student], found: Yield, taught: Projection) -> Projection:
    """Return the training steps of all students together on the rows that are projected."""
    kept = sum(unit.taught_rows for unit in found.units)
    share = found.train_taught / kept if kept else 0.0

    def steps(rows: float) -> int:
        return sum(
            one.batch.count_steps(round(rows * share), one.epochs, declines=bool(found.declining))
            for one in students
        )

    return Projection(steps(taught.value), steps(taught.low), steps(taught.high))


def _grow(pilot: int, whole: int) -> Projection:
    return _exactly(whole / pilot if pilot else 1.0)


def _exactly(value: float) -> Projection:
    return Projection(value, value, value)
