"""Typed values in a text: money, times, dates, codes, ordinals, numbers with a unit, names.

A reply that gives the right value and, beside it, another value *of the same type* hedges, and is
wrong; to see that, values must be found and compared whatever their notation is (``£38`` and
``38 pounds``, ``1,200`` and ``1200``, ``nine`` and ``9``, ``5:40 pm`` and ``17:40``).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from stillhouse.evaluation.notation import (
    CURRENCIES,
    MONTHS,
    NUMBER_WORDS,
    ORDINAL_WORDS,
    STOPWORDS,
    UNITS,
    VALUE,
    WEEKDAYS,
)

NUMBER: Final = "number"
NAME: Final = "name"
_WORD: Final = re.compile(r"\w+(?:'\w+)*|%|&")
_UNIT_AHEAD: Final = re.compile(
    r"(?:[ -]?(%|[a-z]+))(?:[ -]([a-z]+))?(?:[ -]([a-z]+))?", re.IGNORECASE
)
_JOINED: Final = re.compile(r"(?:\s*(?:,|/|-|–|\bor\b|\band\b|\bto\b|\bnot\b)\s*)+", re.IGNORECASE)
_AND: Final = re.compile(r"\s*(?:,|\band\b)?\s*", re.IGNORECASE)
_SPELLINGS: Final = (
    (re.compile(r"(?<=\d)(?:\s?½| 1/2| and a half)\b"), ".5"),
    (re.compile(r"(?<=\d)\s?½"), ".5"),
    (re.compile(r"\bper\s?cent\b", re.IGNORECASE), "%"),
    (re.compile(r"\bmiles (?:per|an) hour\b", re.IGNORECASE), "mph"),
    (re.compile(r"\s?°\s?C\b"), " degrees Celsius"),
    (re.compile(r"\s?°"), " degrees"),
    (re.compile("−"), "-"),
    (
        re.compile(rf"\b(?:minus|negative) (?=\d|(?:{'|'.join(NUMBER_WORDS)})\b)", re.IGNORECASE),
        "-",
    ),
)
_NO_SIGN: Final = re.compile(r"\d |[\w)%£$€]")  # before a hyphen: `3 -5`, `HB-014`, a range
_BELOW_ZERO: Final = re.compile(
    r"(?: ?degrees?)?(?: Celsius| Fahrenheit)? below (?:zero|freezing)\b", re.IGNORECASE
)
_FREQUENT: Final = 0.25  # a name in a quarter of the documents (the firm's own) tells nothing


@dataclass(frozen=True, slots=True)
class Value:
    """A value at ``text[start:end]``; ``end`` includes the unit, ``core`` ends before it.

    Two values are the same if their ``key`` is; they can contradict each other only if their
    ``type`` is the same (``number:day`` and ``number:hour`` are different types).
    """

    type: str
    key: str
    tokens: tuple[str, ...]
    start: int
    core: int
    end: int


@dataclass(frozen=True, slots=True)
class Token:
    """One canonical token and the characters it stands for."""

    text: str
    start: int
    end: int


def prepare(text: str) -> str:
    """Return ``text`` in one spelling of signs (NFKC, straight quotes, ``%``); case is kept."""
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    folded = unicodedata.normalize("NFKC", text).replace("’", "'")
    return " ".join(folded.split())


def find_values(text: str, common: frozenset[str] = frozenset()) -> list[Value]:
    """Return the values in a prepared text, in order.

    Args:
        text: what ``prepare`` returned.
        common: words that are no part of a proper name although written with a capital.
    """
    values: list[Value] = []
    for match in VALUE.finditer(text):
        value = _read(match, text, common)
        inside = bool(values) and match.start() < values[-1].end  # `GB` of `65 GB` is no name
        if value is not None and not inside:
            values.append(value)
    return _merge_durations(_share_units(values, text), text)


def canonical_tokens(text: str) -> list[Token]:
    """Return the tokens of a prepared text by which answers are compared, without `the`."""
    tokens: list[Token] = []
    place = 0
    for value in (*find_values(text), None):
        stop = len(text) if value is None else value.start
        for match in _WORD.finditer(text, place, stop):
            word = _canonical_word(match.group())
            if word != "the":
                tokens.append(Token(word, match.start(), match.end()))
        if value is not None:
            tokens += [Token(token, value.start, value.core) for token in value.tokens]
            place = value.core
    return tokens


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that name nobody: written small somewhere, or in a quarter of the texts."""
    small: set[str] = set()
    frequency: Counter[str] = Counter()
    count = 0
    for text in texts:
        found = set(_WORD.findall(prepare(text)))
        small |= {word for word in found if word.islower()}
        frequency.update({word.casefold() for word in found})
        count += 1
    often = {word for word, n in frequency.items() if count >= 4 and n >= _FREQUENT * count}
    return frozenset(small | often)


def content_words(text: str) -> set[str]:
    """Return the words of a text that carry meaning, singular where an ``s`` makes the plural."""
    found = {token.text for token in canonical_tokens(prepare(text))} - STOPWORDS
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found}


def _canonical_word(word: str) -> str:
    small = word.casefold().removesuffix("'s")
    return "and" if small == "&" else UNITS.get(small, small)


def _read(match: re.Match[str], text: str, common: frozenset[str]) -> Value | None:
    kind = match.lastgroup or ""
    if kind == "name":
        return _read_name(match, common)
    if kind == "numeral":
        return _read_number(match, text)
    type_, key, tokens = _READERS[kind](match)
    if kind == "money" and _has_minus(text, match.start()):
        tokens = tuple(f"-{token}" if token[0].isdigit() else token for token in tokens)
        return Value(type_, key.replace(" ", " -"), tokens, match.start() - 1, *[match.end()] * 2)
    return Value(type_, key, tokens, match.start(), match.end(), match.end())


def _has_minus(text: str, start: int) -> bool:
    """Whether a hyphen before a number is its sign, and no part of a range, a code or a word."""
    before = text[max(0, start - 3) : start - 1] if start else ""
    return text[:start].endswith("-") and not (
        _NO_SIGN.fullmatch(before) or _NO_SIGN.fullmatch(before[-1:])
    )


def _read_name(match: re.Match[str], common: frozenset[str]) -> Value | None:
    """Trim words that are no names from both ends: ``Head of People Ilse Haverkorn``."""
    words = [
        word
        for word in re.finditer(r"[^\s&]+", match.group())
        if (small := word.group().casefold().removesuffix("'s")) not in STOPWORDS
        and small not in common
    ]
    if not words:
        return None
    start, end = match.start() + words[0].start(), match.start() + words[-1].end()
    name = match.string[start:end].removesuffix("'s")
    key = name.casefold()
    tokens = tuple(_canonical_word(word) for word in _WORD.findall(name))
    return Value(NAME, key, tokens, start, end, end)


def _read_number(match: re.Match[str], text: str) -> Value:
    number, start = parse_number(match.group()), match.start()
    core, end, unit = match.end(), match.end(), ""
    if _has_minus(text, start):
        number, start = f"-{number}", start - 1
    elif _BELOW_ZERO.match(text, core):
        number = f"-{number}"
    if ahead := _UNIT_AHEAD.match(text, core):
        unit, place = _pick_unit(ahead)
        end = place or core
    bare = "year" if re.fullmatch(r"(?:19|20)\d\d", match.group()) else NUMBER
    type_ = f"{NUMBER}:{unit}" if unit else bare
    return Value(type_, number, (number,), start, core, end)


def _pick_unit(ahead: re.Match[str]) -> tuple[str, int]:
    """Choose the first known unit among the next three words, else the next word if it can be one."""
    words = [(word.casefold(), ahead.end(i)) for i, word in enumerate(ahead.groups(), 1) if word]
    for word, end in words:
        if word in NUMBER_WORDS or word in STOPWORDS:
            break
        if word in UNITS:
            scale = words[-1] if words[-1][0] in ("celsius", "fahrenheit") else (UNITS[word], end)
            return scale if UNITS[word] == "degree" else (UNITS[word], end)
    word, end = words[0]
    if word in STOPWORDS or word in NUMBER_WORDS:
        return "", 0
    return word.removesuffix("s") if len(word) > 3 else word, end


def parse_number(text: str) -> str:
    """Return the canonical digits of ``1,200``, ``27.50``, ``nine`` or ``twenty-four``."""
    small = text.casefold().replace(",", "")
    if small[0].isdigit():
        plain = Decimal(small).normalize()
        return f"{plain:f}"
    total = 0
    for word in re.split(r"[\s-]+", small):
        if word in ("hundred", "thousand"):
            total = (total or 1) * (100 if word == "hundred" else 1000)
        else:
            total += NUMBER_WORDS[word]
    return str(total)


def _read_money(match: re.Match[str]) -> tuple[str, str, tuple[str, ...]]:
    amount = re.search(r"\d[\d,]*(?:\.\d+)?", match.group())
    assert amount is not None  # the pattern of `money` holds one
    sign = re.sub(r"[\d,.\s]", "", match.group()).casefold()
    number = Decimal(parse_number(amount.group()))
    currency, factor = CURRENCIES[sign]
    pounds = number * Decimal(factor)
    if currency == "gbp" and pounds < 1:
        tokens = (parse_number(f"{pounds * 100:f}"), "pence")
    else:
        tokens = (currency, parse_number(f"{pounds:f}"))
    return "money", f"{currency} {parse_number(f'{pounds:f}')}", tokens


def _read_date(match: re.Match[str]) -> tuple[str, str, tuple[str, ...]]:
    text = match.group().casefold()
    if iso := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text):
        year, month, day = iso.groups()
    else:
        month = next(f"{MONTHS[w]:02}" for w in re.findall(r"[a-z]+", text) if w in MONTHS)
        numbers = [_parse_ordinal(w) for w in re.findall(r"[a-z0-9-]+", text)]
        day, year = [*(n for n in numbers if n), "", ""][:2]
    tokens = (f"date:{month}-{int(day):02}", *((f"year:{year}",) if year else ()))
    return "date", f"{month}-{int(day):02}", tokens


def _parse_ordinal(word: str) -> str:
    if digits := re.fullmatch(r"(\d+)(?:st|nd|rd|th)?", word):
        return digits.group(1)
    return str(ORDINAL_WORDS[word]) if word in ORDINAL_WORDS else ""


def _read_time(match: re.Match[str]) -> tuple[str, str, tuple[str, ...]]:
    text = match.group().casefold().replace(".m", "m").replace("m.", "m")
    if text in ("noon", "midday", "midnight"):
        hour, minute = (0 if text == "midnight" else 12), 0
    else:
        numbers = re.findall(r"\d+", text)
        hour, minute = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
        hour = hour % 12 + 12 * ("pm" in text) if text.endswith("m") else hour
    key = f"{hour:02}:{minute:02}"
    return "time", key, (f"time:{key}",)


def _read_code(match: re.Match[str]) -> tuple[str, str, tuple[str, ...]]:
    key = re.sub(r"[\s-]", "", match.group()).casefold()
    return "code", key, (key,)


def _read_ordinal(match: re.Match[str]) -> tuple[str, str, tuple[str, ...]]:
    key = _parse_ordinal(match.group().casefold()) + "th"
    return "ordinal", key, (key,)


def _read_calendar(match: re.Match[str]) -> tuple[str, str, tuple[str, ...]]:
    key = match.group().casefold()
    return ("weekday" if key in WEEKDAYS else "month"), key, (key,)


_READERS: Final = {
    "money": _read_money,
    "date": _read_date,
    "time": _read_time,
    "code": _read_code,
    "ordinal": _read_ordinal,
    "calendar": _read_calendar,
}


def _share_units(values: list[Value], text: str) -> list[Value]:
    """Give ``24 or 27.5 days`` and ``27.5 days or 24`` one unit for both numbers."""
    shared = list(values)
    for i, (before, after) in enumerate(pairwise(values)):
        if not _JOINED.fullmatch(text[before.end : after.start]):
            continue
        if before.type == NUMBER and after.type.startswith(f"{NUMBER}:"):
            shared[i] = replace(before, type=after.type)
        elif after.type == NUMBER and before.type.startswith(f"{NUMBER}:"):
            shared[i + 1] = replace(after, type=before.type)
    return shared


def _merge_durations(values: list[Value], text: str) -> list[Value]:
    """Read ``3 hours 50 minutes`` as one value, so that its parts are not compared apart."""
    merged: list[Value] = []
    for value in values:
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.type, value.type) in _COMPOUND
            and _AND.fullmatch(text[last.end : value.start])
        ):
            inner = tuple(
                _canonical_word(word) for word in _WORD.findall(text[last.core : last.end])
            )
            merged[-1] = replace(
                last,
                key=f"{last.key} {value.key}",
                tokens=(*last.tokens, *inner, *value.tokens),
                core=value.core,
                end=value.end,
            )
        else:
            merged.append(value)
    return merged


_COMPOUND: Final = {
    ("number:hour", "number:minute"),
    ("number:year", "number:month"),
    ("number:minute", "number:second"),
    ("number:week", "number:day"),
}
