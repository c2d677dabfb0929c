"""The causes that a difference may have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Cause: TypeAlias = Literal[
    "prompt",
    "document",
    "teacher",
    "parameters",
    "judge",
    "filter",
    "sampling",
    "review",
    "split",
    "code",
    "unknown",
]
# In the order of the pipeline. `unknown`: the tables that would tell are not found.
CAUSES: Final[tuple[Cause, ...]] = (
    "document",
    "prompt",
    "teacher",
    "parameters",
    "sampling",
    "code",
    "judge",
    "filter",
    "review",
    "split",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class Why:
    """The causes of one difference, in the order of ``CAUSES``.

    ``names`` says by cause what it is about: ``prompts/recall.md``, ``split.seed 7 -> 11``. ``said`` is
    what a stage wrote down of it.
    """

    causes: tuple[Cause, ...]
    names: Mapping[Cause, str] = field(default_factory=dict)
    said: str = ""

    def __or__(self, other: "Why") -> "Why":
        found = {*self.causes, *other.causes}
        names = {**other.names, **self.names}
        ordered = tuple(cause for cause in CAUSES if cause in found)
        return Why(ordered, names, self.said or other.said)


NOTHING: Final = Why(())
