"""What two versions were made with: parameters, seed files and code, as their ``dvc.lock`` records them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stillhouse.base.lock import Lock, LockedStage

_DATA: Final = ("data/", "reports/", "models/", "prompts")
_STAGES: Final = "stages/"
# Code that every stage depends on: it tells nothing about one of them.
_GROUND: Final = ("stillhouse/base", "stages/__init__.py", "library.yaml")
_SHOWN: Final = 3


@dataclass(frozen=True)
class Settings:
    """The settings of two versions; of one without ``dvc.lock`` nothing is known, and nothing differs."""

    then: Lock
    now: Lock

    def list_params(self, stage: str, section: str) -> list[str]:
        """Return in words what differs in a section of a stage's parameters: ``split.seed 7 -> 11``."""
        then, now = (_find_params(lock, stage).get(section) for lock in (self.then, self.now))
        if not self._both(stage) or then == now:
            return []
        return [
            f"{name} {_show(old)} -> {_show(new)}"
            for name, old, new in _compare(section, then, now)
        ]

    def find_param(self, lock: Lock, stage: str, name: str) -> Any:
        """Return a parameter by its dotted name; None where it is not recorded."""
        section, *rest = name.split(".")
        value = _find_params(lock, stage).get(section)
        for part in rest:
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def read_other(self, stage: str, path: str) -> bool:
        """Say whether a stage read other bytes at a path."""
        if not self._both(stage):
            return False
        return self.then.stages[stage].deps.get(path) != self.now.stages[stage].deps.get(path)

    def list_code(self, stage: str) -> list[str]:
        """Return the folders and files of code that differ for a stage, its own before all stages'."""
        if not self._both(stage):
            return []
        then, now = (_find_code(lock.stages[stage]) for lock in (self.then, self.now))
        changed = sorted(
            path for path in then.keys() | now.keys() if then.get(path) != now.get(path)
        )
        return sorted(changed, key=lambda path: path in _GROUND)

    def _both(self, stage: str) -> bool:
        return stage in self.then.stages and stage in self.now.stages


def name_some(names: list[str]) -> str:
    """Return a few names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _find_params(lock: Lock, stage: str) -> dict[str, Any]:
    if stage not in lock.stages:
        return {}
    files = lock.stages[stage].params.values()
    return {name: value for file in files for name, value in file.items()}


def _find_code(stage: LockedStage) -> dict[str, str]:
    return {path: md5 for path, md5 in stage.deps.items() if not path.startswith(_DATA)}


def _compare(name: str, then: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted(then.keys() | now.keys(), key=str):
            if then.get(key) != now.get(key):
                yield from _compare(f"{name}.{key}", then.get(key), now.get(key))
    else:
        yield name, then, now


def _show(value: Any) -> str:
    return "none" if value is None else str(value)
