"""Two passages that belong together: one that speaks of an exception, one that holds the rule."""

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillhouse.base.records import Chunk
from stillhouse.base.text import words

# Words by which any text announces that it departs from a rule that stands elsewhere.
_EXCEPTION: Final = re.compile(
    r"\b(?:except(?:ions?|ed|ing)?|exempt(?:ed|ion|ions)?|unless|instead|notwithstanding"
    r"|overrid\w+|supersed\w+|replac(?:es?|ed|ing)|amend(?:s|ed|ment|ments)?|no longer|waived?"
    r"|(?:do|does|shall|will) not apply|not apply|applies only|only applies|in place of|differs?"
    r"|departs? from|deviat\w+|rather than|as before|formerly|previously|general rules?)\b",
    re.IGNORECASE,
)
_K1: Final = 1.2  # Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework", their
_B: Final = 0.75  # usual values of BM25's saturation and length normalisation
_QUERY_WORDS: Final = 24  # a passage's rarest words; its common ones cost time and say nothing
_SMALLEST_OVERLAP: Final = 3  # words in common, below which two passages have no common subject
# Entries of the index that one search looks at, the rarest words first. 24 words cannot reach it
# in a corpus of up to 800 passages; in a larger one the commonest of them are left out.
_MOST_ENTRIES: Final = 20_000

_SAME: Final = 1e-9  # scores that differ by less are equal

Place: TypeAlias = tuple[str, int]  # a chunk's source and start
Indices: TypeAlias = NDArray[np.int32]


def announces_exception(chunk: Chunk) -> bool:
    """Say whether a chunk, or a heading above it, speaks of an exception or a changed rule."""
    return bool(_EXCEPTION.search(" ".join((*chunk.headings, chunk.text))))


class RuleFinder:
    """A BM25 index over chunks (Okapi), which finds for an exception the rule it departs from.

    ``chunks`` is walked twice: once to count its words, once to file them. Only words are kept
    that a search may use, and a search looks at a bounded number of entries, so that its time does
    not grow with the corpus.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        holding: Counter[str] = Counter()
        self._lengths = array("d")
        self._ids: list[str] = []
        self._places: list[Place] = []
        self._numbers: dict[str, int] = {}
        numbers = array("i")
        for chunk in chunks:
            found = _words(chunk)
            holding.update(set(found))
            self._lengths.append(len(found))
            self._ids.append(chunk.chunk_id)
            self._places.append((chunk.source, chunk.start))
            numbers.append(self._numbers.setdefault(chunk.source, len(self._numbers)))
        self._sources = np.array(numbers, dtype=np.int32)
        self._holding = holding
        self._mean = sum(self._lengths) / max(1, len(self._lengths)) or 1.0
        self._file_words(chunks)

    def find_rule(self, chunk: Chunk) -> Place | None:
        """Return the place of the chunk of another document that is nearest in its words, or None.

        Equal scores fall to the smaller chunk id, so that the answer never depends on order.
        """
        touched = []
        for word in self._choose_words(set(_words(chunk))):
            holders, times = self._look_up(word)
            grown = self._weight(word) * times * (_K1 + 1) / (times + self._norms[holders])
            self._scores[holders] += grown
            self._overlap[holders] += 1
            touched.append(holders)
        return self._take_best(np.concatenate(touched), chunk.source) if touched else None

    def _file_words(self, chunks: Iterable[Chunk]) -> None:
        """Lay out for each word that more than one chunk holds where, and how often."""
        # A word of one chunk leads to no other, one of too many is beyond any search.
        useful = [(word, n) for word, n in self._holding.items() if 1 < n <= _MOST_ENTRIES]
        ends = [0, *accumulate(n for _, n in useful)]
        self._starts = {word: start for (word, _), start in zip(useful, ends, strict=False)}
        filled = dict(self._starts)
        self._holders = np.zeros(ends[-1], dtype=np.int32)
        self._times = np.zeros(ends[-1], dtype=np.int32)
        for index, chunk in enumerate(chunks):
            for word, times in Counter(_words(chunk)).items():
                if (at := filled.get(word)) is not None:
                    self._holders[at], self._times[at] = index, times
                    filled[word] = at + 1
        self._norms = _K1 * (1 - _B + _B * np.array(self._lengths) / self._mean)
        self._scores = np.zeros(len(self._ids))
        self._overlap = np.zeros(len(self._ids), dtype=np.int32)

    def _take_best(self, touched: Indices, source: str) -> Place | None:
        """Return the place of the best chunk that has a score, not of ``source``; clear all scores."""
        own = self._numbers.get(source, -1)
        fits = (self._overlap[touched] >= _SMALLEST_OVERLAP) & (self._sources[touched] != own)
        fitting = touched[fits]
        scores = self._scores[fitting]
        self._scores[touched], self._overlap[touched] = 0.0, 0
        if not len(fitting):
            return None
        # The last bits of a sum hang on the order of its parts: they decide nothing.
        best = np.flatnonzero(scores >= scores.max() - 2 * _SAME)
        ranks = [
            (-round(float(scores[i]), 9), self._ids[fitting[i]], int(fitting[i])) for i in best
        ]
        return self._places[min(ranks)[2]]

    def _choose_words(self, query: set[str]) -> Iterator[str]:
        """Yield the rarest words of a query that lead to other chunks, within the bound."""
        known = sorted(word for word in query if word in self._holding)
        entries = 0
        for word in sorted(known, key=self._holding.__getitem__)[:_QUERY_WORDS]:
            entries += self._holding[word]
            if entries > _MOST_ENTRIES:
                return
            if word in self._starts:
                yield word

    def _look_up(self, word: str) -> tuple[Indices, Indices]:
        start = self._starts[word]
        part = slice(start, start + self._holding[word])
        return self._holders[part], self._times[part]

    def _weight(self, word: str) -> float:
        holding = self._holding[word]
        return math.log(1 + (len(self._ids) - holding + 0.5) / (holding + 0.5))


def _words(chunk: Chunk) -> list[str]:
    return words(" ".join((*chunk.headings, chunk.text)))
