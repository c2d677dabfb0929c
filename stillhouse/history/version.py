"""One version of the data: what its ``dvc.lock`` names, and where those bytes lie."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from stillhouse.base.cache import find_caches, find_out, name_object
from stillhouse.base.errors import InputError
from stillhouse.base.home import find_home
from stillhouse.base.lock import Lock
from stillhouse.history.fetching import fetch_object
from stillhouse.history.hashed import Hashed
from stillhouse.history.objects import find_prefix, read_objects
from stillhouse.planning.hashes import Hashes

_MD5: Final = re.compile(r"[0-9a-f]{32}")


def _is_inside(name: str) -> bool:
    """Whether a path of a listing stays within its folder, wherever that is laid out."""
    return not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))


class GoneError(InputError):
    """The bytes that a version names are nowhere: not here, not in DVC's cache, not in its remote."""


@dataclass(frozen=True)
class Version:
    """What somebody named as one state of the data.

    Attributes:
        name: as it was asked for; empty for the workspace.
        title: for people: ``the workspace``, ``HEAD~1 (3f2a9c1)``.
        root: the project.
        commit: the full sha; empty for the workspace and where none is known.
        lock: its ``dvc.lock``; one without stages where it has none.
        workspace: whether what lies in the working directory is this version.
        named: path -> md5 known besides the lock: from a model's provenance, or given by hand.
        files: path -> the very file that was given by hand.
        student: whom a model's name meant, else empty.
    """

    name: str
    title: str
    root: Path
    commit: str = ""
    lock: Lock = field(default_factory=lambda: Lock({}))
    workspace: bool = False
    named: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    student: str = ""

    def md5_of(self, path: str) -> str:
        """Return the md5 of a table, file or folder that DVC keeps; empty where none is known.

        In the workspace it is that of the bytes that lie there; of what does not lie there, and of
        other versions, the recorded one.
        """
        if given := self.files.get(path):
            return self._hashed.md5(given)
        here = self.root / path
        if self.workspace and here.is_file():
            return self._hashed.md5(here)
        if self.workspace and here.is_dir():
            return self._workspace.find(path) or ""
        return self._recorded(path)

    def is_edited(self, path: str) -> bool:
        """Whether a file in the workspace is another one than ``dvc.lock`` says that its stage wrote."""
        here = self.root / path
        recorded = self._recorded(path) if self.workspace and here.is_file() else ""
        return bool(recorded) and self._hashed.md5(here) != recorded

    def find(self, path: str) -> Path | None:
        """Return a file of this machine with exactly these bytes, by their hash; None without one."""
        if given := self.files.get(path):
            return given
        here = self.root / path
        if self.workspace and here.is_file():
            return here
        md5 = self._recorded(path)
        if not md5 or md5.endswith(".dir"):
            return None
        if here.is_file() and self._hashed.md5(here) == md5:
            return here
        return self._find_object(md5)

    def open(self, path: str) -> Path:
        """Return a file with exactly these bytes, fetched from the default DVC remote if need be.

        What is fetched goes into DVC's cache, as with `dvc fetch`.

        Raises:
            GoneError: this version has no such file, or its bytes are nowhere.
        """
        if found := self.find(path):
            return found
        out, inner = find_out(self._outs, path)
        if inner and self.list_folder_md5(out) is None:
            fetch_object(self.root, out)
        md5 = self._recorded(path)
        fetched = fetch_object(self.root, md5) if md5 else None
        if fetched is None:
            raise self._gone(path, md5 or out)
        return fetched

    def list_folder(self, path: str) -> dict[str, str] | None:
        """Return relative path -> md5 of a folder that DVC keeps; None where its listing is gone."""
        if self.workspace and (self.root / path).is_dir():
            return self._workspace.list_files(path)
        return self.list_folder_md5(self._recorded(path))

    def list_folder_md5(self, md5: str) -> dict[str, str] | None:
        """Return what the listing of a folder says; None where it is not in the cache."""
        found = self._find_object(md5) if md5.endswith(".dir") else None
        if found is None:
            return None
        try:
            listing = {entry["relpath"]: entry["md5"] for entry in json.loads(found.read_bytes())}
            safe = all(
                _is_inside(name) and _MD5.fullmatch(inner) for name, inner in listing.items()
            )
        except (ValueError, KeyError, TypeError):
            safe = False
        if not safe:
            raise InputError(
                "is no listing of a folder as DVC writes it",
                where=str(found),
                expected="paths below the folder, each with its md5",
            )
        return listing

    def read_tracked(self, path: str) -> bytes | None:
        """Return a file that git keeps, as ``params.yaml``: at the commit, or as it lies here."""
        here = self.root / path
        if self.commit:
            return read_objects(self.root, [f"{self.commit}:{find_prefix(self.root)}{path}"])[0]
        return here.read_bytes() if self.workspace and here.is_file() else None

    @cached_property
    def _outs(self) -> dict[str, str]:
        """Path -> md5 of all that is recorded: what is named besides the lock goes before it."""
        outs = {
            path: md5 for stage in self.lock.stages.values() for path, md5 in stage.outs.items()
        }
        return {**outs, **self.named}

    @cached_property
    def _hashed(self) -> Hashed:
        return Hashed(find_home(self.root))

    @cached_property
    def _workspace(self) -> Hashes:
        return Hashes(self.root)

    def _recorded(self, path: str) -> str:
        """Return the md5 of a path, itself or inside a folder, or as another stage read it."""
        md5, inner = find_out(self._outs, path)
        if not inner:
            return md5 or ""
        # Without the folder's listing it is not known: what another stage read may be an older one.
        listing = self.list_folder_md5(md5)
        return listing.get(inner, "") if listing is not None else ""

    def _find_object(self, md5: str) -> Path | None:
        for cache in find_caches(self.root):
            path = cache / name_object(md5)
            if path.is_file() and self._hashed.md5(path) == md5.removesuffix(".dir"):
                return path
        return None

    def _gone(self, path: str, md5: str) -> GoneError:
        if not md5:
            return GoneError(
                f"{self.title} has no such table",
                where=path,
                expected="a path that dvc.lock of that version names",
                remedy="run `dvc repro`" if self.workspace else None,
            )
        return GoneError(
            f"the bytes of {self.title} (md5 {md5}) are neither in DVC's cache nor in its remote",
            where=path,
            remedy="run `dvc fetch --all-commits` where they are, and `dvc push --all-commits`"
            if not self.workspace
            else "run `dvc pull` or `dvc repro`",
        )
