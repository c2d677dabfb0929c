"""The documents' folder into documents, each file that is left out with its reason."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.ids import sha256_text
from stillhouse.base.params import Params, load_yaml, parse_section
from stillhouse.base.records import Document, Rejection
from stillhouse.corpus.chunker import IngestParams
from stillhouse.corpus.objects import read_json, read_json_lines
from stillhouse.corpus.readers import SourceFile, read_document, tell_type
from stillhouse.corpus.unreadable import Losses, UnreadableError, skip_file
from stillhouse.corpus.walk import Found, check_file, list_files

_GLOB: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_MB: Final = 1_000_000
Read = Document | Rejection


class SourceEntry(Params):
    """What ``sources.yaml`` says of one file; an empty value leaves the default."""

    license: str = ""
    title: str = ""


class SourceDefaults(Params):
    """What holds for files that ``sources.yaml`` does not name."""

    license: str = "unknown"


class Sources(Params):
    """``data/seed/sources.yaml``: which files are read (``**`` spans folders), and their licences."""

    version: int = Field(default=1, ge=1, le=1)
    defaults: SourceDefaults = SourceDefaults()
    include: tuple[str, ...] = ("**/*",)
    exclude: tuple[str, ...] = ()
    sources: dict[str, SourceEntry] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folder:
    """The documents' folder: its real path, what lies in it, and what was said about that."""

    root: Path
    real: str
    files: list[Found]
    sources: Sources
    params: IngestParams


def load_sources(path: Path) -> Sources:
    """Return ``sources.yaml``; a wrong or unknown key is an ``InputError``."""
    return parse_section("sources.yaml", Sources, load_yaml(path), path)


def open_folder(root: Path, sources: Sources, params: IngestParams | None = None) -> Folder:
    """Return the folder with its files listed, none of them opened.

    Raises:
        InputError: the folder is missing, or ``sources.yaml`` names a file that is not there.
    """
    if not root.is_dir():
        raise InputError("folder not found", where=str(root), remedy="put your documents there")
    _check_named(root, sources)
    real = os.path.realpath(root)
    return Folder(root, real, list_files(root), sources, params or IngestParams())


def read_folder(folder: Folder, files: Iterable[Found]) -> Iterator[Read]:
    """Yield the documents of the files in their order, and each file that gives none, with its reason.

    Reasons are ``archive``, ``binary``, ``corrupt``, ``duplicate`` (its text is that of a document
    before it), ``empty``, ``encrypted``, ``excluded``, ``hidden``, ``linked_folder``, ``no_text``,
    ``outside``, ``repeated_name``, ``special``, ``too_large``, ``unknown_encoding``, ``unreadable``,
    ``unsupported``.
    """
    seen: dict[bytes, str] = {}
    names: set[str] = set()
    for found in files:
        for read in _read_found(folder, found):
            yield _check_repeats(read, seen, names)


def refuse_losses(losses: Losses, params: IngestParams) -> None:
    """Raise ``InputError`` if files were lost and ``ingest.unreadable`` does not allow it."""
    if losses.lost and params.unreadable == "refuse":
        raise InputError(
            f"{losses.lost} cannot be read: {losses.name_first()}",
            where="params.yaml: `ingest.unreadable` is `refuse`",
            remedy="mend them, list them under `exclude` in sources.yaml, or set it to `skip`",
        )


def _read_found(folder: Folder, found: Found) -> Iterator[Read]:
    try:
        if found.problem:
            raise found.problem
        yield from _read_file(folder, found)
    except UnreadableError as exc:
        yield skip_file(found.source, exc)


def _read_file(folder: Folder, found: Found) -> Iterator[Read]:
    _check_wanted(found.source, folder.sources)
    length = check_file(found.path, folder.real)
    media_type = tell_type(found.source)
    limit = int(folder.params.max_file_mb * _MB)
    said = folder.sources.sources.get(found.source, SourceEntry())
    rights = said.license or folder.sources.defaults.license
    if media_type == "application/jsonl":
        file = SourceFile(found.source, b"", "", rights, said.title)
        yield from read_json_lines(file, found.path, limit)
        return
    _check_length(length, limit)
    data = _read_bytes(found.path)
    file = SourceFile(found.source, data, hashlib.sha256(data).hexdigest(), rights, said.title)
    if media_type == "application/json":
        yield from read_json(file)
    else:
        yield read_document(file)


def _check_wanted(source: str, sources: Sources) -> None:
    if source.rpartition("/")[2].startswith((".", "~$")):
        raise UnreadableError("hidden", "a hidden or temporary file")
    if not _matches(source, sources.include) or _matches(source, sources.exclude):
        raise UnreadableError("excluded", "left out by `include` and `exclude` in sources.yaml")


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise UnreadableError(
            "too_large",
            f"it has {length / _MB:.1f} MB, `ingest.max_file_mb` allows {limit / _MB:g}",
        )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UnreadableError("unreadable", exc.strerror or "it cannot be opened") from exc


def _check_repeats(read: Read, seen: dict[bytes, str], names: set[str]) -> Read:
    """Return a document, or why it is left out: its name or its whole text was there before.

    A second copy would be asked about, taught and weighed twice, and could stand on both sides of
    a split by document.
    """
    if isinstance(read, Rejection):
        return read
    if read.source in names:
        detail = "another document has this name already"
        return skip_file(read.source, UnreadableError("repeated_name", detail))
    names.add(read.source)
    first = seen.setdefault(bytes.fromhex(sha256_text(read.text)), read.source)
    if first != read.source:
        return skip_file(read.source, UnreadableError("duplicate", f"its text is that of {first}"))
    return read


def _matches(source: str, patterns: tuple[str, ...]) -> bool:
    return any(_as_regex(pattern).fullmatch(source) for pattern in patterns)


@lru_cache
def _as_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(_GLOB.get(part) or re.escape(part) for part in parts))


def _check_named(root: Path, sources: Sources) -> None:
    for source in sources.sources:
        if not (root / source).is_file():
            raise InputError(
                f"{source!r} is not a file in {root}",
                where="sources.yaml",
                remedy="mend the path or take the entry out",
            )
