"""Questions that copy the *wording* of a question which measures the student.

The same fact in other words is no contamination: teaching it is what the training is for. Wording
is what a memorised test betrays, so only wording is compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.questions import Question
from stillhouse.base.text import normalise, words

_BATCH: Final = 1024


@dataclass(frozen=True, slots=True)
class Copied:
    """The measuring question that a question copies, how similar, and by which sign."""

    gold_id: str
    similarity: float
    detail: str


def find_copied(
    questions: Sequence[str], gold: Sequence[Question], run: int, similarity: float
) -> Iterator[Copied | None]:
    """Yield, for each question in order, the measuring question that it copies, or None.

    A copy is equal after normalising, or shares ``run`` words in a row, or has an edit similarity
    (Indel distance, in [0, 1]) of at least ``similarity``. Cost: questions x gold for the last, and
    gold is small; linear for the others.
    """
    equal = {normalise(item.question): item.id for item in reversed(gold)}
    runs = {gram: item.id for item in reversed(gold) for gram in _runs(words(item.question), run)}
    for start in range(0, len(questions), _BATCH):
        part = questions[start : start + _BATCH]
        nearest = _find_nearest(part, gold, similarity)
        for question, near in zip(part, nearest, strict=True):
            yield _find_equal(question, equal) or _find_run(question, runs, run) or near


def _find_equal(question: str, equal: dict[str, str]) -> Copied | None:
    gold_id = equal.get(normalise(question))
    return Copied(gold_id, 1.0, f"the same question as {gold_id}") if gold_id else None


def _find_run(question: str, runs: dict[str, str], length: int) -> Copied | None:
    for gram in _runs(words(question), length):
        if gram in runs:
            return Copied(runs[gram], 1.0, f'shares the {length} words "{gram}" with {runs[gram]}')
    return None


def _runs(tokens: list[str], length: int) -> list[str]:
    return [" ".join(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]


def _find_nearest(
    questions: Sequence[str], gold: Sequence[Question], similarity: float
) -> list[Copied | None]:
    """Return the most similar measuring question for each question, where similar enough."""
    if not gold:
        return [None] * len(questions)
    import numpy as np
    from rapidfuzz import fuzz, process

    scores = process.cdist(
        [normalise(question) for question in questions],
        [normalise(item.question) for item in gold],
        scorer=fuzz.ratio,
        score_cutoff=100 * similarity,
        dtype=np.float64,
    )
    best = scores.argmax(axis=1)
    return [
        _near(gold[column].id, float(scores[line, column]) / 100)
        for line, column in enumerate(best)
    ]


def _near(gold_id: str, score: float) -> Copied | None:
    if score == 0:
        return None
    return Copied(gold_id, score, f"edit similarity {score:.2f} to {gold_id}")
