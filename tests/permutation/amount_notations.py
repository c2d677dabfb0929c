"""Readers of numbers with units, prices, ordinals and years, each with its way to write another."""

import re
from decimal import Decimal
from typing import Final

from tests.permutation.found import FREE, Found, Lexicon, Reader, match_case, one_key
from tests.permutation.words import (
    NUMBERS,
    ORDINALS,
    STOPS,
    UNITS,
    add_ending,
    spell_number,
    spell_ordinal,
)

_NUM: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_WORDS: Final = "|".join(sorted(NUMBERS, key=len, reverse=True))
_ORDINAL_WORDS: Final = "|".join(sorted(ORDINALS, key=len, reverse=True))
_WEEKDAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_LABEL: Final = re.compile(
    r"(?i)\b(extension|ext\.|channel|VHF|force|week|day|issue|bays?|grade)\s+(?:1 to )?$"
)
_LABELS: Final = {"ext.": "extension", "vhf": "channel", "bays": "bay"}
_MODEL: Final = re.compile(r"([A-Z][a-z]+)\s+$")
_AHEAD: Final = re.compile(r"(?:-|[^\S\n]*\n?[^\S\n]*)([A-Za-z%°][A-Za-z%°/]*|/)")


def _read_phone(match: re.Match[str], lexicon: Lexicon) -> Found:
    return one_key(match, "phone", match.group(), str)


def _read_year(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    if _unit_after(match.string, match.end()) or match.string[match.end() :][:7] == " pounds":
        return None
    return one_key(match, "year number", match.group(), str)


def canonical(number: str) -> str:
    """Return the plain decimal of ``1,200``, ``27.50`` or ``nine``."""
    small = number.lower().replace(",", "")
    value = Decimal(NUMBERS.get(small) or ORDINALS.get(small) or small).normalize()
    return f"{value:f}"


def like_number(old: str, new: str) -> str:
    """Write ``new`` as ``old`` is written: comma, decimals or words."""
    if old.lower() in NUMBERS:
        return match_case(old, spell_number(int(new)))
    places = len(old.partition(".")[2])
    commas = "," in old or len(old.partition(".")[0]) < 4
    value = Decimal(new)
    if places:
        return f"{value:{',' if commas else ''}.{places}f}"
    return f"{value:{',' if commas else ''}f}"


def _read_money(match: re.Match[str], lexicon: Lexicon) -> Found:
    number = next(group for group in match.groups() if group)
    before, after = match.group().split(number)
    return one_key(
        match, "pound", canonical(number), lambda new: before + _like_price(number, new) + after
    )


def _like_price(old: str, new: str) -> str:
    if "." not in old and "." in new:
        old += ".00"
    return like_number(old, new)


def _read_pence(match: re.Match[str], lexicon: Lexicon) -> Found:
    number, after = match.groups()
    return one_key(match, "pence", canonical(number), lambda new: new + after)


def _read_compound(match: re.Match[str], lexicon: Lexicon) -> Found:
    """``3 hours 50 minutes``: the smaller part has a map of its own, below a whole one."""
    large, unit, middle, small, part, ending = match.groups()
    kinds = UNITS[unit.lower()], f"{UNITS[part.lower()]} part"

    def write(new: tuple[str, ...]) -> str:
        return (
            f"{like_number(large, new[0])} {_plural(unit, new[0])}{middle}"
            f"{like_number(small, new[1])} {part}{ending}"
        )

    keys = ((kinds[0], canonical(large)), (kinds[1], canonical(small)))
    return Found(match.start(), match.end(), keys, write)


def _plural(unit: str, number: str) -> str:
    return unit.removesuffix("s") + ("" if number == "1" else "s")


def _read_day_of_month(match: re.Match[str], lexicon: Lexicon) -> Found:
    number = match.group(1)
    return one_key(match, "day of month", number, lambda new: add_ending(int(new)))


def _read_nth_weekday(match: re.Match[str], lexicon: Lexicon) -> Found:
    old = match.group()
    return one_key(match, "nth", old.lower(), lambda new: match_case(old, new))


def _read_ordinal(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    old, unit = match.groups()
    number = ORDINALS.get(old.lower()) or int(re.sub(r"\D", "", old))
    if number == 1:
        return None
    write = add_ending if old[0].isdigit() else spell_ordinal
    rest = match.group()[len(old) :]
    return one_key(
        match,
        UNITS[unit.lower()],
        str(number),
        lambda new: match_case(old, write(int(new))) + rest,
    )


def _read_spelled(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    old = match.group()
    unit = _unit_after(match.string, match.end())
    if unit is None or old.lower() == "one":
        return None
    return one_key(match, unit, canonical(old), lambda new: like_number(old, new))


def _read_half(match: re.Match[str], lexicon: Lexicon) -> Found:
    whole, tail = match.groups()
    part = {"3/4": ".75", "1/4": ".25"}.get(tail.strip(), ".5")
    kind = _kind_of(match, lexicon)
    return one_key(match, kind, canonical(whole + part), lambda new: new.partition(".")[0] + tail)


def _read_numeral(match: re.Match[str], lexicon: Lexicon) -> Found:
    old = match.group()
    return one_key(
        match, _kind_of(match, lexicon), canonical(old), lambda new: like_number(old, new)
    )


def _kind_of(match: re.Match[str], lexicon: Lexicon) -> str:
    text, before = match.string, match.string[max(0, match.start() - 40) : match.start()]
    model = _MODEL.search(before)
    if model and model.group(1) in lexicon.names:
        return f"model {model.group(1)}"
    label = _LABEL.search(before)
    if label and not _unit_after(text, match.end(), words=1):
        word = label.group(1).lower()
        return _LABELS.get(word, word)
    return _unit_after(text, match.end()) or "count"


def _unit_after(text: str, place: int, words: int = 3) -> str | None:
    """Return the kind of the unit within three words, through ``to 12`` of a range."""
    if re.match(r"\s*per\s?cent", text[place : place + 10]):
        return "per cent"
    if span := re.match(rf"\s+(?:to|and|or)\s+(?:{_NUM})(?![\d.:])", text[place:]):
        return _unit_after(text, place + span.end())
    for _ in range(words):
        word = _AHEAD.match(text, place)
        if word is None or word.group(1).lower() in STOPS:
            return None
        if word.group(1).lower() in UNITS:
            return UNITS[word.group(1).lower()]
        place = word.end()
    return None


_UNIT: Final = "|".join(sorted((u for u in UNITS if len(u) > 2 and u.isalpha()), key=len)[::-1])
AMOUNT_PATTERNS: Final[tuple[tuple[re.Pattern[str], Reader], ...]] = (
    (re.compile(r"(?<!\w)0\d{3} \d{4}(?!\w)"), _read_phone),
    (
        re.compile(rf"£\s?({_NUM})|{FREE}({_NUM})(?= (?:pounds|GBP)\b)|(?<=GBP )({_NUM})"),
        _read_money,
    ),
    (re.compile(r"(?<![\w.,£-])(\d+)(p\b| pence\b)"), _read_pence),
    (
        re.compile(
            rf"{FREE}({_NUM}|{_WORDS}) (hours?|years?)((?:,? and|,)? )"
            rf"({_NUM}|{_WORDS}) (minute|month)(s?)\b"
        ),
        _read_compound,
    ),
    (
        re.compile(r"(?<!\w)(\d{1,2})(?:st|nd|rd|th)(?=(?:\s+day)?\s+of\s+(?:the|each)|\s+falls)"),
        _read_day_of_month,
    ),
    (
        re.compile(rf"(?i)\b(?:first|second|third|fourth)(?=\s+{_WEEKDAY}\b)"),
        _read_nth_weekday,
    ),
    (
        re.compile(
            rf"(?i)(?<![\w-])(\d+(?:st|nd|rd|th)|{_ORDINAL_WORDS})"
            r"\s+(?:calendar\s+|working\s+|for each\s+)*(day|week|month|birthday)\b"
        ),
        _read_ordinal,
    ),
    (re.compile(rf"(?i)(?<![\w-])(?:{_WORDS})(?!\w)"), _read_spelled),
    (re.compile(rf"{FREE}(\d+)(½| [13]/[24]| and a half)"), _read_half),
    (re.compile(r"(?<![\w.:£,/-])(?:19|20)\d\d(?![\w-])(?![.,]\d)"), _read_year),
    (re.compile(rf"{FREE}(?:{_NUM})(?![.,]?\d)"), _read_numeral),
)
