"""A stretch of text cut into pieces, each within the token budget, at the mildest places that do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from stillhouse.corpus.markdown import Span, read_spans
from stillhouse.corpus.tokens import estimate_tokens

# How much a cut hurts, mildest first: between blocks, list items or table rows, sentences, words.
BETWEEN_BLOCKS: Final = 0
BETWEEN_ITEMS: Final = 1
BETWEEN_SENTENCES: Final = 2
BETWEEN_WORDS: Final = 3

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9À-Þ])|\n")
_SPACE: Final = re.compile(r"\s+")
# A full stop after these does not end a sentence.
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Fig|Sec|Art|cf|vs|etc|approx|e\.g|i\.e|[A-Z]))\.$"
)
_LOOK_BACK: Final = 12  # characters in which an abbreviation lies


@dataclass(frozen=True, slots=True)
class Piece:
    """``text[start:end]`` with its tokens and how much a cut *before* it hurts."""

    start: int
    end: int
    tokens: int
    cut: int


def cut_pieces(text: str, start: int, end: int, budget: int) -> list[Piece]:
    """Return the pieces of ``text[start:end]`` in order: blocks, and finer where one is too long.

    A piece's ``tokens`` include the gap before it, so that sums are never below the estimate of
    the joined text.
    """
    pieces: list[Piece] = []
    before: Span | None = None
    stretch = text[start:end]
    for span in read_spans(stretch):
        cut = _cut_before(stretch, before, span)
        pieces += _cut_span(text, start + span.start, start + span.end, budget, cut)
        before = span
    return pieces


def _cut_before(text: str, before: Span | None, span: Span) -> int:
    if before is None:
        return BETWEEN_BLOCKS
    if span.kind == before.kind == "row" and _is_table_head(text, before, span):
        return BETWEEN_WORDS
    same_list = before.kind == span.kind and span.kind in ("item", "row")
    # "The following apply:" belongs to what follows it, and a table's head to its first row.
    leads = before.kind == "paragraph" and text[before.start : before.end].endswith(":")
    return BETWEEN_ITEMS if same_list or leads else BETWEEN_BLOCKS


def _is_table_head(text: str, before: Span, span: Span) -> bool:
    rules = (text[row.start : row.end].startswith("| --- |") for row in (before, span))
    return any(rules)


def _cut_span(text: str, start: int, end: int, budget: int, cut: int) -> Iterator[Piece]:
    """Yield one piece, or the sentences of a span over budget, or the words of such a sentence."""
    if _cost(text, start, end) <= budget:
        yield Piece(start, end, _cost(text, start, end), cut)
        return
    for begin, finish in _between(start, end, _sentence_ends(text, start, end)):
        if _cost(text, begin, finish) <= budget:
            yield Piece(begin, finish, _cost(text, begin, finish), cut)
        else:
            yield from _cut_words(text, begin, finish, budget, cut)
        cut = BETWEEN_SENTENCES


def _cut_words(text: str, start: int, end: int, budget: int, cut: int) -> Iterator[Piece]:
    gaps = [(found.start(), found.end()) for found in _SPACE.finditer(text, start, end)]
    for begin, finish in _between(start, end, gaps):
        fits = _cost(text, begin, finish) <= budget
        # A "word" over budget is a long address or code; a character costs at most 4 tokens.
        step = finish - begin if fits else max(1, (budget - 1) // 4)
        for left in range(begin, finish, step):
            right = min(left + step, finish)
            yield Piece(left, right, _cost(text, left, right), cut)
            cut = BETWEEN_WORDS


def _sentence_ends(text: str, start: int, end: int) -> list[tuple[int, int]]:
    return [
        (found.start(), found.end())
        for found in _SENTENCE_END.finditer(text, start, end)
        if not _ABBREVIATION.search(text[max(start, found.start() - _LOOK_BACK) : found.start()])
    ]


def _between(start: int, end: int, gaps: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the stretches that lie between the gaps; none is empty."""
    marks = [(start, start), *gaps, (end, end)]
    for (_, begin), (finish, _) in pairwise(marks):
        if begin < finish:
            yield begin, finish


def _cost(text: str, start: int, end: int) -> int:
    return estimate_tokens(text[start:end]) + 1
