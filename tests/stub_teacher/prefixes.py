"""The prompt cache: which marked prefixes were answered lately."""

import time
from dataclasses import dataclass
from typing import Final

from tests.stub_teacher.calls import Call, Mark

MINIMUM: Final = 1024
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Cached:
    """Tokens of a call's input that come from the cache, and those that go into it."""

    read: int = 0
    write: int = 0
    hour: bool = False


class Prefixes:
    """Prefixes by their name. One is there once its first answer is: equal calls at a time all write it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[str, float] = {}

    def look_up(self, call: Call) -> Cached:
        """Return what of a call is in the cache and what it will add."""
        now = time.monotonic()
        marks = [mark for mark in call.marks if mark.tokens >= MINIMUM]
        known = [mark.tokens for mark in marks if self._ends.get(mark.digest, 0.0) > now]
        read = max(known, default=0)
        write = max((mark.tokens for mark in marks), default=0) - read
        return Cached(read, write, any(mark.hour for mark in marks))

    def keep(self, marks: tuple[Mark, ...]) -> None:
        """Hold prefixes for a while from now on."""
        now = time.monotonic()
        for mark in marks:
            if mark.tokens >= MINIMUM:
                self._ends[mark.digest] = now + (_HOUR if mark.hour else self._seconds)
