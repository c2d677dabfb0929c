"""Tables of any schema: the counts are exact, and every form of the answer can be written."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillhouse.base.errors import InputError
from stillhouse.diffing.diff import Diff, make_diff
from stillhouse.diffing.show import to_json, to_markdown, to_text, write_html
from stillhouse.diffing.shown import Statistic
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


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ([NAN, 1.0], 2.0),
        ([Decimal("1.10"), Decimal("2.20")], Decimal("2.21")),
        ([datetime(2026, 1, 1, tzinfo=UTC), None], datetime(2026, 1, 2, tzinfo=UTC)),
        ([date(2026, 1, 1), None], date(2026, 1, 2)),
        ([timedelta(1), None], timedelta(2)),
        ([b"\xff", b""], b"\xfe"),
        ([[None, 1], []], [None]),
        ([{"q": 1}, None], {"q": None}),
    ],
)
def test_values_of_every_type_can_be_told_in_every_form(
    tmp_path: Path, column: list[Any], other: Any
) -> None:
    diff = compare(tmp_path, *edit(column, other))
    assert counts_of(diff) == (0, 0, 1, 1)
    found = json.loads(json.dumps(to_json(diff), allow_nan=False))
    assert found["rows"][0]["columns"] == ["x"]
    assert list(to_text(diff))
    assert list(to_markdown(diff))
    write_html(tmp_path / "page.html", diff)


def test_a_value_that_is_no_number_is_no_change(tmp_path: Path) -> None:
    old, new = (pa.table({"name": ["a"], "x": [NAN], "y": y}) for y in ([1], [2]))
    assert compare(tmp_path, old, new).head.columns == {"y": 1}


@pytest.mark.parametrize(
    "names",
    [
        {"task": [None, "t"], "source": [None, "s"]},
        {"task": [1, 2], "source": [["s"], []]},
        {"slot_id": [1, 2]},
        {"prompt": ["p", "q"], "completion": ["r", "s"]},
        {"messages": [[], []], "response": [1, 2]},
        {"text": [b"1", b"2"], "n": [1, 1], "key": [1, 1], "mask": [0, 0], "place": [0, 0]},
    ],
)
def test_columns_called_like_the_pipelines_may_hold_anything(
    tmp_path: Path, names: dict[str, list[Any]]
) -> None:
    old, new = (pa.table({"name": ["a", "b"], **names, "x": x}) for x in ([1, 2], [1, 3]))
    diff = compare(tmp_path, old, new, ["name"])
    assert counts_of(diff) == (0, 0, 1, 1)
    assert list(to_text(diff))
    assert list(to_markdown(diff))


def test_a_folder_above_it_adds_no_column(tmp_path: Path) -> None:
    diff = compare(tmp_path, *edit([1, 2], 3), name="x=1/t.parquet")
    assert counts_of(diff) == (0, 0, 1, 1)
    assert diff.read(diff.changes[0])[0] == {"name": "b", "x": 2}


@pytest.mark.parametrize(
    "names", [["name", "x", "X"], ["name", "x", "x"], ["name", "file_row_number"]]
)
def test_columns_that_cannot_be_told_apart_are_refused(tmp_path: Path, names: list[str]) -> None:
    old, new = (
        pa.Table.from_arrays([pa.array([1, last]) for _ in names], names=names) for last in (2, 3)
    )
    with pytest.raises(InputError, match=r"big and small letters aside; expected each once"):
        compare(tmp_path, old, new)


def test_keys_that_stand_twice_are_told_whatever_the_columns_are_called(tmp_path: Path) -> None:
    old, new = (pa.table({"name": ["a", "a"], "key": [1, 2], "n": [1, last]}) for last in (2, 3))
    with pytest.raises(InputError, match=r"rows share one name: `a` \(2 times\)"):
        compare(tmp_path, old, new)


def test_damaged_pages_are_one_sentence(tmp_path: Path) -> None:
    names = [str(n) for n in range(2000)]
    old, new = (
        pa.table({"name": names, "x": [f"{n + more:064x}" for n in range(2000)]}) for more in (0, 1)
    )
    compare(tmp_path, old, new)
    file = tmp_path / "b" / "x.parquet"
    content = file.read_bytes()
    third = len(content) // 3
    file.write_bytes(content[:third] + b"?" * third + content[2 * third :])
    a, b = (Version(s, s, tmp_path, files={"x.parquet": tmp_path / s / "x.parquet"}) for s in "ab")
    with pytest.raises(InputError, match="a table cannot be read") as caught:
        make_diff(a, b, find_table("x.parquet"))
    assert "\n" not in str(caught.value)


def test_a_damaged_table_is_not_equal_to_itself(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    one = Version("a", "a", tmp_path, files={"x.parquet": tmp_path / "x.parquet"})
    with pytest.raises(InputError, match="not a readable Parquet file"):
        make_diff(one, one, find_table("x.parquet"))


def test_what_stands_in_a_table_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    key = "a\x1b[2J\n"
    old, new = (pa.table({"name": [key, key], "x": [1, last]}) for last in (2, 3))
    with pytest.raises(InputError) as caught:
        compare(tmp_path, old, new)
    assert str(caught.value).isprintable()
    with pytest.raises(InputError) as caught:
        compare(tmp_path, old, old.rename_columns([key, "x"]))
    assert str(caught.value).isprintable()


def test_a_figure_that_moved_less_than_its_digits_show_is_not_listed(tmp_path: Path) -> None:
    diff = compare(tmp_path, *edit(["a", "b"], "c"))
    figures = (
        Statistic("rows", 2, 3),
        Statistic("share of recall", 0.7301, 0.7304, share=True),
        Statistic("mean format", 0.999, 0.998),
    )
    told = "\n".join(to_text(replace(diff, head=replace(diff.head, statistics=figures))))
    assert "Moved       rows 2 -> 3\n" in told + "\n"
