"""One root for every error that a user is meant to read.

A message says what went wrong, where, what was expected and what to do about it, in one
sentence; the command line and the stages print it without a traceback and exit with ``exit_code``.
"""

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_SPACE: Final = "free some and run it again; earlier outputs are untouched"
_MACHINE: Final = {
    errno.ENOSPC: ("no space is left on the disk", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EFBIG: ("the file may not grow further", "raise the limit (`ulimit -f`) or free space"),
    errno.EROFS: ("the file system is read-only", "work on a disk that can be written"),
    errno.EACCES: ("permission denied", "give this user the right to read and write there"),
    errno.EPERM: ("not permitted", "give this user the right to read and write there"),
    errno.EISDIR: ("a folder stands where a file is expected", "move the folder away"),
    errno.ENOTDIR: ("a file stands where a folder is expected", "move the file away"),
    errno.EEXIST: ("a file stands where a folder is expected", "move the file away"),
    errno.ENOENT: ("no such file or folder", "run `dvc repro`, or put it back"),
    errno.EIO: ("the disk cannot be read or written", "check the disk, then run it again"),
    errno.EMFILE: ("too many files are open", "raise the limit (`ulimit -n`)"),
    errno.ENOMEM: ("there is not enough memory", "close other programs or take smaller batches"),
}


class StillhouseError(Exception):
    """A mistake or a missing thing that the user can mend: what, where, expected, remedy."""

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.remedy = what, where, expected, remedy
        sentence = f"{where}: {what}" if where else what
        if expected:
            sentence += f"; expected {expected}"
        if remedy:
            sentence += f"; {remedy}"
        super().__init__(sentence)


class InputError(StillhouseError):
    """A file, parameter or argument given by the user is wrong or missing."""


class MachineError(StillhouseError):
    """The machine cannot do it: no space, no permission, no memory."""


class TeacherError(StillhouseError):
    """A teacher refused, failed, or answered something that cannot be used."""


class BudgetError(StillhouseError):
    """The budget does not allow to ask for the rest."""


class StoppedError(StillhouseError):
    """The user ended it before it was done; what came so far is kept."""

    exit_code = 130


class GateError(StillhouseError):
    """A check said no: the validation gate is red, or a file is not the one that passed it."""

    exit_code = 1


class DriftError(StillhouseError):
    """Bytes changed between two looks at the same file within one run."""

    exit_code = 1


def explain_os_error(exc: OSError, where: str | None = None) -> MachineError:
    """Return what the operating system refused as one sentence; ``where``: a path it lacks itself."""
    place = next((str(name) for name in (exc.filename2, exc.filename, where) if name), None)
    if exc.errno in _MACHINE:
        what, remedy = _MACHINE[exc.errno]
        return MachineError(what, where=place, remedy=remedy)
    # Libraries raise OSError with a paragraph of their own: its first lines, as one.
    return MachineError(exc.strerror or " ".join(str(exc).split()) or "it failed", where=place)


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean `x`?`` for the nearest of the known names; None where none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else None
