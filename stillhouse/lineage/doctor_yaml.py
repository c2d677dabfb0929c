"""``dvc.yaml`` as a checker needs it: each stage's paths and parameters, templates filled in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.params import PARAMS, load_yaml

DVC_YAML: Final = Path("dvc.yaml")
_WHOLE: Final = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class Out:
    """One output of a stage, plots and metrics among them."""

    path: str
    cached: bool
    persisted: bool


@dataclass(frozen=True, slots=True)
class DeclaredStage:
    """What one stage declares; a path that holds a template nobody could fill in is left out.

    ``params`` are dotted names in ``params.yaml``, or the names of other files that hold some;
    ``tracked`` are all of them by file, and of a file without names the whole.
    """

    name: str
    deps: tuple[str, ...]
    outs: tuple[Out, ...]
    params: tuple[str, ...]
    cmd: str = ""
    tracked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    frozen: bool = False


def read_stages(root: Path) -> list[DeclaredStage]:
    """Return the stages of ``dvc.yaml``, those of a ``foreach`` one by one.

    Raises:
        InputError: the file is missing or not YAML.
    """
    declared = load_yaml(root / DVC_YAML).get("stages")
    params = load_yaml(root / PARAMS) if (root / PARAMS).exists() else {}
    found = []
    for name, body in declared.items() if isinstance(declared, Mapping) else ():
        if not isinstance(body, Mapping):
            continue
        if "foreach" not in body:
            found.append(_read_stage(str(name), body, {}))
            continue
        for key, values in _list_items(body["foreach"], params):
            inner = body.get("do")
            if isinstance(inner, Mapping):
                found.append(_read_stage(f"{name}@{key}", inner, values))
    return found


def list_stages(root: Path) -> list[DeclaredStage]:
    """Return the stages; none where a file is missing or broken, which ``check_yaml`` tells."""
    try:
        return read_stages(root)
    except InputError:
        return []


def find_value(params: Mapping[str, object], name: str) -> object:
    """Return what a dotted name holds in ``params.yaml``; None where it holds nothing."""
    value: object = params
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _list_items(over: object, params: Mapping[str, object]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield key and template values of each item of a ``foreach``; one of another form gives none."""
    if isinstance(over, str) and (whole := _WHOLE.fullmatch(over)):
        over = find_value(params, whole[1])
    if isinstance(over, Mapping):
        for key, item in over.items():
            yield str(key), {"key": str(key), **_name_values("item", item)}
    elif isinstance(over, list):
        for item in over:
            if isinstance(item, str | int | float):
                yield str(item), {"item": str(item)}


def _name_values(name: str, value: object) -> dict[str, str]:
    """Return dotted name -> text of the values within a template's variable."""
    if isinstance(value, Mapping):
        inner = (_name_values(f"{name}.{key}", item) for key, item in value.items())
        return {key: text for values in inner for key, text in values.items()}
    return {name: str(value)} if isinstance(value, str | int | float) else {}


def _read_stage(name: str, body: Mapping[str, object], values: Mapping[str, str]) -> DeclaredStage:
    outs = [
        Out(path, options.get("cache") is not False, options.get("persist") is True)
        for kind in ("outs", "metrics", "plots")
        for path, options in _list_entries(body.get(kind), values)
    ]
    params = [path for path, options in _list_entries(body.get("params"), values) if not options]
    deps = [path for path, _ in _list_entries(body.get("deps"), values)]
    return DeclaredStage(
        name,
        tuple(deps),
        tuple(outs),
        tuple(params),
        _fill(str(body.get("cmd", "")), values),
        _read_tracked(body.get("params"), values),
        frozen=body.get("frozen") is True,
    )


def _read_tracked(entries: object, values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return file -> dotted names of what ``params`` lists; no names stand for the whole file."""
    tracked: dict[str, tuple[str, ...]] = {}
    for entry in entries if isinstance(entries, list) else ():
        inner = entry.items() if isinstance(entry, Mapping) else ((PARAMS.name, [entry]),)
        for file, names in inner:
            filled = tuple(_fill(str(name), values) for name in names or ())
            tracked[str(file)] = tracked.get(str(file), ()) + filled
    return tracked


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _WHOLE.sub(lambda found: values.get(found[1], found[0]), text)


def _list_entries(
    entries: object, values: Mapping[str, str]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield (name, options) of a list whose entries are names or one-key mappings."""
    for entry in entries if isinstance(entries, list) else ():
        pairs = entry.items() if isinstance(entry, Mapping) else ((entry, {}),)
        for name, options in pairs:
            filled = _fill(str(name), values)
            if "${" not in filled:
                yield filled, options if isinstance(options, Mapping) else {}


def read_params(root: Path) -> Mapping[str, object] | None:
    """Return ``params.yaml``; None where it is missing or broken, which ``check_yaml`` tells."""
    try:
        return load_yaml(root / PARAMS)
    except InputError:
        return None
