"""DVC's run cache: what a stage wrote when it last ran with these very inputs, if it ever did.

DVC then puts that back and runs nothing. The key is DVC's own: a hash of command, dependencies,
parameters and the outputs' names.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

_UNSEEN: Final = ("size", "nfiles")


class RunCache:
    """The run cache of the folders in which DVC's cache lies."""

    def __init__(self, caches: Iterable[Path]) -> None:
        self._caches = list(caches)

    def find_outs(
        self,
        cmd: str,
        deps: Mapping[str, str],
        params: Mapping[str, Mapping[str, object]],
        outs: Iterable[str],
    ) -> dict[str, str] | None:
        """Return path -> md5 of all that the run wrote, where every byte of it can be put back."""
        try:
            key = name_run(cmd, deps, params, outs)
        except (TypeError, ValueError):  # a value that JSON has not: DVC finds none either
            return None
        for cache in self._caches:
            found = _read_newest(cache / "runs" / key[:2] / key)
            if found and all(self.holds(md5) for md5 in found.values()):
                return found
        return None

    def holds(self, md5: str) -> bool:
        """Say whether the cache has the object, and of a folder all files."""
        place = self.find(md5)
        if place is None:
            return False
        return not md5.endswith(".dir") or all(map(self.find, self.list_folder(md5).values()))

    def list_folder(self, md5: str) -> dict[str, str]:
        """Return the md5 of each file of a cached folder, by its path below it."""
        place = self.find(md5)
        entries = json.loads(place.read_bytes()) if place else []
        return {entry["relpath"]: entry["md5"] for entry in entries}

    def find(self, md5: str) -> Path | None:
        """Return the object in the cache; None where it lacks it."""
        places = (cache / "files" / "md5" / md5[:2] / md5[2:] for cache in self._caches)
        return next((place for place in places if place.is_file()), None)


def name_run(
    cmd: str,
    deps: Mapping[str, str],
    params: Mapping[str, Mapping[str, object]],
    outs: Iterable[str],
) -> str:
    """Return the name under which DVC files a run."""
    run: dict[str, Any] = {
        "cmd": cmd,
        "deps": [{"path": p, "hash": "md5", "md5": md5} for p, md5 in sorted(deps.items())],
        "outs": sorted(outs),
    }
    if params:
        run["params"] = drop_unseen(params)
    text = json.dumps(run, sort_keys=True)  # with the default separators
    return hashlib.sha256(text.encode()).hexdigest()


def drop_unseen(value: object) -> object:
    """Return what DVC hashes of a run: without the keys that it takes for its own of a file."""
    if isinstance(value, Mapping):
        return {key: drop_unseen(one) for key, one in value.items() if key not in _UNSEEN}
    return [drop_unseen(one) for one in value] if isinstance(value, list) else value


def _read_newest(folder: Path) -> dict[str, str] | None:
    if not folder.is_dir():
        return None
    entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    try:
        said = yaml.load(entries[-1].read_bytes(), Loader=yaml.CSafeLoader)
        return {entry["path"]: str(entry["md5"]) for entry in said["outs"]}
    except (IndexError, OSError, yaml.YAMLError, TypeError, KeyError):
        return None
