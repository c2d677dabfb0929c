"""The questions that measure a student, read from ``data/seed/eval``, and the question in a row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.records import Message, Row
from stillhouse.base.text import words

GOLD_KINDS: Final = ("recall", "multi_step", "exception", "unanswerable")
SCOPES: Final = ("core", "other", "held_out")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its accepted answers; no stage trains on it.

    ``kind`` is one of ``GOLD_KINDS`` or ``general``; ``scope`` one of ``SCOPES`` or ``general``.
    ``fact`` is the focus fact's id, or empty; ``sources`` are paths below ``data/seed/documents``.
    ``place`` is its file and line, for messages.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    kind: str
    scope: str
    fact: str
    sources: tuple[str, ...]
    place: str = field(default="", compare=False)


def read_gold(path: Path) -> list[Question]:
    """Return the gold questions of a JSONL file in its order.

    Raises:
        InputError: a key is missing or of the wrong type, a kind or scope is unknown, an id twice.
    """
    return _refuse_repeats([(_gold(record, place), place) for record, place in _lines(path)])


def read_dev(folder: Path) -> list[Question]:
    """Return dev gold, ``dev.jsonl`` below ``data/seed/eval``: gold that ``plan --focus`` may look at.

    A project that has no such file has no such questions: it came later than projects did.

    Raises:
        InputError: as in ``read_gold``; an id or question of it stands in ``gold.jsonl``, too, which
            nothing but evaluation may look at.
    """
    path = folder / "dev.jsonl"
    if not path.exists():
        return []
    dev, gold = read_gold(path), read_gold(folder / "gold.jsonl")
    sealed = {name: one for one in gold for name in _spell(one)}
    for one in dev:
        if twin := next((sealed[name] for name in _spell(one) if name in sealed), None):
            raise InputError(
                f"the question {one.id!r} is that of {twin.place}: what dev gold shows is sealed no more",
                where=one.place,
                expected="other ids and questions than gold.jsonl has",
                remedy="take it out of one of the two files",
            )
    return dev


def read_general(path: Path) -> list[Question]:
    """Return the everyday questions of a JSONL file in its order; errors as in ``read_gold``."""
    return _refuse_repeats([(_general(record, place), place) for record, place in _lines(path)])


def read_measuring(folder: Path) -> list[Question]:
    """Return every question of ``data/seed/eval`` that measures a student: no row may have its wording.

    Errors as in ``read_gold``.
    """
    gold, general = read_gold(folder / "gold.jsonl"), read_general(folder / "general.jsonl")
    return [*gold, *read_dev(folder), *general]


def ask_with_passage(passage_text: str, question: str) -> str:
    """Return the user message that shows a student a passage together with the question.

    Training rows with a passage and the evaluation with one use this very function: the student
    is asked in the form that it was taught.
    """
    return f"Passage:\n{passage_text.strip()}\n\nQuestion: {question.strip()}"


def question_of(messages: Sequence[Message], context: str) -> str:
    """Return the bare question of a prompt: its last user turn, without the passage shown in it.

    A prompt with a passage ends with the question, after the passage, on a line of its own.
    """
    asked = next((turn.content for turn in reversed(messages) if turn.role == "user"), "")
    if not context:
        return asked.strip()
    lines = [line for line in asked.rpartition(context.strip())[2].splitlines() if line.strip()]
    return lines[-1].strip().removeprefix("Question:").strip() if lines else ""


def list_questions(messages: Sequence[Message], context: str) -> tuple[str, ...]:
    """Return all that the user of a conversation says, turn by turn; the last is ``question_of``.

    The passage is no question in whichever turn it is shown.
    """
    said = [turn for turn in messages if turn.role == "user"]
    earlier = (_bare(turn, context) for turn in said[:-1])
    return (*earlier, question_of(said, context)) if said else ()


def _bare(turn: Message, context: str) -> str:
    shown = context.strip()
    return (
        question_of((turn,), context) if shown and shown in turn.content else turn.content.strip()
    )


def ask_instead(messages: Sequence[Message], context: str, question: str) -> tuple[Message, ...]:
    """Return a prompt that asks ``question`` where it asked another one: ``question_of`` of it.

    Args:
        messages: the prompt; its last user turn holds the question.
        context: the passage shown in it, or empty.
        question: the new one; beside a passage it is a line of its own.

    Raises:
        ValueError: the prompt has no user turn, or the question has several lines beside a passage.
    """
    place = max((i for i, turn in enumerate(messages) if turn.role == "user"), default=-1)
    if place < 0 or (context and len(question.strip().splitlines()) != 1):
        raise ValueError("the question cannot stand there")
    old, asked = question_of(messages, context), messages[place].content
    if context and not old:
        raise ValueError("no question stands behind the passage")
    before, _, behind = asked.rpartition(old) if context else ("", "", "")
    new = Message("user", f"{before}{question.strip()}{behind}")
    return (*messages[:place], new, *messages[place + 1 :])


def row_question(row: Row) -> str:
    """Return the bare question of a row."""
    return question_of(row.prompt, row.context)


def row_answer(row: Row) -> str:
    """Return what a row teaches to say, or an empty text."""
    return row.completion[-1].content if row.completion else ""


def _gold(record: dict[str, object], place: str) -> Question:
    kind = _choice(record, "kind", GOLD_KINDS, place)
    return Question(
        id=_said(record, "id", place),
        question=_said(record, "question", place),
        answers=_answers(record, place, needed=kind != "unanswerable"),
        kind=kind,
        scope=_choice(record, "scope", SCOPES, place),
        fact=_text(record, "fact", place),
        sources=_texts(record, "sources", place),
        place=place,
    )


def _general(record: dict[str, object], place: str) -> Question:
    return Question(
        _said(record, "id", place),
        _said(record, "question", place),
        _answers(record, place, needed=True),
        kind="general",
        scope="general",
        fact="",
        sources=(),
        place=place,
    )


def _lines(path: Path) -> list[tuple[dict[str, object], str]]:
    return [(record, f"{path}:{number}") for number, record in read_jsonl(path)]


def _value(record: dict[str, object], key: str, place: str) -> object:
    if key not in record:
        raise InputError(f"`{key}` is missing", where=place, remedy=f'add `"{key}": …` to the line')
    return record[key]


def _text(record: dict[str, object], key: str, place: str) -> str:
    value = _value(record, key, place)
    if not isinstance(value, str):
        raise InputError(f"`{key}` is not a text", where=place, expected='a text in "quotes"')
    return value


def _said(record: dict[str, object], key: str, place: str) -> str:
    value = _text(record, key, place)
    if not value.strip():
        raise InputError(f"`{key}` is empty", where=place, remedy="fill it or take the line out")
    return value


def _answers(record: dict[str, object], place: str, *, needed: bool) -> tuple[str, ...]:
    answers = _texts(record, "answers", place)
    if needed and not any(answer.strip() for answer in answers):
        raise InputError(
            "`answers` is empty, so that no reply could be right",
            where=place,
            expected="at least one accepted answer",
        )
    return answers


def _texts(record: dict[str, object], key: str, place: str) -> tuple[str, ...]:
    values = _value(record, key, place)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"`{key}` is not a list of texts", where=place, expected='["…", "…"]')
    return tuple(values)


def _choice(record: dict[str, object], key: str, allowed: Sequence[str], place: str) -> str:
    value = _text(record, key, place)
    if value not in allowed:
        raise InputError(
            f"`{key}` is {value!r}", where=place, expected="one of " + ", ".join(allowed)
        )
    return value


def _spell(question: Question) -> tuple[str, tuple[str, ...]]:
    """Return what two questions may not share: the id, and the words without signs and case."""
    return question.id, tuple(words(question.question))


def _refuse_repeats(placed: list[tuple[Question, str]]) -> list[Question]:
    seen: set[str] = set()
    for question, place in placed:
        if question.id in seen:
            raise InputError(
                f"the id {question.id!r} is used twice", where=place, remedy="give it another id"
            )
        seen.add(question.id)
    return [question for question, _ in placed]
