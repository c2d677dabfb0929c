"""Which students the ``dvc.lock`` of any commit on any ref names, and where each of them stands."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from stillhouse.base.git import ask_git
from stillhouse.base.lock import Lock, is_shallow, is_unreadable, read_lock
from stillhouse.history.commits import Commit, list_commits, list_refs, read_locks
from stillhouse.tracing.index import Index

MODELS: Final = "models"
_SHORT: Final = 7
_SHOWN: Final = 3  # refs named
_STASH: Final = "stash"
_TORN: Final = "null"  # what is kept of a lock that cannot be parsed


@dataclass(frozen=True, slots=True)
class Standing:
    """A student's folder by its md5, and the commits that name it, newest first.

    ``in_lock`` says whether the ``dvc.lock`` of the workspace names it as well.
    """

    student: str
    md5: str
    commits: tuple[Commit, ...] = ()
    in_lock: bool = False

    def name(self, taken: Collection[str]) -> str:
        """Return what a person calls it: ``smollm2@3f2a9c1``, by the newest commit, and by more if taken."""
        at = self.commits[0].sha if self.commits else "dvc.lock"
        short = at[:_SHORT] if self.commits else at
        names = (f"{self.student}@{part}" for part in (short, at, f"{at}:{self.md5}"))
        return next(name for name in names if name not in taken)

    @property
    def shas(self) -> tuple[str, ...]:
        """The commits by their full names."""
        return tuple(commit.sha for commit in self.commits)

    def describe(self) -> str:
        """Say where it stands: names of refs, the newest commit, and how many more share it."""
        if not self.commits:
            return "dvc.lock" if self.in_lock else ""
        refs = list(dict.fromkeys(ref for commit in self.commits for ref in commit.refs))
        more = [f"{len(refs) - _SHOWN} more refs"] if len(refs) > _SHOWN else []
        others = len(self.commits) - 1
        same = f" and {others:,} more commit{'s' * (others > 1)}" if others else ""
        return ", ".join([*refs[:_SHOWN], *more, f"{self.commits[0].sha[:_SHORT]}{same}"])


@dataclass(frozen=True, slots=True)
class Gap:
    """Students that there may be, and of which nothing can be told."""

    name: str
    why: str


def list_standing(index: Index, root: Path) -> tuple[dict[tuple[str, str], Standing], list[Gap]]:
    """Return the students of all versions by (name, md5 of the folder), newest first, and the gaps."""
    commits = _list_all_commits(root)
    told = _read_all(index, root, commits)
    gaps = list(_find_gaps(root, commits, told))
    found: dict[tuple[str, str], list[Commit]] = {}
    for student, md5 in _find_models(read_lock(root)).items():
        found[(student, md5)] = []
    here = set(found)
    for commit in commits:
        for student, md5 in (told.get(commit.lock_blob) or {}).items():
            found.setdefault((student, md5), []).append(commit)
    standing = {
        key: Standing(*key, tuple(commits), in_lock=key in here) for key, commits in found.items()
    }
    return standing, gaps


def _list_all_commits(root: Path) -> list[Commit]:
    """Return the commits of every ref, with those that only a stash's log still names behind them."""
    commits = list_commits(root)
    if not commits and (tips := list_refs(root)):  # HEAD is a branch without a commit
        commits = list_commits(root, *tips)
    names = {ref for commit in commits for ref in commit.refs}
    if _STASH not in names:
        return commits
    known = {commit.sha for commit in commits}
    refs = ask_git(root, "for-each-ref", "--format=%(refname)").split()
    stashes = [ref for ref in refs if ref.rsplit("/", 1)[-1] == _STASH]
    asked = [ask_git(root, "reflog", "show", "--format=%H", ref).split() for ref in stashes]
    older = [sha for shas in asked for sha in shas if sha not in known]
    more = list_commits(root, *dict.fromkeys(older)) if older else []
    return commits + [commit for commit in more if commit.sha not in known]


def _read_all(
    index: Index, root: Path, commits: Iterable[Commit]
) -> dict[str, Mapping[str, str] | None]:
    """Return student -> md5 of each version of ``dvc.lock`` by its blob; None where it is torn."""
    blobs = list(dict.fromkeys(commit.lock_blob for commit in commits if commit.lock_blob))
    known = index.recall_all(_name(blob) for blob in blobs)
    missing = [blob for blob in blobs if _name(blob) not in known]
    read = {blob: json.dumps(_find_models(lock)) for blob, lock in read_locks(root, missing)}
    new = {_name(blob): read.get(blob, _TORN) for blob in missing}
    index.keep(new)
    return {blob: json.loads((known | new)[_name(blob)]) for blob in blobs}


def _name(blob: str) -> str:
    return f"students in blob {blob}"


def _find_models(lock: Lock) -> dict[str, str]:
    outs = {out: md5 for stage in lock.stages.values() for out, md5 in stage.outs.items()}
    inside = f"{MODELS}/"
    return {PurePosixPath(out).name: md5 for out, md5 in outs.items() if out.startswith(inside)}


def _find_gaps(
    root: Path, commits: list[Commit], told: Mapping[str, Mapping[str, str] | None]
) -> Iterable[Gap]:
    if is_shallow(root):
        yield Gap(
            "before the cut",
            "this clone holds a part of the history alone, and earlier commits may have models; "
            "run `git fetch --unshallow`",
        )
    if not commits and is_unreadable(root):
        yield Gap("the history", "git does not show it here; `git log` says why")
    for commit in commits:
        if commit.lock_blob and told[commit.lock_blob] is None:
            short = commit.sha[:_SHORT]
            yield Gap(
                f"dvc.lock@{short}",
                f"which models commit {short} has cannot be told: its dvc.lock is torn",
            )
