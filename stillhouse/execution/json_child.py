"""JSON against a schema in the child; a pattern that never ends is ended from outside."""

import json
from collections.abc import Callable
from typing import Any, Final

_LONGEST: Final = 20_000


def open_schema(schema: Any) -> Callable[[str], Any]:
    """Return what reads a text as JSON and checks it; no reference leads out of the schema.

    Raises:
        ValueError: the schema is none, or refers to something outside itself or to nothing.
    """
    from jsonschema import Draft202012Validator, SchemaError
    from referencing import Registry

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        raise ValueError(f"no JSON Schema: {exc.message}") from exc
    if foreign := find_foreign(schema):
        raise ValueError(f"`$ref: {foreign}` leads out of the schema")
    if lost := find_lost(schema):
        raise ValueError(f"`$ref: {lost}` leads to nothing")
    validator = Draft202012Validator(schema, registry=Registry())
    validator.is_valid(None)  # whatever it imports late

    def run(text: str) -> Any:
        value = read_json(text)
        errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        if errors:
            place = ".".join(map(str, errors[0].absolute_path)) or "the whole"
            raise ValueError(f"{place}: {errors[0].message}")
        return value

    return run


def read_json(text: str) -> Any:
    """Return the value of a JSON text: no NaN, no key twice.

    Raises:
        ValueError: it is none, or too long.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"more than {_LONGEST} characters")
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)


def find_foreign(schema: Any) -> str:
    """Return the first reference that leads out of the schema, or nothing."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and not str(value).startswith("#"):
                return str(value)
            if found := find_foreign(value):
                return found
    elif isinstance(schema, list):
        return next((found for part in schema if (found := find_foreign(part))), "")
    return ""


def find_lost(schema: Any) -> str:
    """Return the first reference within the schema that leads to nothing, or nothing."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    whole = DRAFT202012.create_resource(schema)
    return _find_lost(schema, Registry().resolver_with_root(whole))


def _find_lost(part: Any, resolver: Any) -> str:
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if isinstance(part, list):
        return next((found for one in part if (found := _find_lost(one, resolver))), "")
    if not isinstance(part, dict):
        return ""
    if isinstance(part.get("$id"), str):  # what stands below refers to this part
        resolver = resolver.in_subresource(DRAFT202012.create_resource(part))
    for key, value in part.items():
        if key in ("$ref", "$dynamicRef") and isinstance(value, str):
            try:
                resolver.lookup(value)
            except Unresolvable:
                return value
        if found := _find_lost(value, resolver):
            return found
    return ""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found
