"""Where the bytes lie that an older version names by md5: in the workspace or in DVC's cache."""

import json
from collections.abc import Mapping
from hashlib import md5 as hash_md5
from pathlib import Path

from stillhouse.base.cache import find_caches, find_out, name_object
from stillhouse.tracing.index import Index


class Objects:
    """Files of this machine by the md5 of their bytes; each is hashed where it was touched since."""

    def __init__(self, index: Index, root: Path) -> None:
        self._index, self._root = index, root
        self._caches = find_caches(root)
        self._found: dict[str, Path | None] = {}
        self._listings: dict[str, dict[str, str] | None] = {}

    def find_out(self, outs: Mapping[str, str], path: Path) -> Path | None:
        """Return the file that a version has at ``path``, by the md5s of its outputs; None if it is lost."""
        md5, inner = find_out(outs, path.as_posix())
        if inner:
            md5 = (self.list_folder(md5) or {}).get(inner, "")
        if not md5:
            return None
        here = self._root / path
        if here.is_file() and self._index.md5(here) == md5:
            return here
        return self.find(md5)

    def find(self, md5: str) -> Path | None:
        """Return the file in the cache with these bytes; None where it is gone or holds other ones."""
        if md5 not in self._found:
            paths = (cache / name_object(md5) for cache in self._caches)
            whole = (
                p for p in paths if p.is_file() and self._index.md5(p) == md5.removesuffix(".dir")
            )
            self._found[md5] = next(whole, None)
        return self._found[md5]

    def list_folder(self, md5: str) -> dict[str, str] | None:
        """Return relative path -> md5 of the files of a folder; None where its listing is gone."""
        if md5 not in self._listings:
            found = self.find(md5) if md5.endswith(".dir") else None
            entries = json.loads(found.read_bytes()) if found else None
            self._listings[md5] = entries and {e["relpath"]: e["md5"] for e in entries}
        return self._listings[md5]


def hash_listing(files: Mapping[str, str]) -> tuple[str, bytes]:
    """Return the md5 and the bytes of DVC's listing of a folder, given the md5 of each file in it."""
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    data = json.dumps(entries, sort_keys=True).encode()
    return hash_md5(data, usedforsecurity=False).hexdigest() + ".dir", data
