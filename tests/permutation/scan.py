"""Finds every number, date, time, price, code and name of a text, with a way to write another.

One scanner serves collecting, replacing and checking, so that the three cannot disagree.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.permutation.words import (
    MONTHS,
    NUMBERS,
    ORDINALS,
    SEASONS,
    STOPS,
    UNITS,
    add_ending,
    spell_number,
    spell_ordinal,
)

Key = tuple[str, str]
"""(kind, value): ``("day", "27.5")``, ``("date", "03-01")``, ``("name", "Haverkorn")``."""
Write = Callable[[tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class Found:
    """A value at ``text[start:end]``; ``write`` takes a new value for each key."""

    start: int
    end: int
    keys: tuple[Key, ...]
    write: Write


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The invented words of one set of documents.

    ``phrases`` are names made of ordinary words, ``grades`` such names that count as names only
    after the word grade or level, ``terms`` small-letter coinages (``drift day``).
    """

    names: frozenset[str]
    phrases: frozenset[str]
    grades: frozenset[str]
    terms: frozenset[str]
    colours: frozenset[str]
    codes: frozenset[str]

    @property
    def prefixes(self) -> frozenset[str]:
        """Return the letters with which document codes (three digits) begin."""
        return frozenset(code[:2] for code in self.codes if len(code) == 6)


_NUM: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_FREE: Final = r"(?<![\w.,£/#-])(?<!\d[:])"  # no part of a word, path or longer number
_MONTH: Final = "|".join(MONTHS)
_DAY: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_WORDS: Final = "|".join(sorted(NUMBERS, key=len, reverse=True))
_ORDINAL_WORDS: Final = "|".join(sorted(ORDINALS, key=len, reverse=True))
_WEEKDAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_NUMBERING: Final = re.compile(
    r"^[ \t]*(?:#+ )?\d{1,2}(?:\.(?=\s)|\.\d{1,2}(?=  ))|^\| ?\d{1,2}(?= ?\|)", re.MULTILINE
)
_LABEL: Final = re.compile(
    r"(?i)\b(extension|ext\.|channel|VHF|force|week|day|issue|bays?|grade)\s+(?:1 to )?$"
)
_LABELS: Final = {"ext.": "extension", "vhf": "channel", "bays": "bay"}
_MODEL: Final = re.compile(r"([A-Z][a-z]+)\s+$")
_AHEAD: Final = re.compile(r"(?:-|[^\S\n]*\n?[^\S\n]*)([A-Za-z%°][A-Za-z%°/]*|/)")


def scan(text: str, lexicon: Lexicon) -> list[Found]:
    """Return the values in a text, in order, none overlapping another."""
    taken = [m.span() for m in _NUMBERING.finditer(text)]
    found: list[Found] = []
    for pattern, read in (*_lexical(lexicon), *_PATTERNS):
        for match in pattern.finditer(text):
            value = None if _overlaps(match.span(), taken) else read(match, lexicon)
            if value is not None:
                taken.append((value.start, value.end))
                found.append(value)
    return sorted(found, key=lambda value: value.start)


def _overlaps(span: tuple[int, int], taken: Iterable[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)


_Reader = Callable[[re.Match[str], Lexicon], Found | None]


def _one(match: re.Match[str], kind: str, value: str, write: Callable[[str], str]) -> Found:
    return Found(match.start(), match.end(), ((kind, value),), lambda new: write(new[0]))


def _lexical(lexicon: Lexicon) -> Iterator[tuple[re.Pattern[str], _Reader]]:
    yield _any_of(lexicon.phrases, r"(?<![\w-])({})(?!\w)"), _word_reader("phrase")
    yield _any_of(lexicon.grades, r"(?<=[gG]rade |[lL]evel )({})(?!\w)"), _word_reader("grade name")
    yield _any_of(lexicon.terms, r"(?i)(?<![\w-])({})(?!\w)", plural=True), _read_term
    both = lexicon.names | {name.upper() for name in lexicon.names}
    yield _any_of(both, r"(?<![\w])({})(?!\w)", plural=True), _read_name
    yield _any_of(lexicon.colours, r"(?i)(?<![\w-])({})(?!\w)"), _word_reader("colour")
    yield re.compile(r"(?<![\w-])([A-Z]{2})([- ]?)(\d{1,3})(?![\w])"), _read_code
    yield _any_of(lexicon.prefixes, r"(?<![\w-])({})(?![\w-])"), _word_reader("prefix")


def _any_of(words: Iterable[str], shape: str, plural: bool = False) -> re.Pattern[str]:
    ordered = sorted(words, key=lambda word: (-len(word), word)) or [r"(?!)"]
    choices = "|".join(word.replace(" ", r"\s+") for word in ordered)
    return re.compile(shape.format(f"{choices})(s?" if plural else choices))


def _flatten(text: str) -> str:
    return " ".join(text.split())


def match_case(like: str, word: str) -> str:
    """Return ``word`` in capitals, with a capital, or as it is, like ``like``."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def _word_reader(kind: str) -> _Reader:
    def read(match: re.Match[str], lexicon: Lexicon) -> Found:
        old = _flatten(match.group())
        key = old.lower() if kind == "colour" else old
        return _one(match, kind, key, lambda new: match_case(old, new))

    return read


def _read_name(match: re.Match[str], lexicon: Lexicon) -> Found:
    old, ending = match.group(1), match.group(2)
    key = old if old in lexicon.names else old.capitalize()
    return _one(match, "name", key, lambda new: match_case(old, new) + ending)


def _read_term(match: re.Match[str], lexicon: Lexicon) -> Found:
    old, ending = match.group(1), match.group(2)
    return _one(match, "term", _flatten(old).lower(), lambda new: match_case(old, new) + ending)


def _read_code(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    letters, link, digits = match.groups()
    code = f"{letters}-{digits}"
    if code not in lexicon.codes:
        return None
    return _one(match, "code", code, lambda new: new.replace("-", link))


def _read_notice(match: re.Match[str], lexicon: Lexicon) -> Found:
    return _one(match, "year-month", match.group(), str)


def _read_phone(match: re.Match[str], lexicon: Lexicon) -> Found:
    return _one(match, "phone", match.group(), str)


def _date_key(day: str, month: str, year: str | None) -> Key:
    number = ORDINALS.get(day.lower()) or int(re.sub(r"\D", "", day))
    month_day = f"{MONTHS.index(_full_month(month)) + 1:02}-{number:02}"
    return "date", f"{year}-{month_day}" if year else month_day


def _full_month(month: str) -> str:
    return next(name for name in MONTHS if name.startswith(month[:3].capitalize()))


def split_date(value: str) -> tuple[int, str, str]:
    """Return day, month name and year (or '') of ``2026-03-01`` or ``03-01``."""
    *year, month, day = value.split("-")
    return int(day), MONTHS[int(month) - 1], year[0] if year else ""


def _like_day(old: str, day: int) -> str:
    if old.lower() in ORDINALS:
        return match_case(old, spell_ordinal(day))
    return str(day) if old.isdigit() else add_ending(day)


def _read_date(match: re.Match[str], lexicon: Lexicon) -> Found:
    day, between, month, year = (match[name] for name in ("day", "between", "month", "year"))

    def write(new: str) -> str:
        number, name, new_year = split_date(new)
        short = name[: len(month)] if month not in MONTHS else name
        return f"{_like_day(day, number)}{between}{short}" + (f" {new_year}" if year else "")

    return _one(match, *_date_key(day, month, year), write)


def _read_two_days(match: re.Match[str], lexicon: Lexicon) -> Found:
    first, second, month, year = match.groups()
    keys = (_date_key(first, month, year), _date_key(second, month, year))

    def write(new: tuple[str, ...]) -> str:
        (one, _, _), (two, name, new_year) = split_date(new[0]), split_date(new[1])
        return f"{one} and {two} {name}" + (f" {new_year}" if year else "")

    return Found(match.start(), match.end(), keys, write)


def _read_month_first(match: re.Match[str], lexicon: Lexicon) -> Found:
    month, day = match.groups()

    def write(new: str) -> str:
        number, name, _ = split_date(new)
        return f"{name} {_like_day(day, number)}"

    return _one(match, *_date_key(day, month, None), write)


def _read_slashed(match: re.Match[str], lexicon: Lexicon) -> Found:
    key = f"{match.group(2)}-{match.group(1)}"
    return _one(match, "date", key, lambda new: "/".join(reversed(new.split("-"))))


def _read_month_year(match: re.Match[str], lexicon: Lexicon) -> Found:
    month, year = match.groups()
    key = f"{year}-{MONTHS.index(month) + 1:02}"
    return _one(match, "year-month", key, lambda new: f"{MONTHS[int(new[5:]) - 1]} {new[:4]}")


def _read_season(match: re.Match[str], lexicon: Lexicon) -> Found:
    season, between, year = match.groups()
    key = f"{year} {season.lower()}"
    return _one(match, "season", key, lambda new: match_case(season, new[5:]) + between + new[:4])


def _read_month(match: re.Match[str], lexicon: Lexicon) -> Found:
    return _one(match, "month name", match.group(), str)


def _read_time(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    hour, point, minute, half = match.groups()
    if int(hour) > 23 or int(minute) > 59 or (point == "." and not half):
        return None
    clock = int(hour)
    if half:
        clock = clock % 12 + 12 * ("p" in half)

    def write(new: str) -> str:
        h, m = int(new[:2]), new[3:]
        if half:
            return f"{(h - 1) % 12 + 1}{point}{m}{half}"
        return f"{h:02}{point}{m}" if len(hour) == 2 else f"{h}{point}{m}"

    return _one(match, "time", f"{clock:02}:{minute}", write)


def _read_year(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    if _unit_after(match.string, match.end()) or match.string[match.end() :][:7] == " pounds":
        return None
    return _one(match, "year number", match.group(), str)


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
    return _one(
        match, "pound", canonical(number), lambda new: before + _like_price(number, new) + after
    )


def _like_price(old: str, new: str) -> str:
    if "." not in old and "." in new:
        old += ".00"
    return like_number(old, new)


def _read_pence(match: re.Match[str], lexicon: Lexicon) -> Found:
    number, after = match.groups()
    return _one(match, "pence", canonical(number), lambda new: new + after)


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
    return _one(match, "day of month", number, lambda new: add_ending(int(new)))


def _read_nth_weekday(match: re.Match[str], lexicon: Lexicon) -> Found:
    old = match.group()
    return _one(match, "nth", old.lower(), lambda new: match_case(old, new))


def _read_ordinal(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    old, unit = match.groups()
    number = ORDINALS.get(old.lower()) or int(re.sub(r"\D", "", old))
    if number == 1:
        return None
    write = add_ending if old[0].isdigit() else spell_ordinal
    rest = match.group()[len(old) :]
    return _one(
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
    return _one(match, unit, canonical(old), lambda new: like_number(old, new))


def _read_half(match: re.Match[str], lexicon: Lexicon) -> Found:
    whole, tail = match.groups()
    part = {"3/4": ".75", "1/4": ".25"}.get(tail.strip(), ".5")
    kind = _kind_of(match, lexicon)
    return _one(match, kind, canonical(whole + part), lambda new: new.partition(".")[0] + tail)


def _read_numeral(match: re.Match[str], lexicon: Lexicon) -> Found:
    old = match.group()
    return _one(match, _kind_of(match, lexicon), canonical(old), lambda new: like_number(old, new))


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
_PATTERNS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (re.compile(r"(?<![\w-])(?:19|20)\d\d-\d\d(?![\w-])"), _read_notice),
    (re.compile(r"(?<!\w)0\d{3} \d{4}(?!\w)"), _read_phone),
    (
        re.compile(rf"{_FREE}(\d{{1,2}}) and (\d{{1,2}}) ({_MONTH})\b(?: ((?:19|20)\d\d))?"),
        _read_two_days,
    ),
    (
        re.compile(
            rf"{_FREE}(?P<day>{_DAY}|(?:{_ORDINAL_WORDS})(?= of))(?P<between>(?: of)?\s+)"
            rf"(?P<month>{_MONTH}|Mar)\b(?:\s+(?P<year>(?:19|20)\d\d))?"
        ),
        _read_date,
    ),
    (re.compile(rf"\b({_MONTH}) ({_DAY})(?!\w)"), _read_month_first),
    (re.compile(r"(?<![\w/])(\d\d)/(\d\d)(?![\w/])"), _read_slashed),
    (re.compile(rf"\b({_MONTH})\s+((?:19|20)\d\d)(?!\d)"), _read_month_year),
    (re.compile(rf"(?i)\b({'|'.join(SEASONS)})( (?:of )?)((?:19|20)\d\d)\b"), _read_season),
    (
        re.compile(rf"\b(?:(?!May\b)(?:{_MONTH})|(?<=in )May|(?<=each )May|(?<=every )May)\b"),
        _read_month,
    ),
    (re.compile(r"(?<![\w.:£])(\d{1,2})([:.])(\d\d)(\s?[ap]\.?m\b\.?)?(?![\d:])"), _read_time),
    (
        re.compile(rf"£\s?({_NUM})|{_FREE}({_NUM})(?= (?:pounds|GBP)\b)|(?<=GBP )({_NUM})"),
        _read_money,
    ),
    (re.compile(r"(?<![\w.,£-])(\d+)(p\b| pence\b)"), _read_pence),
    (
        re.compile(
            rf"{_FREE}({_NUM}|{_WORDS}) (hours?|years?)((?:,? and|,)? )"
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
    (re.compile(rf"{_FREE}(\d+)(½| [13]/[24]| and a half)"), _read_half),
    (re.compile(r"(?<![\w.:£,/-])(?:19|20)\d\d(?![\w-])(?![.,]\d)"), _read_year),
    (re.compile(rf"{_FREE}(?:{_NUM})(?![.,]?\d)"), _read_numeral),
)
