"""Where the bytes of an md5 may lie on this machine: in the working directory, in DVC's cache."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from stillhouse.auditing.digests import Digests
from stillhouse.base.cache import find_caches, find_out, name_object
from stillhouse.base.dvc_config import read_dvc_config


class Places:
    """A project's files and cached objects; what is returned as found was hashed."""

    def __init__(self, root: Path, digests: Digests) -> None:
        self.root, self.digests = root, digests
        self._listings: dict[str, Mapping[str, str] | None] = {}

    def find(self, path: str, md5: str) -> Path | None:
        """Return a file with the bytes of an md5: the one at ``path``, or the cached object."""
        here = self.root / path
        if here.is_file() and self.digests.md5(here) == md5:
            return here
        return self.find_object(md5)

    def find_object(self, md5: str) -> Path | None:
        """Return the cached object of an md5 if it holds the bytes that its name says."""
        found = self.look_up(md5)
        whole = found is not None and self.digests.md5(found) == md5.removesuffix(".dir")
        return found if whole else None

    def look_up(self, md5: str) -> Path | None:
        """Return the file that the cache has under an md5, whatever it holds."""
        places = (cache / name_object(md5) for cache in self._caches)
        return next((place for place in places if place.is_file()), None)

    def name(self, path: Path) -> str:
        """Return a path as a user types it: below the project from there on."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        )

    def tell_pull(self, path: str = "") -> str:
        """Return how what is not here comes here: from the default remote, if there is one."""
        if self._has_remote:
            return f"`dvc pull {path}`" if path else "`dvc pull`"
        return "`dvc repro` makes it again: the project has no default DVC remote to pull from"

    def list_folder(self, md5: str) -> Mapping[str, str] | None:
        """Return relative path -> md5 of a folder by its listing in the cache.

        None where that is not there or not whole, and where the md5 is that of a file.
        """
        if md5 not in self._listings:
            found = self.find_object(md5) if md5.endswith(".dir") else None
            entries = json.loads(found.read_bytes()) if found else None
            self._listings[md5] = (
                None if entries is None else {one["relpath"]: one["md5"] for one in entries}
            )
        return self._listings[md5]

    def find_md5(self, outs: Mapping[str, str], path: str) -> str | None:
        """Return the md5 of a path among outs, itself or by its folder's listing.

        It is empty where no out holds the path, None where its folder's listing is not here.
        """
        md5, inner = find_out(outs, path)
        if not inner:
            return md5
        listing = self.list_folder(md5)
        return None if listing is None else listing.get(inner, "")

    @cached_property
    def cache(self) -> Path:
        """The folder of DVC's cache, which may not be there yet."""
        return read_dvc_config(self.root).cache

    @cached_property
    def _has_remote(self) -> bool:
        return bool(read_dvc_config(self.root).default)

    @cached_property
    def _caches(self) -> list[Path]:
        return find_caches(self.root)
