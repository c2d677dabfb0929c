"""Which row or request of one version is which of another: by its slot, then by what it says.

A slot names a place by source, heading and ordinal. Renumbered headings, a renamed file or a new
paragraph rename places, and a shifted ordinal even gives a place's name to another text. So equal
slots are paired where their texts are alike; what is left over is paired by its text; and only
then are equal slots paired whatever they say, as places that were rewritten, and last those whose
passage has moved, by what was paired of it.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from zlib import crc32

from rapidfuzz.distance import Indel

from stillhouse.base.questions import question_of
from stillhouse.base.records import Request, Row, list_steps, split_slot
from stillhouse.base.text import words
from stillhouse.prompts.passages import parse_passages, parse_questions, parse_told

# Shares of words in common, in their order. From the first on, two texts of one place or document
# are one text edited (two values of one template share about half); across documents more is asked.
_ALIKE: Final = 0.6
_ALIKE_ELSEWHERE: Final = 0.75
# For near-linear time: a text is looked up by its rarest features alone, in lists that are not too
# long, and only the candidates with most of them are compared.
_SKETCH: Final = 24
_RAREST: Final = 12
_LONGEST_LIST: Final = 40
_CANDIDATES: Final = 6
_FEWEST: Final = 6  # a candidate has at least one of so many of them
_ODD: Final = 0x9E3779B1  # Knuth's multiplier: makes a pair's hash depend on its order
_PLAIN: Final = 4  # parts of a combination before the steps that a pair took
_ROUNDS: Final = 4  # for those whose candidates all went to others


@dataclass(frozen=True, slots=True)
class Slot:
    """A row or request as pairing sees it: its slot, and the text by which it is known again."""

    slot_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """Indices into the two versions: what stayed, what only the old and only the new one has."""

    pairs: tuple[tuple[int, int], ...]
    removed: tuple[int, ...]
    added: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """A slot's parts: where it stands, and which of several requests about one passage it is."""

    source: str
    anchor: str
    combination: tuple[str, ...]
    ordinals: tuple[str, ...]

    @property
    def passage(self) -> tuple[str, str]:
        """Where the passage stands that this is about."""
        return self.source, self.anchor

    @property
    def task(self) -> str:
        kind, steps = self.combination[:1], self.combination[_PLAIN:]
        return "|".join((*kind, *steps))


Scope = Callable[[_Place], Hashable]


def slot_of_request(request: Request) -> Slot:
    """Return a request by the passage that it is about, or its question.

    Of several passages that is the last one, whose place the slot names: which rule an exception is
    shown with may change with any edit elsewhere. A call that develops a pair is known by that pair.
    """
    said = " ".join(message.content for message in request.messages)
    if request.parent_id:  # of the many calls about one passage, that about this pair
        return Slot(
            request.slot_id, "\n".join((*parse_questions(said), *parse_told("answer", said)))
        )
    passages = [passage.text for passage in parse_passages(said)]
    return Slot(request.slot_id, "\n".join(passages[-1:] or parse_questions(said)) or said)


def slot_of_row(row: Row) -> Slot:
    """Return a row by its question and answer; a passage that is shown beside them is left out."""
    answer = row.completion[-1].content if row.completion else ""
    return Slot(row.slot_id, f"{question_of(row.prompt, row.context)}\n{answer}")


def pair_slots(old: Sequence[Slot], new: Sequence[Slot]) -> Pairing:
    """Return which of ``old`` is which of ``new``, one to one, the same for the same input.

    Time grows about linearly with the number of slots.
    """
    matcher = _Matcher(old, new)
    matcher.match_equal(lambda slot, _: (slot.slot_id, slot.text))
    matcher.match_same_slot(_ALIKE)
    for scope, alike in (
        (lambda place: (place.source, place.combination), _ALIKE),
        (lambda place: place.combination, _ALIKE_ELSEWHERE),
        (lambda place: (place.source, place.task), _ALIKE),
    ):
        matcher.match_text(scope, alike)
    matcher.match_same_slot(0.0)
    matcher.match_moved_passages()
    return matcher.finish()


class _Matcher:
    """The work in progress: what is paired, and what of both versions is still to be."""

    def __init__(self, old: Sequence[Slot], new: Sequence[Slot]) -> None:
        self._sides = (old, new)
        self._places = tuple([_read_place(slot.slot_id) for slot in side] for side in self._sides)
        self._left = tuple(dict.fromkeys(range(len(side))) for side in self._sides)
        self._vocabulary: dict[str, int] = {}
        self._hashes: list[int] = []  # of the words, by their numbers
        self._words: tuple[dict[int, array[int]], dict[int, array[int]]] = ({}, {})
        self._sketches: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
        self._pairs: list[tuple[int, int]] = []

    def match_equal(self, key: Callable[[Slot, _Place], Hashable]) -> None:
        """Pair what has an equal key, in order; of several with one key the first with the first."""
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        for j in reversed(self._left[1]):
            waiting[key(self._sides[1][j], self._places[1][j])].append(j)
        for i in list(self._left[0]):
            if found := waiting.get(key(self._sides[0][i], self._places[0][i])):
                self._pair(i, found.pop())

    def match_same_slot(self, alike: float) -> None:
        """Pair equal slots whose texts are at least so much alike."""
        by_slot: dict[str, list[int]] = defaultdict(list)
        for j in reversed(self._left[1]):
            by_slot[self._sides[1][j].slot_id].append(j)
        for i in list(self._left[0]):
            found = by_slot.get(self._sides[0][i].slot_id)
            if found and (not alike or self._compare(i, found[-1], alike) >= alike):
                self._pair(i, found.pop())

    def match_text(self, scope: Scope, alike: float) -> None:
        """Pair what is left over within a scope: equal texts, then the most alike ones first."""
        self.match_equal(lambda slot, place: (scope(place), place.ordinals, slot.text))
        self.match_equal(lambda slot, place: (scope(place), slot.text))
        for _ in range(_ROUNDS):
            found = self._find_alike(scope, alike)
            for _, _, i, j in sorted(found):
                if i in self._left[0] and j in self._left[1]:
                    self._pair(i, j)
            if not found:
                return

    def match_moved_passages(self) -> None:
        """Pair what stands at one ordinal of one passage, where most of its others say it moved."""
        votes: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
        for i, j in self._pairs:
            votes[self._places[0][i].passage][self._places[1][j].passage] += 1
        moved = {
            passage: min(found, key=lambda other: (-found[other], other))
            for passage, found in votes.items()
        }
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        for j in reversed(self._left[1]):
            place = self._places[1][j]
            waiting[place.passage, place.combination, place.ordinals].append(j)
        for i in list(self._left[0]):
            place = self._places[0][i]
            if found := waiting.get((moved.get(place.passage), place.combination, place.ordinals)):
                self._pair(i, found.pop())

    def finish(self) -> Pairing:
        """Return the pairs in the order of the old version."""
        return Pairing(tuple(sorted(self._pairs)), tuple(self._left[0]), tuple(self._left[1]))

    def _pair(self, i: int, j: int) -> None:
        self._pairs.append((i, j))
        del self._left[0][i], self._left[1][j]

    def _find_alike(self, scope: Scope, alike: float) -> list[tuple[float, bool, int, int]]:
        """Return (minus similarity, whether ordinals differ, old, new) of all likely pairs."""
        old, new = self._group(0, scope), self._group(1, scope)
        found = []
        for name in old.keys() & new.keys():
            lists: dict[int, list[int]] = defaultdict(list)
            for j in new[name]:
                for feature in self._sketch(1, j):
                    lists[feature].append(j)
            for i in old[name]:
                for j in self._find_candidates(i, lists):
                    similarity = self._compare(i, j, alike)
                    if similarity >= alike:
                        moved = self._places[0][i].ordinals != self._places[1][j].ordinals
                        found.append((-similarity, moved, i, j))
        return found

    def _find_candidates(self, i: int, lists: Mapping[int, list[int]]) -> list[int]:
        """Return the new texts that share most of the rarest features of an old one."""
        known = sorted((len(lists[f]), f) for f in self._sketch(0, i) if f in lists)
        rare = [f for length, f in known[:_RAREST] if length <= _LONGEST_LIST]
        shared = Counter(j for feature in rare for j in lists[feature])
        likely = [j for j in shared if shared[j] * _FEWEST >= len(rare)]
        return sorted(likely, key=lambda j: (-shared[j], j))[:_CANDIDATES]

    def _group(self, side: int, scope: Scope) -> dict[Hashable, list[int]]:
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for index in self._left[side]:
            groups[scope(self._places[side][index])].append(index)
        return groups

    def _sketch(self, side: int, index: int) -> list[int]:
        """Return the smallest hashes of a text's words and pairs of neighbouring words.

        A bottom-k sketch (Broder 1997): texts that are alike have most of it in common.
        """
        known = self._sketches[side]
        if index not in known:
            hashes = [self._hashes[word] for word in self._split(side, index)]
            pairs = ((one * _ODD ^ other) & 0xFFFFFFFF for one, other in pairwise(hashes))
            known[index] = sorted({*hashes, *pairs})[:_SKETCH]
        return known[index]

    def _compare(self, i: int, j: int, at_least: float) -> float:
        """Return the share of words in common in their order; 0 where it is below ``at_least``."""
        first, second = self._split(0, i), self._split(1, j)
        return Indel.normalized_similarity(first, second, score_cutoff=at_least)

    def _split(self, side: int, index: int) -> "array[int]":
        """Return the words of a text as numbers, which are small and quick to compare."""
        known = self._words[side]
        if index not in known:
            known[index] = array("I", map(self._number, words(self._sides[side][index].text)))
        return known[index]

    def _number(self, word: str) -> int:
        number = self._vocabulary.setdefault(word, len(self._hashes))
        if number == len(self._hashes):
            self._hashes.append(crc32(word.encode()))  # not hash(): that differs between processes
        return number


def _read_place(slot_id: str) -> _Place:
    source, *parts = split_slot(slot_id)
    # What was developed from a pair is another kind of thing at the same place.
    combination = (*parts[1:5], *list_steps(slot_id))
    return _Place(source, "".join(parts[:1]), combination, tuple(parts[5:]))
