"""Records into Parquet and back: the only module that writes Parquet.

Equal records give equal bytes: the schema is declared by the record type, the row-group size is
fixed, rows are sorted by their id, and nothing about the writer's machine or clock is stored.
Each page carries a checksum: one flipped bit would otherwise read as other data.
Neither writing nor reading holds more than a row group in memory.
"""

import errno
import types
import typing
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from stillhouse.base.errors import InputError, explain_os_error
from stillhouse.base.files import replace_file
from stillhouse.base.packing import builder, flattener, is_tuple
from stillhouse.base.shelf import Shelf

T = TypeVar("T")
Repeats = Literal["refuse", "first"]

ROW_GROUP: Final = 4096
_SCALARS: Final = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def arrow_schema(record_type: type) -> pa.Schema:
    """Return the Parquet schema that a record type declares."""
    hints = typing.get_type_hints(record_type)
    return pa.schema([_arrow_field(field.name, hints[field.name]) for field in fields(record_type)])


class TableWriter(Generic[T]):
    """Takes the records of one table in any order; ``count`` is how many."""

    def __init__(self, shelf: Shelf[T], key: str) -> None:
        self._shelf, self._key = shelf, key
        self.count = 0

    def add(self, record: T) -> None:
        """Take a record; they wait on disk, not in memory."""
        self._shelf.put(str(getattr(record, self._key)), record)
        self.count += 1


@contextmanager
def open_table(
    path: Path, record_type: type[T], repeats: Repeats = "refuse"
) -> Iterator[TableWriter[T]]:
    """Yield a writer of records; when the block ends well they are written, sorted by first field.

    Records that share an id stay in the order in which they came. With ``repeats="refuse"`` two
    equal ones are an error, with ``"first"`` only the first record of an id is written.

    Raises:
        ValueError: the same record came twice, and repeats are refused.
    """
    key = fields(record_type)[0].name  # type: ignore[arg-type]
    with Shelf(record_type) as shelf:
        writer = TableWriter(shelf, key)
        yield writer
        kept = _drop_repeats(shelf.iter_plain(), key, path, repeats)
        writer.count = _write_rows(path, arrow_schema(record_type), kept)


def write_table(path: Path, record_type: type[T], records: Iterable[T]) -> int:
    """Write records, sorted by their first field, as one Parquet file; return how many.

    Raises:
        ValueError: the same record comes twice.
    """
    with open_table(path, record_type) as table:
        for record in records:
            table.add(record)
    return table.count


def write_sorted(path: Path, record_type: type[T], records: Iterable[T]) -> int:
    """Write records in the order given, one row group at a time; return how many."""
    return _write_rows(path, arrow_schema(record_type), map(flattener(record_type), records))


def _drop_repeats(
    rows: Iterable[dict[str, Any]], key: str, path: Path, repeats: Repeats
) -> Iterator[dict[str, Any]]:
    before: dict[str, Any] = {}
    for row in rows:
        if before and row[key] == before[key]:
            if repeats == "first":
                continue
            if row == before:
                raise ValueError(f"{path}: the same record twice: {key}={row[key]}")
        yield row
        before = row


def _write_rows(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> int:
    iterator, count = iter(rows), 0
    with (
        replace_file(path) as part,
        pq.ParquetWriter(
            part, schema, compression="zstd", store_schema=False, write_page_checksum=True
        ) as writer,
    ):
        while group := list(islice(iterator, ROW_GROUP)):
            table = pa.Table.from_pylist(group, schema=schema)
            writer.write_table(table, row_group_size=ROW_GROUP)
            count += len(group)
    return count


class StoredTable(Generic[T]):
    """A Parquet file as a collection of records that is read anew each time it is walked."""

    def __init__(self, path: Path, record_type: type[T]) -> None:
        self._path, self._record_type = path, record_type

    def __iter__(self) -> Iterator[T]:
        return read_table(self._path, self._record_type)

    def __len__(self) -> int:
        """Return how many records the file says it holds."""
        with _explain_unreadable(self._path):
            return int(pq.read_metadata(self._path).num_rows)


def read_table(path: Path, record_type: type[T]) -> Iterator[T]:
    """Yield the records of a Parquet file in their stored order, one row group in memory at a time.

    Raises:
        InputError: the file is missing, is not whole Parquet, or lacks a declared column. A column
            whose field has a default may be lacking: earlier versions did not write it.
    """
    build = builder(record_type)
    declared = {field.name: field.default for field in fields(record_type)}  # type: ignore[arg-type]
    with _explain_unreadable(path), _open(path) as file:
        stored = set(file.schema_arrow.names)
        absent = {name: default for name, default in declared.items() if name not in stored}
        missing = sorted(name for name, default in absent.items() if default is MISSING)
        if missing:
            raise InputError(f"column {missing[0]!r} is missing", where=str(path))
        names = [name for name in declared if name in stored]
        for batch in file.iter_batches(batch_size=ROW_GROUP, columns=names):
            yield from (build({**absent, **values}) for values in batch.to_pylist())


def _open(path: Path) -> pq.ParquetFile:
    """Open a table; each page is compared with its checksum, where it has one."""
    return pq.ParquetFile(path, page_checksum_verification=True)


@contextmanager
def _explain_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise InputError("file not found", where=str(path), remedy="run `dvc repro`") from exc
    except OSError as exc:
        if exc.errno is not None:
            raise  # the machine refuses; what pyarrow itself says has no number
        if path.is_dir():
            raise explain_os_error(IsADirectoryError(errno.EISDIR, "", str(path))) from exc
        raise _damaged(path) from exc
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as exc:
        raise _damaged(path) from exc


def _damaged(path: Path) -> InputError:
    return InputError(
        "not a readable Parquet file",
        where=str(path),
        expected="the whole file as its stage wrote it",
        remedy="run `dvc checkout` to put it back, or `dvc repro` to make it again",
    )


def count_values(path: Path, column: str) -> dict[str, int]:
    """Return how often each value of a text column occurs; nothing else of the file is read."""
    counts: Counter[str] = Counter()
    with _explain_unreadable(path), _open(path) as file:
        if column not in file.schema_arrow.names:
            raise InputError(f"column {column!r} is missing", where=str(path))
        for batch in file.iter_batches(batch_size=ROW_GROUP, columns=[column]):
            counts.update(batch.column(0).to_pylist())
    return dict(sorted(counts.items()))


def read_all(path: Path, record_type: type[T]) -> list[T]:
    """Return all records of a Parquet file."""
    return list(read_table(path, record_type))


def _arrow_field(name: str, hint: Any) -> pa.Field:
    if isinstance(hint, types.UnionType):
        (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
        return pa.field(name, _arrow_type(inner), nullable=True)
    return pa.field(name, _arrow_type(hint), nullable=False)


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if is_tuple(hint):
        return pa.list_(pa.field("element", _arrow_type(typing.get_args(hint)[0]), nullable=False))
    if isinstance(hint, type) and is_dataclass(hint):
        return pa.struct(list(arrow_schema(hint)))
    raise TypeError(f"no Parquet type is declared for {hint}")


def declared_columns(record_type: type) -> dict[str, str]:
    """Return the name and Parquet type of each column that a record type declares."""
    return _columns(arrow_schema(record_type))


def stored_columns(path: Path) -> dict[str, str]:
    """Return the name and type of each column that a Parquet file has; errors as ``read_table``."""
    with _explain_unreadable(path):
        return _columns(pq.read_schema(path))


def _columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}
