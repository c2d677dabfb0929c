"""The tables that a student was made of, where the workspace has other ones by now.

Its provenance names them by md5; their bytes lie in the workspace or in DVC's cache. What is not
found is not told: nothing is concluded from a table that is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.ids import md5_file, sha256_file
from stillhouse.base.tables import read_table
from stillhouse.lineage.provenance import Provenance
from stillhouse.lineage.trace_find import Thing
from stillhouse.lineage.trace_reach import Passages, Reach, lay_trail
from stillhouse.lineage.trace_tables import (
    CHUNKS,
    DATASET,
    DOCUMENTS,
    REQUESTS,
    SEED,
    ChunkKey,
    DocumentKey,
    RequestKey,
    RowKey,
    find_record,
)

_TRAIN, _VALIDATION, _ = DATASET
_TABLES: Final = (DOCUMENTS, CHUNKS, REQUESTS, _TRAIN, _VALIDATION)

Told: TypeAlias = Mapping[str, bool | None]


@dataclass(frozen=True, slots=True)
class Past:
    """Whether the rows of a student's own tables come of a thing, by id; None where none can tell.

    ``validation`` is None where that table is not found.
    """

    train: Told
    validation: Told | None


def find_tables(root: Path, provenance: Provenance) -> dict[Path, Path]:
    """Return table -> file of those tables whose very bytes are found that the provenance names."""
    named = {
        **provenance.upstream,
        **{path: digest.md5 for path, digest in provenance.inputs.items()},
        provenance.dataset.path: provenance.dataset.md5,
    }
    caches = find_caches(root)
    found = {}
    for table in _TABLES:
        md5, here = named.get(table.as_posix(), ""), root / table
        if md5 and here.is_file() and md5_file(here) == md5:
            found[table] = here
        elif (cached := find_cached(caches, named, table.as_posix())[1]) is not None:
            found[table] = cached
    return found


def look_back(root: Path, provenance: Provenance, reach: Reach) -> Past:
    """Follow a thing through the tables that a student was made of; an unreadable one tells nothing."""
    tables = find_tables(root, provenance)
    if all(tables.get(table) == root / table for table in _TABLES):
        return Past(reach.touched, reach.validation)
    try:
        return _look_back(root, tables, reach)
    except InputError:  # of another layout, from before a column was added
        return Past({}, None)


def _look_back(root: Path, tables: Mapping[Path, Path], reach: Reach) -> Past:
    thing = reach.thing
    chunk_ids = {thing.id} if thing.kind == "chunk" else set()
    told = CHUNKS in tables
    document_ids: set[str] = set()
    if thing.kind in ("document", "skipped file"):
        found = _find_documents(root, tables, thing)
        told, document_ids = told and found is not None, found or set()
    known = set()
    for chunk in read_table(tables[CHUNKS], ChunkKey) if CHUNKS in tables else ():
        known.add(chunk.chunk_id)
        if chunk.source == thing.name or chunk.document_id in document_ids:
            chunk_ids.add(chunk.chunk_id)
    # Rows are known *not* to be of a document only where its passages of then are known.
    passages = Passages(frozenset(chunk_ids), frozenset(known if told else chunk_ids))
    requests = read_table(tables[REQUESTS], RequestKey) if REQUESTS in tables else ()
    trail, _ = lay_trail(thing, passages, requests, reach.decisions)

    def touch(table: Path) -> dict[str, bool | None]:
        return {row.row_id: trail.touches(row) for row in read_table(tables[table], RowKey)}

    return Past(
        train=touch(_TRAIN) if _TRAIN in tables else {},
        validation=touch(_VALIDATION) if _VALIDATION in tables else None,
    )


def _find_documents(root: Path, tables: Mapping[Path, Path], thing: Thing) -> set[str] | None:
    """Return the ids that a document of now had then; None where that cannot be told.

    An id covers the source, so a renamed file is found by its bytes and an edited one by its name.
    What has neither in that version was no part of it, as every document of then stands in its table:
    a file that was renamed *and* edited since is a new one to all tables of now, too.
    """
    sha256 = _hash_source(root, thing)
    if not sha256 or DOCUMENTS not in tables:
        return None
    named, alike = [], []
    for document in read_table(tables[DOCUMENTS], DocumentKey):
        if document.source == thing.name:
            named.append(document)
        if document.source_sha256 == sha256:
            alike.append(document)
    # The objects of one JSON list all have the file's sha256: then the same place in it counts.
    part = thing.name.partition("#")[2]
    same = [document for document in alike if document.source.partition("#")[2] == part] or alike
    return {document.document_id for document in (*named, *same)}


def _hash_source(root: Path, thing: Thing) -> str:
    """Return the sha256 of a document's bytes; empty where that is neither recorded nor here."""
    if thing.kind == "document":
        document = find_record(root, DOCUMENTS, DocumentKey, thing.id)
        return document.source_sha256 if document else ""
    path = root / SEED / thing.name
    return sha256_file(path) if path.is_file() else ""
