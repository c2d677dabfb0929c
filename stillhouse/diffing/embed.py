"""Rows packed into a page: blocks of gzipped JSON in base64, written one after the other.

The ``index`` holds what filters and the list need of every row and is read when the page opens. The ``texts`` of
a few hundred rows are unpacked when one of them is looked at, and once for the search.
"""

import base64
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

from stillhouse.base.ids import Json, canonical_json
from stillhouse.base.questions import question_of
from stillhouse.diffing.shown import Difference, Side

_INDEX_ROWS: Final = 8192  # rows in a block of the index
_TEXT_ROWS: Final = 512  # at most, in a block of texts
_TEXT_LENGTH: Final = 1_000_000  # characters after which such a block is full
_LEVEL: Final = 6
_LINE: Final = 160  # characters of the question that the list shows
_LETTERS: Final = {"added": "a", "removed": "r", "changed": "c"}

_Name = TypeVar("_Name", str, tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Block:
    """One block of ``rows`` rows; ``data`` is base64, safe within any HTML."""

    role: Literal["index", "texts"]
    rows: int
    data: str


def pack_rows(rows: Iterable[Difference]) -> Iterator[Block]:
    """Yield blocks of both roles, each role in the order of the rows; two unfinished ones are held at most."""
    index, texts = _Index(), _Texts()
    for row in rows:
        index.add(row)
        texts.add(row)
        if len(texts.rows) == _TEXT_ROWS or texts.length >= _TEXT_LENGTH:
            yield texts.pack()
            texts = _Texts()
        if len(index.slots) == _INDEX_ROWS:
            yield index.pack()
            index = _Index()
    if texts.rows:
        yield texts.pack()
    if index.slots:
        yield index.pack()


def encode(value: Json) -> str:
    """Return a value as JSON, gzipped without a clock, in base64."""
    return _encode_text(canonical_json(value))


def _encode_text(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode()


@dataclass(slots=True)
class _Names(Generic[_Name]):
    """A column of few different values: each of them once, and its number in each row."""

    numbers: dict[_Name, int] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)

    def add(self, name: _Name) -> None:
        self.codes.append(self.numbers.setdefault(name, len(self.numbers)))

    def dump(self) -> Json:
        return {"names": list(self.numbers), "codes": self.codes}


@dataclass(slots=True)
class _Index:
    """Columns of a block of the index."""

    slots: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    tasks: _Names[str] = field(default_factory=_Names[str])
    documents: _Names[str] = field(default_factory=_Names[str])
    filters: _Names[str] = field(default_factory=_Names[str])
    causes: _Names[tuple[str, ...]] = field(default_factory=_Names[tuple[str, ...]])
    names: _Names[tuple[str, ...]] = field(default_factory=_Names[tuple[str, ...]])
    columns: _Names[tuple[str, ...]] = field(default_factory=_Names[tuple[str, ...]])

    def add(self, row: Difference) -> None:
        self.slots.append(row.slot_id)
        self.lines.append(_line_of(row))
        self.kinds.append(_LETTERS[row.kind])
        self.tasks.add(row.task)
        self.documents.add(row.source)
        self.filters.add(row.left)
        self.causes.add(row.causes)
        named = (cause for cause in row.causes if cause in row.named)
        self.names.add(tuple(name_cause(cause, row.named[cause]) for cause in named))
        self.columns.add(row.columns)

    def pack(self) -> Block:
        columns: Json = {
            "slots": self.slots,
            "lines": self.lines,
            "kinds": "".join(self.kinds),
            "task": self.tasks.dump(),
            "document": self.documents.dump(),
            "filter": self.filters.dump(),
            "cause": self.causes.dump(),
            "name": self.names.dump(),
            "column": self.columns.dump(),
        }
        return Block("index", len(self.slots), encode(columns))


@dataclass(slots=True)
class _Texts:
    """Rows of a block of texts, each already JSON."""

    rows: list[str] = field(default_factory=list)
    length: int = 0

    def add(self, row: Difference) -> None:
        text = canonical_json(_dump_row(row))
        self.rows.append(text)
        self.length += len(text)

    def pack(self) -> Block:
        return Block("texts", len(self.rows), _encode_text(f"[{','.join(self.rows)}]"))


def name_cause(cause: str, name: str) -> str:
    """Return what a filter calls a cause that is named: ``prompt: prompts/exceptions.md``."""
    return f"{cause}: {name}"


def _dump_row(row: Difference) -> Json:
    """Return the row's texts; of the new version only what the old one has otherwise."""
    old = _dump_side(row.old) if row.old else None
    new = _dump_side(row.new) if row.new else None
    if old and new:
        new = {name: value for name, value in new.items() if value != old[name]}
    said: dict[str, Json] = {"why": row.why, "named": dict(row.named), "from": row.old_slot_id}
    return {**{name: value for name, value in said.items() if value}, "old": old, "new": new}


def _dump_side(side: Side) -> dict[str, Json]:
    return {
        "question": [[turn.role, turn.content] for turn in side.question],
        "response": side.response,
        "reasoning": side.reasoning,
        "context": side.context,
        "holdout": side.holdout,
        "ids": dict(side.ids),
    }


def _line_of(row: Difference) -> str:
    """Return the row's question in one line, as the newest version that has it asks."""
    side = row.new or row.old
    if side is None:
        return ""
    line = " ".join(question_of(side.question, side.context).split())
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"
