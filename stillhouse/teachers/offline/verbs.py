"""Finding the finite verb of a sentence."""

import re
from collections.abc import Sequence

from stillhouse.teachers.offline.breaks import is_clear_finite
from stillhouse.teachers.offline.lexicon import (
    DETERMINERS,
    PREPOSITIONS,
    SUBORDINATORS,
)
from stillhouse.teachers.offline.morphology import base_of, is_participle, is_plural, verb_bases
from stillhouse.teachers.offline.tagging import Token


def find_verb(tokens: Sequence[Token], start: int) -> int | None:
    """Return where the finite verb of the main clause stands, or None."""
    pending, weak = 0, None
    for at in range(start, len(tokens)):
        token = tokens[at]
        if token.low in SUBORDINATORS and not (token.low == "that" and at == start):
            if weak is not None:
                return weak
            pending += _opens_clause(tokens, at)
        elif is_clear_finite(tokens, at):
            if pending:
                pending -= 1
            elif weak == at - 1:
                return at  # ``nightly builds are``: what looked like a verb is the subject's noun
            elif weak is not None and _joined(tokens, weak, at):
                return weak
            else:
                return at
        elif _may_be_finite(tokens, at, start):
            if pending:
                pending -= 1
            elif weak is None:
                weak = at
        elif token.text in ",;" and weak is not None:
            return weak
    return weak


def _opens_clause(tokens: Sequence[Token], at: int) -> int:
    """Return 1 when a subordinator opens a clause with a verb of its own, else 0."""
    if tokens[at].low in ("as", "since", "until", "before", "after", "so", "provided", "once"):
        rest = tokens[at + 1 : at + 9]
        return int(any(is_clear_finite(rest, i) for i in range(len(rest))) and len(rest) > 2)
    return 1


def _may_be_finite(tokens: Sequence[Token], at: int, start: int) -> bool:
    token, before = tokens[at], tokens[at - 1] if at > start else None
    if before is None or before.low in DETERMINERS | PREPOSITIONS | {"to", "and", "or", ",", "'s"}:
        return False
    if token.text[0].isupper() or not re.match(r"^[a-z-]+$", token.text) or "-" in token.text:
        return False
    if token.tag == "VBZ" and base_of(token.low):
        phrase = {word.low for word in tokens[start : at - 1]}
        return not is_plural(before.low) or bool(phrase & PREPOSITIONS)
    if token.low.endswith("s") and token.tag == "NNS":
        return (
            _noun_verb(tokens, at)
            and base_of(token.low) in verb_bases()
            and (not is_plural(before.low) and before.tag.startswith("NN"))
        )
    if token.tag in ("VB", "VBP", "NN") and token.low in verb_bases():
        if before.low in ("we", "you", "they", "i"):
            return True
        return is_plural(before.low) and (token.tag != "NN" or _noun_verb(tokens, at))
    return token.tag == "VBD" and not is_participle(token.low)


def _noun_verb(tokens: Sequence[Token], at: int) -> bool:
    """Whether what follows looks like an object or adverbial, as after a verb."""
    if at + 1 >= len(tokens):
        return False
    after = tokens[at + 1]
    return (
        after.low in DETERMINERS | {"itself", "themselves"}
        or bool(re.match(r"^[£$€]?\d", after.text))
        or (
            after.low in ("at", "up", "to", "within", "every", "after", "by", "on", "until", "from")
            or (
                after.low == "for"
                and at + 2 < len(tokens)
                and (
                    tokens[at + 2].low in ("at", "up", "a", "the")
                    or bool(re.match(r"^\d", tokens[at + 2].text))
                )
            )
        )
    )


def _joined(tokens: Sequence[Token], first: int, second: int) -> bool:
    """Whether two verbs are coordinated, or the second one lies beyond a break of the clause."""
    between = {token.low for token in tokens[first + 1 : second]}
    return bool(between & {"and", "or", "but", ",", ";", "—"}) or tokens[first].tag == "VBZ"
