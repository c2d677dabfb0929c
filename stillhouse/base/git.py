"""Questions to ``git`` itself, as a program: it is there wherever DVC is."""

import subprocess
from pathlib import Path


def ask_git(repository: Path, *command: str) -> str:
    """Return what git prints; nothing where there is no git or no repository."""
    return run_git(repository, *command) or ""


def run_git(repository: Path, *command: str) -> str | None:
    """Return what git prints; None where there is no git or it refuses."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(repository), *command],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
