"""What each version of ``dvc.lock`` says was made, remembered by git's name of the lock.

Reading a lock takes some milliseconds and a history may hold hundreds. A blob's name is a hash of its
bytes, so what was read of it once is true for ever.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from stillhouse.base.cache import find_out
from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import read_text, write_json
from stillhouse.base.home import find_home
from stillhouse.base.ids import Json
from stillhouse.base.lock import Lock
from stillhouse.history.commits import read_locks

TABLES: Final = {
    "requests": "data/requests.parquet",
    "answers": "data/generated/responses.parquet",
    "pairs": "data/generated/pairs.parquet",
    "kept": "data/curated/rows.parquet",
    "rows": "data/dataset/train.parquet",
}
MODELS: Final = PurePosixPath("models")
_METRICS: Final = "reports/students/{}/metrics.json"
_MEMORY: Final = "chronicle.json"
_LAYOUT: Final = 1  # of the memory; another one is not read


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table's bytes are: the md5 of what DVC keeps, and the place within it if that is a folder."""

    path: str
    md5: str
    inner: str

    @property
    def out(self) -> str:
        """The path that DVC keeps: the table's own, or its folder's."""
        return self.path.removesuffix(f"/{self.inner}") if self.inner else self.path


@dataclass(frozen=True, slots=True)
class State:
    """What one version of ``dvc.lock`` says was made: two equal ones are one state.

    ``tables`` are by name, ``models`` and ``metrics`` (name, md5) by student.
    """

    tables: tuple[tuple[str, Place], ...]
    models: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, str], ...]

    @property
    def students(self) -> tuple[str, ...]:
        """The names of all that were trained or evaluated."""
        return tuple(sorted({name for name, _ in (*self.models, *self.metrics)}))

    def narrow(self, student: str) -> "State":
        """Return the state without other students; as it is where none is named."""
        if not student:
            return self
        return replace(
            self,
            models=tuple(one for one in self.models if one[0] == student),
            metrics=tuple(one for one in self.metrics if one[0] == student),
        )


def read_state(lock: Lock) -> State:
    """Return what a lock says was made."""
    outs = {path: md5 for stage in lock.stages.values() for path, md5 in stage.outs.items()}
    found = {name: Place(path, *find_out(outs, path)) for name, path in TABLES.items()}
    models = {path: md5 for path, md5 in outs.items() if PurePosixPath(path).parent == MODELS}
    names = {PurePosixPath(path).parent.name for path in outs}
    return State(
        tables=tuple((name, place) for name, place in found.items() if place.md5),
        models=tuple(sorted((PurePosixPath(path).name, md5) for path, md5 in models.items())),
        metrics=tuple(
            (name, outs[path]) for name in sorted(names) if (path := name_metrics(name)) in outs
        ),
    )


def read_states(root: Path, blobs: Iterable[str]) -> dict[str, State]:
    """Return the state of each version of ``dvc.lock`` by its blob; of none that cannot be parsed."""
    wanted = [blob for blob in dict.fromkeys(blobs) if blob]
    memory = find_home(root) / _MEMORY
    known = _recall(memory)
    new = {
        blob: read_state(lock)
        for blob, lock in read_locks(root, [blob for blob in wanted if blob not in known])
    }
    if new and memory.parent.is_dir():
        _remember(memory, {**known, **new})
    return {blob: state for blob in wanted if (state := known.get(blob) or new.get(blob))}


def name_metrics(student: str) -> str:
    """Return where a student's scores lie, below the project."""
    return _METRICS.format(student)


def _recall(memory: Path) -> dict[str, State]:
    """Return what is remembered; nothing where that cannot be read: it is only a shortcut."""
    try:
        value = json.loads(read_text(memory))
        if value["layout"] != _LAYOUT:
            return {}
        return {str(blob): _parse(state) for blob, state in value["states"].items()}
    except (StillhouseError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(memory: Path, states: Mapping[str, State]) -> None:
    told: dict[str, Json] = {
        "layout": _LAYOUT,
        "states": {blob: asdict(state) for blob, state in states.items()},
    }
    try:
        write_json(memory, told)
    except StillhouseError:  # full or read-only: it is only read again next time
        return


def _parse(state: Mapping[str, Any]) -> State:
    return State(
        tables=tuple((str(name), Place(**place)) for name, place in state["tables"]),
        models=tuple((str(name), str(md5)) for name, md5 in state["models"]),
        metrics=tuple((str(name), str(md5)) for name, md5 in state["metrics"]),
    )
