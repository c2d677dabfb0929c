"""Records into plain values, plain values into bytes, and back, as the record types declare them.

Plain values are what JSON has: text, numbers, ``bool``, ``None``, lists, and dicts with text for keys.
"""

import json
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar

T = TypeVar("T")

_JSON: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def flattener(record_type: type[T]) -> Callable[[T], dict[str, Any]]:
    """Return what turns a record into a dict of plain values, the records inside it too.

    ``dataclasses.asdict`` does the same in several times the time.
    """
    names = [field.name for field in fields(record_type)]  # type: ignore[arg-type]
    inner = _make_for_fields(record_type, _value_flattener)

    def flatten(record: T) -> dict[str, Any]:
        values = {name: getattr(record, name) for name in names}
        for name, flatten_value in inner:
            values[name] = flatten_value(values[name])
        return values

    return flatten


def builder(record_type: type[T]) -> Callable[[dict[str, Any]], T]:
    """Return what turns a dict of plain values into the record; it may change the dict."""
    inner = _make_for_fields(record_type, _value_builder)

    def build(values: dict[str, Any]) -> T:
        for name, build_value in inner:
            values[name] = build_value(values[name])
        return record_type(**values)

    return build


def encode(plain: Any) -> bytes:
    """Return plain values as bytes of JSON from which ``decode`` makes equal ones.

    Floats keep every bit, NaN and the infinities are kept, and so is half of a character: whether
    a table may hold it is for the table to say. Anything that is not plain is a ``TypeError``.
    """
    return _JSON.encode(plain).encode("utf-8", "surrogatepass")


def decode(blob: bytes) -> Any:
    """Return the plain values of bytes that ``encode`` made."""
    return json.loads(blob.decode("utf-8", "surrogatepass"))


def is_tuple(hint: Any) -> bool:
    """Whether a field's type is a tuple; its items are then all of the first type it names."""
    return typing.get_origin(hint) is tuple


def _make_for_fields(
    record_type: type, make: Callable[[Any], Callable[[Any], Any] | None]
) -> list[tuple[str, Callable[[Any], Any]]]:
    """Return what ``make`` gives for each field's type, without fields for which it is nothing."""
    hints = typing.get_type_hints(record_type)
    made = ((field.name, make(hints[field.name])) for field in fields(record_type))
    return [(name, function) for name, function in made if function is not None]


def _value_flattener(hint: Any) -> Callable[[Any], Any] | None:
    """Return what makes a value of this type plain, or ``None`` where it is plain already."""
    if is_tuple(hint):
        flatten = _value_flattener(typing.get_args(hint)[0])
        return None if flatten is None else lambda items: [flatten(item) for item in items]
    return flattener(hint) if _is_record(hint) else None


def _value_builder(hint: Any) -> Callable[[Any], Any] | None:
    """Return what makes a plain value one of this type, or ``None`` where it is one already."""
    if is_tuple(hint):
        build = _value_builder(typing.get_args(hint)[0])
        return tuple if build is None else lambda items: tuple(build(item) for item in items)
    return builder(hint) if _is_record(hint) else None


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and is_dataclass(hint)
