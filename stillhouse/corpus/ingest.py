"""The documents' folder into documents, each file that is left out with its reason."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.params import Params, load_yaml, parse_section
from stillhouse.base.records import Document, Rejection
from stillhouse.corpus.readers import SourceFile, UnreadableError, read_document

_GLOB: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


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


@dataclass(slots=True)
class Ingested:
    """The documents of a folder in the order of their paths, and what was left out."""

    documents: list[Document] = field(default_factory=list)
    skipped: list[Rejection] = field(default_factory=list)


def load_sources(path: Path) -> Sources:
    """Return ``sources.yaml``; a wrong or unknown key is an ``InputError``."""
    return parse_section("sources.yaml", Sources, load_yaml(path), path)


def ingest_folder(root: Path, sources: Sources) -> Ingested:
    """Return what the files below ``root`` hold, read in the order of their paths.

    A file that cannot be read is skipped with its reason: ``unsupported``, ``empty``, ``no_text``,
    ``corrupt``, ``encrypted``, ``unknown_encoding``, ``excluded``, ``hidden``, ``outside`` (a link
    that leaves the folder), ``linked_folder``, ``unreadable``.

    Raises:
        InputError: the folder is missing, or ``sources.yaml`` names a file that is not there.
    """
    if not root.is_dir():
        raise InputError("folder not found", where=str(root), remedy="put your documents there")
    result = Ingested()
    paths = sorted(_list_files(root), key=lambda path: path.relative_to(root).as_posix())
    _check_named(root, sources)
    for path in paths:
        source = path.relative_to(root).as_posix()
        try:
            result.documents.append(read_document(_open(root, path, source, sources)))
        except UnreadableError as exc:
            result.skipped.append(_skip(source, exc))
    return result


def _list_files(root: Path) -> Iterator[Path]:
    """Yield files, and links to folders, which are not entered: they may lead around in a circle."""
    for folder, names, files in os.walk(root, followlinks=False):
        yield from (Path(folder) / name for name in files)
        yield from (Path(folder) / name for name in names if (Path(folder) / name).is_symlink())


def _open(root: Path, path: Path, source: str, sources: Sources) -> SourceFile:
    if not path.resolve().is_relative_to(root.resolve()):
        raise UnreadableError("outside", "a link that leads out of the documents' folder")
    if path.is_dir():
        raise UnreadableError("linked_folder", "a link to a folder, which is read at its own place")
    if path.name.startswith((".", "~$")):
        raise UnreadableError("hidden", "a hidden or temporary file")
    if not _matches(source, sources.include) or _matches(source, sources.exclude):
        raise UnreadableError("excluded", "left out by `include` and `exclude` in sources.yaml")
    return _read_file(path, source, sources)


def _read_file(path: Path, source: str, sources: Sources) -> SourceFile:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise UnreadableError("unreadable", exc.strerror or "it cannot be opened") from exc
    entry = sources.sources.get(source, SourceEntry())
    rights = entry.license or sources.defaults.license
    return SourceFile(source, data, hashlib.sha256(data).hexdigest(), rights, entry.title)


def _matches(source: str, patterns: tuple[str, ...]) -> bool:
    return any(re.fullmatch(_as_regex(pattern), source) for pattern in patterns)


def _as_regex(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(_GLOB.get(part) or re.escape(part) for part in parts)


def _check_named(root: Path, sources: Sources) -> None:
    for source in sources.sources:
        if not (root / source).is_file():
            raise InputError(
                f"{source!r} is not a file in {root}",
                where="sources.yaml",
                remedy="mend the path or take the entry out",
            )


def _skip(source: str, exc: UnreadableError) -> Rejection:
    return Rejection(source, "file", source, (), "ingest", exc.reason, exc.detail)
