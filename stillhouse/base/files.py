"""Files that are either whole or not there: written beside their place, flushed, then renamed."""

import fcntl
import glob
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError, MachineError, explain_os_error
from stillhouse.base.ids import Json

_PART: Final = ".part"  # how what is being written ends
_OLD: Final = "old"  # the folder that is being replaced, within the part


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it becomes ``path``, else it is removed.

    What a killed process left there goes with the next writing of the same file.

    Raises:
        MachineError: the disk is full, or the place cannot be written; what lay there stays.
    """
    try:
        with _part_of(path) as part:
            yield part
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
    except OSError as exc:
        raise _explain(exc, path) from exc


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; on success it takes the place of ``path``.

    Raises:
        MachineError: as for ``replace_file``.
    """
    try:
        with _scratch_of(path) as scratch:
            new = scratch / "new"
            new.mkdir()
            yield new
            _flush(new)
            _swap(new, path, scratch / _OLD)
    except OSError as exc:
        raise _explain(exc, path) from exc


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with the line ends that it has, atomically."""
    with replace_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def rewrite_text(path: Path, text: str) -> None:
    """Write a file of the user's own as ``write_text`` does: through links, with the mode it has."""
    real = path.resolve()
    mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else None
    with replace_file(real) as part:
        part.write_text(text, encoding="utf-8", newline="")
        if mode is not None:
            part.chmod(mode)


def write_json(path: Path, value: Json) -> None:
    """Write a value as indented JSON with sorted keys and a final newline, atomically."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text, without a byte order mark; every line ends alike.

    Raises:
        InputError: the file is missing, a folder, unreadable, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise InputError("file not found", where=str(path)) from exc
    except UnicodeDecodeError as exc:
        raise InputError(
            f"not UTF-8 at byte {exc.start}", where=str(path), remedy="save the file as UTF-8"
        ) from exc
    except OSError as exc:
        raise explain_os_error(exc, str(path)) from exc


def read_jsonl(path: Path) -> list[tuple[int, dict[str, object]]]:
    """Return (line number, object) for each line that is not blank.

    Raises:
        InputError: a line is no JSON object, has a key twice, or holds half a character.
    """
    # Not `splitlines`: JSON allows U+2028 and its like inside a text.
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(n, _parse_line(line, f"{path}:{n}")) for n, line in lines if line.strip()]


def _parse_line(line: str, place: str) -> dict[str, object]:
    try:
        value = json.loads(line, object_pairs_hook=lambda pairs: _refuse_twice(pairs, place))
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as exc:
        raise InputError(
            f"not JSON ({exc.msg.removesuffix(' at')} at column {exc.colno})",
            where=place,
            expected="one object a line",
            remedy="mend the line or take it out",
        ) from exc
    except UnicodeEncodeError as exc:
        raise InputError(
            "holds half of a character (a lone surrogate such as \\ud83d)",
            where=place,
            remedy="write the character itself",
        ) from exc
    except (ValueError, RecursionError) as exc:  # a number of thousands of digits, endless brackets
        raise InputError(f"cannot be read ({exc})", where=place) from exc
    if not isinstance(value, dict):
        raise InputError("not an object", where=place, expected="{…} on each line")
    return value


def _refuse_twice(pairs: list[tuple[str, object]], place: str) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"`{twice}` stands there twice", where=place, remedy="take one out")
    return record


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    handle, part = _make_part(path)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def _scratch_of(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    handle, scratch = _make_part(path, folder=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(handle)


def _flush(folder: Path) -> None:
    """Have every file and folder below reach the disk: a rename may get there before them."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(new: Path, path: Path, old: Path) -> None:
    """Put the folder ``new`` at ``path``; what lay there goes to ``old``, or stays if that fails."""
    try:
        if path.is_dir() and not path.is_symlink():
            path.rename(old)  # a folder cannot be renamed onto another
        new.rename(path)
    except BaseException:
        _put_back(old, path)
        raise


def _put_back(old: Path, path: Path) -> None:
    """Undo the first half of a swap, where it stopped in the midst."""
    if old.is_dir() and not os.path.lexists(path):
        old.rename(path)


def _make_part(path: Path, *, folder: bool = False) -> tuple[int, Path]:
    """Make an empty file or folder beside ``path`` and lock it; return its handle and place.

    The kernel unlocks what nobody writes any more.
    """
    while True:
        prefix = f".{path.name}."
        if folder:
            name = tempfile.mkdtemp(_PART, prefix, path.parent)
            handle = os.open(name, os.O_RDONLY)
        else:
            handle, name = _make_file(path.parent / prefix)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.lexists(name):
            return handle, Path(name)
        os.close(handle)  # taken for abandoned before it was locked


def _make_file(prefix: Path) -> tuple[int, str]:
    """Make a file as ``mkstemp`` does, but with the mode that the umask leaves to any other file."""
    while True:
        name = f"{prefix}{secrets.token_hex(4)}{_PART}"
        with suppress(FileExistsError):
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), name


def _remove_abandoned(path: Path) -> None:
    for part in path.parent.glob(f".{glob.escape(path.name)}.*{_PART}"):
        with suppress(FileNotFoundError):
            handle = os.open(part, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _put_back(part / _OLD, path)  # the only copy, if the kill came amid a swap
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            except BlockingIOError:
                pass  # somebody writes it
            finally:
                os.close(handle)


def _explain(exc: OSError, path: Path) -> MachineError:
    """Name the file that was to be written, not the temporary one beside it."""
    own = exc.filename is None or _PART in str(exc.filename)
    return explain_os_error(OSError(exc.errno, exc.strerror or str(exc)) if own else exc, str(path))
