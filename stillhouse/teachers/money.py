"""What calls cost: reserved before they are sent, billed when they come back, kept within a budget."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.teachers.params import Price
from stillhouse.teachers.protocol import NOTHING_USED, Usage

_MILLION: Final = 1_000_000
_DATE: Final = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request is likely to cost, and what it can cost at most, in dollars."""

    request_id: str
    expected: float
    at_most: float


@dataclass(frozen=True, slots=True)
class Bill:
    """What one call cost, and what it was about; ``characters`` are those of the request."""

    request_id: str
    usd: float
    teacher: str
    model: str
    task: str
    characters: int
    usage: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class Budget:
    """Dollars that may be spent within the last so many seconds."""

    usd: float
    window_seconds: float

    def count_affordable(self, account: "Account", costs: Sequence[Reservation]) -> int:
        """Return how many of the costs, from the first on, the budget allows at the most they can be."""
        left = self.usd - account.spent - account.reserved
        for number, one in enumerate(costs):
            left -= one.at_most
            if left < 0:
                return number
        return len(costs)


@dataclass(frozen=True, slots=True)
class Account:
    """Dollars that were spent, and that requests in flight may cost at most.

    ``batched`` is the part of what is ``reserved`` that waits in message batches.
    """

    spent: float
    reserved: float
    batched: float = 0.0

    @property
    def leased(self) -> float:
        """What those that processes are asking one by one may cost."""
        return self.reserved - self.batched


@dataclass(frozen=True, slots=True)
class Rate:
    """What ``calls`` to a model for a task used together: characters sent, tokens read and written."""

    model: str
    task: str
    calls: int
    characters: int
    input_tokens: int
    output_tokens: int


def word_limit(usd: float) -> str:
    """Return dollars that somebody has set: in cents, or with as many places as they gave it."""
    cents = f"{usd:,.2f}"
    return f"${cents if float(cents.replace(',', '')) == usd else f'{usd:,.8f}'.rstrip('0')}"


def price_usage(price: Price | None, usage: Usage, *, batch: bool = False) -> float:
    """Return the dollars that a call costs; nothing where no price is known.

    What a price does not name costs as input does: Anthropic writes its cache at 1.25 and reads it
    at 0.05 to 0.1 of that.
    """
    if price is None:
        return 0.0
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    total = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read * read
        + usage.cache_write * write
    )
    return total / _MILLION * (price.batch if batch else 1.0)


def find_price(prices: Mapping[str, Price], model: str) -> Price | None:
    """Return a model's price; a dated name (``claude-haiku-4-5-20251001``) has that of its model."""
    return prices.get(model) or prices.get(_DATE.sub("", model))
