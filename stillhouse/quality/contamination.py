"""Questions that copy the *wording* of a question which measures the student.

The same fact in other words is no contamination: teaching it is what the training is for. Wording
is what a memorised test betrays, so only wording is compared.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stillhouse.base.questions import Question, list_questions, question_of
from stillhouse.base.records import Chunk, Message, Pair
from stillhouse.base.text import normalise, words
from stillhouse.quality.claims import STOPWORDS

_BATCH: Final = 1024
_WHOLE: Final = 4  # words of a measuring question that is looked for whole, at least
# Words around a question that make it no other one: "Please tell me: ...", "..., thanks".
_NO_SUBJECT: Final = STOPWORDS.union([
    "according", "again", "answer", "answers", "ask", "asking", "briefly", "dear", "document",
    "exactly", "good", "handbook", "hello", "hey", "hi", "i'd", "i'm", "just", "kindly", "know",
    "let", "morning", "passage", "please", "precisely", "question", "quick", "quickly", "say",
    "sentence", "sorry", "tell", "thank", "thanks", "want", "wonder", "wondering", "word",
    "words",
])  # fmt: skip
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_SHARED: Final = 2  # content words of two questions about one fact, at least


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

    A copy is equal after normalising, or shares ``run`` words in a row, or holds all of a shorter measuring
    question of four words or more in a row and in that sentence nothing else but stop words and courtesy
    ("Please tell me: ..."; "... for senior managers" is another question), or has an edit similarity (Indel
    distance, in [0, 1]) of at least ``similarity``. Cost: questions x gold for the last, and
    gold is small; linear for the others.
    """
    equal = {normalise(item.question): item.id for item in reversed(gold)}
    runs = {gram: item.id for item in reversed(gold) for gram in _runs(words(item.question), run)}
    whole = _index_short(gold, run)
    for start in range(0, len(questions), _BATCH):
        part = questions[start : start + _BATCH]
        nearest = _find_nearest(part, gold, similarity)
        for question, near in zip(part, nearest, strict=True):
            yield (
                _find_equal(question, equal)
                or _find_run(question, runs, run)
                or _find_whole(question, whole)
                or near
            )


def find_copied_in(
    prompts: Iterable[tuple[Sequence[Message], str]],
    gold: Sequence[Question],
    run: int,
    similarity: float,
) -> Iterator[Copied | None]:
    """Yield, for each prompt in order, the measuring question that the user copies in any turn, or None.

    ``prompts`` are messages, each with the passage shown in them. Of several turns that copy the last one
    is told. Else as ``find_copied``.
    """
    asked = [list_questions(messages, context) for messages, context in prompts]
    found = find_copied([turn for turns in asked for turn in turns], gold, run, similarity)
    for turns in asked:
        hits = [next(found) for _ in turns]
        yield _tell_last(hits)


def _tell_last(hits: Sequence[Copied | None]) -> Copied | None:
    last = next((place for place in reversed(range(len(hits))) if hits[place]), -1)
    hit = hits[last] if hits else None
    if hit is None or last == len(hits) - 1:
        return hit
    return replace(hit, detail=f"{hit.detail}, in turn {last + 1} of the user's")


def find_same_facts(
    pairs: Sequence[Pair], chunks: Mapping[str, Chunk], gold: Sequence[Question]
) -> dict[str, int]:
    """Count the rows that teach what a measuring question asks for, and the questions that are taught so.

    A row does if it is about one of the question's documents, its answer holds an accepted answer word by
    word, and its question shares two content words with it. That is what training is for: such rows are
    counted, never dropped.
    """
    asked: dict[str, list[tuple[str, str, set[str]]]] = defaultdict(list)
    for item in gold:
        about = _name_subject(item.question)
        answers = [_spell(one) for one in item.answers if words(one)]
        for source in item.sources if item.kind != "unanswerable" else ():
            asked[source] += [(item.id, answer, about) for answer in answers]
    taught, teaching = set[str](), 0
    for pair in pairs:
        sources = {chunks[one].source for one in pair.chunk_ids if one in chunks}
        said, subject = (
            _spell(pair.response),
            _name_subject(question_of(pair.messages, pair.context)),
        )
        found = {
            one
            for source in sources
            for one, answer, about in asked.get(source, ())
            if answer in said and len(about & subject) >= _SHARED
        }
        taught |= found
        teaching += bool(found)
    answerable = sum(bool(item.sources) and item.kind != "unanswerable" for item in gold)
    return {"questions": answerable, "questions_taught": len(taught), "rows_of_same_fact": teaching}


def _name_subject(question: str) -> set[str]:
    return {word for word in words(question) if word not in STOPWORDS}


def _spell(text: str) -> str:
    return f" {' '.join(words(text))} "


def _find_equal(question: str, equal: dict[str, str]) -> Copied | None:
    gold_id = equal.get(normalise(question))
    return Copied(gold_id, 1.0, f"the same question as {gold_id}") if gold_id else None


def _find_run(question: str, runs: dict[str, str], length: int) -> Copied | None:
    for gram in _runs(words(question), length):
        if gram in runs:
            return Copied(runs[gram], 1.0, f'shares the {length} words "{gram}" with {runs[gram]}')
    return None


def _index_short(gold: Sequence[Question], run: int) -> Mapping[int, Mapping[str, str]]:
    """Return by length the ids of measuring questions that are too short for a run, by their words."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for item in reversed(gold):
        tokens = words(item.question)
        if _WHOLE <= len(tokens) < run:
            found[len(tokens)][" ".join(tokens)] = item.id
    return dict(sorted(found.items(), reverse=True))


def _find_whole(question: str, whole: Mapping[int, Mapping[str, str]]) -> Copied | None:
    for sentence in dict.fromkeys([question, *_SENTENCE_END.split(question)]):
        tokens = words(sentence)
        for length, known in whole.items():
            for place, gram in enumerate(_runs(tokens, length)):
                beyond = tokens[:place] + tokens[place + length :]
                if gram in known and _NO_SUBJECT.issuperset(beyond):
                    return Copied(known[gram], 1.0, f'holds all of {known[gram]}: "{gram}"')
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
