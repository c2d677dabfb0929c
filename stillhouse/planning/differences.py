"""How a stage differs from what `dvc.lock` says of its last run: what `dvc status` tells, without DVC."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.lock import LockedStage
from stillhouse.base.params import PARAMS
from stillhouse.lineage.doctor_yaml import DeclaredStage

# A number that YAML 1.2, which DVC reads and writes, knows, and the parser of `dvc.lock` does not.
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was: ``command``, ``params``, ``dependency`` or ``output``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return "its command" if self.kind == "command" else self.name


class ParameterFiles:
    """Parameters as DVC reads them, each file once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, Mapping[str, object]] = {}

    def read(self, tracked: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, object]]:
        """Return file -> dotted name -> value of all that a stage tracks and that is there."""
        return {file: self._read_names(file, names) for file, names in tracked.items()}

    def _read_names(self, file: str, names: tuple[str, ...]) -> dict[str, object]:
        params = self._load(file)
        if not names:
            return dict(params)
        return {name: value for name in names for value in _descend(params, name)}

    def _load(self, file: str) -> Mapping[str, object]:
        if file not in self._files:
            self._files[file] = _parse(self._root / file)
        return self._files[file]


def _parse(path: Path) -> Mapping[str, object]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not path.is_file():
        return {}
    try:
        value = YAML(typ="safe").load(read_text(path))
    except YAMLError as exc:
        raise InputError("not valid YAML", where=str(path), remedy="mend it") from exc
    return value if isinstance(value, Mapping) else {}


def _descend(params: Mapping[str, object], name: str) -> Iterator[object]:
    """Yield what a dotted name holds; nothing where there is no such name."""
    value: object = params
    for part in name.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return
    yield value


def compare_itself(
    stage: DeclaredStage, locked: LockedStage, params: Mapping[str, Mapping[str, object]]
) -> list[Difference]:
    """Return the differences in a stage's command and parameters."""
    found = [Difference("command", stage.cmd)] if stage.cmd != locked.cmd else []
    for file, names in stage.tracked.items():
        now, then = params[file], locked.params.get(file, {})
        for name in names or sorted(now.keys() | then.keys()):
            there, before = name in now, name in then
            if there != before or (there and read_plain(now[name]) != read_plain(then[name])):
                shown = name if file == PARAMS.name else f"{file}: {name}"
                found.append(Difference("params", shown))
    return found


def read_plain(value: object) -> object:
    """Return a parameter's value as DVC compares it: what YAML 1.2 takes for a number is one."""
    if isinstance(value, Mapping):
        return {key: read_plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [read_plain(one) for one in value]
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
