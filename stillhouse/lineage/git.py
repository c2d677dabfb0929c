"""The git state of the working directory, asked of ``git`` itself. For MLflow tags only."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GitState:
    """``commit`` is empty outside a repository or before its first commit.

    ``changed`` are the paths that differ from the commit, ``dvc.lock`` and stage outputs left out:
    those change with every run and say nothing about the code.
    """

    commit: str
    branch: str
    changed: tuple[str, ...]

    @property
    def dirty(self) -> bool:
        """Whether code, parameters or seeds differ from the commit."""
        return bool(self.changed)


def read_git(root: Path, outs: Iterable[str] = ()) -> GitState:
    """Return the git state of ``root``; ``outs`` are stage outputs, as paths below it."""
    ignored = ("dvc.lock", *outs)
    status = _ask(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    changed = [entry[3:] for entry in status.split("\0") if entry]
    return GitState(
        commit=_ask(root, "rev-parse", "--verify", "--quiet", "HEAD").strip(),
        branch=_ask(root, "branch", "--show-current").strip(),
        changed=tuple(sorted(path for path in changed if not _below(path, ignored))),
    )


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _ask(root: Path, *command: str) -> str:
    """Return what git prints; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *command],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
