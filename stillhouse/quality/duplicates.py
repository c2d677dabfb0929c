"""Rows that say the same thing twice, and questions that are answered in two ways.

Different wordings of one fact are wanted, and so is one wording about different facts (two cells
of a table): only the same wording *and* the same fact *and* the same answer is a duplicate.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stillhouse.base.questions import list_questions
from stillhouse.base.records import Pair
from stillhouse.base.text import normalise
from stillhouse.quality.claims import value_set

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
    for pair in sorted(pairs, key=by_slot):
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
    for pair in sorted(pairs, key=by_slot):
        if not pair.context and len(pair.messages) == 1:
            by_question[normalise(pair.messages[0].content)].append(pair)
    for group in by_question.values():
        if len(group) > 1:
            yield from _conflicts_within(group, merits)


def find_near_duplicates(pairs: Iterable[Pair], threshold: float) -> Iterator[Collision]:
    """Yield each pair whose question is worded almost like that of a kept one with a lower slot id.

    Both must have the same answer, passage and fact id, or none. Similarity is the Jaccard index of
    the questions' three-word shingles, in (0, 1]; no pair above the threshold is missed. Of a conversation
    all that its user says counts.
    """
    from stillhouse.quality.near import find_twins

    ordered = sorted(pairs, key=by_slot)
    asked = ["\n".join(list_questions(pair.messages, pair.context)) for pair in ordered]
    for place, twin in find_twins(asked, mark_alike(ordered), threshold).items():
        kept = ordered[twin.place]
        detail = f"question {twin.similarity:.2f} similar to {name(kept)}, same answer"
        yield Collision(ordered[place], kept, twin.similarity, detail)


def mark_alike(pairs: Sequence[Pair]) -> list[int]:
    """Return a number for each pair, equal where fact, answer and passage are: only such are compared.

    Without it a table of a thousand like-worded rows would be one row.
    """
    known: dict[tuple[str, str, str], int] = {}
    folded: dict[str, str] = {}
    marks = []
    for pair in pairs:
        for text in (pair.response, pair.context):
            if text not in folded:
                folded[text] = normalise(text)
        mark = (pair.fact_id, folded[pair.response], folded[pair.context])
        marks.append(known.setdefault(mark, len(known)))
    return marks


def name(pair: Pair) -> str:
    """Return how a rejection's detail names another pair."""
    return f"{pair.slot_id} ({pair.pair_id[:12]})"


def _conflicts_within(group: Sequence[Pair], merits: Mapping[str, Merit]) -> Iterator[Collision]:
    """Compare each answer to one question with the best one; linear in the group."""
    ranked = sorted(group, key=lambda pair: (*_negated(merits[pair.pair_id]), *by_slot(pair)))
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


def by_slot(pair: Pair) -> tuple[str, str]:
    """Return what pairs are ordered by: of two that are alike the first in this order stays."""
    return pair.slot_id, pair.pair_id
