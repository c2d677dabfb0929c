"""The invented tables in front of a train table: documents, chunks, requests, answers, pairs, judgements."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.invented import (
    Columns,
    Numbers,
    as_messages,
    hash_of,
    in_lists,
    join,
    mix,
    name_ids,
    repeat,
    write_columns,
    write_out,
)
from bench.rows import (
    CHUNKS,
    IN_CHUNK,
    IN_DOCUMENT,
    PAIRS,
    REQUESTS,
    Block,
    Edit,
    hash_prompts,
    make_request_slots,
    make_slots,
    make_texts,
    name_anchors,
    name_headings,
    name_sources,
    name_tasks,
    own_edit,
    rewritten,
)
from stillhouse.base.ids import sha256_text
from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Pair,
    Rejection,
    Request,
    Response,
)
from stillhouse.base.tables import write_table

_CORPUS: Final = "data/corpus"
_SEED: Final = "data/seed/documents"


def write_upstream(root: Path, kept: Block, dropped: Block) -> None:
    """Write the tables that rows were made from, and the documents' files.

    Args:
        root: the project.
        kept: the rows of every table of the dataset.
        dropped: pairs that the filters rejected as near-duplicates.
    """
    pairs = Block(
        *(np.concatenate(both) for both in zip(_parts(kept), _parts(dropped), strict=True))
    )
    write_corpus(root, pick(pairs, IN_DOCUMENT))
    asked = pick(pairs, PAIRS)
    ids = name_ids("request", asked.numbers, asked.edits)
    write_columns(root / "data/requests.parquet", Request, ids, lambda at: ask(asked.at(at)))
    answers = root / "data/generated/responses.parquet"
    write_columns(answers, Response, ids, lambda at: answer(asked.at(at)))
    ids = name_ids("row", pairs.numbers, own_edit(pairs.edits))
    path = root / "data/generated/pairs.parquet"
    write_columns(path, Pair, ids, lambda at: make_pairs(pairs.at(at)))
    path = root / "data/judgements.parquet"
    write_columns(path, Judgement, ids, lambda at: judge(pairs.at(at)))
    write_table(root / "data/generated/rejections.parquet", Rejection, [])
    ids = name_ids("row", dropped.numbers, own_edit(dropped.edits))
    path = root / "data/curated/rejections.parquet"
    write_columns(path, Rejection, ids, lambda at: reject(dropped.at(at)))


def pick(rows: Block, count: int) -> Block:
    """Return the requests, or documents, of rows that lie ``count`` to one, with their edits."""
    things, first = np.unique(rows.numbers // count, return_index=True)
    edits = own_edit(rows.edits[first])
    return Block(things, rewritten(edits) if count == IN_DOCUMENT else edits)


def write_corpus(root: Path, documents: Block) -> None:
    """Write documents, chunks, and the files that they were read from."""
    chunks = (documents.numbers[:, None] * np.uint64(CHUNKS) + np.arange(CHUNKS)).ravel()
    spread = Block(chunks.astype(np.uint64), np.repeat(documents.edits, CHUNKS))
    texts = tell(spread).to_pylist()
    sources, titles = name_sources(documents.numbers), name_headings(documents.numbers)
    ids, chunk_ids = (
        hash_of(kind, b.numbers, b.edits)
        for kind, b in (("document", documents), ("chunk", spread))
    )
    headings, anchors = name_headings(spread.numbers), name_anchors(spread.numbers)
    whole, parts = [], []
    for at, source in enumerate(sources.to_pylist()):
        own = texts[at * CHUNKS : (at + 1) * CHUNKS]
        text, start, document_id = "\n\n".join(own), 0, ids[at].as_py()
        file = root / _SEED / source
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        title = titles[at].as_py()
        whole.append(
            Document(
                document_id, source, "text/markdown", title, text, "CC0-1.0", sha256_text(text)
            )
        )
        for inner, passage in enumerate(own, at * CHUNKS):
            end = start + len(passage)
            place = (headings[inner].as_py(),), anchors[inner].as_py(), start, end
            parts.append(Chunk(chunk_ids[inner].as_py(), document_id, source, *place, passage))
            start = end + 2
    write_table(root / _CORPUS / "documents.parquet", Document, whole)
    write_table(root / _CORPUS / "chunks.parquet", Chunk, parts)
    write_table(root / _CORPUS / "skipped.parquet", Rejection, [])


def tell(chunks: Block) -> pa.Array:
    """Return the texts of chunks: an answer each of some of their rows."""
    rows = chunks.numbers * np.uint64(IN_CHUNK)
    said = [
        make_texts(rows + np.uint64(PAIRS * at), chunks.edits)["answer"] for at in range(REQUESTS)
    ]
    return join(said, " ")


def ask(requests: Block) -> Columns:
    """Return the columns of requests."""
    numbers, edits = requests.numbers, requests.edits
    count, chunk = len(numbers), numbers // REQUESTS
    passage = tell(Block(chunk, rewritten(edits)))
    tokens = pa.array(np.where(edits == Edit.PARAMETERS, "2048", "1024"))
    return {
        "request_id": hash_of("request", numbers, edits),
        "slot_id": make_request_slots(numbers),
        "chunk_ids": in_lists(hash_of("chunk", chunk, rewritten(edits))),
        "task": name_tasks(numbers),
        "prompt_path": join(["prompts/", name_tasks(numbers), ".md"]),
        "prompt_sha256": hash_prompts(numbers, edits),
        "variation": pc.list_element(pc.split_pattern(make_request_slots(numbers), "|"), 3),
        "persona": repeat("staff", count),
        "sample": pa.array((numbers % REQUESTS).astype(np.int64)),
        "teacher": repeat("offline", count),
        "model": pc.if_else(pa.array(edits == Edit.TEACHER), "reader-2", "reader-1"),
        "system": repeat("You write training questions for an assistant.", count),
        "messages": as_messages("user", join([passage, "\n\nWrite five questions about it."])),
        "output_schema": repeat("", count),
        "parameters": join(['{"max_tokens":', tokens, "}"]),
        "category": repeat("factual", count),
        "parent_id": repeat("", count),
    }


def answer(requests: Block) -> Columns:
    """Return the columns of the answers to requests."""
    numbers, edits = requests.numbers, requests.edits
    count, first = len(numbers), numbers * np.uint64(PAIRS)
    said = [make_texts(first + np.uint64(at), edits) for at in range(PAIRS)]
    return {
        "request_id": hash_of("request", numbers, edits),
        "text": join([text for one in said for text in (one["question"], one["answer"])], "\n"),
        "reasoning": repeat("", count),
        "stop_reason": repeat("end_turn", count),
        "input_tokens": pa.array(np.full(count, 180, np.int64)),
        "output_tokens": pa.array(np.full(count, 250, np.int64)),
        "cached_tokens": pa.array(np.zeros(count, np.int64)),
        "model": pc.if_else(pa.array(edits == Edit.TEACHER), "reader-2", "reader-1"),
        "confidences": pa.array([[]] * count, pa.list_(pa.field("element", pa.float64(), False))),
    }


def make_pairs(rows: Block) -> Columns:
    """Return the columns of the pairs that became rows."""
    numbers, own = rows.numbers, own_edit(rows.edits)
    request, texts = numbers // PAIRS, make_texts(rows.numbers, own_edit(rows.edits))
    return {
        "pair_id": hash_of("row", numbers, own),
        "slot_id": make_slots(numbers),
        "request_id": hash_of("request", request, own),
        "chunk_ids": in_lists(hash_of("chunk", numbers // IN_CHUNK, rewritten(own))),
        "task": name_tasks(request),
        "fact_id": hash_of("fact", numbers // 20, np.zeros_like(numbers)),
        "messages": as_messages("user", texts["question"]),
        "context": texts["context"],
        "reasoning": texts["reasoning"],
        "response": texts["answer"],
        "confidence": pa.nulls(len(numbers), pa.float64()),
    }


def judge(rows: Block) -> Columns:
    """Return the columns of one judgement of each pair."""
    count = len(rows.numbers)
    return {
        "pair_id": hash_of("row", rows.numbers, own_edit(rows.edits)),
        "judge": repeat("offline", count),
        "criterion": repeat("groundedness", count),
        "score": pa.array((mix(rows.numbers, 20) % 50 + 50) / 100.0),
        "rationale": repeat("", count),
        "request_id": repeat("", count),
    }


def reject(rows: Block) -> Columns:
    """Return the columns of rejected pairs."""
    count = len(rows.numbers)
    near = join(["resembles ", write_out(rows.numbers)])
    return {
        "rejected_id": hash_of("row", rows.numbers, own_edit(rows.edits)),
        "kind": repeat("pair", count),
        "slot_id": make_slots(rows.numbers),
        "chunk_ids": in_lists(hash_of("chunk", rows.numbers // IN_CHUNK, rewritten(rows.edits))),
        "stage": repeat("curate", count),
        "reason": repeat("near_duplicate", count),
        "detail": near,
    }


def _parts(rows: Block) -> tuple[Numbers, Numbers]:
    return rows.numbers, rows.edits
