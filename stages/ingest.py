"""data/seed/documents + sources.yaml -> data/corpus: documents, chunks, and the files left out."""

from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Document, Rejection
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import write_table
from stillhouse.corpus.chunker import IngestParams, chunk_documents
from stillhouse.corpus.ingest import ingest_folder, load_sources

SEED = Path("data/seed")
CORPUS = Path("data/corpus")


def main() -> None:
    """Read every document and cut it into chunks."""
    params = load_section("ingest", IngestParams)
    ingested = ingest_folder(SEED / "documents", load_sources(SEED / "sources.yaml"))
    if not ingested.documents:
        raise InputError(
            f"no document that can be read ({len(ingested.skipped)} files left out)",
            where=str(SEED / "documents"),
            remedy="put Markdown, text, HTML, CSV, PDF or DOCX files there",
        )
    chunks = list(chunk_documents(ingested.documents, params))
    write_table(CORPUS / "documents.parquet", Document, ingested.documents)
    write_table(CORPUS / "chunks.parquet", Chunk, chunks)
    write_table(CORPUS / "skipped.parquet", Rejection, ingested.skipped)
    say_counts(
        "ingest",
        documents=len(ingested.documents),
        chunks=len(chunks),
        skipped=len(ingested.skipped),
    )


if __name__ == "__main__":
    run_stage(main)
