"""Some records of a Parquet file, without reading all of it: by their places, or by their id."""

from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillhouse.base.packing import builder
from stillhouse.base.tables import read_table, stored_columns

T = TypeVar("T")

_TOGETHER: Final = 32  # row groups in memory at a time


def pick_records(path: Path, record_type: type[T], places: npt.NDArray[np.int64]) -> Iterator[T]:
    """Yield the records at these places, which ascend, in a table that can be read.

    Raises:
        InputError: as ``read_table``.
    """
    if not len(places):
        return
    names = _list_columns(path, record_type)
    build = builder(record_type)
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        of = np.searchsorted(ends, places, side="right")
        needed = np.unique(of)
        for begin in range(0, len(needed), _TOGETHER):
            groups = needed[begin : begin + _TOGETHER]
            mine = np.isin(of, groups)
            starts = np.cumsum([0, *(sizes[group] for group in groups)])[:-1]
            shifts = starts - ends[groups] + np.asarray(sizes)[groups]
            local = places[mine] + shifts[np.searchsorted(groups, of[mine])]
            read = file.read_row_groups(groups.tolist(), columns=names).take(_as_arrow(local))
            for values in read.to_pylist():
                yield build({**_defaults(record_type), **values})


def find_record(path: Path, record_type: type[T], wanted: str) -> T | None:
    """Return the record of a table whose id, the first column, is ``wanted``; None without one.

    A row group says between which ids it is: of a sorted table one alone is read.

    Raises:
        InputError: as ``read_table``.
    """
    return next(find_records(path, record_type, wanted), None)


def find_records(path: Path, record_type: type[T], wanted: str) -> Iterator[T]:
    """Yield every record of a table whose id, the first column, is ``wanted``."""
    names = _list_columns(path, record_type)
    key, build = names[0], builder(record_type)
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            if not _may_hold(file, group, key, wanted):
                continue
            ids = file.read_row_group(group, columns=[key]).column(0).to_pylist()
            same = np.array([place for place, told in enumerate(ids) if told == wanted], np.int64)
            if len(same):
                read = file.read_row_group(group, columns=names).take(_as_arrow(same))
                for values in read.to_pylist():
                    yield build({**_defaults(record_type), **values})


def _as_arrow(places: npt.NDArray[np.int64]) -> pa.Array:
    """Return places for arrow; ``pa.array`` would import pandas, which takes half a second."""
    whole = np.ascontiguousarray(places, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


def _list_columns(path: Path, record_type: type) -> list[str]:
    stored = stored_columns(path)
    absent = [field for field in fields(record_type) if field.name not in stored]
    if any(field.default is MISSING for field in absent):
        next(read_table(path, record_type), None)  # which says what is wrong
    return [field.name for field in fields(record_type) if field.name in stored]


def _defaults(record_type: type) -> dict[str, Any]:
    return {f.name: f.default for f in fields(record_type) if f.default is not MISSING}


def _may_hold(file: pq.ParquetFile, group: int, key: str, wanted: str) -> bool:
    meta = file.metadata.row_group(group)
    place = file.schema_arrow.get_field_index(key)  # the key is the first column, and flat
    told = meta.column(place).statistics
    if told is None or not told.has_min_max:
        return True
    return bool(told.min <= wanted <= told.max)
