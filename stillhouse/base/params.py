"""``params.yaml``: one section for each owner, read into the frozen model that its owner declares."""

from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text

PARAMS: Final = Path("params.yaml")


class Params(BaseModel):
    """The base of every section: frozen, and an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


P = TypeVar("P", bound=Params)


def load_yaml(path: Path) -> dict[str, object]:
    """Return a YAML file's mapping; anything else is an ``InputError`` with the line."""
    try:
        value = yaml.load(read_text(path), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(exc, "problem", None) or "cannot be parsed"
        raise InputError(f"not valid YAML ({problem})", where=where) from exc
    if not isinstance(value, dict):
        raise InputError("not a mapping", where=str(path), expected="`key: value` lines")
    return value


def load_section(name: str, model: type[P], path: Path = PARAMS) -> P:
    """Return the section ``name`` of ``params.yaml`` as its owner's model.

    A dotted name descends (``students.smollm2``). A missing section is an error, never a default.
    """
    value: object = load_yaml(path)
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise InputError(
                f"section `{name}` is missing", where=str(path), remedy=f"add `{name}:` to it"
            )
        value = value[part]
    return parse_section(name, model, value, path)


def parse_section(name: str, model: type[P], value: object, path: Path = PARAMS) -> P:
    """Return ``value`` as a parameter model; the first thing wrong in it is an ``InputError``."""
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        key = ".".join([name, *(str(part) for part in first["loc"])])
        message = first["msg"]
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(model.model_fields))
            message = f"unknown parameter (this section knows: {known})"
        raise InputError(f"`{key}`: {message}", where=str(path)) from exc


def list_keys(name: str, path: Path = PARAMS) -> tuple[str, ...]:
    """Return the keys of a section in their order: the students that ``students`` declares."""
    value = load_yaml(path).get(name)
    if not isinstance(value, dict) or not value:
        raise InputError(
            f"section `{name}` is missing or empty", where=str(path), remedy=f"add `{name}:` to it"
        )
    return tuple(str(key) for key in value)
