"""Where the tables that a trace follows lie, and their records without the texts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base import requests
from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.base.records import Message, Rejection

DOCUMENTS: Final = Path("data/corpus/documents.parquet")
CHUNKS: Final = Path("data/corpus/chunks.parquet")
REQUESTS: Final = requests.REQUESTS
DERIVED: Final = requests.DERIVED
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
class DerivedKey:
    """A request that develops a pair, without what it says."""

    request_id: str
    slot_id: str
    chunk_ids: tuple[str, ...]
    task: str
    prompt_path: str
    prompt_sha256: str
    teacher: str
    model: str
    parent_id: str


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
class ChunkWords:
    """What a request shows of a chunk."""

    chunk_id: str
    source: str
    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class AnsweredRow:
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


def as_rejection(decision: Decision) -> Rejection:
    """Return a reviewer's refusal of a row as a rejection."""
    reason = f"rejected by {decision.reviewer}"
    row_id, slot_id = decision.row_id, decision.slot_id
    return Rejection(row_id, "pair", slot_id, (), "review", reason, decision.reason)


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
