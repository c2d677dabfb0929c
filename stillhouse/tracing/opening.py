"""The index of a project, opened for one piece of work, made anew where it is damaged."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.home import find_home
from stillhouse.tracing.index import GrownError, Index
from stillhouse.tracing.index_file import NAME, DamagedError, IndexFile, remove

T = TypeVar("T")

_TRIES: Final = 3  # of a piece of work whose index is damaged or grows


def with_index(root: Path, work: Callable[[Index], T]) -> T:
    """Return what ``work`` makes of the index of a project, which is made anew if it is damaged.

    Where it cannot be written, or another process holds it too long, one in memory takes its place.
    ``work`` begins again where a table came to the index behind its back.
    """
    place = find_home(root) / NAME
    for _ in range(_TRIES):
        try:
            with _open(place) as file:
                index = Index(root, file)
                made = work(index)
                index.keep_md5s()
                return made
        except GrownError:
            continue
        except DamagedError as exc:
            print(f"the index of traces is made anew ({exc})", file=sys.stderr)
            remove(place)
        except sqlite3.Error:
            break
    file = IndexFile(None)
    try:
        for _ in range(_TRIES):
            with suppress(GrownError):
                return work(Index(root, file))
    finally:
        file.close()
    raise InputError("tables change while they are read", remedy="run it when no stage runs")


@contextmanager
def _open(place: Path) -> Iterator[IndexFile]:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise sqlite3.OperationalError(str(exc)) from exc
    file = IndexFile(place)
    try:
        yield file
    finally:
        file.close()
