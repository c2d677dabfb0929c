"""JSON out of a passage, by the names and titles of a schema's properties and the passage's labels.

A property's value is what stands behind its label (``- price gbp: £4,735``), read as the type that the
schema wants. What is not labelled is not guessed: an optional property stays out, and without a
required one there is no object.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stillhouse.base.ids import Json
from stillhouse.base.text import words
from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline.orders import Order

_SCHEMAS: Final = "schemas/"
_LABELLED: Final = re.compile(
    r"^\s*(?:[-*]\s+)?\**([^:*|\n]{1,60}?)\**:\**\s+(.+?)\s*$", re.MULTILINE
)
_NUMBER: Final = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")
_TRUTH: Final = {"yes": True, "true": True, "no": False, "false": False}
_WORDINGS: Final = (
    "Give me the {} in this passage as JSON.",
    "Return the {} as a JSON object that fits the schema.",
    "Extract the {} from the passage, JSON only.",
    "Read out the {} as JSON.",
    "Fill the schema with the {} given here.",
)
_ABSENT: Final = object()


def extract(passages: Sequence[Passage], order: Order) -> list[Json]:
    """Return the one pair of a request: its passage's labelled values as an object of its schema."""
    texts = [passage for passage in passages if not passage.source.startswith(_SCHEMAS)]
    given = [passage for passage in passages if passage.source.startswith(_SCHEMAS)]
    if not (texts and given):
        return []
    schema = json.loads(given[0].text)
    labelled = _read_labels(texts[0].text)
    found = _fill(schema, labelled)
    if not found:
        return []
    said = str(schema.get("title") or "data")
    what = said[:1].lower() + said[1:] if said[1:2].islower() else said
    first = sum(map(ord, texts[0].section)) % len(_WORDINGS)  # neighbours are asked differently
    wordings = [_WORDINGS[(first + count) % len(_WORDINGS)] for count in range(order.phrasings)]
    return [
        {
            "fact": labelled[next(label for label in labelled if label in _list_labels(schema))][1],
            "questions": [wording.format(what) for wording in wordings],
            "reasoning": "",
            "answer": json.dumps(found, ensure_ascii=False),
            "confidence": 1.0,
        }
    ]


def _read_labels(text: str) -> dict[str, tuple[str, str]]:
    """Return the value and the whole line behind each label; a label that stands twice is none."""
    found: dict[str, tuple[str, str]] = {}
    twice = set[str]()
    for line in _LABELLED.finditer(text):
        label = " ".join(words(line[1]))
        twice |= {label} & found.keys()
        found[label] = (line[2], line[0].strip().removeprefix("- "))
    return {label: value for label, value in found.items() if label not in twice}


def _fill(schema: Mapping[str, Any], labelled: Mapping[str, tuple[str, str]]) -> dict[str, Json]:
    """Return the object; empty where a required property has no value, or one is of another type."""
    found: dict[str, Json] = {}
    for name, about in schema["properties"].items():
        label = _label(name, about)
        value = _read(labelled[label][0], about) if label in labelled else _ABSENT
        if value is not _ABSENT:
            found[name] = value  # type: ignore[assignment]
    needed = schema.get("required", ())
    return found if found and all(name in found for name in needed) else {}


def _list_labels(schema: Mapping[str, Any]) -> set[str]:
    return {_label(name, about) for name, about in schema["properties"].items()}


def _label(name: str, about: Any) -> str:
    title = about.get("title") if isinstance(about, dict) else None
    return " ".join(words(str(title or name.replace("_", " "))))


def _read(text: str, about: Any) -> object:
    """Return a text as the type that a property wants, or ``_ABSENT``."""
    about = about if isinstance(about, dict) else {}
    if "enum" in about:
        named = [one for one in about["enum"] if str(one).lower() == text.lower()]
        return named[0] if named else _ABSENT
    kind = about.get("type", "string")
    if kind in ("number", "integer"):
        numbers = _NUMBER.findall(text)
        number = float(numbers[0].replace(",", "")) if len(numbers) == 1 else None
        if number is None or (kind == "integer" and number != int(number)):
            return _ABSENT
        return int(number) if number == int(number) else number
    if kind == "boolean":
        return _TRUTH.get(text.lower(), _ABSENT)
    return text if kind == "string" else _ABSENT
