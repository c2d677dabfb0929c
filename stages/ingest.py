"""data/seed/documents + sources.yaml -> data/corpus: documents, chunks, and the files left out."""

from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Document, Rejection
from stillhouse.base.stage import log, run_stage, say_counts, show_progress
from stillhouse.base.tables import open_table
from stillhouse.corpus.chunker import IngestParams, chunk_document
from stillhouse.corpus.ingest import load_sources, open_folder, read_folder, refuse_losses
from stillhouse.corpus.unreadable import Losses

SEED = Path("data/seed")
CORPUS = Path("data/corpus")


def main() -> None:
    """Read every document and cut it into chunks."""
    params = load_section("ingest", IngestParams)
    folder = open_folder(SEED / "documents", load_sources(SEED / "sources.yaml"), params)
    losses = Losses()
    with (
        open_table(CORPUS / "documents.parquet", Document) as documents,
        open_table(CORPUS / "chunks.parquet", Chunk) as chunks,
        open_table(CORPUS / "skipped.parquet", Rejection) as skipped,
    ):
        for read in read_folder(folder, show_progress(folder.files, "ingest", len(folder.files))):
            if isinstance(read, Document):
                documents.add(read)
                for chunk in chunk_document(read, params.max_tokens):
                    chunks.add(chunk)
            else:
                skipped.add(read)
                losses.add(read)
        refuse_losses(losses, params)
        if not documents.count:
            raise InputError(
                f"no document that can be read ({skipped.count} files left out)",
                where=str(SEED / "documents"),
                remedy="put Markdown, text, HTML, CSV, JSON Lines, PDF or DOCX files there",
            )
    if losses.lost:
        log.warning("left out: %s; all are in %s", losses.name_first(), CORPUS / "skipped.parquet")
    counts = {"documents": documents.count, "chunks": chunks.count, "skipped": skipped.count}
    say_counts("ingest", **counts, **dict(sorted(losses.by_reason.items())))


if __name__ == "__main__":
    run_stage(main)
