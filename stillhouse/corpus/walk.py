"""What lies below a folder, in the order of its names, without ever leaving the folder."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.corpus.unreadable import UnreadableError

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a folder that is not entered; ``source`` is its printable path with slashes.

    ``problem`` says why a folder was not entered, and is None for files.
    """

    path: Path
    source: str
    problem: UnreadableError | None = None


def list_files(root: Path) -> list[Found]:
    """Return the files below ``root`` by source, and hidden, linked or locked folders as such."""
    return sorted(_walk(root), key=lambda found: found.source)


def check_file(path: Path, root: str) -> int:
    """Return a file's length in bytes; ``root`` is the folder's real path.

    Raises:
        UnreadableError: ``outside`` (a link that leaves the folder), ``unreadable`` (a link to
            nothing or around in a circle), ``special`` (a pipe, a device, a socket).
    """
    if _is_link(path) and not _is_below(os.path.realpath(path), root):
        raise UnreadableError("outside", "a link that leads out of the documents' folder")
    try:
        found = path.stat()
    except OSError as exc:
        raise UnreadableError("unreadable", exc.strerror or "it cannot be looked at") from exc
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError("special", "a pipe, a device or a socket, not a file")
    return found.st_size


def _walk(root: Path) -> Iterator[Found]:
    locked: list[OSError] = []
    for name, folders, files in os.walk(root, onerror=locked.append):
        folder = Path(name)
        yield from (_found(root, folder / file) for file in files if not _is_keeper(folder / file))
        for inner in map(folder.joinpath, folders):
            if _is_link(inner):
                yield _found(root, inner, _link_problem(root, inner))
            elif inner.name.startswith("."):
                yield _found(root, inner, ("hidden", "a hidden folder, not entered"))
        folders[:] = [inner for inner in folders if not inner.startswith(".")]
    for exc in locked:
        problem = ("unreadable", exc.strerror or "it cannot be entered")
        yield _found(root, Path(exc.filename), problem)


def _is_keeper(path: Path) -> bool:
    """Whether it only keeps a folder in git: an empty ``.gitkeep`` was never meant as a document."""
    try:
        return path.name == ".gitkeep" and not path.is_symlink() and path.stat().st_size == 0
    except OSError:  # as below
        return False


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # its path is too long to be looked at; whoever opens it will say so
        return False


def _link_problem(root: Path, path: Path) -> tuple[str, str]:
    if _is_below(os.path.realpath(path), os.path.realpath(root)):
        return "linked_folder", "a link to a folder, which is read at its own place"
    return "outside", "a link to a folder that lies outside the documents' folder"


def _found(root: Path, path: Path, problem: tuple[str, str] | None = None) -> Found:
    source = _print_name(path.relative_to(root).as_posix())
    return Found(path, source, UnreadableError(*problem) if problem else None)


def _print_name(path: str) -> str:
    r"""Return a path as text; bytes that are not UTF-8 and control characters as ``\xNN``."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
