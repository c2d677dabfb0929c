"""What somebody means by a model: a student of the workspace, of an earlier version, or a copy of one."""

from dataclasses import dataclass, replace
from pathlib import Path

from stillhouse.auditing.papers import open_provenance
from stillhouse.auditing.scope import MODELS
from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import sha256_file
from stillhouse.base.lock import Lock, read_lock
from stillhouse.history.mlflow import Registered, find_registered
from stillhouse.history.resolve import find_commit, find_md5, open_commit, open_workspace, resolve
from stillhouse.history.version import Version
from stillhouse.lineage.model_folder import PROVENANCE

_REGISTERED = ("models:/", "runs:/")
_SHA256 = 64  # hex digits


@dataclass(frozen=True, slots=True)
class Named:
    """A version, the student meant within it (empty: all), and the folder of a copy (or None)."""

    version: Version
    student: str
    folder: Path | None
    title: str


def find_named(root: Path, model: str) -> Named:
    """Return what a name means; without a name all of the workspace.

    Raises:
        InputError: nothing, or more than one thing, is called so.
    """
    here = open_workspace(root)
    if not model:
        return Named(here, "", None, here.title)
    student = model.removeprefix("./").removeprefix(f"{MODELS}/").rstrip("/")
    outs = {out for stage in read_lock(root).stages.values() for out in stage.outs}
    folder = f"{MODELS}/{student}"
    if "/" not in student and (folder in outs or (root / folder / PROVENANCE).is_file()):
        return Named(here, student, None, folder)
    if model.startswith(_REGISTERED) or _is_sha256(model):
        return _find_registered(root, here, model)
    if (found := _find_at_commit(root, model)) is not None:
        return found
    path = Path(model).expanduser()
    copy = path if (path / PROVENANCE).is_file() else None
    try:
        version = resolve(root, model)
    except InputError as exc:
        known = {name.removeprefix(f"{MODELS}/") for name in outs if name.startswith(f"{MODELS}/")}
        remedy = suggest(student, sorted(known)) or exc.remedy
        raise InputError(
            exc.what, where=exc.where, expected=f"a student, {exc.expected}", remedy=remedy
        ) from exc
    return Named(version, version.student, copy, version.title)


def _find_at_commit(root: Path, model: str) -> Named | None:
    """Return the student of a commit that ``REVISION:student`` or ``student@REVISION`` means, if any."""
    before, colon, after = model.rpartition(":")
    name, _, revision = (after, "", before) if colon else model.partition("@")
    commit = find_commit(root, revision) if name and revision else ""
    if not commit:
        return None
    student = name.removeprefix(f"{MODELS}/")
    version = open_commit(root, commit, revision)
    outs = {out for stage in version.lock.stages.values() for out in stage.outs}
    if f"{MODELS}/{student}" not in outs:
        raise InputError(f"has no student `{student}`", where=version.title)
    return Named(version, student, None, f"{MODELS}/{student} of {version.title}")


def _find_registered(root: Path, here: Version, model: str) -> Named:
    """Return the version that holds these very files: the workspace, or the newest commit that does."""
    registered = find_registered(root, model)
    if _lies_here(root, registered):
        folder = f"{MODELS}/{registered.student}"
        return Named(here, registered.student, None, f"{model}, which is {folder}")
    for commit, _, _ in find_md5(root, registered.model_md5):
        version = open_commit(root, commit.sha, model)
        return Named(version, registered.student, None, version.title)
    version = resolve(root, model)
    named = {**version.named, f"{MODELS}/{registered.student}": registered.model_md5}
    # Whatever lock has the same tables, it recorded another training.
    alone = replace(version, named=named, lock=Lock({}))
    return Named(alone, registered.student, None, version.title)


def _lies_here(root: Path, registered: Registered) -> bool:
    """Say whether a registered student is the one in the workspace, by either of its hashes.

    By either: a tag that was edited does not make it another student.
    """
    folder = root / MODELS / registered.student
    try:
        weights = open_provenance(folder).weights_sha256
    except InputError:
        return False
    provenance = sha256_file(folder / PROVENANCE)
    return registered.weights_sha256 == weights or registered.provenance_sha256 == provenance


def _is_sha256(name: str) -> bool:
    return len(name) == _SHA256 and set(name) <= set("0123456789abcdef")
