"""Two passages that belong together: one that speaks of an exception, one that holds the rule."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

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


def announces_exception(chunk: Chunk) -> bool:
    """Say whether a chunk, or a heading above it, speaks of an exception or a changed rule."""
    return bool(_EXCEPTION.search(" ".join((*chunk.headings, chunk.text))))


class RuleFinder:
    """A BM25 index over chunks (Okapi), which finds for an exception the rule it departs from."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks: Sequence[Chunk] = sorted(chunks, key=lambda chunk: chunk.chunk_id)
        counts = [Counter(_words(chunk)) for chunk in self._chunks]
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for index, count in enumerate(counts):
            for word, times in count.items():
                self._postings[word].append((index, times))
        self._lengths = [count.total() for count in counts]
        self._mean = sum(self._lengths) / max(1, len(self._lengths)) or 1.0

    def find_rule(self, chunk: Chunk) -> Chunk | None:
        """Return the chunk of another document that is nearest in its words, or None.

        Equal scores fall to the smaller chunk id, so that the answer never depends on order.
        """
        scores: dict[int, float] = defaultdict(float)
        overlap: Counter[int] = Counter()
        for word in self._rarest(set(_words(chunk))):
            weight = self._weight(word)
            for index, times in self._postings[word]:
                norm = _K1 * (1 - _B + _B * self._lengths[index] / self._mean)
                scores[index] += weight * times * (_K1 + 1) / (times + norm)
                overlap[index] += 1
        fitting = [
            index
            for index in scores
            if overlap[index] >= _SMALLEST_OVERLAP and self._chunks[index].source != chunk.source
        ]
        best = max(fitting, key=lambda index: (round(scores[index], 9), -index), default=None)
        return None if best is None else self._chunks[best]

    def _rarest(self, query: set[str]) -> list[str]:
        known = sorted(word for word in query if word in self._postings)
        return sorted(known, key=lambda word: len(self._postings[word]))[:_QUERY_WORDS]

    def _weight(self, word: str) -> float:
        holding = len(self._postings[word])
        return math.log(1 + (len(self._chunks) - holding + 0.5) / (holding + 0.5))


def _words(chunk: Chunk) -> list[str]:
    return words(" ".join((*chunk.headings, chunk.text)))
