"""``focus.yaml``: which documents the plan weighs most, which are never trained on, what is asked more of."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.params import Params, load_yaml, parse_section

Group = Literal["core", "other", "held_out"]


class FocusFact(Params):
    """A fact that somebody is expected to ask for, with its answer."""

    id: str
    fact: str
    answer: str


class FocusDocument(Params):
    """A document of a group, with its facts where they are listed."""

    source: str
    facts: tuple[FocusFact, ...] = ()


class FocusWeight(Params):
    """How much of the plan is asked of a source (a document, or a seed file's name), a task, or both.

    ``weight`` multiplies the plan's fraction; what is then above 1 multiplies the phrasings.
    """

    source: str | None = Field(default=None, min_length=1)
    task: str | None = Field(default=None, min_length=1)
    weight: float = Field(ge=0, le=10)

    @model_validator(mode="after")
    def _names_something(self) -> "FocusWeight":
        if self.source is None and self.task is None:
            raise ValueError("a weight needs a `source`, a `task` or both")
        return self

    def fits(self, source: str, task: str) -> bool:
        """Say whether the weight is meant for a task asked of a source."""
        return self.source in (None, source) and self.task in (None, task)


class Focus(Params):
    """The groups; without a core list, every document that is not held out is core.

    ``weighed`` names the answers that `plan --focus --write` drew ``weights`` from last.
    """

    version: int = Field(default=1, ge=1, le=1)
    core: tuple[FocusDocument, ...] | None = None
    held_out: tuple[FocusDocument, ...] | None = None
    weights: tuple[FocusWeight, ...] | None = None
    weighed: str | None = None

    def weigh(self, source: str, task: str) -> float:
        """Return the product of all weights of a task asked of a source; 1 where there is none."""
        fitting = (one.weight for one in self.weights or () if one.fits(source, task))
        return math.prod(fitting)


def load_focus(path: Path) -> Focus:
    """Return ``focus.yaml``; a wrong key, a document or fact named twice is an ``InputError``."""
    focus = parse_section(path.name, Focus, load_yaml(path), path)
    both = _names(focus.core) & _names(focus.held_out)
    if both:
        raise InputError(
            f"{min(both)!r} is both core and held out",
            where=str(path),
            remedy="take it out of one list",
        )
    documents = (*(focus.core or ()), *(focus.held_out or ()))
    _refuse_twice("document", (document.source for document in documents), path)
    _refuse_twice("fact", (fact.id for document in documents for fact in document.facts), path)
    places = [f"{one.source or '*'} / {one.task or '*'}" for one in focus.weights or ()]
    _refuse_twice("weight of", places, path)
    return focus


def group_sources(sources: Iterable[str], focus: Focus) -> dict[str, Group]:
    """Return the group of each source.

    Raises:
        InputError: the focus names a document that is not among the sources.
    """
    sources = set(sources)
    core, held_out = _names(focus.core), _names(focus.held_out)
    unknown = (core | held_out) - sources
    if unknown:
        near = suggest(min(unknown), sources)
        raise InputError(
            f"{min(unknown)!r} is not a document of the corpus",
            where="focus.yaml",
            remedy=near or "mend the path, or look for it in data/corpus/skipped.parquet",
        )
    return {source: _choose(source, core, held_out) for source in sorted(sources)}


def _refuse_twice(kind: str, names: Iterable[str], path: Path) -> None:
    met: set[str] = set()
    for name in names:
        if name in met:
            raise InputError(
                f"the {kind} {name!r} stands there twice", where=str(path), remedy="take one out"
            )
        met.add(name)


def _choose(source: str, core: set[str], held_out: set[str]) -> Group:
    if source in held_out:
        return "held_out"
    return "core" if not core or source in core else "other"


def _names(documents: tuple[FocusDocument, ...] | None) -> set[str]:
    return {document.source for document in documents or ()}
