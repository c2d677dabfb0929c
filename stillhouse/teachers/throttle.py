"""How many calls are in flight: as many as are allowed, fewer while a server says it is too many."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Self

_GROWTH: Final = 1 / 16  # of the limit, in a round of calls none of which met an overload


class Throttle:
    """An asynchronous context manager around each call.

    Additive increase, multiplicative decrease: after each round of as many calls as the limit was,
    the limit grows by a sixteenth (at least one) and shrinks by half the share of calls that the
    server turned away. That share, and not the mere event, is what counts, as in DCTCP (Alizadeh et
    al. 2010): a few refusals by chance cost little, a server that refuses half is soon met half way.
    There is no pause for all: a call that was turned away waits alone.
    """

    def __init__(self, most: int) -> None:
        self._most, self._limit = most, float(most)
        self._flying = 0
        self._seen = self._refused = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> float:
        """How many calls may be in flight now."""
        return self._limit

    async def __aenter__(self) -> Self:
        if self._flying < int(self._limit) and not self._waiting:
            self._flying += 1
            return self
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave()

    def note(self, *, refused: bool) -> None:
        """Take down how a call ended: whether the server turned it away as one too many."""
        self._seen += 1
        self._refused += refused
        if self._seen >= int(self._limit):
            share = self._refused / self._seen
            grown = self._limit * (1 - share / 2) + max(1.0, self._limit * _GROWTH) * (share < 1)
            self._limit = min(float(self._most), max(1.0, grown))
            self._seen = self._refused = 0
            self._admit()

    def _leave(self) -> None:
        self._flying -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._flying < int(self._limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._flying += 1
                turn.set_result(None)
