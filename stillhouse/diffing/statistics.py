"""Figures of both versions that say at a glance how the dataset moved."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

from stillhouse.base.errors import InputError, StillhouseError
from stillhouse.base.files import read_text
from stillhouse.base.tables import count_values
from stillhouse.diffing.compare import Compared, Lengths
from stillhouse.diffing.shown import Statistic
from stillhouse.diffing.tables import TABLES
from stillhouse.history.version import Version

_VALIDATION: Final = "reports/validation.json"


def compare_statistics(a: Version, b: Version, compared: Compared) -> tuple[Statistic, ...]:
    """Return the figures that both versions recorded or that fell out of comparing the tables.

    Rows, mean lengths, the share of each task, mean scores, rejections by reason, the gate's checks.
    What is found in neither version is left out; None stands for a version that lacks it.
    """
    return (
        Statistic("rows", compared.old_rows, compared.new_rows),
        *_compare_lengths(*compared.lengths),
        *_compare_mix(*compared.lengths),
        *_pair_up(_read_scores(a), _read_scores(b), "mean {}"),
        *_pair_up(_count_rejections(a), _count_rejections(b), "rejected: {}", none=0.0),
        *_pair_up(_read_checks(a), _read_checks(b), "passes {}", share=True),
    )


def _compare_lengths(old: tuple[Lengths, ...], new: tuple[Lengths, ...]) -> Iterator[Statistic]:
    for name in ("question", "answer"):
        then, now = (_mean(side, name) for side in (old, new))
        if then or now:
            yield Statistic(f"mean {name} length (bytes)", then, now)


def _mean(side: tuple[Lengths, ...], name: str) -> float | None:
    rows = sum(one.rows for one in side)
    return sum(getattr(one, name) * one.rows for one in side) / rows if rows else None


def _compare_mix(old: tuple[Lengths, ...], new: tuple[Lengths, ...]) -> Iterator[Statistic]:
    then, now = ({one.task: one.rows for one in side if one.task} for side in (old, new))
    for task in sorted(then.keys() | now.keys()):
        shares = [
            side.get(task, 0) / total if (total := sum(side.values())) else None
            for side in (then, now)
        ]
        yield Statistic(f"share of {task}", shares[0], shares[1], share=True)


def _pair_up(
    then: dict[str, float] | None,
    now: dict[str, float] | None,
    name: str,
    *,
    none: float | None = None,
    share: bool = False,
) -> Iterator[Statistic]:
    for key in sorted((then or {}).keys() | (now or {}).keys()):
        old = None if then is None else then.get(key, none)
        new = None if now is None else now.get(key, none)
        yield Statistic(name.format(key), old, new, share)


def _read_scores(version: Version) -> dict[str, float] | None:
    path = version.find(TABLES["judgements"].path)
    if path is None:
        return None
    from stillhouse.diffing.compare import open_engine

    # Rounded: threads add in any order, and the last digit of a sum of floats depends on it.
    asked = "select criterion, round(avg(score), 9) from read_parquet(?) group by all order by all"
    try:
        with open_engine() as engine:
            return dict(engine.execute(asked, [str(path)]).fetchall())
    except InputError:  # of another layout: then it tells nothing
        return None


def _count_rejections(version: Version) -> dict[str, float] | None:
    path = version.find(TABLES["rejections"].path)
    if path is None:
        return None
    counts: Counter[str] = Counter(count_values(path, "reason"))
    return {reason: float(count) for reason, count in counts.items()}


def _read_checks(version: Version) -> dict[str, float] | None:
    path = version.find(_VALIDATION)
    if path is None:
        return None
    try:
        checks = json.loads(read_text(path))["checks"]
        return {str(check["name"]): float(bool(check["passed"])) for check in checks}
    except (StillhouseError, json.JSONDecodeError, KeyError, TypeError):
        return None
