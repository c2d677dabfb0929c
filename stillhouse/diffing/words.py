"""What changed between two texts, word by word, as a reader would mark it.

The same rules stand in ``web/words.js`` for the page, and ``tests/test_diff_page.py`` holds the two to each other.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from rapidfuzz.distance import Indel

_PUNCTUATION: Final = (
    r"!-/:-@\[-^`{-~\u00a1-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
    r"\u05be\u05c0\u05c3\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965"
    r"\u2010-\u2027\u2030-\u205e\u3001-\u3020\uff01-\uff0f\uff1a-\uff20"
)
_IDEOGRAPHS: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER: Final = rf"[^\s{_PUNCTUATION}{_IDEOGRAPHS}]"
# A number with its separators is one word, and so is "don't". Blanks, and what is written without them, go by
# character.
_TOKEN: Final = re.compile(
    rf"[0-9]+(?:[.,:][0-9]+)+|{_LETTER}+(?:['\u2019]{_LETTER}+)*|\s|[{_PUNCTUATION}]|[{_IDEOGRAPHS}]"
)
_PLAIN: Final = re.compile(rf"[\s{_PUNCTUATION}]+")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_SENTENCE_ENDS: Final = frozenset(".!?。!?")
# Cells of the table of a comparison, one bit each: two texts of 10,000 words. Above, lines are compared first.
_CELLS: Final = 400_000_000
_LONGEST_ISLAND: Final = 32  # letters; what is longer is never taken for a coincidence


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that both versions have (``same``), or only the ``old`` or the ``new`` one."""

    kind: Literal["same", "old", "new"]
    text: str


@dataclass(slots=True)
class _Edit:
    """Where the old text's tokens ``old`` to ``old_end`` gave way to the new one's."""

    old: int
    old_end: int
    new: int
    new_end: int


def diff_words(old: str, new: str) -> list[Piece]:
    """Return the pieces of both texts, in reading order; of a change first the old, then the new.

    The pieces that are the same and those of one version, joined, are that version's text. Words that both texts
    happen to have in the midst of a change ("the", "of") do not break it up.
    """
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    edits = _compare(before, after)
    edits = _join_edits(edits, before, after)
    _slide_edits(edits, before, after)
    return list(_cut(edits, before, after))


def _compare(before: Sequence[str], after: Sequence[str]) -> list[_Edit]:
    """Return what differs, by a longest common subsequence; of vast texts by that of their lines first."""
    if len(before) * len(after) <= _CELLS:
        return _match(before, after)
    lines, others = _group(before), _group(after)
    if len(lines) * len(others) > _CELLS:
        return [_Edit(0, len(before), 0, len(after))]
    starts, ends = _starts(lines), _starts(others)
    edits: list[_Edit] = []
    for edit in _match(["".join(line) for line in lines], ["".join(line) for line in others]):
        whole = _Edit(starts[edit.old], starts[edit.old_end], ends[edit.new], ends[edit.new_end])
        edits += _compare_within(whole, before, after)
    return edits


def _compare_within(edit: _Edit, before: Sequence[str], after: Sequence[str]) -> list[_Edit]:
    parts = before[edit.old : edit.old_end], after[edit.new : edit.new_end]
    if len(parts[0]) * len(parts[1]) > _CELLS:
        return [edit]
    return [
        _Edit(e.old + edit.old, e.old_end + edit.old, e.new + edit.new, e.new_end + edit.new)
        for e in _match(*parts)
    ]


def _match(before: Sequence[str], after: Sequence[str]) -> list[_Edit]:
    numbers: dict[
        str, int
    ] = {}  # so that nothing depends on how Python hashes texts in this process
    coded = [[numbers.setdefault(t, len(numbers)) for t in tokens] for tokens in (before, after)]
    edits: list[_Edit] = []
    for code in Indel.opcodes(*coded):
        if code.tag == "equal":
            continue
        if edits and (edits[-1].old_end, edits[-1].new_end) == (code.src_start, code.dest_start):
            edits[-1].old_end, edits[-1].new_end = code.src_end, code.dest_end
        else:
            edits.append(_Edit(code.src_start, code.src_end, code.dest_start, code.dest_end))
    return edits


def _group(tokens: Sequence[str]) -> list[list[str]]:
    """Return the tokens of each line; a line ends with the token that breaks it."""
    lines: list[list[str]] = [[]]
    for token in tokens:
        lines[-1].append(token)
        if token.endswith("\n"):
            lines.append([])
    return [line for line in lines if line]


def _starts(lines: Sequence[Sequence[str]]) -> list[int]:
    return list(accumulate((len(line) for line in lines), initial=0))


def _join_edits(edits: Sequence[_Edit], before: Sequence[str], after: Sequence[str]) -> list[_Edit]:
    """Join edits across an island smaller than both, as diff-match-patch's semantic clean-up does."""
    was, now = _count_letters(before), _count_letters(after)
    joined: list[_Edit] = []
    for edit in edits:
        joined.append(edit)
        while len(joined) > 1 and _is_island(joined[-2], joined[-1], was, now):
            last = joined.pop()
            first = joined[-1]
            joined[-1] = _Edit(first.old, last.old_end, first.new, last.new_end)
    return joined


def _is_island(first: _Edit, last: _Edit, was: Sequence[int], now: Sequence[int]) -> bool:
    letters = was[last.old] - was[first.old_end]
    if letters > _LONGEST_ISLAND:
        return False
    return all(
        letters <= max(was[edit.old_end] - was[edit.old], now[edit.new_end] - now[edit.new])
        for edit in (first, last)
    )


def _count_letters(tokens: Sequence[str]) -> list[int]:
    """Return how many letters stand before each token, and before the end."""
    counts = (0 if _PLAIN.fullmatch(token) else len(token) for token in tokens)
    return list(accumulate(counts, initial=0))


def _slide_edits(edits: Sequence[_Edit], before: Sequence[str], after: Sequence[str]) -> None:
    """Move what was only taken out or put in to where a reader would cut: at lines, then sentences, then words.

    "the cat and [the dog and ]the bird" might as well be "the cat [and the dog ]and the bird".
    """
    for n, edit in enumerate(edits):
        low = edits[n - 1].old_end + 1 if n else 0
        high = edits[n + 1].old - 1 if n + 1 < len(edits) else len(before)
        if edit.old == edit.old_end:
            step = _best_step(after, edit.new, edit.new_end, low - edit.old, high - edit.old_end)
        elif edit.new == edit.new_end:
            step = _best_step(before, edit.old, edit.old_end, low - edit.old, high - edit.old_end)
        else:
            continue
        edit.old, edit.old_end = edit.old + step, edit.old_end + step
        edit.new, edit.new_end = edit.new + step, edit.new_end + step


def _best_step(tokens: Sequence[str], start: int, end: int, low: int, high: int) -> int:
    """Return by how many tokens the stretch is best moved, from ``low`` to ``high``, and says the same."""
    first = last = 0
    while first > low and tokens[start + first - 1] == tokens[end + first - 1]:
        first -= 1
    while last < high and tokens[start + last] == tokens[end + last]:
        last += 1
    return max(
        range(first, last + 1),
        key=lambda step: _rate(tokens, start + step) + _rate(tokens, end + step),
    )


def _rate(tokens: Sequence[str], place: int) -> int:
    """Return how well a text may be cut before the token at ``place``."""
    if place in {0, len(tokens)}:
        return 5
    last = tokens[place - 1]
    if last == "\n":
        return 4
    if last.isspace():
        return 3 if place > 1 and tokens[place - 2] in _SENTENCE_ENDS else 2
    return 1 if _PLAIN.fullmatch(last) or _PLAIN.fullmatch(tokens[place]) else 0


def _cut(edits: Sequence[_Edit], before: Sequence[str], after: Sequence[str]) -> Iterator[Piece]:
    place = 0
    for edit in (*edits, _Edit(len(before), len(before), len(after), len(after))):
        same = "".join(before[place : edit.old])
        old = "".join(before[edit.old : edit.old_end])
        new = "".join(after[edit.new : edit.new_end])
        pieces = (Piece("same", same), Piece("old", old), Piece("new", new))
        yield from (piece for piece in pieces if piece.text)
        place = edit.old_end
