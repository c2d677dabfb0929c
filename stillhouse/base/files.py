"""Files that are either whole or not there: written beside their place, flushed, then renamed."""

import fcntl
import glob
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it becomes ``path``, else it is removed.

    What a killed process left there goes with the next writing of the same file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    handle, part = _make_part(path)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        os.close(handle)


def _make_part(path: Path) -> tuple[int, Path]:
    """Make an empty file beside ``path`` and lock it: the kernel unlocks what nobody writes any more."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # taken for abandoned before it was locked


def _remove_abandoned(path: Path) -> None:
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(FileNotFoundError), part.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with the line ends that it has, atomically."""
    with replace_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Json) -> None:
    """Write a value as indented JSON with sorted keys and a final newline, atomically."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text; a missing or unreadable one is an ``InputError``."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise InputError("file not found", where=str(path)) from exc
    except UnicodeDecodeError as exc:
        raise InputError(
            f"not UTF-8 at byte {exc.start}", where=str(path), remedy="save the file as UTF-8"
        ) from exc


def read_jsonl(path: Path) -> list[tuple[int, dict[str, object]]]:
    """Return (line number, object) for each line that is not blank."""
    records = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as exc:
            raise InputError(
                f"not JSON ({exc.msg})", where=f"{path}:{number}", expected="one object a line"
            ) from exc
        if not isinstance(value, dict):
            raise InputError("not an object", where=f"{path}:{number}", expected="{…} on each line")
        records.append((number, value))
    return records
