"""Files hashed when they are opened, and again when the stage ends.

DVC hashes a stage's dependencies *after* the command, so an edit during the run gives a lock that
names bytes which the stage never read. Hashing on opening closes that gap.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.errors import DriftError, InputError
from stillhouse.base.ids import sha256_text

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """The two names of the same bytes: ``md5`` as DVC writes it, ``sha256`` as anyone can check it.

    Of a folder, ``md5`` is DVC's own, with ``.dir``, and ``sha256`` covers the sorted lines
    ``<sha256> <relative path>``.
    """

    md5: str
    sha256: str


class InputGuard:
    """Remembers what each input was when it was opened.

    >>> guard = InputGuard()
    >>> rows = read_all(guard.open(Path("data/dataset/train.parquet")), Row)  # doctest: +SKIP
    >>> guard.check()  # as the last thing before the provenance is written
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or Path()
        self._digests: dict[str, Digest] = {}

    def open(self, path: Path) -> Path:
        """Hash a file or folder below the project's root, remember it, and return where to read it.

        Raises:
            InputError: nothing is there, or the path leads out of the project.
            DriftError: it was opened before, and held other bytes.
        """
        name = self._name(path)
        digest = hash_path(self._root / name)
        if self._digests.setdefault(name, digest) != digest:
            raise _drift(name)
        return self._root / name

    @property
    def opened(self) -> dict[str, Digest]:
        """Every input so far, by its path below the root with forward slashes, in order of name."""
        return dict(sorted(self._digests.items()))

    def check(self) -> None:
        """Hash every input again; raise ``DriftError`` for the first that is not what it was."""
        for name, digest in self.opened.items():
            if not (self._root / name).exists() or hash_path(self._root / name) != digest:
                raise _drift(name)

    def _name(self, path: Path) -> str:
        try:
            return (self._root / path).resolve().relative_to(self._root.resolve()).as_posix()
        except ValueError as exc:
            raise InputError(
                "lies outside the project", where=str(path), expected="a path below its root"
            ) from exc


def hash_path(path: Path) -> Digest:
    """Return the digest of a file, or of every file below a folder."""
    if path.is_dir():
        return combine(hash_files(path).items())
    if not path.is_file():
        raise InputError("file not found", where=str(path), remedy="run `dvc repro` or `dvc pull`")
    return _hash_file(path)


def combine(files: Iterable[tuple[str, Digest]]) -> Digest:
    """Return a folder's digest from the digests of its files by relative path."""
    ordered = sorted(files)
    listing = [{"md5": digest.md5, "relpath": name} for name, digest in ordered]
    # DVC's own formula, default separators included.
    md5 = hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False)
    lines = "".join(f"{digest.sha256} {name}\n" for name, digest in ordered)
    return Digest(md5=md5.hexdigest() + ".dir", sha256=sha256_text(lines))


def hash_files(folder: Path) -> dict[str, Digest]:
    """Return the digest of every file below a folder, by its path below it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _hash_file(path) for path in files}


def _hash_file(path: Path) -> Digest:
    """Hash a file in one pass: reading twice would leave room for an edit in between."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            md5.update(block)
            sha256.update(block)
    return Digest(md5.hexdigest(), sha256.hexdigest())


def _drift(name: str) -> DriftError:
    return DriftError(
        "changed while the stage was reading it",
        where=name,
        expected="the same bytes from start to end",
        remedy="run `dvc repro` again and leave the file alone meanwhile",
    )
