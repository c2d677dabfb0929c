"""Whether an answer without a type (`teal`) is only one of the possibilities that a reply lists."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from stillhouse.evaluation.notation import STOPWORDS
from stillhouse.evaluation.values import Token, canonical_tokens

_LISTED: Final = re.compile(r"\s*(?:(?:,|/|\bor\b|\band\b)\s*)+", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"[.!?;:](?:\s|$)")
_MANY: Final = 2  # so many other words beside an untyped answer make a list of possibilities


def is_listed(text: str, tokens: Sequence[Token], span: tuple[int, int], known: set[str]) -> bool:
    """Return whether other words stand beside the answer at ``span`` as if they would do as well.

    Args:
        text: the prepared reply.
        tokens: its canonical tokens.
        span: the answer's characters.
        known: words of the question and of the accepted answers, which are no other possibility.
    """
    return _offers_other(tokens, span, known) or _lists_others(text, tokens, span, known)


def _offers_other(tokens: Sequence[Token], span: tuple[int, int], known: set[str]) -> bool:
    """Whether the answer stands directly beside an `or`: `teal or plum`."""
    before = [token.text for token in tokens if token.end <= span[0]][-2:]
    after = [token.text for token in tokens if token.start >= span[1]][:2]
    pairs = ((before[::-1], before[:1]), (after, after[1:]))
    return any(
        len(side) == 2 and side[0] == "or" and not (known | STOPWORDS).issuperset(other)
        for side, other in pairs
    )


def _lists_others(
    text: str, tokens: Sequence[Token], span: tuple[int, int], known: set[str]
) -> bool:
    """Whether the answer stands in a list of three or more: `teal, plum, amber`."""
    ends = [match.start() for match in _SENTENCE_END.finditer(text)]
    start = max((end + 1 for end in ends if end < span[0]), default=0)
    stop = min((end for end in ends if end >= span[1]), default=len(text))
    width = sum(span[0] <= token.start < span[1] for token in tokens)
    others = 0
    for side in (
        _list_words(text[start : span[0]])[::-1],
        _list_words(text[span[1] : stop]),
    ):
        if not side[0]:  # a comma, and no other word, stands beside the answer
            listed = takewhile(
                lambda words: 0 < len(words) <= width and known.isdisjoint(words), side[1:]
            )
            others += len(list(listed))
    return others >= _MANY


def _list_words(text: str) -> list[list[str]]:
    """Return the words with a meaning of each item of a list."""
    return [
        [token.text for token in canonical_tokens(item) if token.text not in STOPWORDS]
        for item in _LISTED.split(text)
    ]
