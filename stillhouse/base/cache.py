"""DVC's cache, read as the plain files that it is: where the bytes behind an md5 lie, if they do."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from stillhouse.base.dvc_config import read_dvc_config


def find_caches(*projects: Path) -> list[Path]:
    """Return the DVC cache folders that the projects (a workspace, its parent) use."""
    found = [read_dvc_config(project).cache for project in projects]
    return list(dict.fromkeys(path for path in found if path.is_dir()))


def find_cached(
    caches: Iterable[Path], outs: Mapping[str, str], path: str
) -> tuple[str, Path | None]:
    """Return (md5, cached file) of ``path`` among a stage's ``outs``, itself or inside a folder.

    The md5 is that of the out which holds the path, or empty where none does. The file is None
    where the cache lacks it or holds other bytes than its name says.
    """
    folders = list(caches)
    md5, inner = find_out(outs, path)
    if not md5:
        return "", None
    return md5, _open_inner(folders, md5, inner) if inner else _open_object(folders, md5)


def find_out(outs: Mapping[str, str], path: str) -> tuple[str, str]:
    """Return (md5, place within it) of ``path`` among a stage's ``outs``: of itself, or of its folder.

    The md5 is empty where none of them holds the path, the place where the out is the path itself.
    """
    if md5 := outs.get(path):
        return md5, ""
    for out, md5 in outs.items():
        if md5.endswith(".dir") and path.startswith(out + "/"):
            return md5, path.removeprefix(out + "/")
    return "", ""


def name_object(md5: str) -> str:
    """Return where DVC keeps the bytes of an md5 below a cache, and below a remote."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def is_whole(path: Path, md5: str) -> bool:
    """Say whether a file holds the bytes that an md5 (of a file or a folder's listing) names."""
    return _hash(path) == md5.removesuffix(".dir")


def find_inner(listing: Path, place: str) -> str:
    """Return the md5 of a file within a folder by the folder's listing; empty where it has none."""
    entries = {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_bytes())}
    return str(entries.get(place, ""))


def _open_object(caches: list[Path], md5: str) -> Path | None:
    for cache in caches:
        path = cache / name_object(md5)
        if path.is_file() and is_whole(path, md5):
            return path
    return None


def _open_inner(caches: list[Path], md5: str, relpath: str) -> Path | None:
    listing = _open_object(caches, md5)
    if listing is None:
        return None
    md5 = find_inner(listing, relpath)
    return _open_object(caches, md5) if md5 else None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
