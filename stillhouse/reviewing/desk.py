"""What the page of a review is served by: rows to look at, and what becomes of an answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from stillhouse.base.ids import Json
from stillhouse.base.questions import question_of, row_answer, row_question
from stillhouse.base.records import Chunk, Row
from stillhouse.quality.highlight import find_answer

# Why a row is rejected or mended: code -> what the page says of it. The code begins the verdict's reason.
REASONS: Final[Mapping[str, str]] = {
    "wrong": "The answer is wrong",
    "unsupported": "The passage does not say that",
    "incomplete": "Something is missing from the answer",
    "unclear": "The question cannot be understood alone",
    "trivial": "Nobody would ask that",
    "duplicate": "Another row asks the same",
    "style": "Language or form",
    "harmful": "Personal, secret or harmful",
}


class Desk(Protocol):
    """One person's work on one list of rows. Every method may raise an ``InputError`` for the page to show."""

    def show(self) -> dict[str, Json]:
        """Return all that the page shows, as it stands on the disk now."""

    def save(self, answer: Mapping[str, str]) -> dict[str, Json]:
        """Write an answer about a row to the disk; return what the page shows of it."""

    def undo(self) -> dict[str, Json]:
        """Take back this person's last answer; return the row that it was about."""


def show_row(row: Row, chunks: Mapping[str, Chunk]) -> dict[str, Json]:
    """Return a row as the page shows it, with its passages in marked and unmarked parts."""
    answer, question = row_answer(row), row_question(row)
    return {
        "id": row.row_id,
        "task": row.task,
        "question": question,
        "answer": answer,
        "reasoning": row.reasoning,
        "turns": _list_turns(row),
        "passages": [
            {"title": title, "parts": _mark(answer, text)}
            for title, text in list_passages(row, chunks)
        ],
    }


def list_passages(row: Row, chunks: Mapping[str, Chunk]) -> list[tuple[str, str]]:
    """Return (where from, text) of what a row was made from; what the row itself shows goes first."""
    found = [chunks[one] for one in row.chunk_ids if one in chunks]
    passages = [(name_place(chunk), chunk.text) for chunk in found]
    if row.context and row.context.strip() not in (text.strip() for _, text in passages):
        passages.insert(0, ("Shown in the row", row.context))
    return passages


def name_place(chunk: Chunk) -> str:
    """Return where a passage stands, for people."""
    return " › ".join((chunk.source, *chunk.headings))


def _list_turns(row: Row) -> Sequence[Json]:
    """Return the turns before the question, where there are any."""
    turns = list(row.prompt)
    last = max((i for i, turn in enumerate(turns) if turn.role == "user"), default=len(turns))
    return [{"role": turn.role, "text": turn.content} for turn in turns[:last]]


def _mark(answer: str, passage: str) -> Sequence[Json]:
    """Return a passage cut where the words of the answer begin and end."""
    return list(_cut(passage, find_answer(answer, passage).spans))


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> Iterable[Json]:
    place = 0
    for start, end in spans:
        if start > place:
            yield {"text": text[place:start], "marked": False}
        yield {"text": text[start:end], "marked": True}
        place = end
    if place < len(text):
        yield {"text": text[place:], "marked": False}


def is_alone(row: Row) -> bool:
    """Whether a row's question can be asked without its passage or an earlier turn."""
    return not row.context and bool(question_of(row.prompt, "")) and len(row.prompt) == 1
