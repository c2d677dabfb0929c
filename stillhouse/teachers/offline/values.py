"""Values in a sentence: the numbers, amounts, dates, times, codes and names one can ask for."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from stillhouse.teachers.offline.counting import UNIT_SIGN, counts_anew
from stillhouse.teachers.offline.lexicon import (
    AT_LEAST,
    DETERMINERS,
    DURATION_ADJECTIVES,
    DURATIONS,
    ID_NOUNS,
    MODALS,
    MONTHS,
    NUMBER_WORDS,
    ORDINALS,
    PREPOSITIONS,
    SUBORDINATORS,
    THRESHOLDS,
    UP_TO,
    VAGUE,
    WEEKDAYS,
    list_words,
)
from stillhouse.teachers.offline.morphology import singular
from stillhouse.teachers.offline.names import find_name
from stillhouse.teachers.offline.spans import CODE, UNIT_ENDS, Value, low_at, make_value
from stillhouse.teachers.offline.tagging import Token, join_words

_NUMBER: Final = re.compile(r"^[±+−-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$|^[±+−-]?\d+(?:\.\d+)?$")

_MONEY: Final = re.compile(r"^[£$€]\d[\d,]*(?:\.\d+)?[kKmM]?$|^\d+p$")

_PERCENT: Final = re.compile(r"^\d+(?:\.\d+)?%$")

_TIME: Final = re.compile(r"^\d{1,2}[:.]\d{2}(?:am|pm)?$|^\d{1,2}(?:am|pm)$")

_ISO_DATE: Final = re.compile(r"^\d{4}-\d{2}-\d{2}$")

_DAY: Final = re.compile(r"^\d{1,2}(?:st|nd|rd|th)?$")

_ORDINAL: Final = re.compile(r"^\d+(?:st|nd|rd|th)$")


_CURRENCY: Final = frozenset(list_words("pound pounds euro euros dollar dollars penny pence cents"))


_BEFORE_MONTH: Final = frozenset(
    list_words("each every the a this that same next following current previous calendar last")
)


def find_values(tokens: Sequence[Token]) -> list[Value]:
    """Return the values of a sentence from left to right."""
    return list(_find_values(tuple(tokens)))


@lru_cache(maxsize=512)
def _find_values(tokens: tuple[Token, ...]) -> tuple[Value, ...]:
    found: list[Value] = []
    at = 0
    while at < len(tokens):
        value = _value_at(tokens, at)
        if value is None:
            at += 1
        else:
            found.append(_widen(tokens, value))
            at = value.end
    return tuple(found)


def _value_at(tokens: Sequence[Token], at: int) -> Value | None:
    for find in (_dated, _priced, _identified, _counted):
        value = find(tokens, at)
        if value is not None:
            return value
    return find_name(tokens, at)


def _is_month(tokens: Sequence[Token], at: int) -> bool:
    return low_at(tokens, at) in MONTHS and tokens[at].text[0].isupper()


def _dated(tokens: Sequence[Token], at: int) -> Value | None:
    word = tokens[at].text
    if _TIME.match(word) and low_at(tokens, at + 1) in ("am", "pm", "a.m.", "p.m."):
        return make_value("time", tokens, at, at + 2)
    if (_TIME.match(word) and ":" in word) or re.match(r"^\d{1,2}(?:[.:]\d{2})?(?:am|pm)$", word):
        return make_value("time", tokens, at, at + 1)
    if word.isdigit() and low_at(tokens, at + 1) in ("am", "pm", "a.m.", "p.m."):
        return make_value("time", tokens, at, at + 2)
    if _ISO_DATE.match(word):
        return make_value("date", tokens, at, at + 1)
    if _DAY.match(word) and _is_month(tokens, at + 1):
        year = bool(re.match(r"^\d{4}$", low_at(tokens, at + 2)))
        return make_value("date", tokens, at, at + 2 + year)
    if _is_month(tokens, at) and _DAY.match(low_at(tokens, at + 1)):
        end = at + 2
        if low_at(tokens, end) == "," and re.match(r"^\d{4}$", low_at(tokens, end + 1)):
            end += 2
        return make_value("date", tokens, at, end)
    if tokens[at].low in WEEKDAYS and tokens[at].text[0].isupper() and at > 0:
        return make_value("date", tokens, at, at + 1)
    return _ordinal(tokens, at)


def _ordinal(tokens: Sequence[Token], at: int) -> Value | None:
    if not (_ORDINAL.match(tokens[at].text) or tokens[at].low in ORDINALS):
        return None
    if low_at(tokens, at - 1) != "the":
        return None
    end = at + 1
    while end < len(tokens) and tokens[end].low in DURATION_ADJECTIVES:
        end += 1
    if low_at(tokens, end) in WEEKDAYS:
        return make_value("ordinal", tokens, at - 1, _after_of(tokens, end + 1), "day")
    if low_at(tokens, end) in DURATIONS - {"second"}:
        return make_value("ordinal", tokens, at - 1, end + 1, low_at(tokens, end))
    if _ORDINAL.match(tokens[at].text) and low_at(tokens, end) == "of":
        return make_value("ordinal", tokens, at - 1, _after_of(tokens, end), "day")
    return None


def _after_of(tokens: Sequence[Token], at: int) -> int:
    """Return the end of ``of June``, ``of each month`` or ``of the quarter`` after a weekday."""
    if low_at(tokens, at) != "of":
        return at
    end = at + 1
    while low_at(tokens, end) in _BEFORE_MONTH:
        end += 1
    return min(end + 1, len(tokens))


def _priced(tokens: Sequence[Token], at: int) -> Value | None:
    word = tokens[at].text
    if _MONEY.match(word):
        million = low_at(tokens, at + 1) in ("million", "billion", "thousand")
        return make_value("money", tokens, at, at + 1 + million)
    if _NUMBER.match(word) and low_at(tokens, at + 1) in _CURRENCY:
        return make_value("money", tokens, at, at + 2)
    if _PERCENT.match(word):
        return make_value("percent", tokens, at, at + 1)
    if _NUMBER.match(word) and low_at(tokens, at + 1) == "percent":
        return make_value("percent", tokens, at, at + 2)
    if _NUMBER.match(word) and low_at(tokens, at + 1) == "per" and low_at(tokens, at + 2) == "cent":
        return make_value("percent", tokens, at, at + 3)
    return None


def _identified(tokens: Sequence[Token], at: int) -> Value | None:
    word = tokens[at].text
    if word.startswith("`") and word.endswith("`") and len(word) > 2:
        return make_value("literal", tokens, at, at + 1)
    if CODE.match(word) and at > 0:
        return make_value("code", tokens, at, at + 1, _head_before(tokens, at))
    before = low_at(tokens, at - 1)
    if before in ID_NOUNS and re.match(r"^\d+(?:[.-]\d+)*[a-z]?$", word):
        return make_value("identifier", tokens, at, at + 1, before)
    return None


def _head_before(tokens: Sequence[Token], at: int) -> str:
    before = tokens[at - 1]
    return before.low if before.low in ID_NOUNS else ""


def _counted(tokens: Sequence[Token], at: int) -> Value | None:
    word = tokens[at].text
    if not (_NUMBER.match(word) or word in NUMBER_WORDS):
        return None
    if low_at(tokens, at - 1) in ("a", "an"):
        return None
    if low_at(tokens, at + 1) in ("to", "–", "-", "and", "or") and _is_number(tokens, at + 2):
        return None  # a range has two values
    if low_at(tokens, at - 1) in ("to", "and", "or", "–") and _is_number(tokens, at - 2):
        return None
    if low_at(tokens, at - 1) in ID_NOUNS | MONTHS or low_at(tokens, at + 1) in (
        "of",
        ".",
        ",",
        "",
    ):
        return None
    end = _unit_end(tokens, at + 1)
    if end == at + 1:
        return None
    unit = join_words([t.text for t in tokens[at + 1 : end]])
    if not counts_anew(tokens, at, end):
        return None
    if unit == "times" and low_at(tokens, end) in ("the", "a", "an", "as"):
        return None
    kind = _unit_kind(tokens, at + 1, end)
    end = _compound_end(tokens, end) if kind == "duration" else end
    return make_value(kind, tokens, at, end, unit)


def _is_number(tokens: Sequence[Token], at: int) -> bool:
    word = low_at(tokens, at)
    return bool(_NUMBER.match(word)) or word in NUMBER_WORDS or word == "one"


def _unit_end(tokens: Sequence[Token], at: int) -> int:
    if at < len(tokens) and UNIT_SIGN.match(tokens[at].text):
        return at + 1
    if low_at(tokens, at) == "degrees":
        return at + (2 if low_at(tokens, at + 1) in ("celsius", "fahrenheit") else 1)
    end = at
    while end < len(tokens) and end < at + 4 and _continues_unit(tokens, end, at):
        end += 1
        if singular(low_at(tokens, end - 1)) in DURATIONS:
            break
    while end > at and tokens[end - 1].tag.startswith(("RB", "VBD")):
        end -= 1
    return end


def _continues_unit(tokens: Sequence[Token], at: int, start: int) -> bool:
    word = tokens[at]
    if word.low in PREPOSITIONS | SUBORDINATORS | MODALS | DETERMINERS | UNIT_ENDS:
        return False
    if not re.match(r"^[A-Za-z][\w’'-]*$", word.text):
        return False
    if word.tag in ("PRP", "PRP$", "MD", "VBZ", "RB", "TO", "CC", "WDT", "WP", "WRB"):
        return at == start and word.tag == "VBZ"
    return True


def _unit_kind(tokens: Sequence[Token], start: int, end: int) -> str:
    if UNIT_SIGN.match(tokens[start].text) or tokens[start].low == "degrees":
        return "measure"
    return "duration" if singular(tokens[end - 1].low) in DURATIONS else "count"


def _compound_end(tokens: Sequence[Token], end: int) -> int:
    joined = end + 1 if low_at(tokens, end) == "and" else end
    if _is_number(tokens, joined) and singular(low_at(tokens, joined + 1)) in DURATIONS:
        return joined + 2
    return end


def _widen(tokens: Sequence[Token], value: Value) -> Value:
    """Take in the comparator and the preposition that stand before a value."""
    outer, comparator, bound = value.start, "", ""
    if low_at(tokens, outer - 1) in ("further", "additional") and low_at(tokens, outer - 2) == "a":
        outer -= 2
    if value.kind in ("identifier", "code") and value.unit:
        outer -= 1
    if value.kind in ("place", "name", "person") and low_at(tokens, outer - 1) == "the":
        outer -= 1
    if (
        low_at(tokens, outer - 1) in ("first", "last", "next")
        and low_at(tokens, outer - 2) == "the"
    ):
        outer -= 2
    for phrases, kind in (
        (UP_TO, "max"),
        (AT_LEAST, "min"),
        (THRESHOLDS, "threshold"),
        (VAGUE, ""),
    ):
        for phrase in phrases:
            if tuple(low_at(tokens, outer - len(phrase) + i) for i in range(len(phrase))) == phrase:
                outer -= len(phrase)
                comparator = " ".join(phrase)
                bound = _bound(comparator, kind)
                break
        if comparator:
            break
    preposition = low_at(tokens, outer - 1)
    if low_at(tokens, outer - 2) == "only" and preposition in PREPOSITIONS:
        comparator = "only"
    particle = comparator and preposition in ("over", "up", "off", "out")
    if preposition in PREPOSITIONS | {"every"} and not particle:
        outer -= 2 if comparator == "only" and low_at(tokens, outer - 2) == "only" else 1
    else:
        preposition = ""
    if preposition in ("above", "over", "below", "under", "beyond") and not bound:
        bound = "threshold"
    unit = value.unit
    if value.kind == "identifier" and outer > 0 and tokens[outer - 1].text.isupper():
        outer, unit = outer - 1, f"{tokens[outer - 1].text} {unit}"
    return Value(
        value.kind, value.start, value.end, outer, value.text, unit, preposition,
        comparator, bound,
    )  # fmt: skip


def _bound(comparator: str, kind: str) -> str:
    if comparator in ("no fewer than", "no less than", "not less than"):
        return "min"
    return kind
