"""Many calls to a server at once: limits, retries of what may succeed, a stop that loses nothing.

The calls run in an event loop of their own thread, so that neither waits for the disk. The caller's
thread takes requests from the source and writes replies down, as many together as have come.
"""

import asyncio
import gc
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from stillhouse.base.records import Request
from stillhouse.base.runtime import Runtime
from stillhouse.teachers.protocol import Failure, Reply, Source
from stillhouse.teachers.throttle import Throttle


class PassingError(Exception):
    """A call failed in a way that may pass. ``overload``: the server said that it was one too many."""

    def __init__(
        self, error: str, *, overload: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(error)
        self.overload, self.retry_after = overload, retry_after


_GATHER_SECONDS: Final = 0.015  # for which replies are gathered that are then written together
_LOOK_SECONDS: Final = 0.1  # between two looks at the source while no reply comes
_LEAST_WAITING: Final = 8
PATIENCE_SECONDS: Final = 900.0  # for which a server may turn everything away before it is given up
_PAUSE: Final = wait_random_exponential(multiplier=0.5, max=30)  # full jitter
_MAY_PASS: Final = retry_if_exception_type(PassingError)
_JITTER: Final = 0.1  # of what a server asks to wait, so that not all come back at once

Call: TypeAlias = Callable[[Request], Awaitable[Reply]]
OpenCalls: TypeAlias = Callable[[], AbstractAsyncContextManager[Call]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a server may be pressed; ``retries`` do not count calls that it turned away."""

    concurrency: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    retries: int = 6

    @classmethod
    def of(cls, runtime: Runtime) -> "Limits":
        """Return the limits of ``runtime:``."""
        return cls(
            runtime.concurrency,
            runtime.requests_per_minute,
            runtime.tokens_per_minute,
            runtime.retries,
        )


def run_calls(
    open_calls: OpenCalls,
    source: Source,
    limits: Limits,
    count_tokens: Callable[[Request], int] = lambda _: 0,
) -> Iterator[Sequence[Reply]]:
    """Yield a reply for each request of the source, many at a time.

    Args:
        open_calls: opens what makes one call: it returns a reply (a failure for good among them),
            raises ``PassingError`` for what may pass, and anything else for what concerns all calls.
        source: where requests come from.
        limits: of the account.
        count_tokens: how many tokens a request is likely to use, for the limit of tokens.

    Raises:
        Exception: whatever a call raised that concerns all of them, once the others have come back.
    """
    engine = _Engine(open_calls, limits, count_tokens)
    with engine.running():
        while not (engine.idle and (source.ended or engine.broken)):
            if source.stopped or engine.broken:
                engine.stop()
            else:
                engine.submit(source.take(engine.room))
            replies, unsent = engine.gather()
            if unsent:
                source.put_back(unsent)
            if replies:
                yield replies
            if engine.unreachable:
                source.stop("unreachable")
    if engine.broken:
        raise engine.broken


class _Engine:
    """The thread with the calls in flight. Every method but the private ones is the caller's."""

    def __init__(
        self, open_calls: OpenCalls, limits: Limits, count_tokens: Callable[[Request], int]
    ) -> None:
        self._open_calls, self._limits, self._count_tokens = open_calls, limits, count_tokens
        self._throttle = Throttle(limits.concurrency)
        self._limiters = make_limiters(limits)
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._call: Call | None = None
        self._waiting: list[Request] = []  # until the calls are open
        # Tasks that wait: for a turn, or to try again.
        self._unsent: dict[str, asyncio.Task[None]] = {}
        self._outbox: deque[tuple[Request, Reply | None]] = deque()
        self._came = threading.Event()
        self._posting = threading.Lock()
        self._held = 0
        self._stopping = False
        self._last_success = time.monotonic()
        self.broken: BaseException | None = None
        self.unreachable = False

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight or waits here."""
        return self._held == 0

    @property
    def room(self) -> int:
        """How many more requests are wanted.

        Twice as many wait here as may be in flight: the caller's thread may be busy with the disk for
        the time of an answer or two.
        """
        return max(0, 3 * self._limits.concurrency + _LEAST_WAITING - self._held)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the thread while the block does; what is in flight when it ends is left.

        Meanwhile the garbage collector passes over what was there before. Most of that are the
        modules of SDKs; walking through them takes more than all that the journal does (docs/LOG.md).
        """
        thread = threading.Thread(target=self._run, name="calls", daemon=True)
        gc.freeze()
        try:
            thread.start()
            try:
                yield
            finally:
                self._post(self._closing.set)
                thread.join()
        finally:
            gc.unfreeze()

    def submit(self, requests: Sequence[Request]) -> None:
        """Hand requests over."""
        if requests:
            self._held += len(requests)
            if not self._post(self._begin, requests):
                for request in requests:
                    self._put(request, None)

    def stop(self) -> None:
        """Begin no call any more, and try none again; those in flight go on."""
        if not self._stopping:
            self._stopping = True
            # A turn later: a task that is cancelled before its first step never runs, and puts nothing.
            self._post(self._loop.call_soon, self._cancel_unsent)

    def gather(self) -> tuple[list[Reply], list[Request]]:
        """Wait a little; return the replies that have come, and requests that were not sent."""
        if self._came.wait(_LOOK_SECONDS) and not self.idle:
            time.sleep(_GATHER_SECONDS)
        self._came.clear()
        replies, unsent = [], []
        while self._outbox:
            request, reply = self._outbox.popleft()
            self._held -= 1
            if reply is None:
                unsent.append(request)
            else:
                replies.append(reply)
        return replies, unsent

    def _post(self, action: Callable[..., object], *values: object) -> bool:
        """Have the thread do something; False if it has ended, as it does when it breaks."""
        try:
            with self._posting:
                self._loop.call_soon_threadsafe(action, *values)
        except RuntimeError:
            return False
        return True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            self._break(exc)
        finally:
            self._call = None
            with self._posting:  # what is handed over until now comes back; from now on nothing is
                self._loop.run_until_complete(asyncio.sleep(0))
                self._return_waiting()
                self._loop.close()

    async def _serve(self) -> None:
        async with self._open_calls() as call:
            gc.freeze()  # what opening them has imported
            self._call = call
            waiting, self._waiting = self._waiting, []
            self._begin(waiting)
            await self._closing.wait()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, requests: Sequence[Request]) -> None:
        if self._call is None:
            self._waiting += requests
            return
        if self._stopping:
            for request in requests:
                self._put(request, None)
            return
        for request in requests:
            task = self._loop.create_task(self._ask(request, self._call))
            self._unsent[request.request_id] = task

    def _cancel_unsent(self) -> None:
        for task in self._unsent.values():
            task.cancel()
        if self._call is None:
            self._return_waiting()

    def _return_waiting(self) -> None:
        for request in self._waiting:
            self._put(request, None)
        self._waiting = []

    async def _ask(self, request: Request, call: Call) -> None:
        """Call until there is an outcome; put it, or None where nothing was sent, into the outbox."""
        reply: Reply | None = None
        trouble: PassingError | None = None
        first: PassingError | None = None
        begun, failed = time.monotonic(), 0

        def give_up(state: RetryCallState) -> bool:
            nonlocal trouble, failed
            trouble = _read_trouble(state)
            if (trouble.retry_after or 0) > PATIENCE_SECONDS:
                return True  # whoever has to wait so long comes back in another run
            if trouble.overload:
                return time.monotonic() - self._last_success > PATIENCE_SECONDS
            failed += 1
            return failed > self._limits.retries

        async def attempt() -> Reply:
            self._unsent[request.request_id] = asyncio.current_task()  # type: ignore[assignment]
            await self._await_limits(request)
            async with self._throttle:
                del self._unsent[request.request_id]
                return await self._try(request, call)

        async def pause(seconds: float) -> None:
            self._unsent[request.request_id] = asyncio.current_task()  # type: ignore[assignment]
            await asyncio.sleep(seconds)

        async def go_on() -> Reply:
            nonlocal first
            if first is not None:
                failure, first = first, None
                raise failure
            return await attempt()

        try:
            try:
                reply = await attempt()
            except PassingError as exc:
                first = exc  # few calls fail: the others need not pay for the machinery of retries
                retrying = AsyncRetrying(
                    sleep=pause, stop=give_up, wait=choose_pause, retry=_MAY_PASS, reraise=True
                )
                reply = await retrying(go_on)
            self._last_success = time.monotonic()
        except PassingError as exc:
            self.unreachable |= self._last_success <= begun
            reply = Reply(Failure(request.request_id, str(exc), permanent=False))
        except asyncio.CancelledError:
            if trouble is not None:
                error = f"{trouble}; stopped before it was tried again"
                reply = Reply(Failure(request.request_id, error, permanent=False))
        except Exception as exc:  # noqa: BLE001 - concerns all calls; raised in the caller's thread
            self._break(exc)
        finally:
            self._unsent.pop(request.request_id, None)
            self._put(request, reply)

    async def _await_limits(self, request: Request) -> None:
        for limiter, amount in self._limiters:
            wanted = self._count_tokens(request) if amount is None else amount
            await limiter.acquire(min(wanted, limiter.max_rate))

    async def _try(self, request: Request, call: Call) -> Reply:
        try:
            reply = await call(request)
        except PassingError as exc:
            self._throttle.note(refused=exc.overload)
            raise
        self._throttle.note(refused=False)
        return reply

    def _break(self, exc: BaseException) -> None:
        self.broken = self.broken or exc
        self._came.set()

    def _put(self, request: Request, reply: Reply | None) -> None:
        self._outbox.append((request, reply))
        self._came.set()


def make_limiters(limits: Limits) -> list[tuple[AsyncLimiter, int | None]]:
    """Return a limiter with what each request takes of it; None: its tokens."""
    limiters: list[tuple[AsyncLimiter, int | None]] = []
    if limits.requests_per_minute:
        limiters.append((AsyncLimiter(limits.requests_per_minute), 1))
    if limits.tokens_per_minute:
        limiters.append((AsyncLimiter(limits.tokens_per_minute), None))
    return limiters


def _read_trouble(state: RetryCallState) -> PassingError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, PassingError):
        raise TypeError("only errors that may pass are tried again") from error
    return error


def choose_pause(state: RetryCallState) -> float:
    """Return the seconds to wait: what the server asks for, else more from time to time."""
    asked = _read_trouble(state).retry_after
    drawn: float = _PAUSE(state)
    return drawn if asked is None else asked + min(drawn, asked * _JITTER)
