"""What git keeps: the bytes of files at commits, many in one process."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from stillhouse.base.git import ask_git


def read_objects(repository: Path, names: Sequence[str]) -> list[bytes | None]:
    """Return the bytes of each object (``<sha>``, ``<commit>:<path>``); None of one that is not there.

    A name with a line break is none that git could have.
    """
    if not names:
        return []
    asked = "".join(f"{name}\n" for name in names if "\n" not in name)
    said = _run(repository, ("cat-file", "--batch"), asked.encode())
    found: list[bytes | None] = []
    place = 0
    for name in names:
        end = -1 if "\n" in name else said.find(b"\n", place)
        if end < 0:
            found.append(None)
            continue
        head = said[place:end].split(b" ")
        place = end + 1
        if len(head) != 3 or not head[2].isdigit():  # `<name> missing`, `<name> ambiguous`
            found.append(None)
            continue
        size = int(head[2])
        found.append(said[place : place + size])
        place += size + 1
    return found


def find_prefix(project: Path) -> str:
    """Return where a project lies in its repository: empty, or a path that ends with ``/``."""
    return ask_git(project, "rev-parse", "--show-prefix").strip("\n")


def _run(repository: Path, command: Sequence[str], given: bytes) -> bytes:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(repository), *command],
            check=False,
            capture_output=True,
            input=given,
        )
    except FileNotFoundError:
        return b""
    return done.stdout
