"""``metrics.json`` as records; what is missing in it is ``None`` and never a zero."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json

# Every row that can stand in a plot, in the order of what it takes to get there.
REFERENCES: Final = {
    "guess": "Guess of the right type",
    "lookup": "Look-up in training rows",
    "base": "Base model",
    "retrieval": "Base + retrieved passage",
    "passage": "Base + right passage",
    "student": "Student",
}


@dataclass(frozen=True, slots=True)
class Score:
    """A share of ``n`` with its 95 % Wilson interval; ``groups["by_kind"]["recall"]`` and so on."""

    n: int
    accuracy: float
    low: float
    high: float
    f1: float | None = None
    groups: Mapping[str, Mapping[str, "Score"]] = field(default_factory=dict)

    def group(self, by: str, name: str) -> "Score | None":
        """Return the score of one group, or ``None`` where there is none."""
        return self.groups.get(by, {}).get(name)


@dataclass(frozen=True, slots=True)
class Difference:
    """Student minus base in shares, paired by question, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """All that is known of one student: ``sets[set][reference]`` and the shares beside them.

    ``covered`` and ``learned`` are about core recall: the share that a training row answers, and
    the share of that which the student answers.
    """

    student: str
    sets: Mapping[str, Mapping[str, Score]]
    declined: Score | None
    falsely_declined: Score | None
    covered: Score | None
    learned: Score | None
    differences: Mapping[str, Difference]
    retention: str

    def find(self, set_name: str, reference: str, by: str = "", group: str = "") -> Score | None:
        """Return a score with at least one question behind it, whole or of one group."""
        score = self.sets.get(set_name, {}).get(reference)
        if score is not None and by:
            score = score.group(by, group)
        return score if score is not None and score.n else None

    @property
    def core(self) -> Score | None:
        """The headline: closed-book recall of core facts by the student."""
        return self.find("gold", "student", "by_kind_scope", "recall/core")


def read_metrics(path: Path) -> Metrics:
    """Return the metrics in a ``metrics.json``; what is no metrics file is an ``InputError``."""
    if not path.exists():
        raise InputError(
            "file not found: nothing was evaluated here yet",
            where=str(path),
            remedy="run `dvc repro` in the project's folder",
        )
    try:
        return parse_metrics(json.loads(read_text(path)))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as exc:
        raise InputError(
            f"not a metrics file ({exc})", where=str(path), remedy="run `dvc repro` again"
        ) from exc


def parse_metrics(value: Mapping[str, Json]) -> Metrics:
    """Return the metrics in a JSON value of the layout that ``evaluate`` writes."""
    abstention = _mapping(value.get("abstention"))
    return Metrics(
        student=str(value["student"]),
        sets={
            name: {
                who: parsed for who, score in _mapping(rows).items() if (parsed := _score(score))
            }
            for name, rows in _mapping(value["sets"]).items()
        },
        declined=_score(abstention.get("right")),
        falsely_declined=_score(abstention.get("false")),
        covered=_score(_core(value.get("coverage"))),
        learned=_score(_core(value.get("learned"))),
        differences={
            name: found
            for name, item in _mapping(value.get("differences")).items()
            if (found := _difference(_mapping(item)))
        },
        retention=str(value.get("retention") or "not measured"),
    )


def _score(value: Json) -> Score | None:
    """Read a score; a bare share is one of an unknown number, without an interval."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return Score(n=0, accuracy=value, low=value, high=value)
    record = _mapping(value)
    if record.get("accuracy") is None:
        return None  # nothing was asked
    groups = {
        key: {name: score for name, group in _mapping(part).items() if (score := _score(group))}
        for key, part in record.items()
        if key.startswith("by_")
    }
    f1 = record.get("f1")
    return Score(
        n=int(_number(record["n"])),
        accuracy=_number(record["accuracy"]),
        low=_number(record["low"]),
        high=_number(record["high"]),
        f1=None if f1 is None else _number(f1),
        groups=groups,
    )


def _core(value: Json) -> Json:
    return value.get("core_recall", value) if isinstance(value, Mapping) else value


def _difference(record: Mapping[str, Json]) -> Difference | None:
    if record.get("difference") is None:
        return None  # nothing was compared
    return Difference(*(_number(record[key]) for key in ("difference", "low", "high")))


def _mapping(value: Json) -> Mapping[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, not {value!r}")
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, not {value!r}")
    return value
