"""The tables that a student was made of, where the workspace has other ones by now.

Its provenance names them by md5; their bytes lie in the workspace or in DVC's cache. What is not
found is not told: nothing is concluded from a table that is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.ids import md5_file
from stillhouse.base.tables import read_table
from stillhouse.lineage.provenance import Provenance
from tests.plain_trace.find import Thing
from tests.plain_trace.passages import Match, match_passages
from tests.plain_trace.reach import (
    BY_PASSAGE,
    Passages,
    Reach,
    follow,
    hash_prompts,
    lay_trail,
    name_rows,
)
from tests.plain_trace.tables import (
    CHUNKS,
    DATASET,
    DOCUMENTS,
    PAIRS,
    REJECTIONS,
    REQUESTS,
    RequestKey,
    RowKey,
)

_TRAIN, _VALIDATION, _ = DATASET
_TABLES: Final = (DOCUMENTS, CHUNKS, REQUESTS, _TRAIN, _VALIDATION)

Told: TypeAlias = Mapping[str, bool | None]


@dataclass(frozen=True, slots=True)
class Past:
    """Whether the rows of a student's own tables come of a thing, by id; None where none can tell.

    ``validation`` is None where that table is not found. ``doubtful`` names the documents of then
    whose passages may have become those of the thing, and prompts likewise, where rows are of these.
    """

    train: Told
    validation: Told | None
    doubtful: Sequence[str]


def find_tables(
    root: Path, provenance: Provenance, tables: Sequence[Path] = _TABLES
) -> dict[Path, Path]:
    """Return table -> file of those tables whose very bytes are found that the provenance names."""
    named = {
        **provenance.upstream,
        **{path: digest.md5 for path, digest in provenance.inputs.items()},
        provenance.dataset.path: provenance.dataset.md5,
    }
    caches = find_caches(root)
    found = {}
    for table in tables:
        md5, here = named.get(table.as_posix(), ""), root / table
        if md5 and here.is_file() and md5_file(here) == md5:
            found[table] = here
        elif (cached := find_cached(caches, named, table.as_posix())[1]) is not None:
            found[table] = cached
    return found


def find_version(root: Path, provenance: Provenance) -> dict[Path, Path]:
    """Return the tables of a student's version in which things are looked up."""
    return find_tables(root, provenance, (*_TABLES, PAIRS, REJECTIONS[0]))


def follow_thing(root: Path, thing: Thing) -> Reach:
    """Return what came of a thing in the workspace, which may have it no more.

    Raises:
        InputError: a table is missing or unreadable.
    """
    if not thing.home or thing.kind not in BY_PASSAGE:
        return follow(root, thing)
    here = {table: root / table for table in _TABLES}
    return follow(root, thing, match_passages(root, here, thing).passages)


def look_back(root: Path, provenance: Provenance, reach: Reach) -> Past:
    """Follow a thing through the tables that a student was made of; an unreadable one tells nothing."""
    tables = find_tables(root, provenance)
    if not reach.thing.home and all(tables.get(t) == root / t for t in _TABLES):
        return Past(reach.touched, reach.validation, ())
    try:
        return _look_back(root, tables, reach)
    except InputError:  # of another layout, from before a column was added
        return Past({}, None, ())


def _look_back(root: Path, tables: Mapping[Path, Path], reach: Reach) -> Past:
    thing = reach.thing
    nothing: frozenset[str] = frozenset()
    match = Match(Passages(nothing, nothing), {})
    if thing.kind in BY_PASSAGE:
        match = match_passages(root, tables, thing)
    requests = read_table(tables[REQUESTS], RequestKey) if REQUESTS in tables else ()
    rows = name_rows(thing, [tables[table] for table in (_TRAIN, _VALIDATION) if table in tables])
    trail, _ = lay_trail(thing, match.passages, hash_prompts(root, thing), requests, rows)
    doubtful: set[str] = set()

    def touch(table: Path) -> Iterator[tuple[str, bool | None]]:
        for row in read_table(tables[table], RowKey):
            touched = trail.touches(row)
            if touched is None:
                doubtful.update(match.doubtful[i] for i in row.chunk_ids if i in match.doubtful)
                if prompt := trail.doubtful.get(row.request_id):
                    doubtful.add(prompt)
            yield row.row_id, touched

    train = dict(touch(_TRAIN)) if _TRAIN in tables else {}
    validation = dict(touch(_VALIDATION)) if _VALIDATION in tables else None
    return Past(train, validation, sorted(doubtful))
