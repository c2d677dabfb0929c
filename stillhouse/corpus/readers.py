"""A file's bytes into a document: which reader takes it, and why one could not."""

import io
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pypdf.errors import DependencyError, PyPdfError

from stillhouse.base.ids import content_id
from stillhouse.base.records import Document
from stillhouse.corpus import html, pdf, plain, tabular
from stillhouse.corpus.blocks import Block, clean, first_heading, write_blocks
from stillhouse.corpus.decoding import decode, decode_page
from stillhouse.corpus.unreadable import UnreadableError

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
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".json": "application/json",
}
_ARCHIVES: Final = frozenset(
    """.zip .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst .7z .rar .lz4 .lzma .z .jar .whl .iso .cab
    .deb .rpm""".split()  # noqa: SIM905 - a list of twenty quoted names is harder to read
)
# What a Word document locked with a password is wrapped in, and what Word wrote before 2007.
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKED: Final = 20  # times its own length that a document may unpack to


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as found: ``source`` is its path below the documents' folder, with slashes."""

    source: str
    data: bytes
    sha256: str
    license: str
    title: str


def tell_type(source: str) -> str:
    """Return the media type by a name's suffix.

    Raises:
        UnreadableError: there is no reader for it (``unsupported``), or it is an ``archive``.
    """
    suffix = PurePosixPath(source).suffix.lower()
    if suffix in _ARCHIVES:
        raise UnreadableError("archive", f"{suffix!r} is an archive; unpack it to have it read")
    if suffix not in MEDIA_TYPES:
        raise UnreadableError("unsupported", f"no reader for {suffix or 'a name without suffix'!r}")
    return MEDIA_TYPES[suffix]


def read_document(file: SourceFile) -> Document:
    """Return a file as a document in normalised Markdown; an empty ``title`` is found in the text.

    Raises:
        UnreadableError: the type is not supported, or the file is empty, broken, locked or without text.
    """
    media_type = tell_type(file.source)
    if not file.data.strip():
        raise UnreadableError("empty", "the file is empty")
    blocks = _read_blocks(media_type, file.data, file.title or title_from_name(file.source))
    return make_document(file, media_type, blocks, lambda: _page_title(media_type, file.data))


def make_document(
    file: SourceFile,
    media_type: str,
    blocks: list[Block],
    find_title: Callable[[], str] = str,
) -> Document:
    """Return the document of a file's blocks.

    Its title is the file's, else its first heading, else what ``find_title`` gives, else its name.
    """
    text = write_blocks(blocks)
    if not text:
        raise UnreadableError("no_text", "there is no text in it (a scan, or a head without rows?)")
    name = PurePosixPath(file.source).stem
    found = file.title or first_heading(blocks) or find_title() or name
    document_id = content_id("document", {"source": file.source, "text": text})
    return Document(document_id, file.source, media_type, found, text, file.license, file.sha256)


def title_from_name(source: str) -> str:
    """Return a file's name as words: ``price-list.csv`` is ``Price list``."""
    name = PurePosixPath(source)
    words = clean(name.stem.replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:] if words else name.name


def _read_blocks(media_type: str, data: bytes, title: str) -> list[Block]:
    readers: dict[str, Callable[[], list[Block]]] = {
        "text/markdown": lambda: html.read_markdown(decode(data)),
        "text/plain": lambda: plain.read_plain(decode(data)),
        "text/html": lambda: html.read_html(decode_page(data)),
        "text/csv": lambda: tabular.read_csv(decode(data), title),
        "application/pdf": lambda: pdf.read_pdf(data),
        _WORD_TYPE: lambda: _read_word(data),
    }
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of each flaw that it mends
    try:
        return readers[media_type]()
    except UnreadableError:
        raise
    except DependencyError as exc:  # a cipher that the installed packages do not know
        raise UnreadableError("encrypted", clean(str(exc))) from exc
    except PyPdfError as exc:
        locked = "password" in str(exc) or "decrypt" in str(exc)
        raise UnreadableError("encrypted" if locked else "corrupt", clean(str(exc))) from exc
    # Parsers of broken files raise whatever they stumble over; one such file must not stop a run.
    except Exception as exc:
        raise UnreadableError("corrupt", clean(f"{type(exc).__name__}: {exc}")) from exc


def _read_word(data: bytes) -> list[Block]:
    if data.startswith(_OLE):
        raise UnreadableError("encrypted", "locked with a password, or written before Word 2007")
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        unpacked = sum(part.file_size for part in parts.infolist() if part.filename.endswith("xml"))
    if unpacked > _PACKED * max(len(data), 1_000_000):
        raise UnreadableError("too_large", f"its text unpacks to {unpacked // 1_000_000} MB")
    return html.read_docx(data)


def _page_title(media_type: str, data: bytes) -> str:
    return html.read_page_title(decode_page(data)) if media_type == "text/html" else ""
