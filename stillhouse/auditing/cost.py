"""What a model's answers cost: the tokens that they took, at the prices of today."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.auditing.tally import TeacherShare
from stillhouse.base.errors import StillhouseError
from stillhouse.base.params import PARAMS
from stillhouse.teachers.money import find_price, price_usage
from stillhouse.teachers.params import Price, load_teachers
from stillhouse.teachers.protocol import Usage

# They run here: they cost time (teachers/roster.py).
_FREE: Final = ("offline", "base", "huggingface")


@dataclass(frozen=True, slots=True)
class TeacherCost:
    """A teacher and its cost in dollars; None where its tokens or its price are not known."""

    share: TeacherShare
    usd: float | None


def cost_teachers(shares: Iterable[TeacherShare], root: Path) -> tuple[TeacherCost, ...]:
    """Return what each teacher's answers would cost today, asked one by one.

    Prices are those of ``teachers.prices`` in the ``params.yaml`` that lies here. What was asked and
    refused, or asked for a pilot, is in no table.
    """
    prices = _read_prices(root / PARAMS)
    return tuple(TeacherCost(share, _cost(share, prices)) for share in shares)


def add_up(costs: Iterable[TeacherCost]) -> float | None:
    """Return the dollars of all teachers; None where that of one is not known."""
    known = [cost.usd for cost in costs]
    return None if None in known else sum(usd for usd in known if usd is not None)


def _cost(share: TeacherShare, prices: Mapping[str, Price]) -> float | None:
    if share.teacher in _FREE:
        return 0.0
    price = find_price(prices, share.model)
    if price is None or share.input_tokens is None:
        return None
    cached = share.cached_tokens or 0
    usage = Usage(
        input_tokens=share.input_tokens - cached,
        output_tokens=share.output_tokens or 0,
        cache_read=cached,
    )
    return price_usage(price, usage)


def _read_prices(path: Path) -> Mapping[str, Price]:
    try:
        return load_teachers(path).prices
    except StillhouseError:  # none here, or one of another version: then no price is known
        return {}
