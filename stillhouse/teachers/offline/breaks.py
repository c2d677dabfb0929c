"""Where a clause ends: at a mark, a contrast, or a second verb joined by ``and``."""

import re
from collections.abc import Sequence
from typing import Final

from stillhouse.teachers.offline.lexicon import (
    ADVERBS,
    BE,
    DETERMINERS,
    HAVE,
    MODALS,
    PRONOUNS,
    SUBORDINATORS,
)
from stillhouse.teachers.offline.morphology import base_of, is_participle
from stillhouse.teachers.offline.tagging import Token

_CONTRASTS: Final = (("instead", "of"), ("rather", "than"), ("while",), ("whereas",), ("although",),
                     ("so", "that"), ("even", "if"), ("even", "when"), ("because",))  # fmt: skip


def is_clear_finite(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token can be nothing but a finite verb: a modal, a form of be, have or do."""
    token = tokens[at]
    if token.low == "may" and token.text[0].isupper():
        return False
    if token.low in MODALS | BE | HAVE | {"do", "does", "did"}:
        return not (at and tokens[at - 1].low == "to")
    return False


def clause_end(tokens: Sequence[Token], verb: int) -> int:
    """Return where the clause ends: at a break, or before a second clause joined by ``and``."""
    for at in range(verb + 1, len(tokens)):
        word = tokens[at].text
        if word in (";", ":", "—", "(") or _contrast(tokens, at) or _second_verb(tokens, at):
            return at
        if word == "," and at > verb + 1 and not _list_comma(tokens, at):
            return at
    return len(tokens)


def _contrast(tokens: Sequence[Token], at: int) -> bool:
    rest = tuple(token.low for token in tokens[at : at + 2])
    return any(rest[: len(phrase)] == phrase for phrase in _CONTRASTS)


def _second_verb(tokens: Sequence[Token], at: int) -> bool:
    """Whether ``and`` or ``but`` at a place is followed by a verb or a clause of its own."""
    if tokens[at].low not in ("and", "but", "or"):
        return False
    rest = [token for token in tokens[at + 1 : at + 9] if token.low not in ADVERBS]
    if not rest:
        return False
    first = rest[0]
    if first.low in MODALS | BE | HAVE | {"does", "do", "then"} or first.low in PRONOUNS:
        return True
    if first.tag == "VBZ" and base_of(first.low):
        return True
    if is_participle(first.low) and len(rest) > 1 and rest[1].tag in ("IN", "TO", "RB"):
        return any(token.low in BE | {"be", "been"} for token in tokens[:at])
    noun = first.low in DETERMINERS and any(
        word.low in MODALS | BE or (word.tag == "VBZ" and base_of(word.low)) for word in rest[1:]
    )
    return noun or first.low in ("include", "includes")


def _list_comma(tokens: Sequence[Token], at: int) -> bool:
    """Whether a comma stands in a list of short items (``pens, paper and ink``)."""
    rest = [token.low for token in tokens[at + 1 : at + 7]]
    if not rest or rest[0] in SUBORDINATORS | {"and", "but", "or", "so", "even", "not", "by", "as"}:
        return False
    if re.match(r"^\d{4}$", rest[0]):
        return True
    return bool({"and", "or"} & set(rest)) and not any(
        is_clear_finite(tokens, i) for i in range(at + 1, min(at + 7, len(tokens)))
    )
