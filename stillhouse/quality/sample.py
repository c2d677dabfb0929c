"""Which rows people are asked about: a sample by hash, from every stratum.

A row's place in it depends on the seed and its own id, so that rows that come or go move few others and
every process draws the same ones.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from stillhouse.base.ids import content_id
from stillhouse.base.params import Params
from stillhouse.base.records import Row, split_slot

_HEX_DIGITS: Final = 13  # 52 bits, exact in a float


class SampleParams(Params):
    """How many rows, of which strata; ``double`` is the share that two people look at."""

    rows: int = Field(default=120, ge=0)
    seed: int = 7
    by: Literal["task", "document", "all"] = "task"
    least: int = Field(default=4, ge=0)
    double: float = Field(default=0.2, ge=0, le=1)
    skip: tuple[str, ...] = ("replay",)


@dataclass(frozen=True, slots=True)
class Stratum:
    """The rows of one kind: how many there are, and which were drawn, in the order of the draw."""

    name: str
    rows: int
    drawn: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """The strata by name, and the ids of the drawn rows that two people are to look at."""

    strata: tuple[Stratum, ...]
    doubled: frozenset[str]

    def in_order(self) -> list[Row]:
        """Return the drawn rows so that whoever stops early has seen the same share of each stratum."""
        placed = [
            ((place + 0.5) / len(stratum.drawn), stratum.name, row)
            for stratum in self.strata
            for place, row in enumerate(stratum.drawn)
        ]
        return [row for _, _, row in sorted(placed, key=lambda item: item[:2])]


def draw_sample(rows: Iterable[Row], params: SampleParams) -> Sample:
    """Return the sample of rows: each stratum in proportion, but ``least`` of its rows or all of them."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.task not in params.skip:
            groups[_name_stratum(row, params.by)].append(row)
    wanted = _allot({name: len(group) for name, group in groups.items()}, params)
    strata = tuple(
        Stratum(name, len(group), tuple(_draw(group, wanted[name], params.seed)))
        for name, group in sorted(groups.items())
    )
    drawn = [row.row_id for stratum in strata for row in stratum.drawn]
    doubled = (row_id for row_id in drawn if _number(params.seed, "double", row_id) < params.double)
    return Sample(strata, frozenset(doubled))


def _name_stratum(row: Row, by: str) -> str:
    if by == "task":
        return row.task
    return split_slot(row.slot_id)[0] if by == "document" else "all"


def _allot(sizes: Mapping[str, int], params: SampleParams) -> dict[str, int]:
    """Return how many rows to draw of each stratum: the largest remainders get what rounding leaves."""
    total = sum(sizes.values())
    shares = {name: params.rows * size / total for name, size in sizes.items()}
    given = {name: int(share) for name, share in shares.items()}
    left = min(params.rows, total) - sum(given.values())
    by_remainder = sorted(shares, key=lambda name: (given[name] - shares[name], name))
    for name in by_remainder[: max(0, left)]:
        given[name] += 1
    least = params.least if params.rows else 0
    return {name: min(sizes[name], max(count, least)) for name, count in given.items()}


def _draw(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    return sorted(rows, key=lambda row: (_number(seed, "review", row.row_id), row.row_id))[:count]


def _number(seed: int, what: str, row_id: str) -> float:
    digest = content_id("sample", [seed, what, row_id])
    return float(int(digest[:_HEX_DIGITS], 16)) / float(16**_HEX_DIGITS)
