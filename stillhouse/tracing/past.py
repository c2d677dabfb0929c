"""The tables that a student was made of, where the workspace has other ones by now.

Its provenance names them by md5; their bytes lie in the workspace or in DVC's cache. What is not
found is not told: nothing is concluded from a table that is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stillhouse.base.errors import InputError
from stillhouse.lineage.provenance import Provenance
from stillhouse.tracing.asked import read_asked
from stillhouse.tracing.columns import Rows, choose, flag
from stillhouse.tracing.find import Thing
from stillhouse.tracing.index import Index, Wanted
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.objects import Objects
from stillhouse.tracing.passages import Match, match_passages
from stillhouse.tracing.reach import Reach, follow, hash_prompts, name_rows
from stillhouse.tracing.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    DERIVED,
    DOCUMENTS,
    PAIRS,
    REJECTIONS,
    REQUESTS,
    REVIEWED,
)
from stillhouse.tracing.trail import BY_PASSAGE, BY_ROW, UNKNOWN, Passages, Told, Trail, lay_trail

_TRAIN, _VALIDATION, _ = DATASET
JUDGED_BY: Final = (DOCUMENTS, CHUNKS, REQUESTS, DERIVED, _TRAIN, _VALIDATION)
LOOKED_UP_IN: Final = (PAIRS, REJECTIONS[0])  # besides, for a thing that the workspace has no more
_FORMS: Final = {
    DOCUMENTS: "documents",
    CHUNKS: "chunks",
    REQUESTS: "requests",
    DERIVED: "derived",
    PAIRS: "pairs",
    REJECTIONS[0]: "skipped",
    REJECTIONS[1]: "rejections",
    REJECTIONS[2]: "rejections",
    **dict.fromkeys((CURATED, REVIEWED, *DATASET), "rows"),
}

Tables = Mapping[Path, Path]


@dataclass(frozen=True, slots=True)
class Past:
    """Whether the rows of a student's own tables come of a thing, by number.

    ``validation`` are the rows of that table, None where it is not found. ``doubtful`` names the
    documents of then whose passages may have become those of the thing, and prompts likewise, where
    rows are of these.
    """

    told: Told
    validation_told: Told
    validation: Numbers | None
    doubtful: Sequence[str]


def want_tables(tables: Tables, chosen: Sequence[Path] = ()) -> Iterator[Wanted]:
    """Yield the chosen tables, or all, with the form that each has in the index."""
    return (Wanted(tables[t], _FORMS[t]) for t in chosen or tables if t in tables)


def list_here(root: Path) -> dict[Path, Path]:
    """Return every table of the workspace that a trace reads."""
    return {table: root / table for table in _FORMS}


def find_tables(
    objects: Objects, provenance: Provenance, tables: Sequence[Path] = JUDGED_BY
) -> dict[Path, Path]:
    """Return table -> file of those tables whose very bytes are found that the provenance names."""
    named = {
        **provenance.upstream,
        **{path: digest.md5 for path, digest in provenance.inputs.items()},
        provenance.dataset.path: provenance.dataset.md5,
    }
    found = ((table, objects.find_out(named, table)) for table in tables)
    return {table: file for table, file in found if file is not None}


def follow_thing(index: Index, root: Path, thing: Thing) -> Reach:
    """Return what came of a thing in the workspace, which may have it no more.

    Raises:
        InputError: a table is missing or unreadable.
    """
    if not thing.home or thing.kind not in BY_PASSAGE:
        return follow(index, root, thing)
    here = {table: root / table for table in JUDGED_BY}
    return follow(index, root, thing, match_passages(index, root, here, thing).passages)


def look_back(index: Index, root: Path, tables: Tables, reach: Reach) -> Past:
    """Follow a thing through the tables that a student was made of; an unreadable one tells nothing."""
    if not reach.thing.home and all(
        tables.get(t) == root / t for t in JUDGED_BY if t != DERIVED or t in tables
    ):
        return Past(reach.touched, reach.touched, reach.validation, ())
    try:
        return _look_back(index, root, tables, reach)
    except InputError:  # of another layout, from before a column was added
        nothing = np.full(index.size, UNKNOWN, np.int8)
        return Past(nothing, nothing, None, ())


def _look_back(index: Index, root: Path, tables: Tables, reach: Reach) -> Past:
    thing = reach.thing
    trail, match = _lay_trail(index, root, tables, thing)
    doubtful: set[str] = set()

    def tell(table: Path) -> tuple[Told, Numbers | None]:
        told = np.full(index.size, UNKNOWN, np.int8)
        if table not in tables:
            return told, None
        rows = index.rows(tables[table])
        told[rows.row] = trail.tell_rows(rows)
        doubtful.update(_name_doubtful(index, trail, match, rows))
        return told, rows.row

    told, _ = tell(_TRAIN)
    validation_told, validation = tell(_VALIDATION)
    return Past(told, validation_told, validation, sorted(doubtful))


def _lay_trail(index: Index, root: Path, tables: Tables, thing: Thing) -> tuple[Trail, Match]:
    nothing = np.zeros(index.size, np.bool_)
    match = Match(Passages(nothing, nothing), {})
    if thing.kind in BY_PASSAGE:
        match = match_passages(index, root, tables, thing)
    asked = read_asked(index, tables)
    rows = name_rows(index, thing, [tables[t] for t in (_TRAIN, _VALIDATION) if t in tables])
    prompts = hash_prompts(index, root, thing)
    return lay_trail(index, thing, match.passages, prompts, asked, rows)[0], match


def _name_doubtful(index: Index, trail: Trail, match: Match, rows: Rows) -> Iterator[str]:
    """Yield the sources and prompts of then that rows of a table are of, of which nobody can tell."""
    if trail.thing.kind in BY_ROW or not (match.doubtful or trail.doubtful):
        return
    untold = trail.tell_groups(rows) == UNKNOWN
    places = flag(index.size, match.doubtful.keys())
    doubted = untold & rows.chunks.any_of(places)
    for group in np.flatnonzero(doubted).tolist():
        for chunk in rows.chunks.at(group):
            if chunk in match.doubtful:
                yield index.words.texts[match.doubtful[chunk]]
    asked = untold & choose(flag(index.size, trail.doubtful.keys()), rows.request)
    for request in rows.request[asked].tolist():
        yield index.words.texts[trail.doubtful[request]]
