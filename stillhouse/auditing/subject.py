"""Which model a name means, and where its files lie: a folder, or objects of DVC's cache.

A name is, in this order: what MLflow registered (``models:/…``, ``runs:/…``); ``REVISION:student``; a folder
or a file in one; a student of the workspace or of a commit; the first digits of weights' sha256; a
run's id; a git revision with one student.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stillhouse.auditing.students import History, Recorded, name_folder
from stillhouse.base.errors import GateError, InputError, StillhouseError, suggest
from stillhouse.base.home import find_home
from stillhouse.base.lock import Lock, is_shallow
from stillhouse.history.commits import Commit
from stillhouse.history.hashed import Hashed
from stillhouse.history.mlflow import Registered, find_registered
from stillhouse.history.resolve import find_commit, open_commit
from stillhouse.history.version import GoneError, Version
from stillhouse.lineage.inputs import Digest, combine
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.provenance import Provenance, read_provenance

_WEIGHTS: Final = re.compile(r"[0-9a-f]{12,64}")
_RUN: Final = re.compile(r"[0-9a-f]{32}")
_SHORT: Final = 7
_FETCH: Final = "run `dvc fetch --all-commits`, or audit where its files lie"
_WAYS: Final = (
    "a student's name, a folder with provenance.json, 12 or more digits of the weights' sha256, "
    "models:/name/version, models:/name@alias, an MLflow run, a git revision or REVISION:student"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is audited.

    Attributes:
        asked: the name that was given.
        student: its name in ``params.yaml``.
        folder: where its files lie; of an earlier commit's, links to objects of DVC's cache.
        shown: the folder as people call it: ``models/tiny``, ``models/tiny of 3f2a9c1``.
        md5: of the folder, as DVC computes it.
        provenance: what its folder says that it was made of.
        version: its data: what its provenance names, and the lock that recorded it.
        recorded: the commits whose ``dvc.lock`` names exactly this folder, newest first.
        here: whether the ``dvc.lock`` of the workspace names exactly this folder.
        other_md5: what the workspace's lock says of a folder in its place, if neither it nor any commit
            names this one: then it was changed.
        absent: what its listing names and neither cache nor remote has.
        history: of the project, for the locks of its commits.
        registered: what MLflow said, where it was asked.
    """

    asked: str
    student: str
    folder: Path
    shown: str
    md5: str
    provenance: Provenance
    version: Version
    recorded: tuple[Commit, ...]
    here: bool
    other_md5: str
    absent: tuple[str, ...]
    history: History
    registered: Registered | None = None

    @property
    def due(self) -> bool:
        """Whether the workspace's lock says what the folder, and what lies beside it, should be."""
        return self.here or bool(self.other_md5)

    @property
    def lock(self) -> Lock:
        """The ``dvc.lock`` that recorded its training; one without stages where none is known."""
        return self.version.lock

    def list_locks(self) -> Iterator[Lock]:
        """Yield its lock, then those of all commits that hold it, oldest first: that of its training."""
        yield self.lock
        for blob in dict.fromkeys(reversed([commit.lock_blob for commit in self.recorded])):
            yield self.history.lock_of(next(c for c in self.recorded if c.lock_blob == blob))


@contextmanager
def open_model(root: Path, name: str, history: History | None = None) -> Iterator[Subject]:
    """Yield the model that a name means; what its files need lies there until the block ends.

    Raises:
        InputError: nothing or more than one model is called so, or its files are nowhere.
        GateError: its provenance is damaged.
    """
    known = history or History(root)
    registered = None
    if name.startswith(("models:/", "runs:/")):
        registered = find_registered(root, name)
    found = (
        _find_registered(known, registered) if registered is not None else _find(known, root, name)
    )
    with open_place(known, name, found, registered) as subject:
        yield subject


@contextmanager
def open_place(
    history: History, name: str, place: Path | Recorded, registered: Registered | None = None
) -> Iterator[Subject]:
    """Yield the model that lies at a place, under the name that it was asked for by; errors as above."""
    if isinstance(place, Path):
        yield _describe(history, name, place, place, (), registered)
        return
    with tempfile.TemporaryDirectory(prefix="stillhouse-audit-") as scratch:
        folder = Path(scratch) / place.student
        absent = _link_files(history.root, place, folder)
        yield _describe(history, name, folder, place, absent, registered)


def name_place(place: Path | Recorded) -> str:
    """Return how a place is called: a folder's path, or that of a student at a commit."""
    return str(place) if isinstance(place, Path) else _show(place)


def find_weights(history: History, sha256: str, *, earlier: bool = True) -> Path | Recorded | None:
    """Return the model whose weights have a sha256, or its first digits; the workspace goes first.

    Without ``earlier`` no commit is looked at.

    Raises:
        InputError: models with different weights begin with these digits.
    """
    found: dict[str, Path | Recorded] = {}
    for place in _list_places(history, earlier=earlier):
        weights = _read_weights(history.root, place)
        if weights == sha256:
            return place
        if weights.startswith(sha256):
            found.setdefault(weights, place)
    if len(found) > 1:
        raise InputError(
            f"{len(found)} models have weights that begin so",
            where=sha256,
            expected="more digits: " + ", ".join(f"{known[:16]}…" for known in sorted(found)),
        )
    return next(iter(found.values()), None)


def list_names(history: History) -> list[str]:
    """Return the names of all students in the workspace and at its commits."""
    recorded = {one.student for one in history.list_recorded(holding=name_folder(""))}
    return sorted(recorded | set(history.list_folders()))


def _find(history: History, root: Path, name: str) -> Path | Recorded:
    if (folder := _find_folder(root, name)) is not None:
        return folder
    if (student := _find_student(history, name)) is not None:
        return student
    revision, colon, student_name = name.rpartition(":")
    if colon and (commit := find_commit(root, revision)):
        return _find_at(root, commit, revision, student_name)
    if _WEIGHTS.fullmatch(name):
        if (found := find_weights(history, name)) is not None:
            return found
        if len(name) == 64 or _RUN.fullmatch(name):
            return _find_registered(history, find_registered(root, name))
    if commit := find_commit(root, name):
        return _find_at(root, commit, name, "")
    student_name, at, revision = name.removeprefix(name_folder("")).partition(
        "@"
    )  # as `trace` says
    if at and revision and (commit := find_commit(root, revision)):
        return _find_at(root, commit, revision, student_name)
    cut = " (the history of this clone is cut off: `git fetch --unshallow`)"
    raise InputError(
        f"no model is called so{cut if is_shallow(root) else ''}",
        where=name,
        expected=_WAYS,
        remedy=suggest(name, list_names(history))
        if (root / "params.yaml").exists()
        else "a student's name is known in the folder of its project alone: run this there",
    )


def _find_folder(root: Path, name: str) -> Path | None:
    """Return the folder of a path; one below ``models/`` that is gone may still be in the cache.

    A bare name is a student's before it is that of a folder beside ``models/``.
    """
    student = root / name_folder(name)
    if "/" not in name and name not in ("", ".", "..") and (student / PROVENANCE).is_file():
        return student
    for place in (root / name, Path(name).expanduser()):
        folder = place.parent if place.is_file() else place
        if (folder / PROVENANCE).is_file():
            return folder
        if place.exists() and ("/" in name or place.is_file()) and place.parent.name != "models":
            raise InputError(
                f"holds no {PROVENANCE}",
                where=name,
                expected="the folder of a student, as `train` leaves it",
                remedy="name the whole folder, copied with all its files",
            )
    return None


def _find_student(history: History, name: str) -> Path | Recorded | None:
    """Return a student by its name, or by ``models/<name>``: the folder here, else the last recorded."""
    student = Path(name).name if Path(name).parent.name == "models" else name
    folder = history.root / name_folder(student)
    if "/" in student or not student or student in (".", ".."):
        return None
    if (folder / PROVENANCE).is_file():
        return folder
    recorded = history.list_recorded(holding=name_folder(student))
    return next((one for one in recorded if one.student == student), None)


def _find_at(root: Path, commit: str, revision: str, student: str) -> Recorded:
    """Return the student of a commit: the only one, or the one that is named."""
    version = open_commit(root, commit, revision)
    told = Commit(commit, (), 0, "", "")
    found = {
        Path(out).name: Recorded(Path(out).name, md5, version.lock, told)
        for stage in version.lock.stages.values()
        for out, md5 in stage.outs.items()
        if out.startswith(name_folder(""))
    }
    if student in found or (not student and len(found) == 1):
        return found[student or next(iter(found))]
    known = ", ".join(f"{revision}:{name}" for name in sorted(found))
    what = f"has no student `{student}`" if student else f"has {len(found) or 'no'} students"
    raise InputError(what, where=version.title, expected=f"one of {known}" if known else None)


def _find_registered(history: History, registered: Registered) -> Path | Recorded:
    found = find_weights(history, registered.weights_sha256)
    if found is None:
        raise InputError(
            f"is the student `{registered.student}` with weights of the sha256 "
            f"{registered.weights_sha256}, whose files are neither in models/ nor in DVC's cache",
            where=registered.name,
            remedy=_FETCH,
        )
    return found


def _list_places(history: History, *, earlier: bool) -> Iterator[Path | Recorded]:
    for name in history.list_folders():
        yield history.root / name_folder(name)
    if not earlier:
        return
    seen = set()
    for recorded in history.list_recorded(holding=name_folder("")):
        if recorded.md5 not in seen:
            seen.add(recorded.md5)
            yield recorded


def _read_weights(root: Path, place: Path | Recorded) -> str:
    """Return the sha256 of the weights that a provenance names; empty where it cannot be read."""
    try:
        if isinstance(place, Path):
            return read_provenance(place).weights_sha256
        path = _name_files(root, place).find(f"{name_folder(place.student)}/{PROVENANCE}")
        if path is None:
            return ""
        with tempfile.TemporaryDirectory(prefix="stillhouse-audit-") as folder:
            (Path(folder) / PROVENANCE).symlink_to(path.resolve())
            return read_provenance(Path(folder)).weights_sha256
    except StillhouseError:
        return ""


def _name_files(root: Path, recorded: Recorded) -> Version:
    """Return a version that knows nothing but a student's folder."""
    named = {name_folder(recorded.student): recorded.md5}
    return Version(recorded.student, _show(recorded), root, named=named)


def _show(recorded: Recorded) -> str:
    commit = f" of {recorded.commit.sha[:_SHORT]}" if recorded.commit else ""
    return f"{name_folder(recorded.student)}{commit}"


def _link_files(root: Path, recorded: Recorded, folder: Path) -> tuple[str, ...]:
    """Make a folder of links to a student's files in DVC's cache; return what is nowhere.

    Raises:
        InputError: not even its listing or its provenance is there.
    """
    version, below = _name_files(root, recorded), name_folder(recorded.student)
    try:
        # Opening what matters most brings the folder's listing from the remote, too.
        version.open(f"{below}/{PROVENANCE}")
    except GoneError as exc:
        raise InputError(
            "neither in the workspace nor in DVC's cache or remote"
            f" (md5 {recorded.md5.removesuffix('.dir')})",
            where=_show(recorded),
            remedy=_FETCH,
        ) from exc
    folder.mkdir()
    absent = []
    for name in sorted(version.list_folder(below) or ()):
        try:
            (folder / name).symlink_to(version.open(f"{below}/{name}").resolve())
        except StillhouseError:
            absent.append(name)
    return tuple(absent)


def _describe(
    history: History,
    asked: str,
    folder: Path,
    place: Path | Recorded,
    absent: tuple[str, ...],
    registered: Registered | None,
) -> Subject:
    try:
        provenance = read_provenance(folder)
        _check_types(provenance)
    except InputError as exc:
        raise GateError(
            f"NOT verified: {exc.what}",
            where=f"{name_place(place)}/{PROVENANCE}",
            expected="what `train` wrote there last",
            remedy="put the folder back (`dvc checkout`), or take the copy again",
        ) from exc
    student = provenance.student
    below = name_folder(student)
    md5 = place.md5 if isinstance(place, Recorded) else _hash_folder(history.root, folder)
    recorded = history.list_commits_of(md5.removesuffix(".dir"))
    inside = isinstance(place, Path) and place.resolve() == (history.root / below).resolve()
    named = _folders_of(history.here).get(below, "")
    here = named == md5
    other = named if inside and not here and not recorded else ""
    commit, lock = _choose_lock(history, here or bool(other), recorded)
    shown = _show(place) if isinstance(place, Recorded) else below if inside else str(place)
    version = replace(
        _name_data(history.root, asked, provenance),
        title=f"{asked} ({commit[:_SHORT]})" if commit else asked,
        commit=commit,
        lock=lock,
    )
    return Subject(
        asked, student, folder, shown, md5, provenance, version, tuple(recorded), here, other,
        absent, history, registered,
    )  # fmt: skip


def _check_types(provenance: Provenance) -> None:
    """Refuse values that no training writes: whoever edited the file may have put anything there.

    Raises:
        InputError: a value has another type.
    """
    dataset, base = provenance.dataset, provenance.base
    digests = [text for one in provenance.inputs.values() for text in (one.md5, one.sha256)]
    texts = {
        "student": [provenance.student],
        "weights_sha256": [provenance.weights_sha256],
        "dataset": [dataset.path, dataset.md5, dataset.sha256, dataset.merkle_root],
        "base": [base.name, base.sha256, base.origin],
        "teachers": [t for one in provenance.teachers for t in (one.name, one.sha256, one.origin)],
        "inputs": digests,
        "files": list(provenance.files.values()),
        "upstream": list(provenance.upstream.values()),
        "packages": list(provenance.packages.values()),
    }
    wrong = [name for name, values in texts.items() if not all(isinstance(v, str) for v in values)]
    if not isinstance(dataset.rows, int):
        wrong.append("dataset")
    if not wrong and ("/" in provenance.student or provenance.student in ("", ".", "..")):
        wrong.append("student")
    if wrong:
        raise InputError(f"not a provenance (`{wrong[0]}` holds what no training writes)")


def _choose_lock(history: History, here: bool, recorded: Sequence[Commit]) -> tuple[str, Lock]:
    """Return the lock that names the very folder, and its commit: that of HEAD before a later one."""
    if here:
        head = find_commit(history.root, "HEAD")
        commit = next((one.sha for one in recorded if one.sha == head), "")
        return commit or next((one.sha for one in recorded), ""), history.here
    if recorded:
        return recorded[0].sha, history.lock_of(recorded[0])
    return "", Lock({})


def _name_data(root: Path, asked: str, provenance: Provenance) -> Version:
    """Return the version of the data that a provenance names."""
    named = {
        **provenance.upstream,
        **{path: digest.md5 for path, digest in provenance.inputs.items()},
        provenance.dataset.path: provenance.dataset.md5,
    }
    return Version(asked, asked, root, named=named, student=provenance.student)


def _folders_of(lock: Lock) -> dict[str, str]:
    return {out: md5 for stage in lock.stages.values() for out, md5 in stage.outs.items()}


def _hash_folder(root: Path, folder: Path) -> str:
    """Return a folder's md5 as DVC computes it; untouched files are not read again."""
    hashed = Hashed(find_home(root))
    files: Iterable[Path] = (path for path in folder.rglob("*") if path.is_file())
    return combine(
        (path.relative_to(folder).as_posix(), Digest(hashed.md5(path), "")) for path in files
    ).md5
