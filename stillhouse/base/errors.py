"""One root for every error that a user is meant to read.

A message says what went wrong, where, what was expected and what to do about it, in one
sentence; the command line and the stages print it without a traceback and exit with ``exit_code``.
"""


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


class TeacherError(StillhouseError):
    """A teacher refused, failed, or answered something that cannot be used."""


class GateError(StillhouseError):
    """A check said no: the validation gate is red, or a file is not the one that passed it."""

    exit_code = 1


class DriftError(StillhouseError):
    """Bytes changed between two looks at the same file within one run."""

    exit_code = 1
