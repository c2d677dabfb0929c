"""The md5 of files and folders as DVC writes it, without DVC and without its memory.

DVC believes a file's size and time; here every byte is read, once in the life of a ``Hashes``.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pathspec

from stillhouse.base.files import read_text
from stillhouse.base.ids import md5_file

_IGNORE: Final = ".dvcignore"
_NEVER: Final = (".git/", ".hg/", ".dvc/", ".git", _IGNORE)  # DVC's own rules


def hash_listing(files: Mapping[str, str]) -> str:
    """Return DVC's md5 of a folder, given the md5 of each file by its path below it."""
    listing = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    text = json.dumps(listing, sort_keys=True)  # with the default separators
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


class Hashes:
    """What lies in a project, each file read at most once; files that DVC ignores are not there.

    ``md5`` reads a file; without one it is read here and now.
    """

    def __init__(self, root: Path, md5: Callable[[Path], str] = md5_file) -> None:
        self._root, self._md5 = root, md5
        self._files: dict[str, str] = {}
        self._rules: dict[str, pathspec.GitIgnoreSpec | None] = {}

    def find(self, name: str) -> str | None:
        """Return the md5 of a file, or of a folder with ``.dir``; None where nothing is."""
        path = self._root / name
        if path.is_dir():
            return hash_listing(self.list_files(name))
        return self._hash(name) if path.is_file() else None

    def list_files(self, name: str) -> dict[str, str]:
        """Return the md5 of every file below a folder, by its path below it."""
        return {inner: self._hash(f"{name}/{inner}") for inner in self.walk(name)}

    def walk(self, name: str) -> Iterator[str]:
        """Yield the path of every file below a folder, from there on."""
        top = self._root / name
        for folder, inner, files in os.walk(top):
            place = Path(folder).relative_to(self._root)
            inner[:] = [one for one in inner if not self._ignores(f"{(place / one).as_posix()}/")]
            for file in files:
                if not self._ignores((place / file).as_posix()):
                    yield (Path(folder) / file).relative_to(top).as_posix()

    def _hash(self, name: str) -> str:
        if name not in self._files:
            self._files[name] = self._md5(self._root / name)
        return self._files[name]

    def _ignores(self, name: str) -> bool:
        """Say whether a rule of any folder above leaves a path out; of one file the last rule counts."""
        folder = Path(name).parent
        for above in (folder, *folder.parents):
            rules = self._read_rules(above)
            beginning = "" if above == Path() else f"{above.as_posix()}/"
            if rules is not None and rules.match_file(name.removeprefix(beginning)):
                return True
        return False

    def _read_rules(self, folder: Path) -> pathspec.GitIgnoreSpec | None:
        key = folder.as_posix()
        if key not in self._rules:
            path = self._root / folder / _IGNORE
            own = read_text(path).splitlines() if path.is_file() else []
            lines = [*_NEVER, *own] if folder == Path() else own
            self._rules[key] = pathspec.GitIgnoreSpec.from_lines(lines) if lines else None
        return self._rules[key]
