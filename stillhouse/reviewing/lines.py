"""Lines at the end of a JSONL file, each on the disk before anybody is told that it is saved."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stillhouse.base.errors import explain_os_error
from stillhouse.base.files import read_text, rewrite_text
from stillhouse.base.ids import Json

_NEWLINE = b"\n"


def append_line(path: Path, record: Mapping[str, Json]) -> None:
    """Append one object as a line of its own and wait until the disk has it.

    Several processes may write to one file: each waits for the others.

    Raises:
        MachineError: the disk is full, or the file cannot be written.
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + _NEWLINE
    try:
        with _hold(path) as handle:
            _write_whole(handle, text)
    except OSError as exc:
        raise explain_os_error(exc, str(path)) from exc


def change_lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Write a file's lines anew as ``change`` returns them; whoever appends meanwhile waits.

    Raises:
        InputError: the file cannot be read.
        MachineError: as for ``append_line``.
    """
    try:
        with _hold(path):
            rewrite_text(path, "\n".join(change(read_text(path).split("\n"))))
    except OSError as exc:
        raise explain_os_error(exc, str(path)) from exc


@contextmanager
def _hold(path: Path) -> Iterator[int]:
    """Yield the file, opened to append, once no other process holds it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_there(handle, path):
                yield handle
                return
        finally:
            os.close(handle)


def _is_there(handle: int, path: Path) -> bool:
    """Whether an open file still has its name: who wrote it anew has put another one there."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _write_whole(handle: int, text: bytes) -> None:
    """Write a line, or nothing of it: half a line would make the whole file unreadable."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != _NEWLINE:
        text = _NEWLINE + text
    try:
        left = memoryview(text)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise
