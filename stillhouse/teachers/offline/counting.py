"""Numbers that count things, told from those that are part of a name or were counted before."""

import re
from collections.abc import Sequence
from typing import Final

from stillhouse.teachers.offline.lexicon import DURATIONS, NUMBER_WORDS, list_words
from stillhouse.teachers.offline.morphology import is_plural, singular
from stillhouse.teachers.offline.tagging import Token

UNIT_SIGN: Final = re.compile(r"^(?:mm|cm|m|km|kg|g|mg|l|ml|GB|MB|KB|kB|TB|mph|V|W|kW|kWh|°C|Hz)$")


def counts_anew(tokens: Sequence[Token], at: int, end: int) -> bool:
    """Whether a number counts the things behind it, and is not a name's (``Rex 7 manual``) or known.

    Behind ``the`` or ``both`` the things were counted before.
    """
    if UNIT_SIGN.match(tokens[at + 1].text) or tokens[at + 1].low == "degrees":
        return True
    if singular(tokens[end - 1].low) in DURATIONS:
        return at == 0 or tokens[at - 1].low not in ("these", "those", "both")
    if {token.low for token in tokens[at + 1 : end]} & (_GROUPS | {"other", "more"}):
        return False
    if "." in tokens[at].text and end > at + 2:
        return False  # a version's number: ``3.7 maintenance releases``
    owned = any(
        token.low.endswith(("s'", "s’")) for token in tokens[at + 1 : end]
    )  # 5 days' notice
    if not (owned or is_plural(tokens[end - 1].low)):
        return False
    if any(token.text[0].isupper() for token in tokens[at + 1 : end]):
        return False
    before = tokens[at - 1] if at else None
    if before is None:  # a digit that begins a line is its mark, a footnote's or a list's
        return tokens[at].low in NUMBER_WORDS
    return before.low not in _KNOWN_BEFORE and not (
        before.text[0].isupper() and before.tag.startswith("NN") and at > 1
    )


_GROUPS: Final = frozenset(list_words("dozen hundred thousand million billion score"))
_KNOWN_BEFORE: Final = frozenset(
    list_words("the these those both its their all other next following first last")
)
