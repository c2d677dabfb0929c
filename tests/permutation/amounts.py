"""New numbers, times and dates for old ones: seeded, distinct, and in the same order per kind.

Order-preserving maps keep every comparison true (shorter limits stay shorter, `between 2 and 4`
stays a range, an exception of 32 days still exceeds the general 19).
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Final

from tests.permutation.words import MONTHS, SEASONS

_BOUNDS: Final = {"per cent": 99, "minute part": 59, "month part": 11, "day of month": 28}
_CALENDAR: Final = ("date", "year-month", "season", "month name", "year number")
_ORDINALS: Final = ("first", "second", "third", "fourth")
_TRIES: Final = 4000


def move_amounts(keys: Iterable[tuple[str, str]], rng: Random) -> dict[str, dict[str, str]]:
    """Return ``{kind: {old: new}}`` for numbers, times, dates, telephone numbers."""
    kinds: dict[str, set[str]] = {}
    for kind, value in keys:
        kinds.setdefault(kind, set()).add(value)
    moved = {
        kind: _move(kind, sorted(values, key=_order), rng)
        for kind, values in sorted(kinds.items())
        if kind not in _CALENDAR
    }
    return moved | _move_calendar({k: kinds.get(k, set()) for k in _CALENDAR}, rng)


def _order(value: str) -> tuple[int, Decimal, str]:
    try:
        return 0, Decimal(value), value
    except ArithmeticError:
        return 1, Decimal(0), value


def _move(kind: str, values: Sequence[str], rng: Random) -> dict[str, str]:
    if kind == "time":
        return _move_times(values, rng)
    if kind == "extension":
        # Above 2099, for a bare 2029 would be read as a year.
        free = sorted(set(range(2111, 8990)) - {int(value) for value in values})
        return dict(zip(values, map(str, rng.sample(free, len(values))), strict=True))
    if kind == "phone":
        return {v: f"0{rng.randrange(211, 999)} {rng.randrange(1001, 9999)}" for v in values}
    if kind == "nth":
        turn = rng.randrange(1, 4)
        return {v: _ORDINALS[(_ORDINALS.index(v) + turn) % 4] for v in values}
    numbers = [Decimal(value) for value in values]
    moved = _move_numbers(kind, numbers, rng)
    return {f"{old:f}": f"{new.normalize():f}" for old, new in moved.items()}


def _move_numbers(kind: str, numbers: list[Decimal], rng: Random) -> dict[Decimal, Decimal]:
    if kind in _BOUNDS and kind != "per cent":
        return _resample(numbers, 2, _BOUNDS[kind], rng)
    for _ in range(_TRIES):
        moved = _try_numbers(kind, numbers, rng)
        if _keeps_order(moved) and max(moved.values()) <= _BOUNDS.get(kind, 10**9):
            return moved
    raise RuntimeError(f"no order-preserving map of {kind!r} was found for {numbers}")


def _resample(numbers: list[Decimal], low: int, high: int, rng: Random) -> dict[Decimal, Decimal]:
    for _ in range(_TRIES):
        new = sorted(rng.sample(range(low, high + 1), len(numbers)))
        if all(int(o) != n for o, n in zip(numbers, new, strict=True)):
            break
    return {o: Decimal(n) for o, n in zip(numbers, new, strict=True)}


def _try_numbers(kind: str, numbers: list[Decimal], rng: Random) -> dict[Decimal, Decimal]:
    factor = rng.choice((rng.uniform(0.68, 0.88), rng.uniform(1.15, 1.5)))
    moved: dict[Decimal, Decimal] = {}
    last = Decimal(0)
    for number in numbers:
        cent_more = number - Decimal("0.01")  # `£265` and the step above it, `£265.01`
        if number in (0, 1):
            new = number  # `1 day` would need another grammar
        elif kind == "pound" and cent_more in moved:
            new = moved[cent_more] + Decimal("0.01")
        else:
            new = _near(number, Decimal(factor * rng.uniform(0.92, 1.08)), last)
        moved[number] = last = new
    return moved


def _near(number: Decimal, factor: Decimal, last: Decimal) -> Decimal:
    """Return a multiple of the number's own grain near ``number * factor`` and above ``last``."""
    grain, tail = _grain(number)
    new = (number * factor - tail) // grain * grain + tail
    while new <= last or new == number or new <= (1 if number > 1 else 0):
        new += grain
    return new


def _grain(number: Decimal) -> tuple[Decimal, Decimal]:
    """Return the step in which a number is written and what stays: 27.5 keeps its half."""
    tail = number % 1
    if number >= 1 and tail in (Decimal("0.5"), Decimal("0.25"), Decimal("0.75")):
        return Decimal(1), tail
    if tail:
        exponent = number.normalize().as_tuple().exponent
        return Decimal(1).scaleb(int(exponent)), Decimal(0)
    whole, grain = int(number), 1
    while whole >= 100 * grain and whole % (10 * grain) == 0:
        grain *= 10
    return Decimal(grain), Decimal(0)


def _keeps_order(moved: Mapping[Decimal, Decimal]) -> bool:
    new = list(moved.values())
    return all(a < b for a, b in itertools.pairwise(new))


def _move_times(values: Sequence[str], rng: Random) -> dict[str, str]:
    """Move times of day on a grid of five minutes; the morning stays before noon."""
    minutes = [int(v[:2]) * 60 + int(v[3:]) for v in values]
    moved = {
        **_move_half([m for m in minutes if m < 720], 5, 715, rng),
        **_move_half([m for m in minutes if m >= 720], 725, 1430, rng),
    }
    return {
        v: f"{moved[m] // 60:02}:{moved[m] % 60:02}" for v, m in zip(values, minutes, strict=True)
    }


def _move_half(minutes: list[int], low: int, high: int, rng: Random) -> dict[int, int]:
    ordered = sorted(minutes)
    for _ in range(_TRIES):
        drift = rng.choice((-1, 1)) * rng.randrange(5, 13)
        new: list[int] = []
        for minute in ordered:
            wanted = minute + 5 * (drift + rng.randrange(-3, 4))
            wanted = max(wanted, new[-1] + 5 if new else low)
            new.append(wanted + 5 if wanted == minute else wanted)
        if not new or new[-1] <= high:
            return dict(zip(ordered, new, strict=True))
    raise RuntimeError(f"no map of the times {ordered} was found")


def _move_calendar(kinds: Mapping[str, set[str]], rng: Random) -> dict[str, dict[str, str]]:
    """Move all dates by the same quarters and years; days of the month are redrawn in order."""
    months = rng.choice((3, 6, 9))  # whole quarters, so that seasons move with their months
    years = {int(v[:4]) for k in ("year-month", "year number", "season") for v in kinds[k]}
    years |= {int(v[:4]) for v in kinds["date"] if len(v) > 5}
    offset = rng.choice(
        [k for k in range(-13, 14) if abs(k) > 3 and not {y + k for y in years} & years] or [17]
    )
    days = _draw_days({int(v[-2:]) for v in kinds["date"]}, rng)

    def shift(year: int, month: int) -> tuple[int, int]:
        total = (year + offset) * 12 + month - 1 + months
        return total // 12, total % 12 + 1

    def move_date(value: str) -> str:
        *year, month, day = (int(part) for part in value.split("-"))
        new_year, new_month = shift(year[0] if year else 2000, month)
        short = f"{new_month:02}-{days[day]:02}"
        return f"{new_year}-{short}" if year else short

    def move_season(value: str) -> str:
        year, season = value.split()
        new_year, month = shift(int(year), 1 + 3 * SEASONS.index(season))
        return f"{new_year} {SEASONS[month // 3]}"

    return {
        "date": {v: move_date(v) for v in sorted(kinds["date"])},
        "year-month": {
            v: "{}-{:02}".format(*shift(int(v[:4]), int(v[5:])))
            for v in sorted(kinds["year-month"])
        },
        "season": {v: move_season(v) for v in sorted(kinds["season"])},
        "month name": {
            v: MONTHS[(MONTHS.index(v) + months) % 12] for v in sorted(kinds["month name"])
        },
        "year number": {v: str(int(v) + offset) for v in sorted(kinds["year number"])},
    }


def _draw_days(days: set[int], rng: Random) -> dict[int, int]:
    ordered = sorted(days)
    if len(ordered) > 28:
        return {day: min(day, 28) for day in ordered}
    draws = [sorted(rng.sample(range(1, 29), len(ordered))) for _ in range(200)]
    best = min(draws, key=lambda draw: sum(a == b for a, b in zip(ordered, draw, strict=True)))
    return dict(zip(ordered, best, strict=True))
