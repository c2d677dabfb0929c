"""Tables of any schema: the counts are exact, and every form of the answer can be written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillhouse.diffing.diff import Diff, make_diff
from stillhouse.diffing.tables import find_table
from stillhouse.history.version import Version

NAN: Final = float("nan")
# Each pair differs by two edits eight bytes apart, which undo each other in DuckDB's hash.
OLD: Final = [
    f"{'x' * 7}{i}1234567{j} days" for i in range(10) for j in range(10) for _ in range(9)
]
NEW: Final = [
    f"{'x' * 7}{(i + n) % 10}1234567{(j + n) % 10} days"
    for i in range(10)
    for j in range(10)
    for n in range(1, 10)
]
TURN: Final = pa.struct([pa.field(name, pa.string(), False) for name in ("role", "content")])


def compare(
    folder: Path, old: pa.Table, new: pa.Table, key: Sequence[str] = (), name: str = "x.parquet"
) -> Diff:
    files = [folder / side / name for side in ("a", "b")]
    for file, table in zip(files, (old, new), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    a, b = (Version(str(file), str(file), folder, files={"x.parquet": file}) for file in files)
    return make_diff(a, b, find_table("x.parquet"), key)


def counts_of(diff: Diff) -> tuple[int, int, int, int]:
    counts = diff.head.counts
    return counts.added, counts.removed, counts.changed, counts.unchanged


def edit(column: Sequence[Any], other: Any, kind: Any = None) -> tuple[pa.Table, pa.Table]:
    """Return two tables of two rows, of which the second has another value."""
    columns = (pa.array(column, kind), pa.array([column[0], other], kind))
    old, new = (pa.table({"name": ["a", "b"], "x": values}) for values in columns)
    return old, new


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ((["a", None], [None, "b"]), ([None, "b"], ["a", None]), (2, 2, 0, 0)),
        ((["a"], [None]), ([None], ["a"]), (1, 1, 0, 0)),
        ((["a\x1fb"], ["c"]), (["a"], ["b\x1fc"]), (1, 1, 0, 0)),
        ((["a\x1fb", "a"], ["c", "b\x1fc"]), (["a\x1fb", "a"], ["c", "b\x1fc"]), (0, 0, 0, 2)),
    ],
)
def test_a_key_of_several_columns_is_no_joined_text(
    tmp_path: Path, old: Any, new: Any, wanted: tuple[int, ...]
) -> None:
    tables = [
        pa.table(dict(zip("kl", map(pa.array, side, [pa.string()] * 2), strict=True)))
        for side in (old, new)
    ]
    # Another column, so that the bytes are other ones and the rows are not.
    tables = [table.append_column("x", pa.array([0] * table.num_rows)) for table in tables]
    tables[1] = tables[1].replace_schema_metadata({"other": "bytes"})
    assert counts_of(compare(tmp_path, tables[0], tables[1], ("k", "l"))) == wanted


@pytest.mark.parametrize("key", [[None, "b"], [NAN, 1.0], [["a"], []]])
def test_a_row_is_known_again_by_a_key_of_any_type(tmp_path: Path, key: list[Any]) -> None:
    old, new = (pa.table({"k": key, "x": x, "task": ["t", "t"]}) for x in ([1, 2], [3, 2]))
    diff = compare(tmp_path, old, new)
    assert counts_of(diff) == (0, 0, 1, 1)
    assert diff.head.by_task["t"].unchanged == 1


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.list_(pa.field("element", TURN, False)),
        pa.list_(pa.string(), 1),
        pa.large_list(pa.string()),
    ],
    ids=str,
)
def test_edits_eight_bytes_apart_are_found_in_texts_of_every_type(
    tmp_path: Path, kind: pa.DataType
) -> None:
    def wrap(text: str) -> Any:
        if pa.types.is_nested(kind):
            return [{"role": text, "content": ""}] if kind.value_type == TURN else [text]
        return text.encode() if kind == pa.binary() else text

    names = [str(n) for n in range(len(OLD))]
    tables = [
        pa.table({"name": names, "x": pa.array([wrap(text) for text in side], kind)})
        for side in (OLD, NEW)
    ]
    assert counts_of(compare(tmp_path, tables[0], tables[1])) == (0, 0, len(OLD), 0)
