"""Edits as people make them to documents, and the requests that the real ingest and render give."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Document, Request
from stillhouse.corpus.chunker import IngestParams, chunk_document
from stillhouse.corpus.ingest import load_sources
from stillhouse.prompts.focus import Focus, FocusDocument, load_focus
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.render import Material, render
from stillhouse.prompts.templates import load_prompts
from tests.making import ingest_folder

ROOT: Final = Path(__file__).parent.parent
SEED: Final = ROOT / "data/seed"
_HEADING: Final = re.compile(r"^(#+) (?:\d+\. )?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Version:
    """What ingest and render make of a folder of documents."""

    documents: tuple[Document, ...]
    chunks: tuple[Chunk, ...]
    requests: tuple[Request, ...]

    def of(self, source: str) -> list[Request]:
        """Return the requests whose slot lies in a document."""
        return [r for r in self.requests if r.slot_id.startswith(f"{source}|")]


def copy_documents(folder: Path, edit: Callable[[Path], object] = lambda _: None) -> Path:
    """Copy the bundled documents, and edit them."""
    shutil.copytree(SEED / "documents", folder)
    edit(folder)
    return folder


def make_version(documents: Path, renamed: Mapping[str, str] = MappingProxyType({})) -> Version:
    """Ingest and render a folder."""
    found = ingest_folder(documents, load_sources(SEED / "sources.yaml")).documents
    return render_documents(found, renamed)


def render_documents(
    documents: Sequence[Document],
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Version:
    """Cut documents into chunks and render the requests of the default plan about them."""
    params = load_section("render", RenderParams, ROOT / "params.yaml")
    ingest = load_section("ingest", IngestParams, ROOT / "params.yaml")
    chunks = tuple(c for one in documents for c in chunk_document(one, ingest.max_tokens))
    focus = rename_in(load_focus(SEED / "focus.yaml"), renamed)
    requests = render(Material(documents, chunks), load_prompts(ROOT / "prompts"), focus, params)
    return Version(tuple(documents), chunks, tuple(requests))


def rename_in(focus: Focus, renamed: Mapping[str, str]) -> Focus:
    """Return the focus with documents under their new names."""

    def rename(documents: tuple[FocusDocument, ...] | None) -> tuple[FocusDocument, ...]:
        return tuple(
            document.model_copy(update={"source": renamed.get(document.source, document.source)})
            for document in documents or ()
        )

    return focus.model_copy(update={"core": rename(focus.core), "held_out": rename(focus.held_out)})


def edit_markdown(folder: Path, change: Callable[[str], str]) -> None:
    """Rewrite every Markdown document of a folder."""
    for path in folder.rglob("*.md"):
        path.write_text(change(path.read_text()))


def number_headings(text: str, first: int = 1) -> str:
    """Number every heading of a Markdown document, or number it anew."""
    numbers = iter(range(first, 1000))
    return _HEADING.sub(lambda found: f"{found[1]} {next(numbers)}. ", text)


def move_section(text: str) -> str:
    """Move the first section of level two behind all others."""
    head, first, *others = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return "".join([head, *others]).rstrip("\n") + "\n\n" + first.rstrip("\n") + "\n"


def insert_paragraph(text: str) -> str:
    """Insert a paragraph below the title of a Markdown document."""
    title, _, rest = text.partition("\n")
    said = "This edition was checked by the editors; wording was mended, no rule has changed."
    return f"{title}\n\n{said}\n{rest}"
