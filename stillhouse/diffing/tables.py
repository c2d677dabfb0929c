"""Which tables can be compared, and by what a row of each is known again."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Final

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Pair,
    Rejection,
    Request,
    Response,
    Row,
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the pipeline.

    Attributes:
        name: what it is called on the command line.
        path: where it lies in a project.
        key: the columns that name a row's place.
        record: its record; None of a table that is not one of the pipeline's.
        stamps: columns that say where a row comes from and change without the row: what the whole run
            was made with, and ids of what stands around it.
        later: versions from before it was written count as those whose table is empty.
    """

    name: str
    path: str
    key: tuple[str, ...]
    record: type | None
    stamps: tuple[str, ...] = ()
    later: bool = False

    @property
    def content(self) -> tuple[str, ...]:
        """The columns that make a row another one; all but the stamps and the key."""
        names = [field.name for field in fields(self.record)] if self.record else []
        return tuple(name for name in names if name not in (*self.stamps, *self.key))


_SLOT: Final = ("slot_id",)
# The id of a row covers its request's, and that all that reached the teacher: what is left over says
# where these came from. A prompt's comment, a paragraph elsewhere in the document, the judge that let
# a row pass: all of them change stamps alone.
_ROW_STAMPS: Final = (
    "request_id",
    "chunk_ids",
    "document_ids",
    "prompt_sha256",
    "document_sha256",
    "teacher_sha256",
    "parameters_sha256",
    "judge_sha256",
    "filter_sha256",
    "code_sha256",
)
_TABLES: Final = (
    Table("train", "data/dataset/train.parquet", _SLOT, Row, _ROW_STAMPS),
    Table("validation", "data/dataset/validation.parquet", _SLOT, Row, _ROW_STAMPS),
    Table("test", "data/dataset/test.parquet", _SLOT, Row, _ROW_STAMPS),
    Table("reviewed", "data/reviewed.parquet", _SLOT, Row, _ROW_STAMPS),
    Table("curated", "data/curated/rows.parquet", _SLOT, Row, _ROW_STAMPS),
    Table("pairs", "data/generated/pairs.parquet", _SLOT, Pair, ("request_id", "chunk_ids")),
    Table("requests", "data/requests.parquet", _SLOT, Request, ("chunk_ids", "prompt_sha256")),
    Table(
        "derived", "data/generated/derived.parquet", _SLOT, Request,
        ("chunk_ids", "prompt_sha256", "parent_id"), later=True,
    ),
    Table("responses", "data/generated/responses.parquet", ("request_id",), Response),
    Table("judgements", "data/judgements.parquet", ("pair_id", "judge", "criterion"), Judgement),
    Table(
        "chunks", "data/corpus/chunks.parquet", ("source", "anchor"), Chunk,
        ("document_id", "start", "end"),
    ),
    Table("documents", "data/corpus/documents.parquet", ("source",), Document),
    Table(
        "rejections", "data/curated/rejections.parquet", ("slot_id", "stage", "reason"), Rejection
    ),
    Table(
        "unusable", "data/generated/rejections.parquet", ("slot_id", "stage", "reason"), Rejection
    ),
    Table(
        "judge_requests", "data/judging/requests.parquet", _SLOT, Request,
        ("chunk_ids", "parent_id"), later=True,
    ),
    Table(
        "judge_responses", "data/judging/responses.parquet", ("request_id",), Response, later=True
    ),
    Table(
        "unjudged", "data/judging/rejections.parquet", ("slot_id", "stage", "reason"), Rejection,
        later=True,
    ),
    Table("skipped", "data/corpus/skipped.parquet", ("rejected_id",), Rejection),
)  # fmt: skip
TABLES: Final[Mapping[str, Table]] = {table.name: table for table in _TABLES}


def find_table(name: str) -> Table:
    """Return the table of a name or a path.

    Raises:
        InputError: there is none.
    """
    wanted = PurePosixPath(name).as_posix()
    for table in _TABLES:
        if wanted in (table.name, table.path, f"{table.name}.parquet"):
            return table
    if wanted.endswith(".parquet"):
        return Table(wanted, wanted, (), None)
    raise InputError(
        f"no table is called `{name}`",
        where="--table",
        expected=f"one of {', '.join(TABLES)}, or the path of a Parquet file",
        remedy=suggest(name, TABLES),
    )
