"""The tables that a student was made of, where the workspace has other ones by now.

Its provenance names them by md5; their bytes lie in the workspace or in DVC's cache. What is not
found is not told: nothing is concluded from a table that is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.ids import md5_file
from stillhouse.base.tables import read_table
from stillhouse.lineage.provenance import Provenance
from stillhouse.lineage.trace_find import Thing
from stillhouse.lineage.trace_reach import Reach, lay_trail
from stillhouse.lineage.trace_tables import (
    CHUNKS,
    DATASET,
    DOCUMENTS,
    REQUESTS,
    ChunkKey,
    RequestKey,
    RowKey,
)

_TRAIN, _VALIDATION, _ = DATASET
_TABLES: Final = (DOCUMENTS, CHUNKS, REQUESTS, _TRAIN, _VALIDATION)


@dataclass(frozen=True, slots=True)
class Past:
    """Whether the rows of a student's own tables come of a thing, by id; None where none can tell.

    ``validation`` is None where that table is not found.
    """

    train: Mapping[str, bool | None]
    validation: Mapping[str, bool | None] | None


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
    try:
        return _look_back(tables, reach)
    except InputError:  # of another layout, from before a column was added
        return Past({}, None)


def _look_back(tables: Mapping[Path, Path], reach: Reach) -> Past:
    thing = reach.thing
    chunk_ids = {thing.id} if thing.kind == "chunk" else set()
    if CHUNKS in tables:
        chunks = read_table(tables[CHUNKS], ChunkKey)
        chunk_ids |= {chunk.chunk_id for chunk in chunks if _was_of(chunk, thing)}
    # Requests are known *not* to be of a document only where its passages of then are known.
    told = CHUNKS in tables or thing.kind not in ("document", "skipped file")
    requests = read_table(tables[REQUESTS], RequestKey) if REQUESTS in tables and told else ()
    trail, _ = lay_trail(thing, frozenset(chunk_ids), requests, reach.decisions)

    def touch(table: Path) -> Iterator[tuple[str, bool | None]]:
        for row in read_table(tables[table], RowKey):
            yield row.row_id, trail.touches(row)

    return Past(
        train=dict(touch(_TRAIN)) if _TRAIN in tables else {},
        validation=dict(touch(_VALIDATION)) if _VALIDATION in tables else None,
    )


def _was_of(chunk: ChunkKey, thing: Thing) -> bool:
    """Whether a passage of then is of a document of now: its text may have been another."""
    if thing.kind not in ("document", "skipped file"):
        return False
    return chunk.source == thing.name or chunk.document_id == thing.id
