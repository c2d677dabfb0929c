"""What one version knows about the rows of its dataset: the tables behind it, as far as they are found."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import read_text
from stillhouse.base.lock import Lock
from stillhouse.base.packing import builder
from stillhouse.base.records import Pair, Rejection, Request
from stillhouse.base.tables import declared_columns, read_table, stored_columns
from stillhouse.diffing.tables import TABLES
from stillhouse.history.version import Version
from stillhouse.planning.traits import Traits, look_at

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608 - into the text of a query go only column names, quoted, and the constants below

T = TypeVar("T")

_REVIEW: Final = "reports/review.json"
_PARTS: Final = ("train", "validation", "test")


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
class _RequestKey:
    request_id: str
    task: str
    prompt_path: str
    prompt_sha256: str


@dataclass(frozen=True, slots=True)
class _ChunkKey:
    chunk_id: str
    source: str


@dataclass(frozen=True, slots=True)
class _DocumentKey:
    document_id: str
    source: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class _Id:
    row_id: str


@dataclass(frozen=True, slots=True)
class _PairId:
    pair_id: str


@dataclass(frozen=True, slots=True)
class _Score:
    pair_id: str
    criterion: str
    score: float


class Upstream:
    """The tables of a version by what they are asked for; each is read once, when it is needed.

    A table that is found nowhere, or has another layout, tells nothing: ``missing`` names it.
    """

    def __init__(self, version: Version, engine: "duckdb.DuckDBPyConnection") -> None:
        self.version = version
        self.missing: dict[str, str] = {}
        self._engine = engine
        self._paths: dict[str, Path | None] = {}
        self._requests: dict[str, Request] = {}
        self._traits: dict[str, Traits] = {}
        self._places: dict[str, str] = {}

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
            self._paths[table] = self._open(TABLES[table].path)
        return self._paths[table]

    @cached_property
    def pairs(self) -> Mapping[str, PairKey]:
        """Every pair by its id."""
        return {pair.pair_id: pair for pair in self._read("pairs", PairKey)}

    @cached_property
    def by_slot(self) -> Mapping[str, str]:
        """Slot -> pair id."""
        return {pair.slot_id: pair.pair_id for pair in self.pairs.values()}

    @cached_property
    def by_fact(self) -> Mapping[str, tuple[str, ...]]:
        """Fact -> ids of the pairs that ask for it."""
        found: dict[str, list[str]] = defaultdict(list)
        for pair in self.pairs.values():
            if pair.fact_id:
                found[pair.fact_id].append(pair.pair_id)
        return {fact: tuple(ids) for fact, ids in found.items()}

    @cached_property
    def rejected(self) -> Mapping[str, Rejection]:
        """Pair id -> why curate dropped it."""
        return {one.rejected_id: one for one in self._read("rejections", Rejection)}

    @cached_property
    def unusable(self) -> Mapping[str, Rejection]:
        """Request id -> what of its answer was no pair."""
        return {one.rejected_id: one for one in self._read("unusable", Rejection)}

    def place(self, row_id: str) -> str:
        """Return the part of the dataset that a row is in; empty where it is in none."""
        if row_id not in self._places:
            self.load_places([row_id])
        return self._places[row_id]

    def load_places(self, row_ids: Collection[str]) -> None:
        """Look up in which part of the dataset rows are, so that ``place`` knows it."""
        wanted = set(row_ids) - self._places.keys()
        self._places |= dict.fromkeys(wanted, "")
        for part in _PARTS:
            self._places |= {row.row_id: part for row in self.select(part, _Id, "row_id", wanted)}

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
    def decisions(self) -> tuple[Mapping[str, str], ...]:
        """What people decided about rows: row_id, new_id, slot_id, verdict, reviewer, reason."""
        return self._review[0]

    @property
    def lapsed(self) -> frozenset[str]:
        """Ids of the rows that verdicts name and that are no rows any more."""
        return self._review[1]

    @cached_property
    def fixes(self) -> Mapping[str, Mapping[str, str]]:
        """Id of a row that a reviewer mended -> the decision."""
        return {one["new_id"]: one for one in self.decisions if one.get("new_id")}

    @cached_property
    def fixed(self) -> Mapping[str, str]:
        """Pair id -> id of the row that a reviewer made of it."""
        return {one["row_id"]: new for new, one in self.fixes.items()}

    @cached_property
    def turned_down(self) -> Mapping[str, Mapping[str, str]]:
        """Row id -> the decision that rejected it."""
        return {one["row_id"]: one for one in self.decisions if one.get("verdict") == "reject"}

    @cached_property
    def chunks(self) -> Mapping[str, str]:
        """Chunk id -> source."""
        return {chunk.chunk_id: chunk.source for chunk in self._read("chunks", _ChunkKey)}

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """Source -> sha256 of the file as it was read."""
        return {one.source: one.source_sha256 for one in self._read("documents", _DocumentKey)}

    @cached_property
    def requests(self) -> Mapping[str, _RequestKey]:
        """Every request by its id, without what it says."""
        return {one.request_id: one for one in self._read("requests", _RequestKey)}

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """Sha256 of a prompt file -> its path."""
        return {one.prompt_sha256: one.prompt_path for one in self.requests.values()}

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The tasks that were asked for."""
        return frozenset(one.task for one in self.requests.values())

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, float]]:
        """Pair id -> criterion -> score, the lowest of several judges."""
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for one in self._read("judgements", _Score):
            known = found[one.pair_id].get(one.criterion, one.score)
            found[one.pair_id][one.criterion] = min(one.score, known)
        return found

    def origin(self, row_id: str) -> str:
        """Return the pair's id of a row: its own, or that of what a reviewer mended."""
        return self.fixes[row_id]["row_id"] if row_id in self.fixes else row_id

    def load_requests(self, request_ids: Collection[str]) -> None:
        """Read requests, so that ``traits_of`` and ``request`` know them."""
        wanted = [one for one in set(request_ids) if one not in self._requests]
        for request in self.select("requests", Request, "request_id", wanted):
            self._requests[request.request_id] = request

    def request(self, request_id: str) -> Request | None:
        """Return a request that was loaded."""
        return self._requests.get(request_id)

    def traits_of(self, request_id: str) -> Traits | None:
        """Return what a loaded request is made of."""
        if request_id not in self._traits and request_id in self._requests:
            self._traits[request_id] = look_at(self._requests[request_id])
        return self._traits.get(request_id)

    def answer_of(self, request_id: str) -> str | None:
        """Return the text of the teacher's answer; None where it is not found."""
        found = self.select("responses", _Answer, "request_id", [request_id])
        return found[0].text if found else None

    def find_hashes(self, table: str, name: str, values: Collection[str]) -> frozenset[str]:
        """Return which of some values a hash has in the rows of a table."""
        path = self.find(table)
        if path is None or not values:
            return frozenset()
        asked = f'select distinct "{name}_sha256" from read_parquet(?) where "{name}_sha256" in (select unnest(?))'
        found = self._engine.execute(asked, [str(path), sorted(values)]).fetchall()
        return frozenset(str(value) for (value,) in found)

    def find_pairs(self, pair_ids: Collection[str]) -> frozenset[str]:
        """Return which of some pairs this version has."""
        found = self.select("pairs", _PairId, "pair_id", set(pair_ids))
        return frozenset(one.pair_id for one in found)

    def load_pairs(self, pair_ids: Collection[str]) -> list[Pair]:
        """Return pairs with their words."""
        return self.select("pairs", Pair, "pair_id", list(pair_ids))

    def select(self, table: str, record: type[T], column: str, values: Collection[str]) -> list[T]:
        """Return the records whose column has one of the values, sorted by it."""
        import pyarrow as pa

        path = self.find(table)
        if path is None or not values or not self._has_layout(table, path, record):
            return []
        names = ", ".join(f't."{field.name}"' for field in fields(record))  # type: ignore[arg-type]
        wanted = pa.table({"value": sorted(values)})
        self._engine.register("wanted_values", wanted)
        try:
            found = self._engine.sql(
                f"select {names} from read_parquet($path) t semi join wanted_values w "
                f'on t."{column}" = w.value order by t."{column}"',
                params={"path": str(path)},
            ).to_arrow_table()
        finally:
            self._engine.unregister("wanted_values")
        build = builder(record)
        return [build(values) for batch in found.to_batches() for values in batch.to_pylist()]

    def _read(self, table: str, record: type[T]) -> Iterable[T]:
        path = self.find(table)
        return read_table(path, record) if path and self._has_layout(table, path, record) else ()

    def _has_layout(self, table: str, path: Path, record: type) -> bool:
        try:
            lacking = declared_columns(record).keys() - stored_columns(path).keys()
        except StillhouseError as exc:
            self.missing[table] = str(exc)
            return False
        if lacking:
            self.missing[table] = f"of another layout: column `{min(lacking)}` is missing"
        return not lacking

    def _open(self, path: str) -> Path | None:
        try:
            return self.version.open(path)
        except StillhouseError as exc:
            self.missing[path] = str(exc)
            return None


@dataclass(frozen=True, slots=True)
class _Answer:
    request_id: str
    text: str


def read_params(lock: Lock, stage: str) -> Mapping[str, Any]:
    """Return the parameters of a stage by their names."""
    found = lock.stages.get(stage)
    return (
        {} if found is None else {k: v for file in found.params.values() for k, v in file.items()}
    )
