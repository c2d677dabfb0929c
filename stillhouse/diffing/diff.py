"""Two versions of a table: what is added, removed and changed, and why.

Most rows are equal and are never loaded: DuckDB tells the differing ones (``compare``). Those are
paired by slot and then by what they say (``lineage.slots``), so that a moved section or a renamed file
is not removed and added, and explained by what both versions recorded (``explain``).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.tables import StoredTable
from stillhouse.diffing.causes import CAUSES, Why
from stillhouse.diffing.compare import Compared, compare_tables, find_shape, open_engine
from stillhouse.diffing.opening import open_both
from stillhouse.diffing.pairing import Rows, has_items, pair_items, pair_keys
from stillhouse.diffing.reasons import explain_all
from stillhouse.diffing.shown import Counts, Difference, End, Head, Kind, Left
from stillhouse.diffing.sides import make_plain, show_side
from stillhouse.diffing.statistics import compare_statistics
from stillhouse.diffing.tables import Table
from stillhouse.diffing.upstream import Upstream
from stillhouse.history.version import Version
from stillhouse.lineage.slots import Pairing

if TYPE_CHECKING:
    import pyarrow as pa


_BLOCK: Final = 500  # rows read together

# The columns that people, and students, read.
WORDS: Final = frozenset(
    {"prompt", "completion", "context", "reasoning", "messages", "response", "text", "system"}
)


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs; ``old`` and ``new`` are its places in the tables of differing rows."""

    kind: Kind
    key: str
    old_key: str
    task: str
    source: str
    why: Why
    columns: tuple[str, ...]
    old: int | None
    new: int | None

    @property
    def reworded(self) -> bool:
        """Whether a row that is in both versions reads otherwise."""
        return self.kind == "changed" and bool(WORDS & set(self.columns))

    @property
    def left(self) -> str:
        """Which stage took the row away in B, and by which reason; empty where none did."""
        if self.kind != "removed" or ": " not in self.why.said:
            return ""
        return ": ".join(self.why.said.split(": ")[:2])


@dataclass(frozen=True)
class Diff:
    """The comparison of two versions of a table.

    ``reworded`` are the changed rows that read otherwise; the others have another id, from a request
    that says something else, and the same words. ``stamps`` counts, by column, the unchanged rows that bear another stamp (``diffing.tables``).
    ``unknown`` says why causes are missing, where they are.
    """

    head: Head
    changes: tuple[Change, ...]
    reworded: int
    restamped: int
    stamps: Mapping[str, int]
    settings: tuple[str, ...]
    unknown: str
    names: Mapping[str, Mapping[str, int]]
    _old: "pa.Table | None"
    _new: "pa.Table | None"

    @property
    def same(self) -> bool:
        """Whether no row is added, removed or changed."""
        return not self.changes

    def read(self, change: Change) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return a row as A and as B have it, all columns; None in the version that lacks it."""
        old = _take(self._old, [change.old]).get(change.old)
        new = _take(self._new, [change.new]).get(change.new)
        return old, new

    def list_differences(self) -> Iterator[Difference]:
        """Yield the rows that differ as the page shows them, a few hundred in memory at a time."""
        for start in range(0, len(self.changes), _BLOCK):
            block = self.changes[start : start + _BLOCK]
            old = _take(self._old, [change.old for change in block])
            new = _take(self._new, [change.new for change in block])
            for change in block:
                yield _show(change, old.get(change.old), new.get(change.new))


def _take(
    rows: "pa.Table | None", places: Sequence[int | None]
) -> dict[int | None, dict[str, Any]]:
    wanted = [place for place in places if place is not None]
    if rows is None or not wanted:
        return {}
    return dict(zip(wanted, map(make_plain, rows.take(wanted).to_pylist()), strict=True))


def _show(change: Change, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Difference:
    return Difference(
        slot_id=change.key,
        kind=change.kind,
        task=change.task,
        source=change.source,
        causes=change.why.causes,
        why=change.why.said,
        old=show_side(old) if old else None,
        new=show_side(new) if new else None,
        columns=change.columns,
        named={str(cause): name for cause, name in change.why.names.items()},
        left=change.left,
        old_slot_id=change.old_key if change.old_key != change.key else "",
    )


def make_diff(a: Version, b: Version, table: Table, key: Sequence[str] = ()) -> Diff:
    """Return what differs between two versions of a table.

    Args:
        a: the older one, as it was resolved.
        b: the newer one.
        table: which table.
        key: the columns that name a row's place, where the table's own are not wanted.

    Raises:
        GoneError: a version has no such table, or its bytes are nowhere.
        InputError: the tables have different schemas, or rows share a key.
    """
    md5s = (a.md5_of(table.path), b.md5_of(table.path))
    if md5s[0] and md5s[0] == md5s[1]:
        return _make_equal(a, b, table, md5s[0])
    with open_both(a, b, table) as (old, new), open_engine() as engine:
        shape = find_shape(old, new, table, key)
        compared = compare_tables(engine, old, new, shape)
        upstreams = (Upstream(a, engine), Upstream(b, engine))
        rows = pair_items(compared, *upstreams) if has_items(table) else pair_keys(compared)
        whys, settings, unknown = explain_all(table, compared, rows, *upstreams)
        statistics = compare_statistics(a, b, compared)
    pairing = rows.pairing if isinstance(rows, Rows) else rows
    changes = _list_changes(compared, pairing, whys)
    return _make_diff(a, b, table, md5s, compared, changes, statistics, settings, unknown)


def _make_equal(a: Version, b: Version, table: Table, md5: str) -> Diff:
    found = a.find(table.path) or b.find(table.path)
    rows = len(StoredTable(found, object)) if found else 0
    ends = [End(v.name, v.title, v.commit, md5, rows) for v in (a, b)]
    counts = Counts(0, 0, 0, rows)
    head = Head(ends[0], ends[1], table.name, ", ".join(table.key), counts, {}, {}, {}, {})
    return Diff(head, (), 0, 0, {}, (), "", {}, None, None)


def _make_diff(
    a: Version,
    b: Version,
    table: Table,
    md5s: tuple[str, str],
    compared: Compared,
    changes: tuple[Change, ...],
    statistics: Any,
    settings: tuple[str, ...],
    unknown: str,
) -> Diff:
    kinds = Counter(change.kind for change in changes)
    kept = kinds["changed"]
    unchanged = compared.new_rows - kinds["added"] - kept
    causes: Counter[str] = Counter(cause for change in changes for cause in change.why.causes)
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for change in changes:
        for cause, name in change.why.names.items():
            names[cause][name] += 1
    columns: Counter[str] = Counter(name for change in changes for name in change.columns)
    left = Counter(change.left for change in changes if change.left)
    moved = sum(change.old_key != change.key for change in changes if change.kind == "changed")
    head = Head(
        a=End(a.name, a.title, a.commit, md5s[0], compared.old_rows),
        b=End(b.name, b.title, b.commit, md5s[1], compared.new_rows),
        table=table.name,
        key=", ".join(compared.shape.key),
        counts=Counts(kinds["added"], kinds["removed"], kept, unchanged),
        columns=dict(sorted(columns.items(), key=lambda item: (-item[1], item[0]))),
        causes={cause: causes[cause] for cause in CAUSES if causes[cause]},
        by_task=_group(compared, changes, "task"),
        by_document=_group(compared, changes, "source"),
        statistics=statistics,
        left=tuple(_count_left(name, count) for name, count in sorted(left.items())),
        moved=moved,
    )
    return Diff(
        head,
        changes,
        sum(change.reworded for change in changes),
        compared.count_restamped(),
        compared.count_stamps(),
        settings,
        unknown,
        {cause: dict(counted) for cause, counted in names.items()},
        compared.old,
        compared.new,
    )


def _count_left(name: str, count: int) -> Left:
    stage, reason = name.split(": ", 1)
    return Left(stage, reason, count)


def _group(compared: Compared, changes: Sequence[Change], by: str) -> dict[str, Counts]:
    unchanged: Counter[str] = Counter()
    for group in compared.groups:
        if not compared.is_content(group.mask):
            unchanged[getattr(group, by)] += group.rows
    kinds = Counter((getattr(change, by), change.kind) for change in changes)
    names = sorted({*unchanged, *(name for name, _ in kinds)} - {""})
    return {
        name: Counts(
            kinds[name, "added"], kinds[name, "removed"], kinds[name, "changed"], unchanged[name]
        )
        for name in names
    }


def _list_changes(
    compared: Compared, pairing: Pairing, whys: Mapping[tuple[int | None, int | None], Why]
) -> tuple[Change, ...]:
    differing = _find_columns(compared, pairing.pairs)
    places: list[tuple[int | None, int | None]] = [
        *pairing.pairs,
        *((i, None) for i in pairing.removed),
        *((None, j) for j in pairing.added),
    ]
    old, new = _Labels(compared.old, compared), _Labels(compared.new, compared)
    changes = []
    for i, j in places:
        columns = differing.get((i, j), ()) if i is not None and j is not None else ()
        if i is not None and j is not None and not columns:
            continue  # the same row in another place of equal content
        kind: Kind = "added" if i is None else "removed" if j is None else "changed"
        label, place = (old, i) if j is None else (new, j)
        assert place is not None
        changes.append(
            Change(
                kind,
                label.key(place),
                old.key(i) if i is not None else "",
                label.task(place),
                label.source(place),
                whys.get((i, j), Why(())),
                columns,
                i,
                j,
            )
        )
    return tuple(sorted(changes, key=lambda change: (change.key, change.kind, change.old_key)))


class _Labels:
    """What a differing row is called by: its key, task and source."""

    def __init__(self, rows: "pa.Table", compared: Compared) -> None:
        def texts(name: str) -> list[str]:
            if compared.shape.types.get(name) != "string":
                return [""] * rows.num_rows
            return [text or "" for text in rows.column(name).to_pylist()]

        self._keys = [rows.column(name).to_pylist() for name in compared.shape.key]
        self._tasks = texts("task")
        self._slots = "slot_id" in compared.shape.types
        self._sources = texts("slot_id" if self._slots else "source")

    def key(self, place: int) -> str:
        return " ".join(str(column[place]) for column in self._keys)

    def task(self, place: int) -> str:
        return self._tasks[place]

    def source(self, place: int) -> str:
        return self._sources[place].split("|", 1)[0] if self._slots else self._sources[place]


def _find_columns(
    compared: Compared, pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, ...]]:
    """Return the columns in which each pair of rows differs; the key's own where it moved."""
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    # One column at a time, as plain values: `take` with a list would first import pandas.
    for name in compared.old.schema.names if pairs else ():
        then, now = (rows.column(name).to_pylist() for rows in (compared.old, compared.new))
        for i, j in pairs:
            if then[i] != now[j] and repr(then[i]) != repr(now[j]):  # NaN is no equal of itself
                found[i, j].append(name)
    content = {*compared.shape.content, *compared.shape.key}
    return {pair: tuple(names) for pair, names in found.items() if content & set(names)}
