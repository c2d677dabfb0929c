"""The git state of the working directory, asked of ``git`` itself. For MLflow tags only."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.git import ask_git
from stillhouse.lineage.store import hide_user


@dataclass(frozen=True, slots=True)
class GitState:
    """``commit`` is empty outside a repository or before its first commit.

    ``changed`` are the paths that differ from the commit, ``dvc.lock`` and stage outputs left out:
    those change with every run and say nothing about the code. ``remote`` is the URL of ``origin``,
    without credentials, empty where there is none.
    """

    commit: str
    branch: str
    changed: tuple[str, ...]
    remote: str = ""

    @property
    def dirty(self) -> bool:
        """Whether code, parameters or seeds differ from the commit."""
        return bool(self.changed)


def read_git(root: Path, outs: Iterable[str] = ()) -> GitState:
    """Return the git state of ``root``; ``outs`` are stage outputs, as paths below it."""
    ignored = ("dvc.lock", *outs)
    status = ask_git(
        root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"
    )
    changed = [entry[3:] for entry in status.split("\0") if entry]
    return GitState(
        commit=ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD").strip(),
        branch=ask_git(root, "branch", "--show-current").strip(),
        changed=tuple(sorted(path for path in changed if not _below(path, ignored))),
        remote=hide_user(ask_git(root, "remote", "get-url", "origin").strip()),
    )


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
