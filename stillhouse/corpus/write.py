"""A folder of documents into the three tables of the corpus: what the stage `ingest` does."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.records import Chunk, Document, Rejection
from stillhouse.base.tables import open_table
from stillhouse.corpus.chunker import chunk_document
from stillhouse.corpus.ingest import Folder, read_folder, refuse_losses
from stillhouse.corpus.unreadable import Losses
from stillhouse.corpus.walk import Found


@dataclass(frozen=True, slots=True)
class Written:
    """How many records the tables hold, and what was left out."""

    documents: int
    chunks: int
    skipped: int
    losses: Losses


def write_corpus(folder: Folder, files: Iterable[Found], out: Path) -> Written:
    """Read every document, cut it into chunks, and write all of it below ``out``.

    Args:
        folder: what is read, and how.
        files: those of the folder, in their order.
        out: gets ``documents.parquet``, ``chunks.parquet`` and ``skipped.parquet``.

    Raises:
        InputError: no document can be read, or one that must be cannot; nothing is written then.
    """
    losses = Losses()
    with (
        open_table(out / "documents.parquet", Document) as documents,
        open_table(out / "chunks.parquet", Chunk) as chunks,
        open_table(out / "skipped.parquet", Rejection) as skipped,
    ):
        for read in read_folder(folder, files):
            if isinstance(read, Document):
                documents.add(read)
                for chunk in chunk_document(read, folder.params.max_tokens):
                    chunks.add(chunk)
            else:
                skipped.add(read)
                losses.add(read)
        refuse_losses(losses, folder.params)
        if not documents.count:
            raise InputError(
                f"no document that can be read ({skipped.count} files left out)",
                where=str(folder.root),
                remedy="put Markdown, text, HTML, CSV, JSON Lines, PDF or DOCX files there",
            )
    return Written(documents.count, chunks.count, skipped.count, losses)
