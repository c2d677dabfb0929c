"""The ids of all tables as data frames: who points where, what stands twice, what was lost."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import pandas as pd

from stillhouse.base.records import Rejection
from stillhouse.execution.tasks import EXECUTES
from stillhouse.quality.frames import make_frame
from stillhouse.quality.tables import Tables

Link = tuple[str, str]  # the id of what points, the id that it points to

_HASHES: Final = (
    "row_id", "request_id", "prompt_sha256", "document_sha256", "teacher_sha256",
    "parameters_sha256", "judge_sha256", "filter_sha256", "code_sha256",
)  # fmt: skip


def build_links(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return a frame for each kind of reference: who points where, and whether that exists."""
    documents = {document.document_id for document in tables.documents}
    chunks = {chunk.chunk_id for chunk in tables.chunks}
    requests = {request.request_id for request in tables.requests}
    judging = {request.request_id for request in tables.judging_requests}
    pairs = {pair.pair_id for pair in tables.pairs}
    slots = {pair.slot_id for pair in tables.pairs}
    reviewed = {row.row_id for row in tables.reviewed}
    dataset = [row for rows in tables.parts().values() for row in rows]
    rejected = [*tables.unused, *tables.dropped]
    return {
        "chunk_document": _links(((c.chunk_id, c.document_id) for c in tables.chunks), documents),
        "request_chunk": _links(_each(tables.requests, "request_id", "chunk_ids"), chunks),
        "response_request": _links(
            ((r.request_id, r.request_id) for r in tables.responses), requests
        ),
        "pair_request": _links(((p.pair_id, p.request_id) for p in tables.pairs), requests),
        "pair_chunk": _links(_each(tables.pairs, "pair_id", "chunk_ids"), chunks),
        "judgement_pair": _links(((j.pair_id, j.pair_id) for j in tables.judgements), pairs),
        "judgement_request": _links(
            ((j.pair_id, j.request_id) for j in tables.judgements if j.request_id), judging
        ),
        "judging_request": _links(
            ((r.request_id, r.request_id) for r in tables.judging_responses), judging
        ),
        "judging_pair": _links(_name_rejected(tables.judging_rejections), pairs),
        "rejection_pair": _links(_name_rejected(tables.dropped), pairs),
        # What never became a pair is known by the request that it came from.
        "rejection_request": _links(_name_rejected(tables.unused), requests),
        "rejection_chunk": _links(_each(rejected, "rejected_id", "chunk_ids"), chunks),
        "request_parent": _links(
            ((r.request_id, r.parent_id) for r in tables.requests if r.parent_id), pairs
        ),
        "row_request": _links(((r.row_id, r.request_id) for r in dataset), requests),
        "row_chunk": _links(_each(dataset, "row_id", "chunk_ids"), chunks),
        "row_document": _links(_each(dataset, "row_id", "document_ids"), documents),
        "row_pair": _links(((r.row_id, r.slot_id) for r in dataset), slots),
        "row_reviewed": _links(((r.row_id, r.row_id) for r in dataset), reviewed),
    }


def build_keys(tables: Tables) -> pd.DataFrame:
    """Return the key of every record of every table that must be there once."""
    keys = [
        *(("documents", document.document_id) for document in tables.documents),
        *(("chunks", chunk.chunk_id) for chunk in tables.chunks),
        *(("requests", request.request_id) for request in tables.requests),
        *(("responses", response.request_id) for response in tables.responses),
        *(("pairs", pair.pair_id) for pair in tables.pairs),
        *(("pair slots", pair.slot_id) for pair in tables.pairs),
        *(("judgements", f"{j.pair_id}/{j.judge}/{j.criterion}") for j in tables.judgements),
        *(("judging requests", request.request_id) for request in tables.judging_requests),
        *(("judging responses", response.request_id) for response in tables.judging_responses),
        *(("rows", row.row_id) for rows in tables.parts().values() for row in rows),
        *(("row slots", row.slot_id) for rows in tables.parts().values() for row in rows),
    ]
    return make_frame([{"id": f"{table}: {key}"} for table, key in keys], ["id"]).assign(
        key=lambda frame: frame["id"]
    )


def build_hashes(tables: Tables) -> pd.DataFrame:
    """Return every hash of every row of the dataset."""
    lines = [
        {"id": row.row_id, "value": getattr(row, name)}
        for rows in tables.parts().values()
        for row in rows
        for name in _HASHES
    ]
    return make_frame(lines, ["id", "value"])


def build_accounts(tables: Tables) -> pd.DataFrame:
    """Return each pair with the number of places where it ended: as a row or as a rejection."""
    ended = Counter((row.slot_id, row.row_id) for row in tables.curated)
    ended.update((drop.slot_id, drop.rejected_id) for drop in tables.dropped)
    lines = [{"id": p.pair_id, "ended": ended[p.slot_id, p.pair_id]} for p in tables.pairs]
    return make_frame(lines, ["id", "ended"])


def build_executed(tables: Tables) -> pd.DataFrame:
    """Return each row of the dataset that was executed, and whether all that was executed of it ran."""
    scores: dict[str, float] = {}
    for judgement in tables.judgements:
        if judgement.criterion == EXECUTES:
            before = scores.get(judgement.pair_id, judgement.score)
            scores[judgement.pair_id] = min(before, judgement.score)
    lines = [
        {"id": row.row_id, "ran": scores[row.row_id] >= 1}
        for row in tables.dataset()
        if row.row_id in scores
    ]
    return make_frame(lines, ["id", "ran"])


def build_schema(
    declared: Mapping[str, Mapping[str, str]], stored: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Return each column of each file: its type as declared and as stored, ``none`` if missing."""
    lines = [
        {"id": f"{path}: {column}", "as_declared": columns.get(column) == stored[path].get(column)}
        for path, columns in declared.items()
        for column in sorted({*columns, *stored[path]})
    ]
    return make_frame(lines, ["id", "as_declared"])


def _links(links: Iterable[Link], known: Collection[str]) -> pd.DataFrame:
    lines = [{"id": origin, "target": target, "found": target in known} for origin, target in links]
    return make_frame(lines, ["id", "target", "found"])


def _each(records: Iterable[object], key: str, targets: str) -> Iterable[Link]:
    for record in records:
        for target in getattr(record, targets):
            yield getattr(record, key), target


def _name_rejected(rejections: Iterable[Rejection]) -> Iterable[Link]:
    return ((item.rejected_id, item.rejected_id) for item in rejections)
