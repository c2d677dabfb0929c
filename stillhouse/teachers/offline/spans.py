"""A value as a stretch of a sentence's tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.teachers.offline.lexicon import list_words
from stillhouse.teachers.offline.tagging import Token, join_words

CODE: Final = re.compile(r"^(?=[^\s]*\d)[A-Z][A-Z]{0,7}[-/]?\d[\w./-]*$|^[A-Z]{2,8}-[A-Z\d-]+$")


UNIT_ENDS: Final = frozenset(
    list_words(
        "a an per old in ahead and or but long wide high deep away earlier later ago each every is "
        "are was were be been not apart thick tall"
    )
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value at ``tokens[start:end]``; ``outer`` is where its preposition or comparator begins.

    ``kind`` is money, percent, time, date, duration, count, measure, code, identifier, person,
    place, name or ordinal; ``unit`` is the counted noun; ``bound`` is ``max``, ``min``,
    ``threshold`` or empty; ``preposition`` stands before it.
    """

    kind: str
    start: int
    end: int
    outer: int
    text: str
    unit: str = ""
    preposition: str = ""
    comparator: str = ""
    bound: str = ""


def make_value(kind: str, tokens: Sequence[Token], start: int, end: int, unit: str = "") -> Value:
    """Return the value at ``tokens[start:end]``, not yet widened to its preposition."""
    return Value(kind, start, end, start, join_words([t.text for t in tokens[start:end]]), unit)


def low_at(tokens: Sequence[Token], at: int) -> str:
    """Return the word at a place in lower case, or "" outside the sentence."""
    return tokens[at].low if 0 <= at < len(tokens) else ""
