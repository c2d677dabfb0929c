"""The figures of a state, from what lies in DVC's cache under the md5s that its lock names.

Nothing is hashed and nothing fetched: this looks back quickly and proves nothing. What is not here is
None, and its path is remembered.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from stillhouse.base.cache import find_caches, find_inner, name_object
from stillhouse.base.requests import DERIVED
from stillhouse.base.runtime import load_runtime
from stillhouse.chronicle.states import TABLES, Place, State, name_metrics
from stillhouse.report.scores import Metrics, parse_metrics
from stillhouse.teachers.money import find_price, price_usage
from stillhouse.teachers.params import load_teachers
from stillhouse.teachers.protocol import Usage

_USED: Final = ("input_tokens", "output_tokens", "cached_tokens")
_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Cost:
    """What all answers of a version used, and what asking for them anew would cost today.

    That is not what was spent: answers are reused from version to version. ``usd`` is without message
    batches, and None where a teacher that costs has no price: its models are ``unpriced``.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    usd: float | None
    unpriced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one state: rows by table, scores by student; None where the bytes are gone."""

    counts: Mapping[str, int | None]
    scores: Mapping[str, Metrics | None]
    cost: Cost | None


class FigureReader:
    """Reads the figures of states; each object is opened once, however many states name it."""

    def __init__(self, root: Path) -> None:
        self._caches = find_caches(root)
        self._counts: dict[str, int | None] = {}
        self._costs: dict[tuple[str, str], Cost | None] = {}
        self._scores: dict[str, Metrics | None] = {}
        self.missing: dict[str, None] = {}

    def read(self, state: State) -> Figures:
        """Return the figures of a state."""
        tables = {name: (place, self._find(place)) for name, place in state.tables}
        metrics = dict(state.metrics)
        counts = {name: self._count(*tables[name]) if name in tables else None for name in TABLES}
        if (asked := counts["requests"]) is not None and "answers" in tables:
            counts["requests"] = asked + self._count_derived(tables["answers"][0])
        return Figures(
            counts=counts,
            scores={
                name: self._score(name, metrics[name]) if name in metrics else None
                for name in state.students
            },
            cost=self._cost(tables),
        )

    def _count_derived(self, answers: Place) -> int:
        """Return how many calls `generate` made of pairs; none where a version has no such table."""
        place = replace(answers, path=DERIVED.as_posix(), inner=DERIVED.name)
        found = self._find(place) if answers.inner else None
        return (self._count(place, found) or 0) if found else 0

    def _find(self, place: Place) -> Path | None:
        """Return the object of a table, by its name alone."""
        if not place.inner:
            return self._find_object(place.md5)
        listing = self._find_object(place.md5)
        try:
            md5 = find_inner(listing, place.inner) if listing else ""
        except _UNREADABLE:
            return None
        return self._find_object(md5) if md5 else None

    def _find_object(self, md5: str) -> Path | None:
        places = (cache / name_object(md5) for cache in self._caches)
        return next((place for place in places if place.is_file()), None)

    def _count(self, place: Place, found: Path | None) -> int | None:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_metadata

        key = f"{place.md5}/{place.inner}"
        if key not in self._counts:
            try:
                self._counts[key] = int(read_metadata(found).num_rows) if found else None
            except (ArrowException, *_UNREADABLE):
                self._counts[key] = None
        if self._counts[key] is None:
            self.missing[place.path] = None
        return self._counts[key]

    def _score(self, student: str, md5: str) -> Metrics | None:
        if md5 not in self._scores:
            found = self._find_object(md5)
            try:
                value = json.loads(found.read_bytes()) if found else None
                self._scores[md5] = parse_metrics(value) if value else None
            except _UNREADABLE:
                self._scores[md5] = None
        if self._scores[md5] is None:
            self.missing[name_metrics(student)] = None
        return self._scores[md5]

    def _cost(self, tables: Mapping[str, tuple[Place, Path | None]]) -> Cost | None:
        nothing = (None, None)
        requests, answers = (tables.get(name, nothing)[1] for name in ("requests", "answers"))
        if requests is None or answers is None:
            return None
        key = (str(requests), str(answers))
        if key not in self._costs:
            self._costs[key] = self._add_up(requests, answers)
        return self._costs[key]

    def _add_up(self, requests: Path, answers: Path) -> Cost | None:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            asked = ParquetFile(requests).read(columns=["model", "teacher"])
            used = ParquetFile(answers).read(columns=["model", *_USED])
        except (ArrowException, *_UNREADABLE):
            return None
        teachers = {
            row["model"]: row["teacher"]
            for row in asked.group_by(["model", "teacher"]).aggregate([]).to_pylist()
        }
        sums = used.group_by("model").aggregate([(name, "sum") for name in _USED]).to_pylist()
        return self._price(sums, teachers)

    def _price(self, sums: list[dict[str, Any]], teachers: Mapping[str, str]) -> Cost:
        total, usd, unpriced = dict.fromkeys(_USED, 0), 0.0, []
        for one in sums:
            counts = {name: int(one[f"{name}_sum"] or 0) for name in _USED}
            total = {name: total[name] + counts[name] for name in _USED}
            teacher = teachers.get(one["model"], "")
            if not any(counts.values()) or teacher in self._free:
                continue
            price = find_price(self._prices, one["model"])
            if price is None:
                unpriced.append(str(one["model"]))
            cached = counts["cached_tokens"]
            fresh = counts["input_tokens"] - cached
            usd += price_usage(price, Usage(fresh, counts["output_tokens"], cached))
        return Cost(**total, usd=None if unpriced else usd, unpriced=tuple(sorted(unpriced)))

    @cached_property
    def _prices(self) -> Mapping[str, Any]:
        return load_teachers().prices

    @cached_property
    def _free(self) -> frozenset[str]:
        from stillhouse.teachers.roster import list_teachers

        return frozenset(t.name for t in list_teachers(load_runtime()) if not t.costs)
