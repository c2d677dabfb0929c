"""How stages and commands end: what a user can mend is one sentence and its exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, NoReturn

from stillhouse.base.errors import MachineError, StillhouseError, explain_os_error

INTERRUPTED: Final = "interrupted: nothing was written half; run it again to go on"


@contextmanager
def end_in_a_sentence() -> Iterator[None]:
    """End the process in one sentence on stderr where the block raises what a user can mend.

    A bug keeps its traceback. Ctrl-C ends with 130, as a shell expects.
    """
    try:
        yield
    except StillhouseError as exc:
        _end(exc)
    except OSError as exc:
        _end(explain_os_error(exc))
    except MemoryError:
        _end(MachineError("there is not enough memory", remedy="close other programs"))
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(130)


def hush_interrupt(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an exception as Python does, but Ctrl-C in one line: also while a stage is importing."""
    if issubclass(kind, KeyboardInterrupt):
        print(INTERRUPTED, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _end(error: StillhouseError) -> NoReturn:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
