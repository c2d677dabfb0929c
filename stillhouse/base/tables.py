"""Records into Parquet and back: the only module that writes Parquet.

Equal records give equal bytes: the schema is declared by the record type, the row-group size is
fixed, rows are sorted by their id, and nothing about the writer's machine or clock is stored.
"""

import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields, is_dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from stillhouse.base.errors import InputError
from stillhouse.base.files import replace_file

T = TypeVar("T")

ROW_GROUP: Final = 4096
_SCALARS: Final = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def arrow_schema(record_type: type) -> pa.Schema:
    """Return the Parquet schema that a record type declares."""
    hints = typing.get_type_hints(record_type)
    return pa.schema([_arrow_field(field.name, hints[field.name]) for field in fields(record_type)])


def write_table(path: Path, record_type: type[T], records: Iterable[T]) -> int:
    """Write records, sorted by their first field, as one Parquet file; return how many.

    Raises:
        ValueError: two records share an id.
    """
    key = fields(record_type)[0].name  # type: ignore[arg-type]
    ordered = sorted(records, key=lambda record: str(getattr(record, key)))
    for before, after in pairwise(ordered):
        if getattr(before, key) == getattr(after, key) and before == after:
            raise ValueError(f"{path}: the same record twice: {key}={getattr(after, key)}")
    return write_sorted(path, record_type, ordered)


def write_sorted(path: Path, record_type: type[T], records: Iterable[T]) -> int:
    """Write records in the order given, one row group at a time; return how many."""
    schema = arrow_schema(record_type)
    iterator, count = iter(records), 0
    with (
        replace_file(path) as part,
        pq.ParquetWriter(part, schema, compression="zstd", store_schema=False) as writer,
    ):
        while group := list(islice(iterator, ROW_GROUP)):
            table = pa.Table.from_pylist([_plain(record) for record in group], schema=schema)
            writer.write_table(table, row_group_size=ROW_GROUP)
            count += len(group)
    return count


def read_table(path: Path, record_type: type[T]) -> Iterator[T]:
    """Yield the records of a Parquet file in their stored order, one row group in memory at a time.

    Raises:
        InputError: the file is missing, is not Parquet, or lacks a declared column.
    """
    build = _builder(record_type)
    names = [field.name for field in fields(record_type)]  # type: ignore[arg-type]
    try:
        with pq.ParquetFile(path) as file:
            missing = sorted(set(names) - set(file.schema_arrow.names))
            if missing:
                raise InputError(f"column {missing[0]!r} is missing", where=str(path))
            for batch in file.iter_batches(batch_size=ROW_GROUP, columns=names):
                yield from (build(values) for values in batch.to_pylist())
    except FileNotFoundError as exc:
        raise InputError("file not found", where=str(path), remedy="run `dvc repro`") from exc
    except pa.ArrowInvalid as exc:
        raise InputError(
            "not a readable Parquet file",
            where=str(path),
            remedy="run `dvc checkout` or `dvc repro`",
        ) from exc


def read_all(path: Path, record_type: type[T]) -> list[T]:
    """Return all records of a Parquet file."""
    return list(read_table(path, record_type))


def _plain(record: object) -> dict[str, Any]:
    return asdict(record)  # type: ignore[call-overload,no-any-return]


def _builder(record_type: type[T]) -> typing.Callable[[dict[str, Any]], T]:
    hints = typing.get_type_hints(record_type)
    nested = {name: typing.get_args(hint)[0] for name, hint in hints.items() if _is_tuple(hint)}

    def build(values: dict[str, Any]) -> T:
        for name, item_type in nested.items():
            items = values[name]
            values[name] = tuple(
                item_type(**item) if isinstance(item, dict) else item for item in items
            )
        return record_type(**values)

    return build


def _is_tuple(hint: Any) -> bool:
    return typing.get_origin(hint) is tuple


def _arrow_field(name: str, hint: Any) -> pa.Field:
    if isinstance(hint, types.UnionType):
        (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
        return pa.field(name, _arrow_type(inner), nullable=True)
    return pa.field(name, _arrow_type(hint), nullable=False)


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if _is_tuple(hint):
        return pa.list_(pa.field("element", _arrow_type(typing.get_args(hint)[0]), nullable=False))
    if isinstance(hint, type) and is_dataclass(hint):
        return pa.struct(list(arrow_schema(hint)))
    raise TypeError(f"no Parquet type is declared for {hint}")


def declared_columns(record_type: type) -> dict[str, str]:
    """Return the name and Parquet type of each column that a record type declares."""
    return _columns(arrow_schema(record_type))


def stored_columns(path: Path) -> dict[str, str]:
    """Return the name and type of each column that a Parquet file has."""
    try:
        return _columns(pq.read_schema(path))
    except FileNotFoundError as exc:
        raise InputError("file not found", where=str(path), remedy="run `dvc repro`") from exc


def _columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}
