"""Which version of the data a name means.

A name is, in this order: nothing or ``workspace``; ``models:/...`` of MLflow; a revision of git or the
name of an experiment; a path (of a table, of a folder of the dataset, of a student, of another
project); an md5 of DVC; the sha256 of weights, or a run, that MLflow knows.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.git import ask_git
from stillhouse.base.lock import LOCK, Lock, is_shallow, read_lock
from stillhouse.history.commits import (
    Commit,
    list_commits,
    list_experiments,
    list_refs,
    read_locks,
)
from stillhouse.history.mlflow import find_registered, is_registered_name
from stillhouse.history.objects import find_prefix
from stillhouse.history.version import Version
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.provenance import Provenance, read_provenance

WORKSPACE: Final = "workspace"
_MD5: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")
_SHORT: Final = 7
_WAYS: Final = (
    "a git revision, an experiment, a path, an md5 of DVC, models:/name/version, a run of MLflow, "
    f"or `{WORKSPACE}`"
)


def resolve(root: Path, name: str, table: str = "data/dataset/train.parquet") -> Version:
    """Return the version of the project at ``root`` that a name means.

    Args:
        root: the project.
        name: see above.
        table: which table a file or md5 given by hand is, as a path in the project.

    Raises:
        InputError: nothing or more than one thing is called so; or the commit has no ``dvc.lock``.
    """
    if name in ("", WORKSPACE):
        return open_workspace(root)
    if name.startswith(("models:/", "runs:/")):
        return _open_registered(root, name)
    path = _find_path(root, name)
    commit = find_commit(root, name)
    if commit and path is not None and not _is_path(name):
        raise InputError(
            f"`{name}` is a revision and a path",
            expected="one of them",
            remedy=f"write `./{name}` for the path, `{commit[:_SHORT]}` for the revision",
        )
    if path is not None:
        return _open_path(root, name, path, table)
    if commit:
        return open_commit(root, commit, name)
    if _MD5.fullmatch(name) and (found := _open_md5(root, name, table)):
        return found
    if is_registered_name(name):
        return _open_registered(root, name)
    raise _unknown(root, name)


def open_workspace(root: Path, title: str = "the workspace", name: str = "") -> Version:
    """Return what lies in the working directory."""
    return Version(name=name, title=title, root=root, lock=read_lock(root), workspace=True)


def open_commit(root: Path, commit: str, name: str = "") -> Version:
    """Return the version of a commit, by its full sha.

    Raises:
        InputError: it has no ``dvc.lock``, or one that cannot be parsed.
    """
    short = commit[:_SHORT]
    title = short if not name or commit.startswith(name) else f"{name} ({short})"
    found = _read_commit(root, commit)
    if found is None:
        raise InputError(
            f"commit {short} has no readable `{LOCK}`",
            where=name or commit,
            expected="a commit of which `dvc repro` wrote one",
            remedy="name a later one, or run the pipeline there and commit it",
        )
    return Version(name=name, title=title, root=root, commit=commit, lock=found)


def find_commit(root: Path, name: str) -> str:
    """Return the full sha of a revision or an experiment; empty where there is none."""
    experiment = list_experiments(root).get(name, "")
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    # git understands `HEAD:path` and `:/words` too: `^{commit}` refuses what is no commit.
    lines = ask_git(root, *asked).split()
    # What a name leaves out (`^HEAD`) is no commit that it means.
    return lines[-1] if lines and not lines[-1].startswith("^") else experiment


def find_md5(root: Path, md5: str) -> Iterator[tuple[Commit, Lock, str]]:
    """Yield (commit, lock, path) of every version whose ``dvc.lock`` names an md5, newest first."""
    commits = list_commits(root)
    locks = dict(read_locks(root, (commit.lock_blob for commit in commits)))
    for commit in commits:
        lock = locks.get(commit.lock_blob)
        for path in _find_named(lock, md5) if lock else ():
            yield commit, lock or Lock({}), path


def _find_named(lock: Lock, md5: str) -> Iterator[str]:
    """Yield the outputs with an md5, and files in them that a stage was told of."""
    for stage in lock.stages.values():
        yield from (path for path, known in stage.outs.items() if known == md5)
    read = (
        path for stage in lock.stages.values() for path, known in stage.deps.items() if known == md5
    )
    yield from dict.fromkeys(read)


def _read_commit(root: Path, commit: str) -> Lock | None:
    spec = f"{commit}:{find_prefix(root)}{LOCK}"
    return next((lock for _, lock in read_locks(root, [spec])), None)


def _find_path(root: Path, name: str) -> Path | None:
    """Return the file or folder of a name, below the project or else where it was asked."""
    for place in (root / name, Path(name).expanduser()):
        if place.is_file() or place.is_dir():  # a device or a pipe may never end
            return place
    return None


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.endswith(".parquet")


def _open_path(root: Path, name: str, path: Path, table: str) -> Version:
    if (path / LOCK).is_file() and path.resolve() != root.resolve():
        return open_workspace(path, f"the workspace of {name}", name)
    if path.resolve() == root.resolve():
        return open_workspace(root, name=name)
    if (path / PROVENANCE).is_file():
        return open_student(root, read_provenance(path), name)
    if path.is_dir():
        named = f"{path.name}/"
        inner = {file.name: file for file in sorted(path.glob("*.parquet"))}
        if Path(table).name not in inner:
            raise InputError(
                f"holds no `{Path(table).name}`",
                where=name,
                expected=f"a table, a folder `{named}` of tables, a student's folder or a project",
            )
        files = {f"{Path(table).parent.as_posix()}/{file}": where for file, where in inner.items()}
        return Version(name=name, title=name, root=root, files=files)
    return Version(name=name, title=name, root=root, files={table: path})


def open_student(root: Path, provenance: Provenance, name: str) -> Version:
    """Return the version of the data that a student was trained on, by its provenance."""
    named = {
        **provenance.upstream,
        **{path: digest.md5 for path, digest in provenance.inputs.items()},
        provenance.dataset.path: provenance.dataset.md5,
    }
    commit, lock = _find_home(root, named, provenance.dataset.md5)
    title = f"{name} ({commit[:_SHORT]})" if commit else name
    return Version(name, title, root, commit, lock, named=named, student=provenance.student)


def _find_home(root: Path, named: dict[str, str], md5: str) -> tuple[str, Lock]:
    """Return the newest commit whose outputs are all that a student was made of; else none."""
    for commit, lock, _ in find_md5(root, md5):
        outs = {path: known for stage in lock.stages.values() for path, known in stage.outs.items()}
        if all(outs.get(path, known) == known for path, known in named.items()):
            return commit.sha, lock
    here = read_lock(root)
    outs = {path: known for stage in here.stages.values() for path, known in stage.outs.items()}
    if outs and all(outs.get(path, known) == known for path, known in named.items()):
        return "", here
    return "", Lock({})


def _open_md5(root: Path, name: str, table: str) -> Version | None:
    """Return the version of an md5; None where no version names it and the cache lacks it."""
    here = open_workspace(root)
    for path in _find_named(here.lock, name):
        return replace(
            here, name=name, title=f"md5 {name[:_SHORT]}", workspace=False, named={path: name}
        )
    for commit, lock, path in find_md5(root, name):
        title = f"md5 {name[:_SHORT]} ({commit.sha[:_SHORT]})"
        return Version(name, title, root, commit.sha, lock, named={path: name})
    if (listed := Version(name, "", root).list_folder_md5(name)) is not None:
        folder = Path(table).parent.as_posix()
        named = {f"{folder}/{inner}": md5 for inner, md5 in listed.items()}
        return Version(name, f"md5 {name[:_SHORT]}", root, named=named)
    alone = Version(name, f"md5 {name[:_SHORT]}", root, named={table: name})
    return alone if alone.find(table) else None


def _open_registered(root: Path, name: str) -> Version:
    found = find_registered(root, name)
    named = {**found.upstream, "data/dataset/train.parquet": found.dataset_md5}
    commit, lock = _find_home(root, named, found.dataset_md5)
    commit = commit or find_commit(root, found.commit)
    if not lock.stages and commit:
        lock = _read_commit(root, commit) or Lock({})
    title = f"{name} ({commit[:_SHORT]})" if commit else name
    return Version(name, title, root, commit, lock, named=named, student=found.student)


def _split_range(name: str) -> str | None:
    """Return how to write what looks like a range of git's."""
    a, dots, b = name.replace("...", "..").partition("..")
    return (
        f"write `{a or 'HEAD'} {b or 'HEAD'}`, two versions" if dots and "/" not in name else None
    )


def _unknown(root: Path, name: str) -> InputError:
    refs = [ref for names in list_refs(root).values() for ref in names]
    cut = (
        " (the history of this clone is cut off: `git fetch --unshallow`)"
        if is_shallow(root)
        else ""
    )
    return InputError(
        f"nothing is called so{cut}",
        where=name,
        expected=_WAYS,
        remedy=_split_range(name) or suggest(name, [*refs, WORKSPACE]),
    )
