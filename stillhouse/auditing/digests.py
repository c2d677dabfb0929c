"""Many files hashed at once, each in one pass and once, with a bar that counts bytes."""

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final, TypeAlias

from stillhouse.lineage.inputs import Digest

_BLOCK: Final = 1 << 20
_MOST_THREADS: Final = 8
# What names the bytes of a file: two names of one inode (a cache that links) are read once.
_Inode: TypeAlias = tuple[int, int]


class Digests:
    """The hashes of files as they were when they were first asked for; ``hashlib`` frees the GIL.

    sha256 costs half as much again as md5 alone, so that it is computed only where asked for.
    """

    def __init__(self) -> None:
        self._known: dict[_Inode, Digest] = {}
        self._unreadable: dict[Path, OSError] = {}
        self.bytes = 0

    def read(self, md5: Iterable[Path], both: Iterable[Path] = ()) -> None:
        """Hash all files, the largest first; of those in ``both`` the sha256 as well.

        What is not there or cannot be read is no error here: ``md5`` says None of it.
        """
        wanted: dict[_Inode, tuple[int, Path, bool]] = {}
        # Those that want more come last: of two names of one inode the later stays.
        for path, whole in [*((path, False) for path in md5), *((path, True) for path in both)]:
            if (seen := self._look(path)) is None:
                continue
            inode, size = seen
            if inode not in self._known or (whole and not self._known[inode].sha256):
                wanted[inode] = (size, path, whole)
        jobs = sorted(wanted.values(), key=lambda job: (-job[0], job[1]))
        with _show_bytes(sum(size for size, _, _ in jobs)) as bar:
            self._run(jobs, bar)

    def md5(self, path: Path) -> str | None:
        """Return the md5 of a file's bytes; None where it is not there or cannot be read."""
        found = self._find(path, sha256=False)
        return found.md5 if found else None

    def sha256(self, path: Path) -> str | None:
        """Return the sha256 of a file's bytes; None where it is not there or cannot be read."""
        found = self._find(path, sha256=True)
        return found.sha256 if found else None

    def tell_failure(self, path: Path) -> str:
        """Return in words why a file has no hash."""
        exc = self._unreadable.get(path)
        if exc is None or isinstance(exc, FileNotFoundError):
            return "no such file"
        return f"cannot be read ({exc.strerror or exc})"

    def _find(self, path: Path, *, sha256: bool) -> Digest | None:
        seen = self._look(path)
        if seen is None:
            return None
        known = self._known.get(seen[0])
        if known is None or (sha256 and not known.sha256):
            self._run([(seen[1], path, sha256)], None)
        return self._known.get(seen[0])

    def _look(self, path: Path) -> tuple[_Inode, int] | None:
        try:
            seen = path.stat()
        except OSError as exc:
            self._unreadable[path] = exc
            return None
        if not stat.S_ISREG(seen.st_mode):  # a pipe would be waited for, for ever
            self._unreadable[path] = OSError(errno.EINVAL, "not a regular file")
            return None
        return (seen.st_dev, seen.st_ino), seen.st_size

    def _run(self, jobs: list[tuple[int, Path, bool]], bar: Any) -> None:
        stop = Event()
        with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
            try:
                list(pool.map(lambda job: self._hash(job[1], job[2], stop, bar), jobs))
            except BaseException:  # Ctrl-C: those that run would hash gigabytes to their end
                stop.set()
                raise

    def _hash(self, path: Path, both: bool, stop: Event, bar: Any) -> None:
        try:
            with path.open("rb") as file:
                seen = os.fstat(file.fileno())
                digest = _hash_blocks(_read_blocks(file, stop, bar), both)
        except OSError as exc:
            self._unreadable[path] = exc
            return
        self._known[seen.st_dev, seen.st_ino] = digest
        self.bytes += seen.st_size


def _read_blocks(file: Any, stop: Event, bar: Any) -> Iterator[memoryview]:
    """Yield a file block by block, all in one buffer."""
    buffer = memoryview(bytearray(_BLOCK))
    while not stop.is_set() and (count := file.readinto(buffer)):
        if bar is not None:
            bar.update(count)
        yield buffer[:count]


def _hash_blocks(blocks: Iterable[memoryview], both: bool) -> Digest:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for block in blocks:
        md5.update(block)
        if both:
            sha256.update(block)
    return Digest(md5.hexdigest(), sha256.hexdigest() if both else "")


@contextmanager
def _show_bytes(total: int) -> Iterator[Any]:
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    told = {"unit": "B", "unit_scale": True, "disable": hidden, "leave": False}
    with tqdm(desc="hashing", total=total, dynamic_ncols=True, **told) as bar:
        yield bar
