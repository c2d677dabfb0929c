"""What came of a thing: its chunks, requests, pairs, rejections and rows, by the tables' ids."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.ids import sha256_file
from stillhouse.base.records import Rejection, split_slot
from stillhouse.base.tables import read_table
from tests.plain_trace.find import PROMPTS, Thing
from tests.plain_trace.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    PAIRS,
    REQUESTS,
    REVIEWED,
    ChunkKey,
    Decision,
    PairKey,
    RequestKey,
    RowKey,
    find_fixes,
    find_twins,
    read_decisions,
    read_rejections,
)

# Kinds whose rows are told by the passages that they were asked of.
BY_PASSAGE: Final = ("document", "skipped file", "file", "chunk")


@dataclass(frozen=True, slots=True)
class Reach:
    """All that comes of a thing.

    ``parts`` holds the rows of each table of the dataset by the table's path. ``touched`` says of
    *every* row and pair in the workspace, by id, whether it comes of the thing, and ``validation`` of
    those in that table; None where the tables cannot tell, which is never taken for no.
    """

    thing: Thing
    chunks: tuple[ChunkKey, ...]
    requests: tuple[RequestKey, ...]
    pairs: tuple[PairKey, ...]
    rejections: tuple[Rejection, ...]
    decisions: tuple[Decision, ...]
    rows: tuple[RowKey, ...]
    parts: Mapping[Path, tuple[RowKey, ...]]
    touched: Mapping[str, bool | None]
    validation: Mapping[str, bool | None]


@dataclass(frozen=True, slots=True)
class Passages:
    """A thing's own passages in one version, and all of which is known whether they are its own."""

    own: frozenset[str]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trail:
    """The ids by which a row is known to come of the thing, or known not to.

    ``chunks`` are the thing's; ``passages`` all of which is known whether they are. A row of any other
    passage may come of the thing: where only ingest ran since a file was renamed, all rows and
    requests are still of passages that no table has any more. ``doubtful`` is request -> prompt file
    where that may have become the thing: renamed *and* edited.
    """

    thing: Thing
    rows: frozenset[str]
    chunks: frozenset[str]
    passages: frozenset[str]
    requests: frozenset[str]
    known_requests: frozenset[str]
    prompt_sha256s: frozenset[str]
    doubtful: Mapping[str, str]

    def touches(self, item: PairKey | RowKey) -> bool | None:
        """Say whether a row or pair comes of the thing; None where that cannot be told."""
        if self.thing.kind in ("row", "pair"):
            own = item.row_id if isinstance(item, RowKey) else item.pair_id
            return own in self.rows
        if item.request_id in self.requests:
            return True
        if item.request_id in self.known_requests or self.thing.kind == "request":
            return False
        return self._touches_by_place(item)

    def _touches_by_place(self, item: PairKey | RowKey) -> bool | None:
        """Judge a row whose request is in no table any more, by what it says of itself.

        A slot names the source of one passage; that of another one it does not name.
        """
        if self.chunks & set(item.chunk_ids):
            return True
        if self.thing.kind == "prompt":
            sha256 = item.prompt_sha256 if isinstance(item, RowKey) else ""
            return True if sha256 in self.prompt_sha256s else None
        if self.thing.kind != "chunk":
            if isinstance(item, RowKey) and self.thing.id in item.document_ids:
                return True
            if item.chunk_ids and self.thing.covers(split_slot(item.slot_id)[0]):
                return True
        return False if self.passages.issuperset(item.chunk_ids) else None


def follow(root: Path, thing: Thing, known: Passages | None = None) -> Reach:
    """Return what came of a thing, as the tables of the project at ``root`` tell it.

    ``known`` holds the passages here of a thing that is of another version.

    Raises:
        InputError: a table is missing or unreadable.
    """
    chunks, passages = [], set()
    for chunk in read_table(root / CHUNKS, ChunkKey):
        passages.add(chunk.chunk_id)
        if chunk.chunk_id in known.own if known else _is_of(chunk, thing):
            chunks.append(chunk)
    decisions = read_decisions(root)
    own = frozenset(chunk.chunk_id for chunk in chunks)
    if thing.kind == "chunk" and not known:
        own = find_twins(root / CHUNKS, thing.id)
    known = known or Passages(own, frozenset(passages))
    prompts, asked = hash_prompts(root, thing), read_table(root / REQUESTS, RequestKey)
    own_rows = name_rows(thing, [root / table for table in (REVIEWED, *DATASET)])
    trail, requests = lay_trail(thing, known, prompts, asked, own_rows)
    touched: dict[str, bool | None] = {}
    pairs = []
    for pair in read_table(root / PAIRS, PairKey):
        touched[pair.pair_id] = trail.touches(pair)
        if touched[pair.pair_id]:
            pairs.append(pair)
    rows: dict[str, RowKey] = {}
    parts: dict[Path, tuple[RowKey, ...]] = {}
    validation = []
    for table in (CURATED, REVIEWED, *DATASET):
        found = []
        for row in read_table(root / table, RowKey):
            touches = trail.touches(row)
            # A pair says less of itself than a row: what one of them tells, they tell.
            touched[row.row_id] = join_told(touches, touched.get(row.row_id))
            if touches:
                found.append(row)
            if table == DATASET[1]:
                validation.append(row.row_id)
        rows |= {row.row_id: row for row in found}
        if table in DATASET:
            parts[table] = tuple(found)
    ids = {pair.pair_id for pair in pairs} | rows.keys()
    return Reach(
        thing=thing,
        chunks=tuple(chunks),
        requests=tuple(requests),
        pairs=tuple(pairs),
        rejections=tuple(_find_rejections(root, thing, trail, ids)),
        decisions=tuple(item for item in decisions if {item.row_id, item.new_id} & ids),
        rows=tuple(rows[row_id] for row_id in sorted(rows)),
        parts=parts,
        touched=touched,
        validation={row_id: touched[row_id] for row_id in validation},
    )


def join_told(*told: bool | None) -> bool | None:
    """Return what two tables tell of one row: yes if either does, None where neither tells."""
    return True if True in told else False if False in told else None


def _is_of(chunk: ChunkKey, thing: Thing) -> bool:
    if thing.kind == "document":
        return chunk.document_id == thing.id
    if thing.kind.endswith("file"):
        return thing.covers(chunk.source)
    return thing.kind == "chunk" and chunk.chunk_id == thing.id


def lay_trail(
    thing: Thing,
    passages: Passages,
    prompts: Mapping[str, str],
    requests: Iterable[RequestKey],
    rows: frozenset[str],
) -> tuple[Trail, list[RequestKey]]:
    """Return the trail of a thing and its requests.

    Args:
        thing: what is followed.
        passages: of the same version as the requests.
        prompts: path -> sha256 of the prompt files of the thing's version; needed only for a prompt.
        requests: all requests of one version; whatever a row names beside them is judged by place,
            and so are those of passages that are not known.
        rows: of a row or pair itself and what reviewers made of it.
    """
    known, own, doubtful = set(), [], {}
    for request in requests:
        same = thing.id in (request.request_id, request.prompt_path)
        if same or passages.own & set(request.chunk_ids) or _asks_with(request, thing, prompts):
            own.append(request)
        elif thing.kind == "prompt" and _is_gone(request, prompts):
            doubtful[request.request_id] = request.prompt_path
            continue
        if thing.kind not in BY_PASSAGE or passages.known.issuperset(request.chunk_ids):
            known.add(request.request_id)
    if own:  # the prompt was there, so one that is gone was another
        known, doubtful = known | doubtful.keys(), {}
    itself = {thing.id} if thing.kind == "request" else set()
    trail = Trail(
        thing=thing,
        rows=rows,
        chunks=passages.own,
        passages=passages.known,
        requests=frozenset({request.request_id for request in own} | itself),
        known_requests=frozenset(known),
        prompt_sha256s=frozenset(request.prompt_sha256 for request in own),
        doubtful=doubtful,
    )
    return trail, own


def name_rows(thing: Thing, tables: Iterable[Path]) -> frozenset[str]:
    """Return the id of a row or pair, and those that reviewers' fixes gave it in the tables."""
    if thing.kind not in ("row", "pair"):
        return frozenset()
    return frozenset({thing.id}.union(*(find_fixes(table, thing.id) for table in tables)))


def hash_prompts(root: Path, thing: Thing) -> dict[str, str]:
    """Return path -> sha256 of the prompt files that there are now, or were where a gone thing stands."""
    if thing.home:
        asked = thing.home.get(REQUESTS)
        requests = read_table(asked, RequestKey) if asked else ()
        return {request.prompt_path: request.prompt_sha256 for request in requests}
    return {
        (PROMPTS / path.name).as_posix(): sha256_file(path)
        for path in (root / PROMPTS).glob("*.md")
    }


def _asks_with(request: RequestKey, thing: Thing, prompts: Mapping[str, str]) -> bool:
    """Whether a request was made with a prompt's bytes while these had another name."""
    sha256 = request.prompt_sha256
    return (
        thing.kind == "prompt"
        and prompts.get(thing.id) == sha256
        and prompts.get(request.prompt_path) != sha256
    )


def _is_gone(request: RequestKey, prompts: Mapping[str, str]) -> bool:
    """Whether a request's prompt has neither its name nor its bytes any more, as one renamed and edited."""
    return request.prompt_path not in prompts and request.prompt_sha256 not in prompts.values()


def _find_rejections(root: Path, thing: Thing, trail: Trail, ids: set[str]) -> Iterator[Rejection]:
    """Yield the thing's rejections: of a file its own, else those of its requests, pairs and rows."""
    for rejection in read_rejections(root):
        if rejection.stage == "ingest":
            own = thing.kind.endswith("file") and thing.covers(rejection.rejected_id)
        else:
            own = rejection.rejected_id in ids or rejection.rejected_id in trail.requests
        if own:
            yield rejection
