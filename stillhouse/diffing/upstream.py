"""What one version knows about the rows of its dataset: the tables behind it, as far as they are found.

Nothing here reads a table whole: DuckDB is asked for the few rows that a question is about, and what was
asked is remembered. Whoever has many questions asks them at once (the methods ``load_...``).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import read_text
from stillhouse.base.lock import Lock
from stillhouse.base.packing import builder
from stillhouse.base.records import Pair, Rejection, Request
from stillhouse.base.tables import declared_columns, stored_columns
from stillhouse.diffing.tables import TABLES
from stillhouse.history.version import Version
from stillhouse.planning.traits import Traits, look_at

# ruff: noqa: S608 - into the text of a query go only names of columns, quoted, and the constants below

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_REVIEW: Final = "reports/review.json"
_PARTS: Final = ("train", "validation", "test")
_JOINED: Final[Mapping[str, tuple[str, ...]]] = {"requests": ("requests", "derived")}
_LATER: Final = ("derived",)
# What a row is made from its answer through; a table that was edited proves nothing about code.
_MADE: Final = ("responses", "pairs", "curated", "reviewed", *_PARTS)


@dataclass(frozen=True, slots=True)
class PairKey:
    """A pair without its words."""

    pair_id: str
    slot_id: str
    request_id: str
    chunk_ids: tuple[str, ...]
    task: str
    fact_id: str


@dataclass(frozen=True, slots=True)
class _RowId:
    row_id: str


# Few columns: what is read of a table is read of all its rows.
@dataclass(frozen=True, slots=True)
class _PairId:
    pair_id: str


@dataclass(frozen=True, slots=True)
class _PairSlot:
    pair_id: str
    slot_id: str


@dataclass(frozen=True, slots=True)
class _PairFact:
    pair_id: str
    fact_id: str


@dataclass(frozen=True, slots=True)
class _Answer:
    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class _Score:
    pair_id: str
    criterion: str
    score: float


class _Known(dict[str, T | None]):
    """What was asked by a key: None of what a table does not have."""

    def ask(
        self, keys: Collection[str], find: Callable[[list[str]], Iterable[tuple[str, T]]]
    ) -> None:
        """Look up those of the keys that were not asked for before, all at once."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self]
        if wanted:
            self.update(dict.fromkeys(wanted))
            self.update(find(wanted))


class Upstream:
    """The tables of a version by what they are asked for.

    A table that is found nowhere, or has another layout, tells nothing: ``missing`` names it.
    """

    def __init__(self, version: Version, engine: "duckdb.DuckDBPyConnection") -> None:
        self.version = version
        self.missing: dict[str, str] = {}
        self._engine = engine
        self._paths: dict[str, Path | None] = {}
        self._pairs: _Known[PairKey] = _Known()
        self._ids: _Known[bool] = _Known()
        self._slots: _Known[str] = _Known()
        self._facts: _Known[tuple[str, ...]] = _Known()
        self._rejections: _Known[Rejection] = _Known()
        self._requests: _Known[Request] = _Known()
        self._places: _Known[str] = _Known()
        self._traits: dict[str, Traits] = {}
        self._layouts: dict[tuple[str, type], tuple[str, ...]] = {}

    @property
    def lock(self) -> Lock:
        """What its stages read and wrote."""
        return self.version.lock

    @property
    def knows_pairs(self) -> bool:
        """Whether its pairs are found, without which nothing is known of what a row was."""
        return self.find("pairs") is not None

    def find(self, table: str) -> Path | None:
        """Return the file of a table; None where it is nowhere."""
        if table not in self._paths:
            known = dict(self.missing)
            self._paths[table] = self._open(TABLES[table].path)
            if table in _LATER:  # earlier versions have none, and lack nothing
                self.missing = known
        return self._paths[table]

    def find_all(self, table: str) -> list[Path]:
        """Return the files that hold a table's records: of requests two, where some develop pairs."""
        found = [self.find(name) for name in _JOINED.get(table, (table,))]
        return [path for path in found if path is not None]

    @cached_property
    def edited(self) -> tuple[str, ...]:
        """Tables in the workspace that are not what ``dvc.lock`` says that their stages wrote."""
        paths = [TABLES[name].path for name in _MADE]
        found = tuple(path for path in paths if self.version.is_edited(path))
        told = "is not the file that dvc.lock names: edited, or of a stage that ran alone"
        self.missing |= {path: f"{path} {told}" for path in found}
        return found

    # Pairs

    def load_pairs(self, pair_ids: Collection[str]) -> None:
        """Look up pairs by their ids."""
        self._pairs.ask(
            pair_ids,
            lambda ids: (
                (one.pair_id, one) for one in self.select("pairs", PairKey, "pair_id", ids)
            ),
        )

    def pair(self, pair_id: str) -> PairKey | None:
        """Return a pair without its words; None where this version has none of that id."""
        self.load_pairs([pair_id])
        return self._pairs[pair_id]

    def load_slots(self, slot_ids: Collection[str]) -> None:
        """Look up the pairs of places."""

        def find(wanted: list[str]) -> Iterable[tuple[str, str]]:
            for one in self.select("pairs", _PairSlot, "slot_id", wanted):
                yield one.slot_id, one.pair_id

        self._slots.ask(slot_ids, find)

    def find_slot(self, slot_id: str) -> str:
        """Return the id of the pair in a place; empty where there is none."""
        self.load_slots([slot_id])
        return self._slots[slot_id] or ""

    def load_facts(self, fact_ids: Collection[str]) -> None:
        """Look up the pairs that ask for facts."""

        def find(wanted: list[str]) -> Iterable[tuple[str, tuple[str, ...]]]:
            found: dict[str, list[str]] = defaultdict(list)
            for one in self.select("pairs", _PairFact, "fact_id", wanted):
                self._ids[one.pair_id] = True
                found[one.fact_id].append(one.pair_id)
            yield from ((fact, tuple(sorted(ids))) for fact, ids in found.items())

        self._facts.ask(fact_ids, find)

    def find_fact(self, fact_id: str) -> tuple[str, ...]:
        """Return the ids of the pairs that ask for a fact."""
        self.load_facts([fact_id])
        return self._facts[fact_id] or ()

    def read_pairs(self, pair_ids: Collection[str]) -> list[Pair]:
        """Return pairs with their words."""
        return self.select("pairs", Pair, "pair_id", list(pair_ids))

    def list_alone(self, table: str, column: str, other: "Upstream", most: int) -> list[str] | None:
        """Return the ids that a table has here and not in another version; None if there are more."""
        mine, theirs = self.find_all(table), other.find_all(table)
        if not mine or not theirs:
            return []
        asked = (
            f'select t."{column}" from read_parquet($mine) t anti join read_parquet($theirs) o '
            f'on t."{column}" = o."{column}" order by t."{column}" limit {most + 1}'
        )
        found = self._engine.execute(
            asked, {"mine": [str(one) for one in mine], "theirs": [str(one) for one in theirs]}
        ).fetchall()
        return None if len(found) > most else [str(value) for (value,) in found]

    def find_pairs(self, pair_ids: Collection[str]) -> frozenset[str]:
        """Return which of some pairs this version has."""
        self._ids.ask(
            pair_ids,
            lambda ids: (
                (one.pair_id, True) for one in self.select("pairs", _PairId, "pair_id", ids)
            ),
        )
        return frozenset(one for one in pair_ids if self._ids[one])

    def has_pair(self, pair_id: str) -> bool:
        """Whether this version has a pair."""
        return bool(self.find_pairs([pair_id]))

    def find_hashes(self, table: str, name: str, values: Collection[str]) -> frozenset[str]:
        """Return which of some values a hash has in the rows of a table."""
        path = self.find(table)
        if path is None or not values:
            return frozenset()
        asked = (
            f'select distinct "{name}_sha256" from read_parquet(?) '
            f'where "{name}_sha256" in (select unnest(?))'
        )
        found = self._engine.execute(asked, [str(path), sorted(values)]).fetchall()
        return frozenset(str(value) for (value,) in found)

    # What became of them

    def load_rejections(self, pair_ids: Collection[str]) -> None:
        """Look up why curate dropped pairs."""
        self._rejections.ask(
            pair_ids,
            lambda ids: (
                (one.rejected_id, one)
                for one in self.select("rejections", Rejection, "rejected_id", ids)
            ),
        )

    def rejection(self, pair_id: str) -> Rejection | None:
        """Return why curate dropped a pair; None where it did not."""
        self.load_rejections([pair_id])
        return self._rejections[pair_id]

    def find_unusable(self, request_id: str) -> Rejection | None:
        """Return what of an answer was no pair; None where all of it was."""
        found = self.select("unusable", Rejection, "rejected_id", [request_id])
        return found[0] if found else None

    def load_places(self, row_ids: Collection[str]) -> None:
        """Look up in which part of the dataset rows are."""

        def find(wanted: list[str]) -> Iterable[tuple[str, str]]:
            for part in _PARTS:
                for row in self.select(part, _RowId, "row_id", wanted):
                    yield row.row_id, part

        self._places.ask(row_ids, find)

    def place(self, row_id: str) -> str:
        """Return the part of the dataset that a row is in; empty where it is in none."""
        self.load_places([row_id])
        return self._places[row_id] or ""

    def read_scores(self, pair_id: str) -> Mapping[str, Sequence[float]]:
        """Return criterion -> scores of a pair, one of each judge."""
        found: dict[str, list[float]] = defaultdict(list)
        for one in self.select("judgements", _Score, "pair_id", [pair_id]):
            found[one.criterion].append(one.score)
        return found

    @cached_property
    def _review(self) -> tuple[tuple[Mapping[str, str], ...], frozenset[str]]:
        path = self._open(_REVIEW)
        try:
            found = json.loads(read_text(path)) if path else {"decisions": [], "unknown": []}
            told = tuple({k: str(v) for k, v in one.items()} for one in found["decisions"])
            return told, frozenset(map(str, found["unknown"]))
        except (StillhouseError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
            self.missing[_REVIEW] = f"{_REVIEW}: not a report of the stage review"
            return (), frozenset()

    @property
    def lapsed(self) -> frozenset[str]:
        """Ids of the rows that verdicts name and that are no rows any more."""
        return self._review[1]

    @cached_property
    def fixes(self) -> Mapping[str, Mapping[str, str]]:
        """Id of a row that a reviewer mended -> the decision."""
        return {one["new_id"]: one for one in self._review[0] if one.get("new_id")}

    @cached_property
    def fixed(self) -> Mapping[str, str]:
        """Pair id -> id of the row that a reviewer made of it."""
        return {one["row_id"]: new for new, one in self.fixes.items()}

    @cached_property
    def turned_down(self) -> Mapping[str, Mapping[str, str]]:
        """Row id -> the decision that rejected it."""
        return {one["row_id"]: one for one in self._review[0] if one.get("verdict") == "reject"}

    def origin(self, row_id: str) -> str:
        """Return the pair's id of a row: its own, or that of what a reviewer mended."""
        return self.fixes[row_id]["row_id"] if row_id in self.fixes else row_id

    # What they were made of

    @cached_property
    def chunks(self) -> Mapping[str, str]:
        """Chunk id -> source."""
        return dict(self._ask("chunks", "select chunk_id, source from read_parquet(?)"))

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """Source -> sha256 of the file as it was read."""
        return dict(self._ask("documents", "select source, source_sha256 from read_parquet(?)"))

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """Sha256 of a prompt file -> its path."""
        asked = "select distinct prompt_sha256, prompt_path from read_parquet(?) order by all"
        return dict(self._ask("requests", asked))

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The tasks that were asked for."""
        asked = "select distinct task from read_parquet(?)"
        return frozenset(task for (task,) in self._ask("requests", asked))

    def load_requests(self, request_ids: Collection[str]) -> None:
        """Look up requests by their ids, and those of the pairs that they develop."""
        wanted = request_ids
        while wanted := [one for one in wanted if one not in self._requests]:
            self._requests.ask(
                wanted,
                lambda ids: (
                    (one.request_id, one)
                    for one in self.select("requests", Request, "request_id", ids)
                ),
            )
            found = [one for name in wanted if (one := self._requests[name])]
            parents = [one.parent_id for one in found if one.parent_id]
            self.load_pairs(parents)
            wanted = [pair.request_id for one in parents if (pair := self._pairs[one])]

    def request(self, request_id: str) -> Request | None:
        """Return a request; None where this version has none of that id."""
        self.load_requests([request_id])
        return self._requests[request_id]

    def traits_of(self, request_id: str) -> Traits | None:
        """Return what a request is made of."""
        if request_id not in self._traits and (request := self.request(request_id)):
            self._traits[request_id] = look_at(request)
        return self._traits.get(request_id)

    def answer_of(self, request_id: str) -> str | None:
        """Return the text of the teacher's answer; None where it is not found."""
        found = self.select("responses", _Answer, "request_id", [request_id])
        return found[0].text if found else None

    def select(self, table: str, record: type[T], column: str, values: Collection[str]) -> list[T]:
        """Return the records whose column has one of the values, sorted by it."""
        paths = self.find_all(table)
        if not paths or not values:
            return []
        if (table, record) not in self._layouts:
            self._layouts[table, record] = self._read_layout(table, paths[0], record)
        known = self._layouts[table, record]
        if not known:
            return []
        absent = {f.name: f.default for f in fields(record) if f.name not in known}  # type: ignore[arg-type]
        names = ", ".join(f't."{name}"' for name in known)
        found = self._engine.sql(
            f"select {names} from read_parquet($paths, union_by_name = true) t "
            f'semi join (select unnest($values) as value) w on t."{column}" = w.value '
            f'order by t."{column}"',
            params={"paths": [str(one) for one in paths], "values": sorted(set(values))},
        ).to_arrow_table()
        build: Any = builder(record)
        return [
            build({**absent, **values})
            for batch in found.to_batches()
            for values in batch.to_pylist()
        ]

    def _ask(self, table: str, asked: str) -> list[Any]:
        import duckdb

        paths = self.find_all(table)
        try:
            given = [[str(one) for one in paths]]
            return self._engine.execute(asked, given).fetchall() if paths else []
        except duckdb.BinderException:  # a column that this version did not write yet
            self.missing[table] = f"{paths[0]}: has another layout"
            return []

    def _read_layout(self, table: str, path: Path, record: type) -> tuple[str, ...]:
        """Return the record's columns that a table has; none where one without a default is missing."""
        optional = {f.name for f in fields(record) if f.default is not MISSING}
        try:
            stored = stored_columns(path).keys()
        except StillhouseError as exc:
            self.missing[table] = str(exc)
            return ()
        lacking = declared_columns(record).keys() - stored - optional
        if lacking:
            self.missing[table] = f"{path}: column `{min(lacking)}` is missing"
            return ()
        return tuple(name for name in declared_columns(record) if name in stored)

    def _open(self, path: str) -> Path | None:
        try:
            return self.version.open(path)
        except StillhouseError as exc:
            self.missing[path] = str(exc)
            return None
