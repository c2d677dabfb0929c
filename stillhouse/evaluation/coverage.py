"""Was the student taught what gold asks? Coverage, and what it learned of that.

A miss on a question that no training row answers is the plan's or the teacher's; a miss on one that
a row does answer is the training's. ``recall = coverage x learned``, nearly.
"""

from collections.abc import Iterable, Mapping, Sequence

from stillhouse.base.questions import Question, row_answer, row_question
from stillhouse.base.records import Row
from stillhouse.evaluation.exam import ABSTAIN, REPLAY, row_sources
from stillhouse.evaluation.matching import find_answer
from stillhouse.evaluation.values import Token, canonical_tokens, content_words, prepare

_ROW_WORDS = dict[str, list[tuple[list[Token], set[str]]]]


def find_covered(
    gold: Sequence[Question], train: Iterable[Row], sources: Mapping[str, str], shared_words: int
) -> frozenset[str]:
    """Return the ids of the gold questions that a training row answers.

    That is a row made from one of the question's documents, with an accepted answer in its
    completion, and with ``shared_words`` content words of the question in question or completion (or
    all of them, where the question has fewer).

    Args:
        gold: the answerable gold questions.
        train: the training rows.
        sources: document path by chunk id.
        shared_words: how many content words make a row one about the same thing.
    """
    by_source = _index(train, sources)
    return frozenset(
        question.id
        for question in gold
        if any(
            _answers(question, tokens, words, shared_words)
            for source in question.sources
            for tokens, words in by_source.get(source, [])
        )
    )


def _index(train: Iterable[Row], sources: Mapping[str, str]) -> _ROW_WORDS:
    by_source: _ROW_WORDS = {}
    for row in train:
        if row.task in (REPLAY, ABSTAIN):
            continue
        answer = row_answer(row)
        entry = (
            canonical_tokens(prepare(answer)),
            content_words(f"{row_question(row)} {answer}"),
        )
        for source in set(row_sources(row, sources)):
            by_source.setdefault(source, []).append(entry)
    return by_source


def _answers(
    question: Question, tokens: Sequence[Token], words: set[str], shared_words: int
) -> bool:
    asked = content_words(question.question)
    if len(asked & words) < min(shared_words, len(asked)):
        return False
    return any(find_answer(tokens, answer) is not None for answer in question.answers)
