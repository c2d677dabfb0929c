"""A file's bytes into a document: which reader takes it, and why one could not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from charset_normalizer import from_bytes
from pypdf.errors import PyPdfError

from stillhouse.base.ids import content_id
from stillhouse.base.records import Document
from stillhouse.corpus import html, pdf, plain, tabular
from stillhouse.corpus.blocks import Block, clean, first_heading, write_blocks

_WORD_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MEDIA_TYPES: Final = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".pdf": "application/pdf",
    ".docx": _WORD_TYPE,
}


class UnreadableError(Exception):
    """A file that is left out; ``reason`` is its short name, ``detail`` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as found: ``source`` is its path below the documents' folder, with slashes."""

    source: str
    data: bytes
    sha256: str
    license: str
    title: str


def read_document(file: SourceFile) -> Document:
    """Return a file as a document in normalised Markdown; an empty ``title`` is found in the text.

    Raises:
        UnreadableError: the type is not supported, or the file is empty, broken, locked or without text.
    """
    name = PurePosixPath(file.source)
    media_type = MEDIA_TYPES.get(name.suffix.lower())
    if media_type is None:
        raise UnreadableError(
            "unsupported", f"no reader for {name.suffix or 'a name without suffix'!r}"
        )
    if not file.data.strip():
        raise UnreadableError("empty", "the file is empty")
    title = file.title or _title_from_name(name)
    blocks = _read_blocks(media_type, file.data, title)
    text = write_blocks(blocks)
    if not text:
        raise UnreadableError("no_text", "there is no text in it (a scan, or a head without rows?)")
    found = file.title or first_heading(blocks) or _page_title(media_type, file.data) or name.stem
    document_id = content_id("document", {"source": file.source, "text": text})
    return Document(document_id, file.source, media_type, found, text, file.license, file.sha256)


def _read_blocks(media_type: str, data: bytes, title: str) -> list[Block]:
    readers: dict[str, Callable[[], list[Block]]] = {
        "text/markdown": lambda: html.read_markdown(_decode(data)),
        "text/plain": lambda: plain.read_plain(_decode(data)),
        "text/html": lambda: html.read_html(_decode(data)),
        "text/csv": lambda: tabular.read_csv(_decode(data), title),
        "application/pdf": lambda: pdf.read_pdf(data),
        _WORD_TYPE: lambda: html.read_docx(data),
    }
    try:
        return readers[media_type]()
    except UnreadableError:
        raise
    except PyPdfError as exc:
        locked = "password" in str(exc) or "decrypt" in str(exc)
        raise UnreadableError("encrypted" if locked else "corrupt", clean(str(exc))) from exc
    # Parsers of broken files raise whatever they stumble over; one such file must not stop a run.
    except Exception as exc:
        raise UnreadableError("corrupt", clean(f"{type(exc).__name__}: {exc}")) from exc


def _decode(data: bytes) -> str:
    """Return the text of UTF-8 bytes, else of the encoding that the bytes speak for."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(data).best()
        if best is None:
            raise UnreadableError(
                "unknown_encoding", "neither UTF-8 nor a likely encoding"
            ) from None
        text = str(best)
    if "\x00" in text:
        raise UnreadableError("corrupt", "it holds NUL bytes, so it is not text")
    return text


def _page_title(media_type: str, data: bytes) -> str:
    return html.read_page_title(data) if media_type == "text/html" else ""


def _title_from_name(name: PurePosixPath) -> str:
    words = clean(name.stem.replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:] if words else name.name
