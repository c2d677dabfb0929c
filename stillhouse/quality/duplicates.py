"""Rows that say the same thing twice, and questions that are answered in two ways.

Different wordings of one fact are wanted, and so is one wording about different facts (two cells
of a table): only the same wording *and* the same fact *and* the same answer is a duplicate.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rensa import RMinHash, RMinHashLSH

from stillhouse.base.questions import question_of
from stillhouse.base.records import Pair
from stillhouse.base.text import normalise, words
from stillhouse.quality.claims import value_set

# 128 hashes in 32 bands of 4 meet a pair of Jaccard similarity s with probability
# 1 - (1 - s^4)^32 (Broder 1997; Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", ch. 3):
# 0.9998 at 0.7, and what is met is then compared exactly.
_HASHES: Final = 128
_BANDS: Final = 32
_SEED: Final = 1
_SHINGLE: Final = 3

Merit = tuple[float, float]  # mean score of the judge, then the teacher's confidence


@dataclass(frozen=True, slots=True)
class Collision:
    """A pair that gives way to another one: which, how similar, and in words."""

    pair: Pair
    other: Pair
    similarity: float
    detail: str


def find_exact_duplicates(pairs: Iterable[Pair]) -> Iterator[Collision]:
    """Yield each pair that repeats the messages and the answer of a pair with a lower slot id."""
    kept: dict[tuple[str, ...], Pair] = {}
    for pair in sorted(pairs, key=_by_slot):
        key = (*(normalise(turn.content) for turn in pair.messages), normalise(pair.response))
        first = kept.setdefault(key, pair)
        if first is not pair:
            yield Collision(pair, first, 1.0, f"same question and answer as {name(first)}")


def find_conflicts(pairs: Iterable[Pair], merits: Mapping[str, Merit]) -> Iterator[Collision]:
    """Yield the closed-book pairs whose question another pair answers with other values.

    Of two answers to one *fact* the one of higher merit stays; where the facts differ, the question
    itself is ambiguous and none stays.
    """
    by_question: dict[str, list[Pair]] = defaultdict(list)
    for pair in sorted(pairs, key=_by_slot):
        if not pair.context and len(pair.messages) == 1:
            by_question[normalise(pair.messages[0].content)].append(pair)
    for group in by_question.values():
        if len(group) > 1:
            yield from _conflicts_within(group, merits)


def find_near_duplicates(pairs: Iterable[Pair], threshold: float) -> Iterator[Collision]:
    """Yield each pair whose question is worded almost like that of a kept one with a lower slot id.

    Both must have the same answer and the same fact id, or none. Similarity is the Jaccard index
    of the questions' three-word shingles, exact; MinHash only finds the candidates.
    """
    index = RMinHashLSH(threshold=threshold, num_perm=_HASHES, num_bands=_BANDS)
    kept: list[tuple[Pair, frozenset[str]]] = []
    for pair in sorted(pairs, key=_by_slot):
        shingles = _shingles(pair)
        sketch = RMinHash(num_perm=_HASHES, seed=_SEED)
        sketch.update(sorted(shingles))
        met = (
            (kept[key][0], _jaccard(shingles, kept[key][1])) for key in sorted(index.query(sketch))
        )
        twin = next(((other, score) for other, score in met if score >= threshold), None)
        if twin is None:
            index.insert(len(kept), sketch)
            kept.append((pair, shingles))
        else:
            yield Collision(
                pair,
                twin[0],
                twin[1],
                f"question {twin[1]:.2f} similar to {name(twin[0])}, same answer",
            )


def name(pair: Pair) -> str:
    """Return how a rejection's detail names another pair."""
    return f"{pair.slot_id} ({pair.pair_id[:12]})"


def _conflicts_within(group: Sequence[Pair], merits: Mapping[str, Merit]) -> Iterator[Collision]:
    """Compare each answer to one question with the best one; linear in the group."""
    ranked = sorted(group, key=lambda pair: (*_negated(merits[pair.pair_id]), *_by_slot(pair)))
    best = ranked[0]
    against = [pair for pair in ranked if not _agree(best, pair)]
    if all(_gives_way(pair, best, merits) for pair in against):
        yield from (_conflict(pair, best) for pair in against)
    else:
        yield from (_conflict(pair, against[0] if _agree(best, pair) else best) for pair in ranked)


def _gives_way(pair: Pair, best: Pair, merits: Mapping[str, Merit]) -> bool:
    """Say whether ``best`` may stay: both answer the same fact, and it has the higher merit."""
    return pair.fact_id == best.fact_id and merits[pair.pair_id] < merits[best.pair_id]


def _negated(merit: Merit) -> Merit:
    return -merit[0], -merit[1]


def _agree(first: Pair, second: Pair) -> bool:
    """Say whether two answers name the same values, or one names some of the other's."""
    ours, theirs = value_set(first.response), value_set(second.response)
    if ours and theirs:
        return ours <= theirs or theirs <= ours
    same_fact = bool(first.fact_id) and first.fact_id == second.fact_id
    return same_fact or normalise(first.response) == normalise(second.response)


def _conflict(pair: Pair, other: Pair) -> Collision:
    return Collision(
        pair, other, 1.0, f"same question as {name(other)}, which answers: {other.response}"
    )


def _shingles(pair: Pair) -> frozenset[str]:
    """Return the question's shingles, each marked with fact, answer and passage.

    The mark keeps pairs apart that may not be duplicates of each other: without it a table of a
    thousand like-worded rows would make every row a candidate for every other one.
    """
    mark = "\x1f".join((pair.fact_id, normalise(pair.response), normalise(pair.context)))
    tokens = words(question_of(pair.messages, pair.context))
    last = max(1, len(tokens) - _SHINGLE + 1)
    return frozenset(
        " ".join(tokens[start : start + _SHINGLE]) + "\x1e" + mark for start in range(last)
    )


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)


def _by_slot(pair: Pair) -> tuple[str, str]:
    return pair.slot_id, pair.pair_id
