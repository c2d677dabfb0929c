"""Readers of dates, months, seasons and times of day, each with its way to write another."""

import re
from typing import Final

from tests.permutation.found import FREE, Found, Key, Lexicon, Reader, match_case, one_key
from tests.permutation.words import MONTHS, ORDINALS, SEASONS, add_ending, spell_ordinal

_MONTH: Final = "|".join(MONTHS)
_DAY: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_ORDINAL_WORDS: Final = "|".join(sorted(ORDINALS, key=len, reverse=True))


def _read_notice(match: re.Match[str], lexicon: Lexicon) -> Found:
    return one_key(match, "year-month", match.group(), str)


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

    return one_key(match, *_date_key(day, month, year), write)


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

    return one_key(match, *_date_key(day, month, None), write)


def _read_slashed(match: re.Match[str], lexicon: Lexicon) -> Found:
    key = f"{match.group(2)}-{match.group(1)}"
    return one_key(match, "date", key, lambda new: "/".join(reversed(new.split("-"))))


def _read_month_year(match: re.Match[str], lexicon: Lexicon) -> Found:
    month, year = match.groups()
    key = f"{year}-{MONTHS.index(month) + 1:02}"
    return one_key(match, "year-month", key, lambda new: f"{MONTHS[int(new[5:]) - 1]} {new[:4]}")


def _read_season(match: re.Match[str], lexicon: Lexicon) -> Found:
    season, between, year = match.groups()
    key = f"{year} {season.lower()}"
    return one_key(
        match, "season", key, lambda new: match_case(season, new[5:]) + between + new[:4]
    )


def _read_month(match: re.Match[str], lexicon: Lexicon) -> Found:
    return one_key(match, "month name", match.group(), str)


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

    return one_key(match, "time", f"{clock:02}:{minute}", write)


DATE_PATTERNS: Final[tuple[tuple[re.Pattern[str], Reader], ...]] = (
    (re.compile(r"(?<![\w-])(?:19|20)\d\d-\d\d(?![\w-])"), _read_notice),
    (
        re.compile(rf"{FREE}(\d{{1,2}}) and (\d{{1,2}}) ({_MONTH})\b(?: ((?:19|20)\d\d))?"),
        _read_two_days,
    ),
    (
        re.compile(
            rf"{FREE}(?P<day>{_DAY}|(?:{_ORDINAL_WORDS})(?= of))(?P<between>(?: of)?\s+)"
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
)
