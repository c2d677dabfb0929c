"""Lines at the end of a JSONL file, each on the disk before anybody is told that it is saved."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

from stillhouse.base.errors import explain_os_error
from stillhouse.base.ids import Json

_NEWLINE = b"\n"


def append_line(path: Path, record: Mapping[str, Json]) -> None:
    """Append one object as a line of its own and wait until the disk has it.

    Several processes may append to one file: each waits for the others.

    Raises:
        MachineError: the disk is full, or the file cannot be written.
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + _NEWLINE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _write_whole(handle, text)
        finally:
            os.close(handle)
    except OSError as exc:
        raise explain_os_error(exc, str(path)) from exc


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
