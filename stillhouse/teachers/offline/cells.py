"""What a table cell or a value after a key holds, and what its header says of it."""

import re
from dataclasses import dataclass
from typing import Final

from stillhouse.teachers.offline.copulas import is_place
from stillhouse.teachers.offline.lexicon import DURATIONS, list_words
from stillhouse.teachers.offline.morphology import singular
from stillhouse.teachers.offline.tagging import lexicon, split_words, tag_words
from stillhouse.teachers.offline.values import find_values
from stillhouse.teachers.offline.wording import (
    lower_first,
)

_RATE: Final = re.compile(
    r"^(?P<noun>.+?) (?P<rate>(?:a|an|per|each|every) [a-z-]+)$", re.IGNORECASE
)

_BRACKET: Final = re.compile(r"^(?P<noun>.+?) ?[(\[](?P<unit>[^)\]]+)[)\]]$")

_UNITS: Final = {
    "mm": "mm", "cm": "cm", "m": "m", "km": "km", "kg": "kg", "g": "g", "l": "l", "gbp": "£",
    "eur": "€", "usd": "$", "days": "days", "months": "months", "hours": "hours",
    "minutes": "minutes", "years": "years", "weeks": "weeks", "percent": "%", "w": "W", "v": "V",
    "kw": "kW", "gb": "GB", "mb": "MB",
}  # fmt: skip

_PERSON_KEYS: Final = frozenset(
    list_words(
        "owner name contact head manager lead leader author maintainer editor responsible chair "
        "coordinator adviser officer director person who"
    )
)

_VAGUE: Final = frozenset(list_words("limit value amount figure details rule number description"))


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's content: its value as text, the kind and unit of the value."""

    text: str
    kind: str
    unit: str = ""


def split_header(header: str) -> tuple[str, str, str]:
    """Return a column header's noun, its rate (``a year``) and its unit (``kg``)."""
    noun, unit = header.replace("_", " ").strip(), ""
    found = _BRACKET.match(noun)
    if found and found["unit"].lower() in _UNITS:
        noun, unit = found["noun"], _UNITS[found["unit"].lower()]
    last = noun.split(" ")[-1]
    if " " in noun and last in _UNITS and not unit and header.islower():
        noun, unit = noun.rpartition(" ")[0], _UNITS[last]
    rated = _RATE.match(noun)
    if rated and rated["rate"].split(" ")[1].lower() != "of":
        return lower_first(rated["noun"], frozenset()), rated["rate"], unit
    return lower_first(noun, frozenset()), "", unit


def read_cell(text: str, unit: str, key: str) -> Cell:
    """Return a cell's value with the unit that its header gives."""
    if unit and re.match(r"^[£$€]?\d[\d,.]*$", text):
        if unit in "£$€":
            return Cell(text if text[0] in "£$€" else f"{unit}{text}", "money")
        if unit == "%":
            return Cell(f"{text}%", "percent")
        kind = "duration" if singular(unit) in DURATIONS else "measure"
        return Cell(f"{text} {unit}", kind, unit)
    person = _person(text, key)
    if person:
        return Cell(person, "person")
    if re.match(r"^[A-Z]{1,6}-?\d[\w.-]*$", text):
        return Cell(text, "code")
    tokens = tag_words(["is", *split_words(text)])
    values = find_values(tokens)
    rest = split_words(text)[values[0].end - 1 :] if values else []
    if len(values) == 1 and values[0].outer <= 1 and (not rest or rest[0] in ("a", "an", "per")):
        value = values[0]
        return Cell(text.rstrip("."), value.kind, value.unit)
    if re.match(r"^[±]?\d[\d,.]*$", text):
        return Cell(text, "identifier" if key.lower() in ("extension", "phone") else "number")
    return Cell(text.rstrip("."), "place" if is_place(text) and text[0].isupper() else "text")


def _person(text: str, key: str) -> str:
    """Return the person's name that a cell holds or begins with, or ""."""
    name = text.split(",", maxsplit=1)[0].strip()
    if not re.match(r"^[A-Z][\w’'-]+(?: (?:[a-z]{2,3} )?[A-Z][\w’'-]+){1,2}$", name):
        return ""
    if any(word.isupper() or re.search(r"\d", word) for word in name.split()):
        return ""
    words = [word.lower() for word in name.split()]
    if all(word in lexicon() and lexicon()[word] in ("NN", "NNS", "JJ", "VBG") for word in words):
        return ""
    keyed = _PERSON_KEYS & set(re.split(r"[\s_]+", key.lower()))
    unknown = sum(word not in lexicon() for word in words)
    return name if keyed or (unknown == len(words) and not is_place(name)) else ""
