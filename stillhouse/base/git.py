"""Questions to ``git`` itself, as a program: it is there wherever DVC is."""

import subprocess
from pathlib import Path


def ask_git(repository: Path, *command: str) -> str:
    """Return what git prints; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(repository), *command],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
