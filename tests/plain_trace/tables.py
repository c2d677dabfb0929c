"""The columns that a trace follows, read from the workspace's tables one row group at a time.

Each record here is a table's record without its texts, so that only the columns of ids are read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json, content_id
from stillhouse.base.questions import question_of
from stillhouse.base.records import Message, Rejection
from stillhouse.base.tables import read_table

T = TypeVar("T")

DOCUMENTS: Final = Path("data/corpus/documents.parquet")
CHUNKS: Final = Path("data/corpus/chunks.parquet")
REQUESTS: Final = Path("data/requests.parquet")
RESPONSES: Final = Path("data/generated/responses.parquet")
PAIRS: Final = Path("data/generated/pairs.parquet")
JUDGEMENTS: Final = Path("data/judgements.parquet")
CURATED: Final = Path("data/curated/rows.parquet")
REVIEWED: Final = Path("data/reviewed.parquet")
DATASET: Final = tuple(Path(f"data/dataset/{n}.parquet") for n in ("train", "validation", "test"))
REVIEW: Final = Path("reports/review.json")
SEED: Final = Path("data/seed/documents")

# Every table in which a stage writes down what it left out; a review's verdicts stand in REVIEW.
REJECTIONS: Final = (
    Path("data/corpus/skipped.parquet"),
    Path("data/generated/rejections.parquet"),
    Path("data/curated/rejections.parquet"),
)


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """A document without its text."""

    document_id: str
    source: str
    title: str
    license: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """A chunk without its text."""

    chunk_id: str
    document_id: str
    source: str
    anchor: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request without what it says."""

    request_id: str
    slot_id: str
    chunk_ids: tuple[str, ...]
    task: str
    prompt_path: str
    prompt_sha256: str
    teacher: str
    model: str


@dataclass(frozen=True, slots=True)
class PairKey:
    """A pair without its words."""

    pair_id: str
    slot_id: str
    request_id: str
    chunk_ids: tuple[str, ...]
    task: str


@dataclass(frozen=True, slots=True)
class RowKey:
    """A row without its words."""

    row_id: str
    slot_id: str
    request_id: str
    chunk_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    task: str
    holdout: str
    prompt_sha256: str


@dataclass(frozen=True, slots=True)
class _ChunkWords:
    """What a request shows of a chunk."""

    chunk_id: str
    source: str
    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class _AnsweredRow:
    """A row with its words only."""

    row_id: str
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    context: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person's verdict did to a row; ``new_id`` is set where a fix gave it another id."""

    row_id: str
    new_id: str
    slot_id: str
    verdict: str
    reviewer: str
    reason: str


def find_record(table: Path, record: type[T], wanted: str) -> T | None:
    """Return the record of a table whose id, the first column, is ``wanted``; None without one."""
    key = fields(record)[0].name  # type: ignore[arg-type]
    rows = read_table(table, record)
    return next((row for row in rows if getattr(row, key) == wanted), None)


def find_twins(table: Path, chunk_id: str) -> frozenset[str]:
    """Return a passage and those with its words under the same headings of its document.

    They make equal requests, which are sent once and name the first of them: what was learned of one
    was learned of each.
    """
    own = find_record(table, _ChunkWords, chunk_id)
    if own is None:
        return frozenset({chunk_id})
    words = (own.source, own.headings, own.text)
    alike = read_table(table, _ChunkWords)
    return frozenset(c.chunk_id for c in alike if (c.source, c.headings, c.text) == words)


def find_fixes(table: Path, row_id: str) -> set[str]:
    """Return the ids in a table of rows that a reviewer made of a row, at any time.

    A fixed row's id is made of the old one and the better answer (``quality/review.py``), so that it
    is known without the verdicts of its version.
    """
    return {
        row.row_id
        for row in read_table(table, _AnsweredRow)
        if row.completion and row.row_id in _name_fixes(row_id, row)
    }


def _name_fixes(row_id: str, row: _AnsweredRow) -> set[str]:
    mended = {"row_id": row_id, "response": row.completion[0].content}
    question = question_of(row.prompt, row.context)
    return {
        content_id("reviewed", mended),
        content_id("reviewed", {**mended, "question": question}),
    }


def read_rejections(root: Path) -> Iterator[Rejection]:
    """Yield all that a stage rejected, in the order of the stages, a reviewer's verdicts last."""
    for table in REJECTIONS:
        yield from read_table(root / table, Rejection)
    for decision in read_decisions(root):
        if decision.verdict == "reject":
            reason = f"rejected by {decision.reviewer}"
            row_id, slot_id = decision.row_id, decision.slot_id
            yield Rejection(row_id, "pair", slot_id, (), "review", reason, decision.reason)


def read_decisions(root: Path) -> list[Decision]:
    """Return what people decided about rows, from ``reports/review.json``.

    Raises:
        InputError: the report is missing or not one of this version.
    """
    path = root / REVIEW
    if not path.exists():
        raise InputError("file not found", where=str(path), remedy="run `dvc repro`")
    try:
        report: Json = json.loads(read_text(path))
        match report:
            case {"decisions": [*entries]}:
                return [Decision(**entry) for entry in entries]  # type: ignore[arg-type]
    except (json.JSONDecodeError, TypeError) as exc:
        raise _unreadable(path) from exc
    raise _unreadable(path)


def _unreadable(path: Path) -> InputError:
    expected = '{"decisions": [{"row_id", "new_id", "slot_id", "verdict", "reviewer", "reason"}]}'
    return InputError(
        "not a report of the stage review", where=str(path), expected=expected,
        remedy="run `dvc repro review`",
    )  # fmt: skip
