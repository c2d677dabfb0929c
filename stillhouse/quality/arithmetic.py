"""The sums in a line of reasoning: ``37 days + 14 days = 51 days``, read and worked out again."""

import re
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Final

from stillhouse.base.text import MINUS

_NUMBER: Final = rf"(?:{MINUS})?[£$€]?\d[\d,]*(?:\.\d+)?"
_UNIT: Final = r"(?:\s?%|[a-z]{1,3}\b)?(?:\s(?![x]\s)[A-Za-z]+){0,3}"
_SIGN: Final = r"(?:[+\-−–×*/÷x]|plus|minus|times|divided by)"
_EQUATION: Final = re.compile(
    rf"({_NUMBER}{_UNIT}(?:\s?{_SIGN}\s?{_NUMBER}{_UNIT})+)\s?(?:=|equals|is)\s?({_NUMBER})"
)
_STEP: Final = re.compile(rf"\s?({_SIGN})\s?({_NUMBER})")
_MEANS: Final = {
    "−": "-", "–": "-", "minus": "-", "plus": "+", "x": "×", "*": "×", "times": "×",
    "÷": "/", "divided by": "/",
}  # fmt: skip

_CURRENCY: Final = str.maketrans("", "", "£$€")


@dataclass(frozen=True, slots=True)
class Equation:
    """A sum as it was written; ``holds`` says whether its result is right."""

    operands: tuple[str, ...]
    result: str
    holds: bool


def find_equations(text: str) -> list[Equation]:
    """Return every sum with a stated result in ``text``, in order."""
    return [_read(found[1], found[2]) for found in _EQUATION.finditer(text)]


def _read(left: str, result: str) -> Equation:
    first = re.match(_NUMBER, left)
    assert first is not None  # the equation's pattern begins with a number
    numbers, signs = [first[0]], []
    for step in _STEP.finditer(left, first.end()):
        signs.append(_MEANS.get(step[1], step[1]))
        numbers.append(step[2])
    plain = tuple(map(_strip_currency, numbers))
    stated = _strip_currency(result)
    return Equation(plain, stated, _evaluate(plain, signs) == _decimal(stated))


def _strip_currency(number: str) -> str:
    return number.replace("−", "-").translate(_CURRENCY)


def _evaluate(numbers: tuple[str, ...], signs: list[str]) -> Decimal | None:
    """Return the value, products before sums; None where it has none."""
    terms = [_decimal(numbers[0])]
    try:
        for sign, number in zip(signs, map(_decimal, numbers[1:]), strict=True):
            if sign == "×":
                terms[-1] *= number
            elif sign == "/":
                terms[-1] /= number
            else:
                terms.append(-number if sign == "-" else number)
    except (DivisionByZero, InvalidOperation):
        return None
    return sum(terms, Decimal())


def _decimal(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))
