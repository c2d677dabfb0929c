"""``params.yaml``: one section for each owner, read into the frozen model that its owner declares."""

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.files import read_text

PARAMS: Final = Path("params.yaml")
STUDENTS: Final = "students"
# A student's name is part of paths, of DVC's stage names and dotted parameters, and of MLflow's names.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


class Params(BaseModel):
    """The base of every section: frozen, and an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_yes_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """YAML reads ``yes`` and ``on`` as true, which pydantic would take for the number 1."""
        field = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and bool not in _list_types(field.annotation):
            raise ValueError("true and false (in YAML also yes, no, on, off) are no value for it")
        return value


P = TypeVar("P", bound=Params)


class _Loader(yaml.CSafeLoader):
    """YAML as it is written: a key that stands twice is an error; the last one does not win."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse a key that stands twice; then take over what merges (``<<``) bring.

        Each node is checked once: what a merge brought may afterwards stand beside the node's own.
        """
        if id(node) not in self._checked:
            self._checked.add(id(node))
            _refuse_twice(node)
        super().flatten_mapping(node)


def _refuse_twice(node: yaml.MappingNode) -> None:
    met: set[str] = set()
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in met:
            raise yaml.constructor.ConstructorError(
                None, None, f"`{key.value}` stands there twice", key.start_mark
            )
        met.add(key.value)


def parse_yaml(text: str, where: str, what: str = "not valid YAML") -> object:
    """Return the value of a YAML text; what cannot be read is an ``InputError`` with the line."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        problem = getattr(exc, "problem", None) or getattr(exc, "reason", None)
        problem = problem or "cannot be parsed"
        raise InputError(f"{what} ({problem})", where=place, remedy="mend that line") from exc
    except (ValueError, RecursionError) as exc:  # a 13th month, endless brackets
        raise InputError(f"{what} ({exc})", where=where) from exc


def check_project() -> None:
    """Refuse to go on outside of a project; every command that needs one says the same then.

    Raises:
        InputError: there is no params.yaml in the working directory.
    """
    if not PARAMS.exists():
        raise InputError(
            "file not found", where=str(PARAMS), remedy="run this in the folder of a project"
        )


def load_yaml(path: Path) -> dict[str, object]:
    """Return a YAML file's mapping, empty where the file says nothing; anything else is an ``InputError``."""
    if path == PARAMS:
        check_project()
    value = parse_yaml(read_text(path), str(path))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("not a mapping", where=str(path), expected="`key: value` lines")
    for key in value:
        if not isinstance(key, str):
            raise InputError(
                f"the key `{key}` is not a text", where=str(path), remedy='put it in "quotes"'
            )
    return value


def load_section(name: str, model: type[P], path: Path = PARAMS) -> P:
    """Return the section ``name`` of ``params.yaml`` as its owner's model.

    A dotted name descends (``students.smollm2``). A missing section is an error, never a default.
    """
    value: object = load_yaml(path)
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            near = suggest(part, map(str, value)) if isinstance(value, dict) else None
            remedy = near or f"add `{name}:` to it"
            raise InputError(f"section `{name}` is missing", where=str(path), remedy=remedy)
        value = value[part]
    return parse_section(name, model, value, path)


def parse_section(name: str, model: type[P], value: object, path: Path = PARAMS) -> P:
    """Return ``value`` as a parameter model; the first thing wrong in it is an ``InputError``.

    ``name`` is the section's, or that of the file where the file is the section.
    """
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as exc:
        section = () if name == path.name else (name,)
        raise explain_mistake(exc, model, str(path), section) from exc


def explain_mistake(
    exc: ValidationError, model: type[BaseModel], where: str, section: tuple[str, ...] = ()
) -> InputError:
    """Return the first thing that a model refused as an error: which key, what stands there, why."""
    first = exc.errors(include_url=False)[0]
    location = tuple(part for part in first["loc"] if part != "[key]")
    key = ".".join([*section, *map(str, location)]) or "the file"
    if first["type"] == "extra_forbidden":
        owner = _find_model(model, location[:-1]) or model
        names = sorted(owner.model_fields)
        remedy = suggest(str(location[-1]), names)
        expected = "one of " + ", ".join(names)
        return InputError(f"unknown key `{key}`", where=where, expected=expected, remedy=remedy)
    if first["type"] == "missing":
        return InputError(f"`{key}` is missing", where=where, remedy="add it")
    if first["type"] == "value_error" and not location:
        return InputError(f"{key}: {_reason(first['msg'])}", where=where)
    if first["type"] == "value_error":
        return InputError(f"`{key}`: {_reason(first['msg'])}", where=where)
    shown = "empty" if first["input"] is None else _shorten(repr(first["input"]))
    wanted = "`key: value` lines" if first["type"] == "model_type" else _reason(first["msg"])
    return InputError(f"`{key}` is {shown}", where=where, expected=wanted)


def list_keys(name: str, path: Path = PARAMS) -> tuple[str, ...]:
    """Return the keys of a section in their order: the students that ``students`` declares.

    Raises:
        InputError: there are none, or one is no name (``check_names``).
    """
    value = load_yaml(path)
    section = value.get(name)
    if not isinstance(section, dict) or not section:
        raise InputError(
            f"section `{name}` is missing or empty", where=str(path), remedy=f"add `{name}:` to it"
        )
    check_names(name, value, path)
    return tuple(section)


def check_names(name: str, value: Mapping[str, object], path: Path = PARAMS) -> None:
    """Refuse a key of a section, where it is there, that cannot name a student.

    Raises:
        InputError: it is no text (YAML takes ``2026`` for a number), or has other characters than
            letters, digits, ``_`` and ``-``.
    """
    section = value.get(name)
    for key in section if isinstance(section, dict) else ():
        if not isinstance(key, str):
            what = f"`{name}.{key}` is not a text"
            raise InputError(what, where=str(path), remedy='put it in "quotes"')
        if not _NAME.fullmatch(key):
            raise InputError(
                f"`{name}.{key}` is not a name",
                where=str(path),
                expected="letters (a to z), digits, _ and -, such as `smollm2-v1_5`",
                remedy="rename it",
            )


def choose_student(arguments: Sequence[str], path: Path = PARAMS) -> str:
    """Return the one student that a command line names; it must stand in ``params.yaml``.

    Raises:
        InputError: no name is given, several are, or none of the students is called so.
    """
    known = list_keys(STUDENTS, path)
    listed = f"one of the students in {path}: {', '.join(known)}"
    if len(arguments) != 1:
        what = "no student is named" if not arguments else f"{len(arguments)} names are given"
        raise InputError(what, expected=listed)
    (name,) = arguments
    if name not in known:
        remedy = suggest(name, known) or f"add `students.{name}` to it"
        raise InputError(f"no student is called `{name}`", expected=listed, remedy=remedy)
    return name


def _find_model(model: object, location: Sequence[int | str]) -> type[BaseModel] | None:
    """Return the model at a place within another one, along fields, mappings, lists and unions."""
    origin, arguments = typing.get_origin(model), typing.get_args(model)
    if isinstance(model, type) and origin is None and issubclass(model, BaseModel):
        if not location:
            return model
        field = model.model_fields.get(str(location[0]))
        return _find_model(field.annotation, location[1:]) if field else None
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _find_model(arguments[1], location[1:])
    if origin in (tuple, list):
        return _find_model(arguments[0], location[1:])
    return next((found for a in arguments if (found := _find_model(a, location))), None)


def _list_types(annotation: object) -> Iterator[object]:
    yield annotation
    for argument in typing.get_args(annotation):
        yield from _list_types(argument)


def _reason(message: str) -> str:
    """Return pydantic's message as the rest of a sentence."""
    for opening in ("Input should be ", "Value error, "):
        message = message.removeprefix(opening)
    return message[:1].lower() + message[1:]


def _shorten(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
