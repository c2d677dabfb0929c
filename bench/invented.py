"""Columns of invented tables: every value follows from a number and a salt, a block of rows at a time."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillhouse.base.files import replace_file
from stillhouse.base.records import Row
from stillhouse.base.tables import ROW_GROUP, arrow_schema

Numbers = npt.NDArray[np.uint64]
Columns = Mapping[str, pa.Array]

_BLOCK: Final = 16 * ROW_GROUP
_GOLDEN: Final = 0x9E3779B97F4A7C15


def write_columns(
    path: Path, record_type: type, ids: Numbers, make: Callable[[npt.NDArray[np.intp]], Columns]
) -> None:
    """Write a table sorted by id, with the bytes that ``base/tables.py`` would give it.

    Args:
        path: the file.
        record_type: of a row.
        ids: of all rows, as ``name_ids`` names them, in any order.
        make: the columns of the rows at some places in ``ids``.
    """
    schema = arrow_schema(record_type)
    order = np.argsort(ids[:, 0])  # by 64 of 256 bits: of some million ids no two share them
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replace_file(path) as part,
        pq.ParquetWriter(
            part, schema, compression="zstd", store_schema=False, write_page_checksum=True
        ) as writer,
    ):
        for start in range(0, len(order), _BLOCK):
            columns = make(order[start : start + _BLOCK])
            table = pa.table([columns[name] for name in schema.names], schema=schema)
            writer.write_table(table, row_group_size=ROW_GROUP)


def mix(numbers: Numbers, salt: int) -> Numbers:
    """Return numbers without a pattern for numbers that have one (splitmix64, Steele et al. 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64((salt + 1) * _GOLDEN % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def name_ids(kind: str, numbers: Numbers, versions: Numbers) -> Numbers:
    """Return 32 bytes for each number, four words a row; equal for equal kind, number and version."""
    salt = sum(byte << (at % 7) for at, byte in enumerate(kind.encode())) * 8
    seeds = mix(numbers, salt) + (versions << np.uint64(50))
    return np.stack([mix(seeds, salt + lane) for lane in range(4)], axis=1)


def to_hex(ids: Numbers) -> pa.Array:
    """Return ids as text of 64 digits."""
    digits = ids.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * 64
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(digits))


def hash_of(kind: str, numbers: Numbers, versions: Numbers) -> pa.Array:
    """Return the ids of things as text of 64 digits."""
    return to_hex(name_ids(kind, numbers, versions))


def draw(words: Sequence[str], numbers: Numbers, salt: int) -> pa.Array:
    """Return a word for each number, without a pattern."""
    return pa.array(words).take(pa.array(mix(numbers, salt) % len(words)))


def repeat(value: Any, count: int) -> pa.Array:
    """Return one value many times."""
    return pa.repeat(pa.scalar(value), count)


def write_out(numbers: Numbers) -> pa.Array:
    """Return numbers as text."""
    return pa.array(numbers).cast(pa.string())


def join(parts: Sequence[Any], between: str = "") -> pa.Array:
    """Return the parts of each text, arrays and fixed words, as one."""
    return pc.binary_join_element_wise(*parts, between)


def as_messages(role: str, contents: pa.Array) -> pa.Array:
    """Return conversations of one message each."""
    fields = list(arrow_schema(Row).field("prompt").type.value_type)
    return in_lists(
        pa.StructArray.from_arrays([repeat(role, len(contents)), contents], fields=fields)
    )


def in_lists(values: pa.Array) -> pa.Array:
    """Return lists of one value each."""
    element = pa.field("element", values.type, nullable=False)
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, values, type=pa.list_(element))
