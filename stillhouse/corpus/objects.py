"""Files of JSON objects into documents: one for each object with a text, or one for all as a table.

``entries`` says which.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from stillhouse.base.ids import sha256_file
from stillhouse.base.records import Document, Rejection
from stillhouse.corpus.decoding import decode
from stillhouse.corpus.entries import (
    Entry,
    holds_documents,
    name_entry,
    read_field,
    read_lines,
    read_list,
    read_rows,
    read_text,
)
from stillhouse.corpus.readers import SourceFile, make_document, title_from_name
from stillhouse.corpus.unreadable import UnreadableError, skip_file


@dataclass(frozen=True, slots=True)
class _Objects:
    """A file of objects; ``hash_file`` gives the sha256 of its bytes, a table has ``longest`` at most."""

    file: SourceFile
    media_type: str
    entries: Iterable[Entry]
    longest: int
    hash_file: Callable[[], str]


def read_json(file: SourceFile) -> Iterator[Document | Rejection]:
    """Yield the documents of a JSON list.

    Raises:
        UnreadableError: it is empty, not JSON or not a list of objects.
    """
    if not file.data.strip():
        raise UnreadableError("empty", "the file is empty")
    entries = read_list(decode(file.data))
    whole = _Objects(file, "application/json", entries, len(file.data), lambda: file.sha256)
    yield from _read_objects(whole)


def read_json_lines(file: SourceFile, path: Path, longest: int) -> Iterator[Document | Rejection]:
    """Yield the documents of a file of JSON Lines, and each line that gives none.

    The file at ``path`` is read line by line, so it may have any length; a line, or a file that is
    one table, may have ``longest`` bytes at most.

    Raises:
        UnreadableError: it cannot be opened, holds no object, or is a table that is too long.
    """
    try:
        with path.open("rb") as lines:
            entries = read_lines(lines, longest)
            whole = _Objects(file, "application/jsonl", entries, longest, lambda: sha256_file(path))
            yield from _read_objects(whole)
    except OSError as exc:
        raise UnreadableError("unreadable", exc.strerror or "it cannot be opened") from exc


def _read_objects(whole: _Objects) -> Iterator[Document | Rejection]:
    entries, first, blank = iter(whole.entries), None, True
    for entry in entries:
        blank = False
        if entry.problem is None:
            first = entry
            break
        yield skip_file(f"{whole.file.source}#{entry.number}", entry.problem)
    if first is None:
        raise UnreadableError("empty" if blank else "no_text", "there is no object in it")
    found = chain([first], entries)
    if holds_documents(first):
        for entry in found:
            yield _read_entry(whole, entry)
    else:
        yield from _read_table(whole, found)


def _read_entry(whole: _Objects, entry: Entry) -> Document | Rejection:
    file = whole.file
    source = f"{file.source}#{name_entry(entry)}"
    try:
        if entry.problem:
            raise entry.problem
        title, blocks = read_text(entry.value)
        digest = hashlib.sha256(entry.raw).hexdigest() if entry.raw else file.sha256
        rights = read_field(entry.value, "license") or file.license
        part = SourceFile(source, b"", digest, rights, title)
        return make_document(part, whole.media_type, blocks, lambda: source)
    except UnreadableError as exc:
        return skip_file(source, exc)


def _read_table(whole: _Objects, entries: Iterable[Entry]) -> Iterator[Document | Rejection]:
    rows: list[Entry] = []
    length = 0
    for entry in entries:
        if entry.problem:
            yield skip_file(f"{whole.file.source}#{entry.number}", entry.problem)
            continue
        rows.append(entry)
        length += len(entry.raw)
        if length > whole.longest:
            raise UnreadableError(
                "too_large", "its lines have no `text`, so it is one table, and longer than allowed"
            )
    blocks = read_rows(rows, whole.file.title or title_from_name(whole.file.source))
    yield make_document(replace(whole.file, sha256=whole.hash_file()), whole.media_type, blocks)
