"""Which fraction of each task a pilot asks: as told, but for tasks of which that would leave too little."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stillhouse.prompts.plan import Draw, Plan

LEAST: Final = 8  # places that a pilot asks of each task of each group, where there are as many
_STEP: Final = 2.0**-48  # between two numbers that a draw can give


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A stratum of the sample: one task of one group of the plan (``core``, ``other``, ``questions``)."""

    group: str
    task: str


def choose_fractions(
    plan: Plan, draws: Iterable[Draw], fraction: float, least: int = LEAST
) -> dict[Cell, float]:
    """Return the fraction of the passages that the pilot asks about, for each task that is asked.

    A draw is a number for each place that no parameter but the seed changes, and a place is asked
    about where its number is less than the fraction. So a fraction that is raised until ``least``
    places are below it still asks a part of what the whole asks: none is above the whole's own.

    Args:
        plan: that of the whole.
        draws: of the whole, at each place that gives a request.
        fraction: of the whole, in (0, 1].
        least: places for each task of each group.
    """
    lowest: dict[Cell, list[float]] = {}  # negated: the root of a heap is its least
    for draw in draws:
        heap = lowest.setdefault(Cell(draw.group, draw.task), [])
        if len(heap) < least:
            heapq.heappush(heap, -draw.number)
        else:
            heapq.heappushpop(heap, -draw.number)
    chosen: dict[Cell, float] = {}
    for group, tasks in (
        ("core", plan.core),
        ("other", plan.other),
        ("questions", plan.questions),
    ):
        for task, wanted in tasks.items():
            cell = Cell(group, task)
            enough = -lowest[cell][0] + _STEP if cell in lowest else 0.0
            chosen[cell] = min(wanted.fraction, max(wanted.fraction * fraction, enough))
    return chosen
