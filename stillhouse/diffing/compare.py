"""Two Parquet tables joined by key in DuckDB, out of core: what is equal is counted and never loaded.

Each column is compared by a hash of its values, not by the row's id: a text that was changed under its
old id is a change. DuckDB's hash mixes blocks of eight bytes so weakly that two edits eight bytes apart
can undo each other (44 of a million slots collide). So each text is hashed a second time, moved by four
bytes: what stands at a block's end in one stands within a block in the other. Only rows of one key are
compared with each other, so a million rows give a million chances of 2^-48, not 10^12. It finds edits
and accidents; who forges hashes is found by `stillhouse verify`, with sha256.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.tables import StoredTable, stored_columns
from stillhouse.diffing.tables import Table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# ruff: noqa: S608 - into the text of a query go only column names, quoted, and the constants below

_MEMORY: Final = "600MB"
_SHOWN: Final = 3
_WIDEST: Final = 62  # columns: a bit of a 64-bit mask for each
_PLACE: Final = "file_row_number"
_SHIFT: Final = "'1234'"
_TEXTS: Final = "list<element: string not null>"
_TURNS: Final = "list<element: struct<role: string not null, content: string not null> not null>"
# How types begin whose values are too short for two edits eight bytes apart.
_SHORT: Final = ("int", "uint", "float", "double", "halffloat", "bool", "date", "time", "duration")
# Column -> SQL of the question's and the answer's length in bytes, where a table has them.
_LENGTHS: Final = (
    ("prompt", 'strlen("prompt"[-1].content)', "completion", 'strlen("completion"[-1].content)'),
    ("messages", 'strlen("messages"[-1].content)', "response", 'strlen("response")'),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns by which two tables are joined, compared, and only reported; ``types`` by column."""

    key: tuple[str, ...]
    content: tuple[str, ...]
    stamps: tuple[str, ...]
    types: Mapping[str, str]

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns in the order of the mask's bits: those that make a row another one first."""
        return (*self.content, *self.stamps)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one task and source that are in both tables under one key.

    ``mask`` has a bit for each column of ``Shape.compared`` in which they differ.
    """

    mask: int
    task: str
    source: str
    rows: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean lengths, in bytes, over all rows of a task in one table."""

    task: str
    rows: int
    question: float
    answer: float


@dataclass(frozen=True)
class Compared:
    """What two tables have in common, and the whole rows that they have not.

    ``old`` and ``new`` are the rows whose content differs or whose key the other table lacks, sorted by
    key. ``groups`` are of the rows whose key both have, those that differ included.
    """

    shape: Shape
    old_rows: int
    new_rows: int
    groups: tuple[Group, ...]
    lengths: tuple[tuple[Lengths, ...], tuple[Lengths, ...]]
    old: "pa.Table"
    new: "pa.Table"

    def is_content(self, mask: int) -> bool:
        """Whether a mask names a column that makes a row another one."""
        return bool(mask & ((1 << len(self.shape.content)) - 1))

    def count_stamps(self) -> dict[str, int]:
        """Return, by stamp, how many rows differ in it that differ in nothing else."""
        return self._count(self.shape.stamps, only_stamps=True)

    def count_restamped(self) -> int:
        """Return how many rows differ in stamps alone."""
        return sum(g.rows for g in self.groups if g.mask and not self.is_content(g.mask))

    def _count(self, columns: Sequence[str], *, only_stamps: bool) -> dict[str, int]:
        found: Counter[str] = Counter()
        for group in self.groups:
            if only_stamps and self.is_content(group.mask):
                continue
            for bit, column in enumerate(self.shape.compared):
                if column in columns and group.mask >> bit & 1:
                    found[column] += group.rows
        return dict(found)


@contextmanager
def open_engine() -> "Iterator[duckdb.DuckDBPyConnection]":
    """Yield a DuckDB of its own that spills to a temporary folder and loads nothing from elsewhere."""
    import duckdb

    with tempfile.TemporaryDirectory() as scratch:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": scratch,
            "preserve_insertion_order": False,
            "threads": len(os.sched_getaffinity(0)),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        engine = duckdb.connect(":memory:", config=settings)
        try:
            engine.execute("set enable_progress_bar = false")  # it would stand among the results
            yield engine
        except duckdb.OutOfMemoryException as exc:
            raise MachineError(
                "there is not enough memory, or no space to spill to", where=scratch
            ) from exc
        except duckdb.Error as exc:
            raise InputError(
                f"a table cannot be read: {' '.join(str(exc).split())}",
                remedy="run `dvc checkout` to put it back, or `dvc repro` to make it again",
            ) from exc
        finally:
            engine.close()


def find_shape(old: Path, new: Path, table: Table, key: Sequence[str] = ()) -> Shape:
    """Return how two tables are compared.

    Raises:
        InputError: they have other columns or types, or lack the key.
    """
    then, now = stored_columns(old), stored_columns(new)
    _refuse_names(new, table)
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            raise InputError(
                f"the two versions have different schemas: column `{_show(name)}` is "
                f"{then.get(name, 'not there')} in the older one and {now.get(name, 'not there')} in "
                "the newer",
                where=table.path,
                expected="tables that one version of the code wrote",
            )
    chosen = tuple(key) or table.key or (("slot_id",) if "slot_id" in now else tuple(now)[:1])
    if missing := [name for name in chosen if name not in now]:
        raise InputError(
            f"has no column `{missing[0]}` to know its rows by",
            where=table.path,
            expected=f"--key with one or more of {', '.join(now)}",
        )
    if len(now) > _WIDEST:
        raise InputError(f"has {len(now)} columns", where=table.path, expected=f"{_WIDEST} at most")
    stamps = tuple(name for name in table.stamps if name in now and name not in chosen)
    content = tuple(name for name in now if name not in chosen and name not in stamps)
    return Shape(chosen, content, stamps, now)


def _refuse_names(path: Path, table: Table) -> None:
    """Refuse columns that DuckDB cannot tell apart, or takes for one of its own."""
    import pyarrow.parquet as pq

    counts = Counter(name.lower() for name in pq.read_schema(path).names)
    for name, count in counts.items():
        if count > 1 or name == _PLACE:
            raise InputError(
                f"has {count} columns called `{name}`, big and small letters aside",
                where=table.path,
                expected=f"each once, and no `{_PLACE}`",
                remedy="rename it in both versions",
            )


def compare_tables(
    engine: "duckdb.DuckDBPyConnection", old: Path, new: Path, shape: Shape
) -> Compared:
    """Return what differs between two tables of one shape.

    Raises:
        InputError: two rows of one table have one key.
    """
    rows = [len(StoredTable(path, object)) for path in (old, new)]
    _join(engine, old, new, shape)
    _refuse_twice(engine, (old, new), rows, shape)
    content = (1 << len(shape.content)) - 1
    asked = """
        select mask, coalesce(new_task, old_task) as task, source, count(*) from joined
        where mask >= 0 group by all order by all
    """
    groups = tuple(Group(*row) for row in engine.execute(asked).fetchall())
    return Compared(
        shape,
        rows[0],
        rows[1],
        groups,
        (_measure(engine, "old"), _measure(engine, "new")),
        _fetch(engine, old, "old", content, shape),
        _fetch(engine, new, "new", content, shape),
    )


def _join(engine: "duckdb.DuckDBPyConnection", old: Path, new: Path, shape: Shape) -> None:
    """Make the table ``joined``: every row of both tables, without its texts."""
    bits = [
        f"(a.h{bit} is distinct from b.h{bit})::bigint << {bit}"
        for bit, _ in enumerate(shape.compared)
    ]
    mask = " | ".join(f"({bit})" for bit in bits) or "0::bigint"
    engine.execute(
        f"""
        create temp table joined as
        select case when mask = 0 then null else key end as key, * exclude (key) from (
            select coalesce(a.key, b.key) as key,
                case when a.place is null or b.place is null then -1 else {mask} end as mask,
                a.place::int as old_place, b.place::int as new_place,
                a.task as old_task, b.task as new_task, coalesce(b.source, a.source) as source,
                a.question::int as old_question, b.question::int as new_question,
                a.answer::int as old_answer, b.answer::int as new_answer
            from ({_select_side(shape)}) a full join ({_select_side(shape)}) b
                on a.key is not distinct from b.key
        )
        """,
        [str(old), str(new)],
    )


def _select_side(shape: Shape) -> str:
    digests = [f"{_digest(name, shape)} as h{bit}" for bit, name in enumerate(shape.compared)]
    question, answer = next(
        (
            (question, answer)
            for first, question, second, answer in _LENGTHS
            if shape.types.get(first) == _TURNS and shape.types.get(second) in (_TURNS, "string")
        ),
        ("null", "null"),
    )
    told = ", ".join(
        [
            f"{_key(shape)} as key",
            f"{_PLACE} as place",
            f"{_text('task', shape)} as task",
            f"{_source(shape)} as source",
            f"{question} as question",
            f"{answer} as answer",
            *digests,
        ]
    )
    return f"select {told} from {_scan('?', places=True)}"


def _digest(name: str, shape: Shape) -> str:
    column, kind = _quote(name), shape.types[name]
    item = "_" * (1 + max(map(len, shape.types)))  # no column is called so
    parts = ("",) if kind == _TEXTS else (".role", ".content") if kind == _TURNS else ()
    if parts:
        moved = (f"list_transform({column}, lambda {item}: {_SHIFT} || {item}{n})" for n in parts)
        return f"hash({column}, {', '.join(moved)})"
    if kind.startswith(_SHORT):
        return f"hash({column})"
    return f"hash({column}, {_SHIFT} || {column}::varchar)"


def _refuse_twice(
    engine: "duckdb.DuckDBPyConnection", paths: Sequence[Path], rows: Sequence[int], shape: Shape
) -> None:
    """Refuse a key that stands twice: joined with the other table it gives more rows than there are."""
    counted = engine.execute("select count(old_place), count(new_place) from joined").fetchall()[0]
    alone = (
        "select 1 from joined where mask = -1 group by key, old_place is null having count(*) > 1 "
        "limit 1"
    )
    if tuple(rows) == counted and not engine.execute(alone).fetchall():
        return
    for path in paths:
        asked = (
            f"select {_key(shape)}, count(*) from {_scan('?')} group by 1 having count(*) > 1 "
            f"order by 1 limit {_SHOWN}"
        )
        if twice := engine.execute(asked, [str(path)]).fetchall():
            raise _twice(path, twice, shape)


def _twice(path: Path, twice: Sequence[tuple[object, int]], shape: Shape) -> InputError:
    shown = ", ".join(f"`{_show(key)}` ({count} times)" for key, count in twice)
    return InputError(
        f"rows share one {' and '.join(shape.key)}: {shown}",
        where=str(path),
        expected="each once, so that a row is known again",
        remedy="run `dvc repro validate`, which names them" if shape.key == ("slot_id",) else None,
    )


def _show(value: object) -> str:
    """Return what stands in a table so that it does nothing to a terminal."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def _measure(engine: "duckdb.DuckDBPyConnection", side: str) -> tuple[Lengths, ...]:
    asked = f"""
        select {side}_task as task, count(*), coalesce(avg({side}_question), 0),
            coalesce(avg({side}_answer), 0)
        from joined where {side}_place is not null group by all order by all
    """
    return tuple(Lengths(*row) for row in engine.execute(asked).fetchall())


def _fetch(
    engine: "duckdb.DuckDBPyConnection", path: Path, side: str, content: int, shape: Shape
) -> "pa.Table":
    return engine.sql(
        f"""
        select t.* exclude ({_PLACE})
        from {_scan("$path", places=True)} t
            join (select {side}_place as place from joined
                  where (mask = -1 or mask & {content} <> 0) and {side}_place is not null) d
            on t.{_PLACE} = d.place
        order by {_list(shape.key)}
        """,
        params={"path": str(path)},
    ).to_arrow_table()


def _key(shape: Shape) -> str:
    if len(shape.key) == 1:
        return _quote(shape.key[0])
    return f"row({_list(shape.key)})"


def _source(shape: Shape) -> str:
    """Return the SQL of a row's source: the first part of its slot, as ``base.records`` joins it."""
    if "slot_id" in shape.types:
        return f"split_part({_text('slot_id', shape)}, '|', 1)"
    return _text("source", shape)


def _text(name: str, shape: Shape) -> str:
    """Return the SQL of a column of texts; empty ones where it is null, or no such column."""
    return f"coalesce({_quote(name)}, '')" if shape.types.get(name) == "string" else "''"


def _scan(path: str, *, places: bool = False) -> str:
    """Return the SQL that reads one Parquet file, given as a parameter of the query.

    A folder called ``a=b`` above it is no column; with ``places`` the number of each row is one.
    """
    numbers = f", {_PLACE} = true" if places else ""
    return f"read_parquet({path}, hive_partitioning = false{numbers})"


def _list(names: Sequence[str]) -> str:
    return ", ".join(_quote(name) for name in names)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
