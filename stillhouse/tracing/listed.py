"""The students that a verdict is given on: those that lie here, then those of every commit on any ref."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import md5
from pathlib import Path
from typing import Final

import numpy as np

from stillhouse.base.errors import InputError, StillhouseError
from stillhouse.base.model_name import is_student
from stillhouse.distill.bases import LOCAL_ORIGIN
from stillhouse.lineage.model_folder import PROVENANCE, ROWS
from stillhouse.lineage.provenance import BaseModel, Provenance, read_provenance
from stillhouse.tracing.index import Index, Wanted
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.objects import Objects, hash_listing
from stillhouse.tracing.past import JUDGED_BY, find_tables, want_tables
from stillhouse.tracing.standing import MODELS, Gap, Standing, list_standing

_HERE: Final = "workspace"
_CHECKOUT: Final = "not in the workspace; run `dvc checkout`"
_GONE: Final = (
    "its provenance is in neither the workspace nor DVC's cache; run `dvc fetch --all-commits`"
)
_NO_ROWS: Final[Numbers] = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """A student and the rows that it was trained on, by number.

    ``problem`` says why its list cannot be read or believed, and is empty where it can; then there
    is a provenance. ``doubts`` say, by the sha256 of its base's and its teachers' weights, why one may
    have seen what no row tells of; nothing of one that cannot. ``tables`` are those that it was made of, as far as they are found. ``commits`` are
    those whose ``dvc.lock`` names it, newest first, and ``where`` says so in words.
    """

    model: str
    rows: Numbers
    provenance: Provenance | None
    problem: str
    doubts: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[Path, Path] = field(default_factory=dict)
    commits: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What a student says of itself: its provenance, and the file of its rows; or what is wrong."""

    provenance: Provenance | None = None
    rows: Path | None = None
    problem: str = ""
    folder_md5: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    """A student as a person calls it, what it says, and where it stands."""

    model: str
    manifest: _Manifest
    standing: Standing | None
    here: bool


def list_models(index: Index, root: Path) -> list[Listed]:
    """Return every student here, in order of name, then those that only other commits have.

    What cannot be told of the history itself stands at the end, as models of which nothing is known.
    """
    objects = Objects(index, root)
    standing, gaps = list_standing(index, root)
    with tempfile.TemporaryDirectory() as scratch:
        named = list(_name_all(index, objects, root, standing, Path(scratch)))
    return _read_rows(index, objects, root, named) + [_describe_gap(gap) for gap in gaps]


def _name_all(
    index: Index,
    objects: Objects,
    root: Path,
    standing: dict[tuple[str, str], Standing],
    scratch: Path,
) -> Iterator[_Named]:
    folder = root / MODELS
    present = (
        {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
    )
    waiting = dict(standing)
    recorded = {key[0]: key for key, stands in standing.items() if stands.in_lock}
    for student in sorted(present | recorded.keys()):
        if student in present:
            manifest = _read_folder(index, folder / student)
            yield _Named(
                student, manifest, waiting.pop((student, manifest.folder_md5), None), here=True
            )
        else:
            stands = waiting.pop(recorded[student])
            manifest = _read_cached(index, objects, stands, scratch)
            if manifest.problem:
                manifest = _Manifest(problem=_CHECKOUT)
            yield _Named(student, manifest, stands, here=False)
    taken = present | recorded.keys()
    for stands in waiting.values():
        name = stands.name(taken)
        taken.add(name)
        yield _Named(name, _read_cached(index, objects, stands, scratch), stands, here=False)


def _read_rows(index: Index, objects: Objects, root: Path, named: list[_Named]) -> list[Listed]:
    """Return the students with their rows, the tables that tell of them all in the index by now."""
    told = [one.manifest.provenance for one in named]
    tables = [find_tables(objects, provenance) if provenance else {} for provenance in told]
    seen = [Wanted(one.manifest.rows, "seen") for one in named if one.manifest.rows]
    index.prepare([*seen, *(one for found in tables for one in want_tables(found, JUDGED_BY))])
    return [_list_one(index, root, one, found) for one, found in zip(named, tables, strict=True)]


def _list_one(index: Index, root: Path, one: _Named, tables: Mapping[Path, Path]) -> Listed:
    manifest, stands = one.manifest, one.standing
    where = [_HERE] if one.here else []
    where += [stands.describe()] if stands and stands.describe() else []
    listed = Listed(
        model=one.model,
        rows=_NO_ROWS,
        provenance=None,
        problem=manifest.problem,
        commits=stands.shas if stands else (),
        where=", ".join(where),
    )
    if manifest.provenance is None or manifest.rows is None:
        return listed
    try:
        rows = index.seen(manifest.rows).row
    except StillhouseError as exc:
        return replace(listed, problem=_cannot_be_read(exc))
    sources = name_sources(manifest.provenance)
    told = {source.sha256: _doubt_source(root, did, source) for did, source in sources}
    doubts = {sha256: doubt for sha256, doubt in told.items() if doubt}
    return replace(listed, rows=rows, provenance=manifest.provenance, doubts=doubts, tables=tables)


def _read_folder(index: Index, folder: Path) -> _Manifest:
    try:
        provenance = read_provenance(folder)
        if wrong := next(_find_strange_files(index, folder, provenance.files), None):
            return _Manifest(problem=f"`{wrong}` is not the file that its provenance names")
        return _Manifest(provenance, folder / ROWS, folder_md5=_hash_folder(index, folder))
    except (StillhouseError, OSError, ValueError, AttributeError) as exc:
        # A damaged provenance must never look like one that lists nothing.
        return _Manifest(problem=_cannot_be_read(exc))


def _cannot_be_read(exc: Exception) -> str:
    return f"its provenance cannot be read ({exc})"


def _find_strange_files(index: Index, folder: Path, named: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that are missing, changed, or not named: then the list may be another's."""
    found = {path.name for path in folder.iterdir()} - {PROVENANCE}
    for name in sorted(found | named.keys() | {ROWS}):
        path = folder / name
        if name not in named or not path.is_file() or index.sha256(path) != named[name]:
            yield name


def _hash_folder(index: Index, folder: Path) -> str:
    """Return the md5 by which DVC knows a folder without folders in it."""
    return hash_listing({path.name: index.md5(path) for path in folder.iterdir()})[0]


def _read_cached(index: Index, objects: Objects, stands: Standing, scratch: Path) -> _Manifest:
    """Return what a student says whose folder is known by its md5, from DVC's cache."""
    try:
        listing = objects.list_folder(stands.md5) or {}
        manifest, rows = (objects.find(listing.get(name, "")) for name in (PROVENANCE, ROWS))
        if manifest is None or rows is None:
            return _Manifest(problem=_GONE)
        provenance = _parse(manifest.read_bytes(), listing[PROVENANCE], scratch)
        strange = listing.keys() ^ {PROVENANCE, *provenance.files}
        if strange or provenance.files[ROWS] != index.sha256(rows):
            wrong = min(strange, default=ROWS)
            return _Manifest(problem=f"`{wrong}` is not the file that its provenance names")
        return _Manifest(provenance, rows)
    except (StillhouseError, OSError, ValueError, AttributeError, KeyError, TypeError) as exc:
        return _Manifest(problem=_cannot_be_read(exc))


def _parse(data: bytes, expected: str, folder: Path) -> Provenance:
    """Read a provenance from its very bytes, which a cache keeps under another name."""
    if md5(data).hexdigest() != expected:
        raise InputError("changed while it was read")
    (folder / PROVENANCE).write_bytes(data)
    return read_provenance(folder)


def name_sources(provenance: Provenance) -> list[tuple[str, BaseModel]]:
    """Return the models that a student's weights go back to, each with what the student did with it."""
    learned = [("learned the probabilities of", teacher) for teacher in provenance.teachers]
    return [("began with", provenance.base), *learned]


def _doubt_source(root: Path, did: str, source: BaseModel) -> str:
    """Return why a model that is no student of any version may have seen the thing all the same; else empty.

    What comes from a hub or a package is a third one's; a local folder is that only while it lies
    there to be looked into. Of one outside the project a provenance holds the last part of the path.
    """
    name = source.name
    if is_student(name, root):
        return f"{did} `{name}`, which has other weights now or is gone"
    if (root / name / PROVENANCE).is_file():
        return f"{did} the student `{name}`, whose weights none in `{MODELS}/` has"
    if source.origin == LOCAL_ORIGIN and not (root / name).is_dir():
        return f"{did} the folder `{name}`, which is not here: what it saw cannot be told"
    return ""


def _describe_gap(gap: Gap) -> Listed:
    return Listed(gap.name, _NO_ROWS, None, gap.why)
