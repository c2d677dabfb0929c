"""Small projects of random versions without any stage: edits, renames, copies, fixes, lost tables."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json, write_text
from stillhouse.base.fixes import name_fix
from stillhouse.base.ids import content_id, sha256_file
from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Message,
    Pair,
    Rejection,
    Request,
    Response,
    Row,
    join_slot,
)
from stillhouse.base.tables import read_all, write_table
from stillhouse.lineage.provenance import BaseModel, read_provenance
from tests.lineage_project import BASE
from tests.trace_project import store_in_cache, train_student

SOURCES = (
    *("a.md", "b.md", "sub/c.md", "d.md", "e.md", "f.md"),
    *("faq.jsonl#1", "faq.jsonl#2", "faq.jsonl#3"),
)
TEXTS = tuple(f"Fact {n} is so." for n in range(24))
PROMPTS = ("prompts/one.md", "prompts/two.md", "prompts/three.md")
WORDS = ("Ask.", "Ask well.", "Ask again.")


@dataclass(frozen=True, slots=True)
class State:
    """One version: the texts of each document's passages, the words of each prompt, and rare marks."""

    documents: Mapping[str, tuple[str, ...]]
    prompts: Mapping[str, str]
    copies: tuple[str, ...]
    fixed: int


def make_random_project(root: Path, seed: int) -> None:
    """Write a project of a few versions, each with a student; the tables here may be of several ones."""
    chance = random.Random(seed)
    state = _begin(chance)
    made: list[dict[str, tuple[type, list[Any]]]] = []
    bases = [BASE]
    write_json(root / "reports/review.json", {"decisions": []})
    for number in range(chance.randint(2, 4)):
        state = _change(chance, state) if number else state
        made.append(make_tables(root, chance, state))
        write_tables(root, made[-1])
        folder = train_student(root, f"s{number}", chance.choice(bases), store_in_cache(root))
        weights = read_provenance(folder).weights_sha256
        bases.append(BaseModel(f"models/s{number}", weights, "a student"))
    if chance.random() < 0.5:  # half-run: the corpus is newer than what was made of it
        newer = make_tables(root, chance, _change(chance, state))
        kept = [
            t
            for t in newer
            if "corpus" in t or (t == "data/requests.parquet" and chance.random() < 0.5)
        ]
        write_tables(root, {table: newer[table] for table in kept})
    for lost in list((root / ".dvc/cache/files/md5").glob("*/*")):
        if chance.random() < 0.07:
            lost.unlink()


def list_names(root: Path, seed: int) -> Iterator[str]:
    """Yield names of things of every kind, also of ones that are gone."""
    chance = random.Random(seed)
    yield from (*SOURCES, "faq.jsonl", *PROMPTS)
    tables: dict[str, tuple[type, str]] = {
        "corpus/chunks": (Chunk, "chunk_id"),
        "requests": (Request, "request_id"),
        "dataset/train": (Row, "row_id"),
        "dataset/validation": (Row, "row_id"),
        "generated/pairs": (Pair, "pair_id"),
    }
    for table, (record, key) in tables.items():
        ids = [getattr(item, key) for item in read_all(root / f"data/{table}.parquet", record)]
        yield from chance.sample(ids, min(4, len(ids)))
    for cached in sorted((root / ".dvc/cache/files/md5").glob("*/*")):
        for record, key in ((Chunk, "chunk_id"), (Row, "row_id")):
            try:
                ids = [getattr(item, key) for item in read_all(cached, record)]
            except InputError:  # of another kind
                continue
            yield from chance.sample(ids, min(1, len(ids)))


def _begin(chance: random.Random) -> State:
    sources = chance.sample(SOURCES, 4)
    documents = {s: tuple(chance.choices(TEXTS, k=chance.randint(1, 3))) for s in sources}
    prompts = dict(zip(PROMPTS[:2], WORDS, strict=False))
    return State(documents, prompts, (), 0)


def _change(chance: random.Random, state: State) -> State:
    documents, prompts = dict(state.documents), dict(state.prompts)
    for _ in range(chance.randint(1, 3)):
        source, other = chance.choice(list(documents)), chance.choice(SOURCES)
        match chance.choice(
            ("edit", "rename", "both", "add", "remove", "prompt", "rewrite", "move")
        ):
            case "edit":
                texts = list(documents[source])
                texts[chance.randrange(len(texts))] = chance.choice(TEXTS)
                documents[source] = tuple(texts)
            case "rename":
                documents[other] = documents.pop(source)
            case "both":
                documents[other] = (*documents.pop(source)[1:], chance.choice(TEXTS))
            case "add":
                documents[other] = tuple(chance.choices(TEXTS, k=2))
            case "remove" if len(documents) > 1:
                del documents[source]
            case "prompt":
                path, new = chance.choice(list(prompts)), chance.choice(PROMPTS)
                prompts[new] = prompts.pop(path)
            case "rewrite":
                prompts[chance.choice(list(prompts))] = chance.choice(WORDS)
            case "move":
                documents[source] = (
                    *documents[source],
                    documents[chance.choice(list(documents))][0],
                )
    copies = tuple(s for s in ("copy.md",) if chance.random() < 0.4)
    return State(documents, prompts, copies, chance.randint(0, 2))


def make_tables(
    root: Path, chance: random.Random, state: State
) -> dict[str, tuple[type, list[Any]]]:
    """Write the prompts of a version and return its tables: path -> (record type, records)."""
    for path in (root / "prompts").glob("*.md"):
        path.unlink()
    for path, words in state.prompts.items():
        write_text(root / path, words)
    documents, chunks = _make_corpus(state)
    requests = list(_make_requests(root, chance, state, chunks))
    pairs = [_make_pair(request, n) for request in requests for n in range(chance.randint(1, 2))]
    rows = [_make_row(pair, requests, chunks) for pair in pairs]
    for place in chance.sample(range(len(rows)), min(state.fixed, len(rows))):
        fixed = name_fix(rows[place].row_id, "Better.")
        rows[place] = replace(
            rows[place], row_id=fixed, completion=(Message("assistant", "Better."),)
        )
    parts: dict[str, list[Any]] = {"train": [], "validation": [], "test": []}
    for row in rows:
        parts[chance.choices(tuple(parts), (4, 2, 4))[0]].append(row)
    rejections = [
        Rejection(request.request_id, "request", request.slot_id, (), "generate", "no_pairs", "")
        for request in requests[:1]
    ]
    twin = next(iter(state.documents))
    skipped = [
        Rejection(copy, "file", copy, (), "ingest", "duplicate", f"its text is that of {twin}")
        for copy in state.copies
    ]
    return {
        "data/corpus/documents.parquet": (Document, documents),
        "data/corpus/chunks.parquet": (Chunk, chunks),
        "data/corpus/skipped.parquet": (Rejection, skipped),
        "data/requests.parquet": (Request, requests),
        "data/generated/pairs.parquet": (Pair, pairs),
        "data/generated/responses.parquet": (Response, []),
        "data/judgements.parquet": (Judgement, []),
        "data/generated/rejections.parquet": (Rejection, rejections),
        "data/curated/rows.parquet": (Row, rows),
        "data/curated/rejections.parquet": (Rejection, []),
        "data/reviewed.parquet": (Row, rows),
        **{f"data/dataset/{name}.parquet": (Row, part) for name, part in parts.items()},
    }


def _make_corpus(state: State) -> tuple[list[Document], list[Chunk]]:
    documents, chunks = [], []
    for source, texts in state.documents.items():
        document_id = content_id("document", [source, *texts])
        whole = "faq" if source.startswith("faq") else "\n".join(texts)
        documents.append(
            Document(
                document_id, source, "text/markdown", source, whole, "", content_id("bytes", whole)
            )
        )
        for n, text in enumerate(texts):
            chunk_id = content_id("chunk", [source, text, texts[:n].count(text)])
            place = (f"Part:{n}", 10 * n, 10 * n + 9)
            chunks.append(Chunk(chunk_id, document_id, source, ("Part",), *place, text))
    return documents, chunks


def _make_requests(
    root: Path, chance: random.Random, state: State, chunks: list[Chunk]
) -> Iterator[Request]:
    asked: set[str] = set()
    for chunk in chunks:
        for path, words in state.prompts.items():
            shown = [chunk.chunk_id]
            if chance.random() < 0.3:
                shown.append(chance.choice(chunks).chunk_id)
            # Equal words under equal headings of one document are one question.
            request_id = content_id("request", [chunk.source, chunk.text, len(shown), words])
            if request_id not in asked and chance.random() < 0.6:
                asked.add(request_id)
                slot = join_slot(chunk.source, chunk.anchor, "recall", "plain", "", 0)
                yield Request(
                    request_id, slot, tuple(shown), "recall", path, sha256_file(root / path),
                    "plain", "", 0, "offline", "offline-1", "", (Message("user", words),), "{}", "{}",
                )  # fmt: skip


def _make_pair(request: Request, number: int) -> Pair:
    pair_id = content_id("pair", [request.request_id, number])
    slot = join_slot(*request.slot_id.split("|"), number)
    return Pair(
        pair_id, slot, request.request_id, request.chunk_ids, "recall", "", (Message("user", "?"),),
        "", "", f"Answer {number}.", None,
    )  # fmt: skip


def _make_row(pair: Pair, requests: list[Request], chunks: list[Chunk]) -> Row:
    request = next(r for r in requests if r.request_id == pair.request_id)
    of = {chunk.chunk_id: chunk.document_id for chunk in chunks}
    documents = tuple(dict.fromkeys(of[chunk_id] for chunk_id in pair.chunk_ids))
    return Row(
        pair.pair_id, pair.slot_id, pair.request_id, pair.chunk_ids, documents, pair.task, "",
        pair.messages, (Message("assistant", pair.response),), "", "", "", request.prompt_sha256,
        *("0" * 64,) * 6,
    )  # fmt: skip


def write_tables(root: Path, tables: Mapping[str, tuple[type, list[Any]]]) -> None:
    """Write tables below ``root``."""
    for path, (record, records) in tables.items():
        write_table(root / path, record, records)
