"""What the index keeps of each table: the columns of ids, as numbers, in the table's order."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from stillhouse.tracing.lexicon import NONE, Numbers

Flags = npt.NDArray[np.bool_]
T = TypeVar("T")

_ALIGNED: Final = 8


@dataclass(frozen=True, slots=True)
class Lists:
    """A list of numbers for each row; those of row ``i`` are ``values[starts[i]:starts[i + 1]]``."""

    values: Numbers
    starts: Numbers

    def any_of(self, chosen: Flags) -> Flags:
        """Say of each list whether it holds a chosen number."""
        some: Flags = self._count(chosen) > 0
        return some

    def all_of(self, chosen: Flags) -> Flags:
        """Say of each list whether it holds chosen numbers only, or nothing."""
        whole: Flags = self._count(chosen) == np.diff(self.starts)
        return whole

    def at(self, place: int) -> list[int]:
        """Return the list of one row."""
        return cast("list[int]", self.values[self.starts[place] : self.starts[place + 1]].tolist())

    def lengths(self) -> Numbers:
        """Return how long each list is."""
        return np.diff(self.starts)

    def _count(self, chosen: Flags) -> npt.NDArray[np.int64]:
        hits = np.concatenate([[0], np.cumsum(choose(chosen, self.values))])
        counts: npt.NDArray[np.int64] = hits[self.starts[1:]] - hits[self.starts[:-1]]
        return counts


@dataclass(frozen=True, slots=True)
class Documents:
    """``documents.parquet``; ``source`` are words, the others ids."""

    document: Numbers
    source: Numbers
    sha256: Numbers


@dataclass(frozen=True, slots=True)
class Chunks:
    """``chunks.parquet``; ``text`` names the text, ``words`` the text under its headings in its document."""

    chunk: Numbers
    document: Numbers
    source: Numbers
    text: Numbers
    words: Numbers


@dataclass(frozen=True, slots=True)
class Requests:
    """``requests.parquet``; ``path``, ``task``, ``teacher`` and ``model`` are words."""

    request: Numbers
    chunks: Lists
    path: Numbers
    prompt: Numbers
    task: Numbers
    teacher: Numbers
    model: Numbers


@dataclass(frozen=True, slots=True)
class Derived:
    """``derived.parquet``: as ``Requests``, and the pair that each request develops."""

    request: Numbers
    chunks: Lists
    path: Numbers
    prompt: Numbers
    task: Numbers
    teacher: Numbers
    model: Numbers
    parent: Numbers


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of rows or pairs: ``row``, ``task`` and ``group`` for each, the others for each group.

    A group is all rows that say the same of where they come from; ``count`` is how many they are. A
    pair has no ``documents``, and NONE for the ``prompt``.
    """

    row: Numbers
    task: Numbers
    group: Numbers
    count: Numbers
    request: Numbers
    chunks: Lists
    documents: Lists
    source: Numbers
    prompt: Numbers


@dataclass(frozen=True, slots=True)
class Skipped:
    """What ingest left out: words; ``twin`` is the document read in its place, or NONE."""

    name: Numbers
    twin: Numbers


@dataclass(frozen=True, slots=True)
class Rejections:
    """A table of rejections: whose id was rejected, and two words."""

    rejected: Numbers
    stage: Numbers
    reason: Numbers


@dataclass(frozen=True, slots=True)
class Seen:
    """``rows.parquet`` of a student."""

    row: Numbers


def choose(chosen: Flags, numbers: Numbers) -> Flags:
    """Say of each number whether it is chosen; NONE never is."""
    if not len(chosen):
        return np.zeros(len(numbers), np.bool_)
    are: Flags = chosen[numbers] & (numbers != NONE)
    return are


def flag(size: int, numbers: Numbers | Iterable[int]) -> Flags:
    """Return flags for ``size`` numbers of which these are chosen."""
    flags = np.zeros(size, np.bool_)
    chosen = np.fromiter(numbers, np.int64) if not isinstance(numbers, np.ndarray) else numbers
    flags[chosen[chosen != NONE]] = True
    return flags


def pack(columns: object) -> bytes:
    """Return columns as bytes from which ``unpack`` makes equal ones."""
    arrays = list(_flatten(columns))
    body, heads = bytearray(), []
    for array in arrays:
        heads.append([len(body), len(array)])
        body += np.ascontiguousarray(array, np.int32).tobytes()
        body += b"\0" * (-len(body) % _ALIGNED)
    head = json.dumps(heads).encode()
    head += b" " * (-(len(head) + 1) % _ALIGNED) + b"\n"
    return head + bytes(body)


def unpack(kind: type[T], data: bytes) -> T:
    """Return the columns that ``pack`` packed."""
    begin = data.index(b"\n") + 1
    arrays = [
        np.frombuffer(data, np.int32, count, begin + place)
        for place, count in json.loads(data[:begin])
    ]
    values: list[Any] = []
    waiting = iter(arrays)
    for field in fields(kind):  # type: ignore[arg-type]
        first = next(waiting)
        values.append(Lists(first, next(waiting)) if field.type is Lists else first)
    return kind(*values)


def _flatten(columns: object) -> Iterable[Numbers]:
    for field in fields(columns):  # type: ignore[arg-type]
        value = getattr(columns, field.name)
        if isinstance(value, Lists):
            yield from (value.values, value.starts)
        else:
            yield value
