"""What a verification says: what is wrong, and what could not be looked at."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from stillhouse.base.ids import Json

_AND: Final = "; "


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is not what it should be.

    Attributes:
        kind: a few fixed words for what sort of thing it is: ``changed``, ``corrupt object``.
        where: the path below the project, the object's path, or the tag.
        expected: what should be there, and who says so: ``md5 ab… (dvc.lock: split)``.
        found: what is there.
        remedy: what to do about it, mostly a command.
    """

    kind: str
    where: str
    expected: str
    found: str
    remedy: str

    def to_json(self) -> dict[str, Json]:
        """Return it as ``verify --json`` and ``audit --json`` list it."""
        return {
            "kind": self.kind,
            "where": self.where,
            "expected": self.expected,
            "found": self.found,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True, order=True)
class Unchecked:
    """Something that is no sign of anything wrong, but that could not be looked at here."""

    where: str
    why: str
    remedy: str

    def to_json(self) -> dict[str, Json]:
        """Return it as ``verify --json`` lists it."""
        return {"where": self.where, "why": self.why, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found: problems, what it could not look at, and how much it looked at."""

    problems: tuple[Problem, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    checked: Mapping[str, int] = field(default_factory=dict)

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong with what could be looked at."""
        return not self.problems

    def to_json(self) -> dict[str, Json]:
        """Return the document that ``verify --json`` prints."""
        return {
            "verified": self.verified,
            "checked": dict(sorted(self.checked.items())),
            "problems": [problem.to_json() for problem in self.problems],
            "unchecked": [item.to_json() for item in self.unchecked],
        }


def join_outcomes(outcomes: Iterable[Outcome]) -> Outcome:
    """Return all of them as one: in order, each thing once, counts added up."""
    parts = list(outcomes)
    counts: dict[str, int] = {}
    for name, count in ((name, n) for part in parts for name, n in part.checked.items()):
        counts[name] = counts.get(name, 0) + count
    return Outcome(
        tuple(merge_problems(problem for part in parts for problem in part.problems)),
        tuple(sorted({item for part in parts for item in part.unchecked})),
        counts,
    )


def be_strict(outcome: Outcome) -> Outcome:
    """Return it with all that could not be looked at among the problems."""
    doubts = (
        Problem("not checked", one.where, "something to look at", one.why, one.remedy)
        for one in outcome.unchecked
    )
    problems = tuple(merge_problems([*outcome.problems, *doubts]))
    return Outcome(problems, (), outcome.checked)


def merge_problems(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems in order; two witnesses of one thing in one place become one problem."""
    ordered = sorted(set(problems))
    for (kind, where), same in groupby(ordered, key=lambda one: (one.kind, one.where)):
        told = list(same)
        yield Problem(
            kind,
            where,
            _join(one.expected for one in told),
            _join(one.found for one in told),
            told[0].remedy,
        )


def _join(texts: Iterable[str]) -> str:
    return _AND.join(dict.fromkeys(text for text in texts if text))
