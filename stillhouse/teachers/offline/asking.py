"""The question words for a value: ``within 7 hours`` -> *within how many hours*, *how soon*."""

from dataclasses import dataclass

from stillhouse.teachers.offline.lexicon import list_words
from stillhouse.teachers.offline.morphology import is_plural
from stillhouse.teachers.offline.spans import Value

_LASTING = frozenset(["last", "continue", "take", "run", "go"])
_SIGNS = {
    "mm": "millimetres", "cm": "centimetres", "m": "metres", "km": "kilometres", "kg": "kilograms",
    "g": "grams", "mg": "milligrams", "l": "litres", "ml": "millilitres", "V": "volts",
    "W": "watts", "kW": "kilowatts", "mph": "miles per hour", "GB": "gigabytes", "MB": "megabytes",
    "TB": "terabytes", "KB": "kilobytes", "°C": "degrees Celsius", "Hz": "hertz",
}  # fmt: skip
_LENGTH_WORDS = frozenset(list_words("old long wide high deep tall thick away apart"))


@dataclass(frozen=True, slots=True)
class Wh:
    """``lead`` opens the question; ``tail`` is a preposition left at its end."""

    lead: str
    tail: str = ""
    style: str = "full"


def unit_name(unit: str) -> str:
    """Return a unit as a plural word."""
    return _SIGNS.get(unit, unit)


def ask_for(value: Value, attached: str, base: str) -> list[Wh]:
    """Return the ways to ask for ``value``, plainest first.

    ``attached`` is what hangs on the value (``of the purchase``, ``before the trip``);
    ``base`` is the verb's base form, for *how long does it last*.
    """
    asker = {
        "duration": _ask_duration, "count": _ask_count, "measure": _ask_count, "money": _ask_money,
        "percent": _ask_percent, "time": _ask_time, "date": _ask_date, "ordinal": _ask_ordinal,
        "code": _ask_code, "identifier": _ask_code, "person": _ask_person, "place": _ask_place,
        "name": _ask_name,
    }.get(value.kind)  # fmt: skip
    return asker(value, attached, base) if asker else []


def _prepositional(value: Value, phrase: str) -> str:
    comparator = value.comparator if value.bound == "threshold" else ""
    if value.comparator == "up to" and value.kind == "percent" and not value.preposition:
        comparator = "up to"
    return " ".join(part for part in (value.preposition, comparator, phrase) if part)


def _ask_duration(value: Value, attached: str, base: str) -> list[Wh]:
    unit, first = plural_unit(value.unit), attached.split(" ", maxsplit=1)[0]
    if value.preposition in ("by", "per"):
        return []
    many = f"how many {unit} {attached}".strip()
    if first in _LENGTH_WORDS:
        other = "what age" if first == "old" else f"how many {unit} {first}"
        return [Wh(_prepositional(value, f"how {attached}")), Wh(other)]
    short = {
        "within": _soon(attached), "every": [Wh("how often"), Wh(f"every how many {unit}")],
        "for": [] if first == "of" else [Wh("how long"), Wh("for how long")],
        "after": [Wh("after how long")] if not attached else [],
    }.get(value.preposition, [])  # fmt: skip
    if value.preposition == "every":
        return short
    found = [Wh(_prepositional(value, many)), *short]
    if value.bound == "threshold":
        return found[:1]
    if not value.preposition and base in _LASTING and first != "of":
        found.insert(0, Wh(f"how long {attached}".strip()))
    if not value.preposition and first in ("before", "after"):
        found.append(Wh(f"how long {attached}"))
    if not value.preposition and attached == "in advance":
        found += [Wh("how far in advance"), Wh("how far ahead")]
    return found


def plural_unit(unit: str) -> str:
    """Return a unit in the plural, as after *how many*; signs such as ``kg`` stay."""
    if unit in _SIGNS or not unit.isascii() or (" " not in unit and len(unit) < 3):
        return unit
    return unit if is_plural(unit.rsplit(" ", maxsplit=1)[-1]) else f"{unit}s"


def _soon(attached: str) -> list[Wh]:
    if attached.startswith("of "):
        return [Wh(f"how soon after {attached[3:]}"), Wh("how quickly", style="drop")]
    return [Wh(f"how soon {attached}".strip()), Wh(f"how quickly {attached}".strip())]


def _ask_count(value: Value, attached: str, _base: str) -> list[Wh]:
    if value.preposition in ("by", "per"):
        return []
    first = attached.split(" ", maxsplit=1)[0]
    many = f"how many {unit_name(value.unit)} {attached}".strip()
    if first in _LENGTH_WORDS and not value.bound:
        return [Wh(many), Wh(f"how {attached}")]
    return [Wh(_prepositional(value, many))]


def _ask_money(value: Value, attached: str, _base: str) -> list[Wh]:
    if value.preposition in ("above", "over", "below", "under") or value.bound == "threshold":
        amount = _prepositional(value, f"what amount {attached}".strip())
        return [Wh(amount), Wh(_prepositional(value, f"how much {attached}".strip()))]
    return [Wh(_prepositional(value, f"how much {attached}".strip()))]


def _ask_percent(value: Value, attached: str, _base: str) -> list[Wh]:
    return [
        Wh(_prepositional(value, f"what percentage {attached}".strip())),
        Wh(_prepositional(value, f"how many per cent {attached}".strip())),
    ]


def _ask_time(value: Value, attached: str, _base: str) -> list[Wh]:
    end = f" {attached}" if attached else ""
    if value.preposition in ("at", ""):
        return [Wh(f"at what time{end}"), Wh(f"when{end}"), Wh(f"what time{end}")]
    if value.preposition == "by":
        return [Wh(f"by what time{end}"), Wh(f"by when{end}"), Wh(f"what time{end}", "by")]
    link = "until" if value.preposition == "to" else value.preposition
    return [Wh(f"{link} what time{end}"), Wh(f"{link} when{end}")]


def _ask_date(value: Value, attached: str, _base: str) -> list[Wh]:
    end = f" {attached}" if attached else ""
    if value.text[0].isalpha() and value.text.isalpha():  # a weekday
        return [Wh(f"{value.preposition or 'on'} which day{end}"), Wh(f"what day{end}")]
    if value.preposition in ("on", ""):
        return [Wh(f"on what date{end}"), Wh(f"when{end}"), Wh(f"on which day{end}")]
    if value.preposition == "in":
        return [Wh("when")]
    return [Wh(f"{value.preposition} what date{end}"), Wh(f"{value.preposition} when{end}")]


def _ask_ordinal(value: Value, attached: str, _base: str) -> list[Wh]:
    noun = " ".join(value.text.split(" ")[2:]) or value.unit
    if noun.split(" ")[0].endswith("day") and noun[0].isupper():
        return [Wh(f"{value.preposition or 'on'} which day"), Wh("when")]
    if noun.startswith("of "):
        noun = f"day {noun}"
    lead = f"which {noun} {attached}".strip()
    if value.preposition:
        return [Wh(f"{value.preposition} {lead}")]
    return [Wh(lead)]


def _ask_code(value: Value, attached: str, _base: str) -> list[Wh]:
    if not value.unit or value.preposition in ("of", "for", "than"):
        return []
    unit = f"{value.unit} {attached}".strip()
    if value.preposition:
        return [
            Wh(f"{value.preposition} which {unit}"),
            Wh(f"which {unit}", value.preposition),
            Wh(f"what {unit}", value.preposition),
        ]
    return [Wh(f"which {unit}"), Wh(f"what {unit}")]


def _ask_name(value: Value, attached: str, base: str) -> list[Wh]:
    return _ask_code(value, attached, base) if value.preposition not in ("", "by") else []


def _ask_person(value: Value, _attached: str, _base: str) -> list[Wh]:
    if value.preposition in ("to", "with", "from", "by", "for"):
        return [Wh("who", value.preposition), Wh(f"{value.preposition} whom")]
    return []


def _ask_place(value: Value, attached: str, _base: str) -> list[Wh]:
    noun = f"{value.text.split(' ')[-1].lower()} {attached}".strip()
    if value.preposition in ("in", "at", "on"):
        return [Wh(f"where {attached}".strip()), Wh(f"{value.preposition} which {noun}")]
    if value.preposition in ("to", "from"):
        return [Wh(f"which {noun}", value.preposition)]
    return []
