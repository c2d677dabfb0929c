"""Rate limits as a provider has them: token buckets for each minute, and a cap on calls in flight."""

import math
import time
from dataclasses import dataclass

from tests.stub_teacher.calls import ApiError, Options


class Bucket:
    """Holds ``per_minute`` and begins full; 0 means no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._filled = time.monotonic()

    @property
    def left(self) -> int:
        self._fill()
        return int(self._level)

    def take(self, amount: int) -> float:
        """Take so much, or nothing; return the seconds until it would be there, 0 if it was."""
        if not self.per_minute:
            return 0.0
        self._fill()
        # What is greater than the bucket passes when it is full, or it would never pass.
        needed = min(amount, self.per_minute)
        if self._level >= needed:
            self._level -= amount
            return 0.0
        return (needed - self._level) * 60 / self.per_minute

    def give_back(self, amount: int) -> None:
        self._level += amount if self.per_minute else 0

    def seconds_until_full(self) -> float:
        self._fill()
        return (self.per_minute - self._level) * 60 / self.per_minute if self.per_minute else 0.0

    def _fill(self) -> None:
        now = time.monotonic()
        gained = (now - self._filled) * self.per_minute / 60
        self._level = min(float(self.per_minute), self._level + gained)
        self._filled = now


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit, for the headers; ``reset`` is in seconds from now."""

    limit: int
    left: int
    reset: float


class Limits:
    """Says 429 to what is too much."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._requests = Bucket(options.requests_per_minute)
        self._tokens = Bucket(options.tokens_per_minute)

    def admit(self, in_flight: int, input_tokens: int) -> None:
        """Let a call in; ``in_flight`` counts it already.

        Raises:
            ApiError: 429, with the whole seconds after which the next try may succeed.
        """
        if 0 < self._options.max_concurrent < in_flight:
            message = "Number of concurrent connections has exceeded your rate limit."
            raise _limit(message, self._options.retry_after)
        if wait := self._requests.take(1):
            raise _limit(
                "This request would exceed your limit of requests per minute.", math.ceil(wait)
            )
        if wait := self._tokens.take(input_tokens):
            self._requests.give_back(1)
            raise _limit(
                "This request would exceed your limit of input tokens per minute.", math.ceil(wait)
            )

    def describe(self) -> tuple[Allowance, Allowance]:
        """Return what is left of requests and of input tokens; without a limit, ample."""
        return _describe(self._requests, 4_000), _describe(self._tokens, 2_000_000)


def _describe(bucket: Bucket, ample: int) -> Allowance:
    if not bucket.per_minute:
        return Allowance(ample, ample - 1, 0.0)
    return Allowance(bucket.per_minute, max(bucket.left, 0), bucket.seconds_until_full())


def _limit(message: str, retry_after: float) -> ApiError:
    return ApiError(429, "rate_limit_error", message, "rate_limit_exceeded", retry_after)
