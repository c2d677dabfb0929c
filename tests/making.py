"""Records for tests, made from the few things that a test cares about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stillhouse.base.ids import content_id
from stillhouse.base.questions import Question
from stillhouse.base.records import (
    Chunk,
    Document,
    Message,
    Pair,
    Rejection,
    Request,
    Row,
    join_slot,
)
from stillhouse.corpus.chunker import IngestParams
from stillhouse.corpus.ingest import Sources, open_folder, read_folder

LEAVE = "people/leave.md"
LEAVE_TEXT = "Full-time staff have 27.5 days of leave a year. The leave calendar is called Leeward."


@dataclass(slots=True)
class Ingested:
    """The documents of a folder in the order of their paths, and what was left out."""

    documents: list[Document] = field(default_factory=list)
    skipped: list[Rejection] = field(default_factory=list)


def ingest_folder(root: Path, sources: Sources, params: IngestParams | None = None) -> Ingested:
    """Return all that the files below ``root`` hold, read as the stage reads them."""
    result = Ingested()
    folder = open_folder(root, sources, params)
    for read in read_folder(folder, folder.files):
        if isinstance(read, Document):
            result.documents.append(read)
        else:
            result.skipped.append(read)
    return result


def make_document(source: str = LEAVE, text: str = LEAVE_TEXT) -> Document:
    """Return a document that is its source and text."""
    content = content_id("document", [source, text])
    return Document(content, source, "text/markdown", "Leave", text, "CC0-1.0", content)


def make_chunk(source: str = LEAVE, text: str = LEAVE_TEXT) -> Chunk:
    """Return the one chunk of ``make_document(source, text)``."""
    return Chunk(
        chunk_id=content_id("chunk", [source, text]),
        document_id=make_document(source, text).document_id,
        source=source,
        headings=("Annual leave",),
        anchor="Annual leave:1",
        start=0,
        end=len(text),
        text=text,
    )


def make_request(chunks: Sequence[Chunk] = (), task: str = "recall", **changes: object) -> Request:
    """Return a request about ``chunks``; ``changes`` replace its other fields."""
    fields: dict[str, object] = {
        "chunk_ids": tuple(chunk.chunk_id for chunk in chunks),
        "task": task,
        "prompt_path": f"prompts/{task}.md",
        "prompt_sha256": content_id("prompt", task),
        "variation": "plain",
        "persona": "",
        "sample": 0,
        "teacher": "offline",
        "model": "offline/1",
        "system": "",
        "messages": (Message("user", f"Ask about {[chunk.text for chunk in chunks]}"),),
        "output_schema": "{}",
        "parameters": '{"pairs":3}',
        **changes,
    }
    request_id = content_id("request", repr(sorted(fields.items())))
    return Request(request_id=request_id, slot_id=request_id[:8], **fields)  # type: ignore[arg-type]


def make_pair(
    question: str,
    answer: str,
    chunks: Sequence[Chunk] = (),
    *,
    request: Request | None = None,
    task: str = "recall",
    fact: str = "",
    slot: str = "",
    context: str = "",
    reasoning: str = "",
    confidence: float | None = None,
) -> Pair:
    """Return a pair; its slot is its question, unless one is given."""
    asked = f"Passage:\n{context}\n\nQuestion: {question}" if context else question
    request_id = (request or make_request(chunks, task)).request_id
    slot_id = join_slot(chunks[0].source if chunks else task, slot or question)
    return Pair(
        pair_id=content_id("pair", [slot_id, request_id, asked, answer, reasoning]),
        slot_id=slot_id,
        request_id=request_id,
        chunk_ids=tuple(chunk.chunk_id for chunk in chunks),
        task=task,
        fact_id=content_id("fact", fact) if fact else "",
        messages=(Message("user", asked),),
        context=context,
        reasoning=reasoning,
        response=answer,
        confidence=confidence,
    )


def make_row(pair: Pair, documents: Sequence[Document] = (), holdout: str = "") -> Row:
    """Return the pair as a row whose cause hashes are all of one made-up digest."""
    digest = content_id("cause", "test")
    return Row(
        row_id=pair.pair_id,
        slot_id=pair.slot_id,
        request_id=pair.request_id,
        chunk_ids=pair.chunk_ids,
        document_ids=tuple(document.document_id for document in documents),
        task=pair.task,
        fact_id=pair.fact_id,
        prompt=pair.messages,
        completion=(Message("assistant", pair.response),),
        context=pair.context,
        reasoning=pair.reasoning,
        holdout=holdout,
        prompt_sha256=digest,
        document_sha256=digest,
        teacher_sha256=digest,
        parameters_sha256=digest,
        judge_sha256=digest,
        filter_sha256=digest,
        code_sha256=digest,
    )


def make_gold(question: str, gold_id: str = "gold-001") -> Question:
    """Return a core recall question with a made-up answer."""
    return Question(gold_id, question, ("27.5 days",), "recall", "core", "", (LEAVE,))
