"""What a request is likely to use and cost, learnt from what calls before it used."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters, whitespace
from types import MappingProxyType
from typing import Any, Final

from stillhouse.base.records import Request
from stillhouse.teachers.money import Rate, Reservation, find_price, price_usage
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Usage

# Before anything is known of a model: English in most vocabularies.
_TOKENS_PER_CHARACTER: Final = 0.25
_TOKENS_PER_QUESTION: Final = 20  # ... of a JSON answer, and for each fact
_TOKENS_PER_FACT: Final = 90
# Words of English and code have fewer, in the vocabularies of Claude and GPT. Of any other character (a
# digit may be a token of its own) no vocabulary of bytes makes more tokens than it has bytes in UTF-8.
_MOST_TOKENS_PER_LETTER: Final = 0.6
_LETTERS: Final = (ascii_letters + whitespace).encode()
_MOST_BESIDE: Final = 400  # what a schema and a server's own words may add
_BATCHING: Final = frozenset({"anthropic"})  # teachers that have message batches


def count_characters(request: Request) -> int:
    """Return the length of what is asked: system and messages."""
    return len(request.system) + sum(len(message.content) for message in request.messages)


def read_parameters(request: Request) -> Mapping[str, Any]:
    """Return a request's parameters; few texts of them are shared by all requests."""
    return _parse(request.parameters)


@lru_cache(maxsize=256)
def _parse(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))


def limit_output(request: Request) -> int:
    """Return how many tokens an answer may have, thoughts included."""
    parameters = read_parameters(request)
    return int(parameters["max_tokens"]) + int(parameters.get("thinking_tokens", 0))


def _limit_input(request: Request) -> float:
    """Return how many tokens the texts of a request can be at most, whatever the vocabulary."""
    most = 0.0
    for text in (request.system, *(message.content for message in request.messages)):
        encoded = text.encode()
        others = len(encoded.translate(None, _LETTERS))
        most += (len(encoded) - others) * _MOST_TOKENS_PER_LETTER + others
    return most


@dataclass(frozen=True, slots=True)
class _Rates:
    """Sums over calls."""

    calls: int = 0
    characters: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, rate: Rate) -> "_Rates":
        return _Rates(
            self.calls + rate.calls,
            self.characters + rate.characters,
            self.input_tokens + rate.input_tokens,
            self.output_tokens + rate.output_tokens,
        )


class Estimator:
    """Says what requests will use. ``calls`` is how many were learnt from."""

    def __init__(self, rates: Iterable[Rate], teachers: TeachersParams) -> None:
        self._prices = teachers.prices
        self._by_model: dict[str, _Rates] = {}
        self._by_task: dict[tuple[str, str], _Rates] = {}
        self.calls = 0
        for rate in rates:
            self.calls += rate.calls
            self._by_model[rate.model] = self._by_model.get(rate.model, _Rates()) + rate
            for model in (rate.model, ""):  # another model's answers say more than nothing
                key = (model, rate.task)
                self._by_task[key] = self._by_task.get(key, _Rates()) + rate

    def estimate(self, request: Request) -> Usage:
        """Return what a request is likely to use, without any cache."""
        return Usage(
            round(count_characters(request) * self._read_rate(request.model)),
            min(round(self._guess_output(request)), limit_output(request)),
        )

    def count_tokens(self, request: Request) -> int:
        """Return how many tokens a request is likely to use, read and written together."""
        usage = self.estimate(request)
        return usage.input_tokens + usage.output_tokens

    def bound(self, request: Request) -> Usage:
        """Return what a request can use at most."""
        likely = self.estimate(request).input_tokens
        most = max(likely, round(_limit_input(request))) + _MOST_BESIDE
        return Usage(most, limit_output(request))

    def price(self, request: Request, usage: Usage, *, batch: bool = False) -> float:
        """Return what a use costs in dollars; nothing where the model has no price.

        ``batch``: in a message batch, where the teacher has them; others are asked one by one all
        the same.
        """
        price = find_price(self._prices, request.model)
        return price_usage(price, usage, batch=batch and request.teacher in _BATCHING)

    def knows_price(self, model: str) -> bool:
        """Say whether the model has a price."""
        return find_price(self._prices, model) is not None

    def reserve(self, request: Request, *, batch: bool = False) -> Reservation:
        """Return what a request is likely to cost and can cost at most."""
        return Reservation(
            request.request_id,
            self.price(request, self.estimate(request), batch=batch),
            self.price(request, self.bound(request), batch=batch),
        )

    def _read_rate(self, model: str) -> float:
        known = self._by_model.get(model)
        if known is None or not known.characters:
            return _TOKENS_PER_CHARACTER
        return known.input_tokens / known.characters

    def _guess_output(self, request: Request) -> float:
        for model in (request.model, ""):
            if known := self._by_task.get((model, request.task)):
                return known.output_tokens / known.calls
        parameters = read_parameters(request)
        facts, questions = parameters.get("pairs", 1), parameters.get("phrasings", 1)
        guess: int = facts * (_TOKENS_PER_FACT + questions * _TOKENS_PER_QUESTION)
        return guess + int(parameters.get("thinking_tokens", 0)) / 2
