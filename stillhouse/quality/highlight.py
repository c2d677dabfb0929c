"""Where in a passage the words of an answer stand: the longest common runs of words first."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from stillhouse.quality.claims import STOPWORDS

# What is written without spaces goes by character.
_SIGN: Final = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
_LETTERS: Final = rf"(?:(?!{_SIGN})\w)+"
_WORD: Final = re.compile(rf"{_SIGN}|{_LETTERS}(?:[.,:'’/-]{_LETTERS})*")
_LONG: Final = (
    3  # words; a shorter run may stand in many places, and is taken nearest to the longest one
)


@dataclass(frozen=True, slots=True)
class Found:
    """What of an answer stands in a passage: spans of characters, and how many of its words they cover."""

    spans: tuple[tuple[int, int], ...]
    words: int
    of: int


@dataclass(frozen=True, slots=True)
class _Run:
    """So many words from these places on in answer and passage."""

    answer: int
    passage: int
    size: int


def find_answer(answer: str, passage: str) -> Found:
    """Return where the words of an answer stand in a passage.

    Runs of nothing but stop words (`of the`) are no sign of where an answer came from and are left out.
    """
    said = [match.group().casefold() for match in _WORD.finditer(answer)]
    places = list(_WORD.finditer(passage))
    words = [match.group().casefold() for match in places]
    runs = list(_settle(list(_find_runs(said, words)), said, words))
    marked = sorted({i for run in runs for i in range(run.passage, run.passage + run.size)})
    spans: list[tuple[int, int]] = []
    for before, i in zip([-2, *marked], marked, strict=False):
        start, end = places[i].span()
        if i == before + 1:
            start = spans.pop()[0]
        spans.append((start, end))
    return Found(tuple(spans), sum(run.size for run in runs), len(said))


def _find_runs(said: Sequence[str], words: Sequence[str]) -> Iterator[_Run]:
    """Yield the longest run, then the longest in what is left of the answer on either side of it."""
    matcher = SequenceMatcher(None, said, words, autojunk=False)
    waiting = [(0, len(said))]
    while waiting:
        low, high = waiting.pop()
        found = matcher.find_longest_match(low, high, 0, len(words))
        if not found.size:
            continue
        if any(word not in STOPWORDS for word in said[found.a : found.a + found.size]):
            yield _Run(found.a, found.b, found.size)
        waiting += [(low, found.a), (found.a + found.size, high)]


def _settle(runs: list[_Run], said: Sequence[str], words: Sequence[str]) -> Iterator[_Run]:
    """Yield the runs, short ones where they stand nearest to the longest."""
    longest = max(runs, key=lambda run: run.size, default=None)
    for run in runs:
        if longest is None or run is longest or run.size >= _LONG:
            yield run
            continue
        wanted = list(said[run.answer : run.answer + run.size])
        places = (i for i in range(len(words)) if list(words[i : i + run.size]) == wanted)
        nearest = min(places, key=lambda i: abs(i - longest.passage))
        yield _Run(run.answer, nearest, run.size)
