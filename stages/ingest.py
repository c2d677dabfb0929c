"""data/seed/documents + sources.yaml -> data/corpus: documents, chunks, and the files left out."""

from pathlib import Path

from stillhouse.base.params import load_section
from stillhouse.base.stage import log, run_stage, say_counts, show_progress
from stillhouse.corpus.chunker import IngestParams
from stillhouse.corpus.ingest import load_sources, open_folder
from stillhouse.corpus.write import write_corpus

SEED = Path("data/seed")
CORPUS = Path("data/corpus")


def main() -> None:
    """Read every document and cut it into chunks."""
    params = load_section("ingest", IngestParams)
    folder = open_folder(SEED / "documents", load_sources(SEED / "sources.yaml"), params)
    files = show_progress(folder.files, "ingest", len(folder.files))
    made = write_corpus(folder, files, CORPUS)
    if made.losses.lost:
        log.warning(
            "left out: %s; all are in %s", made.losses.name_first(), CORPUS / "skipped.parquet"
        )
    counts = {"documents": made.documents, "chunks": made.chunks, "skipped": made.skipped}
    say_counts("ingest", **counts, **dict(sorted(made.losses.by_reason.items())))


if __name__ == "__main__":
    run_stage(main)
