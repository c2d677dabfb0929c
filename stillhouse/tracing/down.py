"""What was made of a thing, step by step, all that was rejected among it with the reasons."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from stillhouse.base.ids import Json
from stillhouse.base.records import Rejection
from stillhouse.tracing.columns import Derived, Requests, choose, flag
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.listed import Listed
from stillhouse.tracing.models import ModelVerdict
from stillhouse.tracing.picking import pick_records
from stillhouse.tracing.reach import ROW_TABLES, Reach
from stillhouse.tracing.reading import find_twin
from stillhouse.tracing.tables import CHUNKS, DATASET, DERIVED, PAIRS, REQUESTS, ChunkKey
from stillhouse.tracing.trail import UNKNOWN

T = TypeVar("T")

TRAIN: Final = DATASET[0]
_SHOWN: Final = 3  # models named in one line


@dataclass(frozen=True, slots=True)
class Step:
    """One thing on the way and what is told of it. ``id`` is a content id, a path or a name."""

    kind: str
    id: str
    facts: Mapping[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Return the step as one object."""
        return {"kind": self.kind, "id": self.id, **self.facts}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there are of one kind, in all and by task (of rows by table of the dataset)."""

    kind: str
    count: int
    by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Slot:
    """The one column that the index does not keep: it is as long as all others together."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class Downstream:
    """What came of a thing in the workspace, counted or listed."""

    index: Index
    root: Path
    reach: Reach
    listed: Sequence[Listed]
    models: Sequence[ModelVerdict]

    def list_steps(self) -> Iterator[Step]:
        """Yield the chunks, requests, pairs, rejections and rows that come of a thing.

        A last step says of how many rows and pairs the tables here cannot tell, if there are any.
        """
        own = self.reach.thing.id
        for chunk in self._pick(CHUNKS, ChunkKey):
            if chunk.chunk_id != own:
                place: dict[str, Json] = {"start": chunk.start, "end": chunk.end}
                yield Step("chunk", chunk.chunk_id, {"anchor": chunk.anchor, **place})
        for table, requests in self._list_calls():
            yield from self._list_asked("request", table, requests.request, requests.task)
        pairs = self.index.pairs(self.root / PAIRS)
        yield from self._list_asked("pair", PAIRS, pairs.row, pairs.task)
        yield from self._list_rejections()
        yield from self._list_rows()
        yield from self._list_untold()

    def list_others(self) -> Iterator[Step]:
        """Yield what ``count`` does not count."""
        yield from self._list_rejections()
        yield from self._list_untold()

    def count(self) -> Iterator[Tally]:
        """Yield how many chunks, requests, pairs and rows there are, as far as there are any."""
        own = self.index.find_id(self.reach.thing.id)
        chunks = self.index.chunks(self.root / CHUNKS).chunk[self.reach.places[CHUNKS]]
        pairs, calls = self.index.pairs(self.root / PAIRS), list(self._list_calls())
        asked = [(one.request, one.task, self.reach.places[table]) for table, one in calls]
        mine = self.reach.places[PAIRS]
        none = np.zeros(len(chunks), np.int32)
        told: list[tuple[str, Numbers, Numbers]] = [
            ("chunk", chunks, none),
            (
                "request",
                np.concatenate([numbers[places] for numbers, _, places in asked]),
                np.concatenate([tasks[places] for _, tasks, places in asked]),
            ),
            ("pair", pairs.row[mine], pairs.task[mine]),
        ]
        for kind, numbers, tasks in told:
            others = numbers != own
            by = {} if kind == "chunk" else self._count_words(tasks[others])
            if others.any():
                yield Tally(kind, int(others.sum()), by)
        rows = self._count_rows()
        if rows.count:
            yield rows

    def _list_calls(self) -> Iterator[tuple[Path, Requests | Derived]]:
        """Yield the tables of teacher calls; the second one where it is there."""
        yield REQUESTS, self.index.requests(self.root / REQUESTS)
        if (self.root / DERIVED).is_file():
            yield DERIVED, self.index.derived(self.root / DERIVED)

    def _count_rows(self) -> Tally:
        """Return how many rows there are, by the table of the dataset that holds them."""
        part = np.full(self.index.size, -1, np.int8)
        rows = self._find_rows()
        for place, table in enumerate(DATASET):
            part[self._rows_of(table)] = place
        counts = Counter(part[rows].tolist())
        names = {-1: "", **{place: table.stem for place, table in enumerate(DATASET)}}
        return Tally("row", len(rows), {names[place]: n for place, n in counts.items()})

    def _list_untold(self) -> Iterator[Step]:
        """Yield of how many rows and pairs the tables here cannot tell, if there are any."""
        if untold := int((self.reach.touched == UNKNOWN).sum()):
            yield Step("untold", "rows and pairs", {"count": untold})

    def _list_rejections(self) -> Iterator[Step]:
        """Yield what was rejected, with the reason and who saw it."""
        if not self.reach.rejections:
            return
        known = self.index.ids.find_all([item.rejected_id for item in self.reach.rejections])
        numbers = np.array(sorted(known.values()), np.int32)
        holders = self._find_holders(numbers)
        self._add_askers(numbers, holders)
        for item in self.reach.rejections:
            models = holders.get(known.get(item.rejected_id, -1), [])
            if item.rejected_id == self.reach.thing.id:  # then a fix of it counts as well
                affected = [model.model for model in self.models if model.verdict == "affected"]
                models = list(dict.fromkeys([*models, *affected]))
            facts: dict[str, Json] = {
                "of": item.kind,
                "stage": item.stage,
                "reason": item.reason,
                "detail": item.detail,
                "slot_id": item.slot_id,
                "seen": self._say_who_saw(item, models),
                "models": models,
            }
            yield Step("rejection", item.rejected_id, facts)

    def _list_rows(self) -> Iterator[Step]:
        rows = self._find_rows()
        waiting = flag(self.index.size, rows)
        parts = {
            number: table.stem for table in DATASET for number in self._rows_of(table).tolist()
        }
        steps: dict[str, Step] = {}
        holders = self._find_holders(rows)
        texts = self.index.words.texts
        for table in reversed(ROW_TABLES):  # a row as the last table has it
            columns = self.index.rows(self.root / table)
            places = self.reach.places[table]
            fresh = places[waiting[columns.row[places]]]
            numbers = columns.row[fresh]
            slots = pick_records(self.root / table, _Slot, fresh)
            told = zip(numbers.tolist(), columns.task[fresh].tolist(), slots, strict=True)
            for number, task, slot in told:
                facts: dict[str, Json] = {
                    "task": texts[task],
                    "part": parts.get(number, ""),
                    "slot_id": slot.slot_id,
                    "models": holders.get(number, []),
                }
                row_id = self.index.ids.name(number)
                steps[row_id] = Step("row", row_id, facts)
            waiting[numbers] = False
        yield from (steps[row_id] for row_id in sorted(steps))

    def _list_asked(
        self, kind: str, table: Path, numbers: Numbers, tasks: Numbers
    ) -> Iterator[Step]:
        """Yield the thing's requests or pairs in the order of their table."""
        places = self.reach.places[table]
        texts, slots = self.index.words.texts, pick_records(self.root / table, _Slot, places)
        own = self.index.find_id(self.reach.thing.id)
        told = zip(numbers[places].tolist(), tasks[places].tolist(), slots, strict=True)
        for number, task, slot in told:
            if number != own:
                facts: dict[str, Json] = {"task": texts[task], "slot_id": slot.slot_id}
                yield Step(kind, self.index.ids.name(number), facts)

    def _pick(self, table: Path, record: type[T]) -> Iterator[T]:
        return pick_records(self.root / table, record, self.reach.places[table])

    def _rows_of(self, table: Path) -> Numbers:
        return self.index.rows(self.root / table).row[self.reach.places[table]]

    def _find_rows(self) -> Numbers:
        """Return the rows that come of the thing, which may be one itself, each once."""
        found = flag(self.index.size, np.concatenate([self._rows_of(t) for t in ROW_TABLES]))
        found &= ~flag(self.index.size, [self.index.find_id(self.reach.thing.id)])
        return np.flatnonzero(found).astype(np.int32)

    def _count_words(self, numbers: Numbers) -> Mapping[str, int]:
        kinds, counts = np.unique(numbers, return_counts=True)
        texts = self.index.words.texts
        return {texts[k]: n for k, n in zip(kinds.tolist(), counts.tolist(), strict=True)}

    def _find_holders(self, numbers: Numbers) -> dict[int, list[str]]:
        """Return by row the models that list it."""
        holders: dict[int, list[str]] = {}
        chosen = flag(self.index.size, numbers)
        for model in self.listed if len(numbers) else ():
            for number in model.rows[chosen[model.rows]].tolist():
                holders.setdefault(number, []).append(model.model)
        return holders

    def _add_askers(self, requests: Numbers, holders: dict[int, list[str]]) -> None:
        """Add the models that learned an answer to a request, which may be rejected by now."""
        asked, here = flag(self.index.size, requests), {TRAIN: self.root / TRAIN}
        for model in self.listed:
            learned = flag(self.index.size, model.rows)
            for path in dict.fromkeys([*here.values(), model.tables.get(TRAIN, here[TRAIN])]):
                rows = self.index.rows(path)
                of_them = choose(asked, rows.request)[rows.group] & choose(learned, rows.row)
                for number in np.unique(rows.request[rows.group[of_them]]).tolist():
                    if model.model not in holders.setdefault(number, []):
                        holders[number].append(model.model)

    def _say_who_saw(self, rejection: Rejection, models: Sequence[str]) -> str:
        """Say who saw what was dropped; a student of an earlier dataset may well have learned it."""
        if twin := find_twin(rejection):
            return f"as {twin}, which ingest read in its place"
        if rejection.stage == "ingest":
            return "by nobody: ingest did not read it"
        if models:
            return f"by the teacher and in {_name_some(models)}"
        if unread := [model.model for model in self.models if model.verdict == "unknown"]:
            return f"by the teacher; unknown: {_name_some(unread)}"
        return "by the teacher, in no model"


def _name_some(models: Sequence[str]) -> str:
    more = f" and {len(models) - _SHOWN} more" if len(models) > _SHOWN else ""
    return ", ".join(models[:_SHOWN]) + more
