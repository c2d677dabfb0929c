"""Commits of every ref (branches, tags, stashes, DVC's experiments) and the ``dvc.lock`` of each."""

import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.git import ask_git
from stillhouse.base.lock import LOCK, Lock, TornLockError, parse_lock
from stillhouse.history.objects import find_prefix, read_objects

_EXPERIMENTS: Final = "refs/exps/"
_SHORTENED: Final = ("refs/heads/", "refs/remotes/", "refs/tags/")
_FIELD: Final = "\x1f"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: the short names of the refs that stand at it, its time, and git's name of its lock.

    ``seconds`` are of the committer's clock since 1970. ``lock_blob`` is empty where the commit has no
    ``dvc.lock``.
    """

    sha: str
    refs: tuple[str, ...]
    seconds: int
    subject: str
    lock_blob: str


def list_commits(project: Path, *revisions: str) -> list[Commit]:
    """Return the commits that refs reach, newest first; with ``revisions`` only what these reach.

    Nothing outside a repository.
    """
    told = f"--format=%H{_FIELD}%ct{_FIELD}%s"
    # A detached HEAD is no ref; that of a branch without a commit is nothing that git could show.
    alone = ("HEAD",) if ask_git(project, "rev-parse", "--verify", "--quiet", "HEAD") else ()
    chosen = ("--end-of-options", *revisions) if revisions else ("--all", *alone)
    lines = ask_git(project, "log", "--date-order", told, *chosen, "--").splitlines()
    parts = [line.split(_FIELD, 2) for line in lines]
    refs = list_refs(project)
    blobs = _find_locks(project, [sha for sha, *_ in parts])
    return [
        Commit(sha, refs.get(sha, ()), int(seconds), subject, blob)
        for (sha, seconds, subject), blob in zip(parts, blobs, strict=True)
    ]


def read_locks(project: Path, blobs: Iterable[str]) -> Iterator[tuple[str, Lock]]:
    """Yield (blob, lock) of each distinct one; what cannot be parsed is passed over."""
    names = [blob for blob in dict.fromkeys(blobs) if blob]
    for name, content in zip(names, read_objects(project, names), strict=True):
        try:
            yield name, parse_lock((content or b"").decode())
        except (TornLockError, UnicodeDecodeError):
            continue


def list_refs(project: Path) -> Mapping[str, tuple[str, ...]]:
    """Return commit -> short names of the refs at it: branches, tags, names of experiments."""
    told = "--format=%(objectname) %(*objectname) %(refname)"
    found: dict[str, list[str]] = defaultdict(list)
    for line in ask_git(project, "for-each-ref", told).splitlines():
        own, peeled, name = line.split(" ", 2)
        if not name.endswith("/HEAD"):
            found[peeled or own].append(_shorten(name))
    return {sha: tuple(sorted(set(names))) for sha, names in found.items()}


def list_experiments(project: Path) -> Mapping[str, str]:
    """Return name -> commit of DVC's experiments; of two of one name the first in git's order."""
    told = "--format=%(objectname) %(refname)"
    found: dict[str, str] = {}
    for line in ask_git(project, "for-each-ref", told, _EXPERIMENTS).splitlines():
        sha, name = line.split(" ", 1)
        found.setdefault(_shorten(name), sha)
    return found


def _shorten(name: str) -> str:
    if name.startswith(_EXPERIMENTS):
        # refs/exps/<2 digits>/<38 digits of the commit that it began with>/<name>
        return name.split("/", 4)[-1]
    for beginning in _SHORTENED:
        if name.startswith(beginning):
            return name.removeprefix(beginning)
    return name.removeprefix("refs/")


def _find_locks(project: Path, shas: list[str]) -> list[str]:
    """Return the blob of ``dvc.lock`` at each commit, empty where there is none."""
    place = f"{find_prefix(project)}{LOCK}"
    asked = "".join(f"{sha}:{place}\n" for sha in shas)
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(project), "cat-file", "--batch-check"],
            check=False,
            capture_output=True,
            input=asked,
            text=True,
        )
    except FileNotFoundError:
        return ["" for _ in shas]
    told = (line.split(" ") for line in done.stdout.splitlines())
    return [parts[0] if len(parts) == 3 and parts[1] == "blob" else "" for parts in told]
