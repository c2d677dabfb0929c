"""`ingest` and `render` on the workspace, into a folder beside it: what these stages would write."""

from collections.abc import Mapping
from pathlib import Path

from stillhouse.base.home import find_home
from stillhouse.base.params import PARAMS, load_section
from stillhouse.corpus.chunker import IngestParams
from stillhouse.corpus.ingest import load_sources, open_folder
from stillhouse.corpus.write import write_corpus
from stillhouse.planning.foresee import CHUNKS, DOCUMENTS, REQUESTS, Maker, Tables
from stillhouse.prompts.write import STORE, UNUSED, write_requests


def list_makers(root: Path, scratch: Path) -> dict[str, Maker]:
    """Return, for each table that can be worked out, what makes it below ``scratch``."""
    return {
        CHUNKS: lambda _: make_corpus(root, scratch),
        REQUESTS: lambda tables: make_requests(root, scratch, tables),
    }


def make_corpus(root: Path, scratch: Path) -> Mapping[str, Path]:
    """Ingest the documents; return where the tables of the corpus lie."""
    seed = root / "data/seed"
    params = load_section("ingest", IngestParams, root / PARAMS)
    folder = open_folder(seed / "documents", load_sources(seed / "sources.yaml"), params)
    corpus = scratch / "corpus"
    write_corpus(folder, folder.files, corpus)
    return {f"data/corpus/{path.name}": path for path in corpus.iterdir()}


def make_requests(root: Path, scratch: Path, tables: Tables) -> Mapping[str, Path]:
    """Render the requests about the corpus as it will be; return where their table lies."""
    out = scratch / "requests.parquet"
    kept = find_home(root)  # read where it is, but a plan makes nothing in the project
    keep = kept if (kept / STORE).exists() else None
    write_requests(root, _gather(scratch, tables), out, keep)
    return {REQUESTS: out, f"data/{UNUSED}": out.with_name(UNUSED)}


def _gather(scratch: Path, tables: Tables) -> Path:
    """Return a folder with the two tables that are rendered, wherever they lie."""
    folder = scratch / "to-render"
    folder.mkdir(exist_ok=True)
    for name in (DOCUMENTS, CHUNKS):
        (folder / Path(name).name).symlink_to(tables.find(name).resolve())
    return folder
