"""JSON texts against schemas in a sandbox, and whether two texts say the same."""

from dataclasses import dataclass
from typing import Self

from stillhouse.base.ids import Json
from stillhouse.execution.json_child import find_foreign, read_json
from stillhouse.execution.sandbox import Limits, Sandbox
from stillhouse.execution.sql import clean_query


@dataclass(frozen=True, slots=True)
class Checked:
    """A text's value, or why it is none of the schema: ``error`` is empty where it fits."""

    value: Json = None
    error: str = ""


class Validator:
    """A schema in a sandbox; used in a ``with`` block."""

    def __init__(self, schema: Json, limits: Limits | None = None) -> None:
        self._sandbox = Sandbox("json", schema, limits or Limits(memory_mb=512))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.stop()

    def check(self, text: str) -> Checked:
        """Return the value of a JSON text that fits the schema, else the first thing that is wrong.

        Raises:
            InputError: the schema is none, or refers to something outside itself.
        """
        outcome = self._sandbox.run(clean_query(text))
        return Checked(error=outcome.error) if outcome.error else Checked(outcome.value)


def equal_json(first: str, second: str) -> bool:
    """Say whether two texts are the same JSON value: order of keys does not count, ``1`` equals ``1.0``."""
    try:
        return _same(read_json(clean_query(first)), read_json(clean_query(second)))
    except (ValueError, RecursionError):
        return False


def _same(first: object, second: object) -> bool:
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[k], second[k]) for k in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    return first == second


__all__ = ["Checked", "Validator", "equal_json", "find_foreign"]
