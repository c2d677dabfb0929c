"""What a thing was made from: document, passage, prompt, request, answer, and what decided on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stillhouse.base.ids import Json, sha256_file
from stillhouse.base.records import Chunk, Judgement, Message, Pair, Request, Response, Row
from stillhouse.base.tables import read_table
from stillhouse.tracing.asked import read_asked
from stillhouse.tracing.down import Step
from stillhouse.tracing.find import ENTRY
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.picking import find_record, find_records
from stillhouse.tracing.reach import Reach, hash_prompts
from stillhouse.tracing.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    DERIVED,
    DOCUMENTS,
    JUDGEMENTS,
    PAIRS,
    REQUESTS,
    RESPONSES,
    REVIEWED,
    SEED,
    DocumentKey,
)

# What curate may reject a pair for besides a low score, in its order (quality/curate.py).
FILTERS: Final = ("contamination", "duplicate", "conflict", "near_duplicate")

_GONE: Final[dict[str, Json]] = {"missing": True}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where records stand: in the tables of a version that is gone, as far as these are found, or here."""

    root: Path
    home: Mapping[Path, Path]

    def table(self, path: Path) -> Path:
        return self.home.get(path, self.root / path)


def step_up(index: Index, root: Path, reach: Reach) -> Iterator[Step]:
    """Yield what a thing was made from, sources first, and what was decided about it.

    A step whose record is in no table any more carries ``missing: true``.
    """
    own, at = reach.thing.id, _Place(root, reach.thing.home)
    match reach.thing.kind:
        case "document":
            yield from _show_documents(at, (own,))
        case "skipped file":
            path = SEED / own
            yield Step("file", path.as_posix(), {"state": compare_file(root / path, "")})
        case "file":
            documents = read_table(at.table(DOCUMENTS), DocumentKey)
            count = sum(reach.thing.covers(document.source) for document in documents)
            state = compare_file(root / SEED / own, "")
            yield Step("file", (SEED / own).as_posix(), {"state": state, "documents": count})
        case "chunk":
            yield from _show_passages(at, (own,))
        case "prompt":
            used = _find_used(index, root, reach)
            sha256s = set(index.ids.names(used))
            if reach.thing.home:
                sha256s |= {hash_prompts(index, root, reach.thing)[own]}
            yield _show_prompt(at, own, min(sha256s) if len(sha256s) == 1 else "")
        case "request":
            yield from _show_request(at, own)
        case "pair":
            yield from _show_pair(at, own)
        case "row":
            yield from _show_row(at, reach)


def _find_used(index: Index, root: Path, reach: Reach) -> Numbers:
    """Return the hashes that a prompt file had in its own requests, and not in those derived from them."""
    asked = read_asked(index, {table: root / table for table in (REQUESTS, DERIVED, PAIRS)})
    assert asked is not None
    places = np.concatenate([reach.places[REQUESTS], reach.places[DERIVED] + asked.plain])
    named = asked.requests.path[places] == index.words.find(reach.thing.id)
    used: Numbers = np.unique(asked.requests.prompt[places[named] if named.any() else places])
    return used


def _show_documents(at: _Place, document_ids: Sequence[str]) -> Iterator[Step]:
    for document in read_table(at.table(DOCUMENTS), DocumentKey):
        if document.document_id in document_ids:
            told: dict[str, Json] = {
                **_plain(document),
                "state": compare_source(at.root, document),
            }
            del told["document_id"]
            yield Step("document", document.document_id, told)


def _show_passages(at: _Place, chunk_ids: Sequence[str]) -> Iterator[Step]:
    """Yield the documents of passages, then the passages in the order in which they were shown."""
    looked = ((chunk_id, find_record(at.table(CHUNKS), Chunk, chunk_id)) for chunk_id in chunk_ids)
    found = {chunk_id: chunk for chunk_id, chunk in looked if chunk}
    yield from _show_documents(at, [chunk.document_id for chunk in found.values()])
    for chunk_id in chunk_ids:
        facts = _plain(found[chunk_id]) if chunk_id in found else _GONE
        yield Step("chunk", chunk_id, {k: v for k, v in facts.items() if k != "chunk_id"})


def _show_prompt(at: _Place, path: str, sha256: str) -> Step:
    return Step("prompt", path, {"sha256": sha256, "state": compare_file(at.root / path, sha256)})


def _show_request(at: _Place, request_id: str) -> Iterator[Step]:
    """Yield what a request was made from, the request, and its answer."""
    tables = (path for table in (REQUESTS, DERIVED) if (path := at.table(table)).is_file())
    found = (find_record(path, Request, request_id) for path in tables)
    request = next((one for one in found if one), None)
    if request is None:
        yield Step("request", request_id, _GONE)
        return
    yield from _show_passages(at, request.chunk_ids)
    yield _show_prompt(at, request.prompt_path, request.prompt_sha256)
    if request.parent_id:
        yield _show_parent(at, request.parent_id)
    facts = _plain(request)
    for told in ("request_id", "prompt_path", "prompt_sha256", "output_schema"):
        del facts[told]
    yield Step("request", request_id, facts)
    response = find_record(at.table(RESPONSES), Response, request_id)
    answer = _GONE if response is None else _plain(response)
    yield Step("answer", request_id, {k: v for k, v in answer.items() if k != "request_id"})


def _show_parent(at: _Place, pair_id: str) -> Step:
    """Return the pair that a request develops further."""
    parent = find_record(at.table(PAIRS), Pair, pair_id)
    if parent is None:
        return Step("parent", pair_id, _GONE)
    said = _say(parent.messages, parent.response, parent.reasoning, parent.context)
    return Step("parent", pair_id, {"slot_id": parent.slot_id, "task": parent.task, **said})


def _show_pair(at: _Place, pair_id: str, request_id: str = "") -> Iterator[Step]:
    """Yield what a pair was made from, the pair, and how it was judged."""
    pair = find_record(at.table(PAIRS), Pair, pair_id)
    if pair or request_id:
        yield from _show_request(at, pair.request_id if pair else request_id)
    if pair is None:
        yield Step("pair", pair_id, _GONE)
        return
    yield Step("pair", pair_id, _say(pair.messages, pair.response, pair.reasoning, pair.context))
    for judgement in find_records(at.table(JUDGEMENTS), Judgement, pair_id):
        score: dict[str, Json] = {"judge": judgement.judge, "score": judgement.score}
        yield Step("judgement", judgement.criterion, {**score, "rationale": judgement.rationale})


def _show_row(at: _Place, reach: Reach) -> Iterator[Step]:
    """Yield what a row was made from, the filters that it passed, its review, its words, its split."""
    own = reach.thing.id
    rows = {
        table: find_record(at.table(table), Row, own) for table in (CURATED, REVIEWED, *DATASET)
    }
    row = next((found for found in rows.values() if found), None)
    if row is None:
        yield Step("row", own, _GONE)
        return
    before = next((item.row_id for item in reach.decisions if item.new_id == own), own)
    yield from _show_pair(at, before, row.request_id)
    for name in FILTERS:  # only what passed all of them is a row
        yield Step("filter", name, {"passed": True})
    for item in reach.decisions:
        yield Step("review", item.row_id, {k: v for k, v in _plain(item).items() if k != "row_id"})
    response = row.completion[0].content if row.completion else ""
    yield Step("row", own, _say(row.prompt, response, row.reasoning, row.context))
    for table in DATASET:
        if placed := rows[table]:
            yield Step("split", table.stem, {"holdout": placed.holdout})


def _say(
    messages: Sequence[Message], response: str, reasoning: str, context: str
) -> dict[str, Json]:
    said: list[Json] = [{"role": turn.role, "content": turn.content} for turn in messages]
    return {"messages": said, "response": response, "reasoning": reasoning, "context": context}


def compare_source(root: Path, document: DocumentKey) -> str:
    """Say whether a document's file still holds the bytes that were used.

    Of one object of a JSON file the hash may be that of its line: then only a match tells.
    """
    entry = ENTRY.match(document.source)
    if entry is None:
        return compare_file(root / SEED / document.source, document.source_sha256)
    state = compare_file(root / SEED / entry[1], document.source_sha256)
    return "" if state == "changed since" else state


def compare_file(path: Path, sha256: str) -> str:
    """Say whether a file still holds the bytes that were used; empty where that is not recorded."""
    if not path.is_file():
        return "gone"
    if not sha256:
        return ""
    return "as it was read" if sha256_file(path) == sha256 else "changed since"


def _plain(record: object) -> dict[str, Json]:
    return asdict(record)  # type: ignore[call-overload,no-any-return]
