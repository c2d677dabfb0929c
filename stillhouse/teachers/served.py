"""Have a model on a server read rows: checks first, then many rows at once, each kept as it comes."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.runtime import Runtime
from stillhouse.base.stage import log, open_bar
from stillhouse.distill.capture import Ask, Keep
from stillhouse.distill.distributions import Origin
from stillhouse.distill.encode import Reading, check_lengths
from stillhouse.teachers.params import VllmAccess
from stillhouse.teachers.probe import PROBE, compare_tokens, cut_text, list_probes
from stillhouse.teachers.prompt_logprobs import read_answer
from stillhouse.teachers.scheduler import (
    PATIENCE_SECONDS,
    Limits,
    PassingError,
    choose_pause,
    make_limiters,
)
from stillhouse.teachers.throttle import Throttle
from stillhouse.teachers.vllm import VllmServer, connect

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")

_KEPT: Final = "what came is kept: run it again, and the rest is asked"


def ask_served(
    origin: Origin, tokenizer: "PreTrainedTokenizerBase", access: VllmAccess, runtime: Runtime
) -> Ask:
    """Return what has the teacher of ``origin`` read rows on its server.

    Args:
        origin: which model, how many tokens of each distribution, at temperature 1.
        tokenizer: the student's, which must be the server's.
        access: where the server is.
        runtime: how many rows at once, how often and how long.

    What it returns raises:
        InputError: something is asked for that no server gives, the server has no such model, another
            tokenizer, or fewer log-probabilities, or a row is too long for it; before it is asked for any.
        TeacherError: it refuses for good, does not come back, or answers what cannot be used. What had
            come by then is kept.
    """

    def ask(rows: Sequence[Reading], keep: Keep) -> None:
        _check_origin(origin)
        asyncio.run(_ask(rows, keep, origin, tokenizer, access, runtime))

    return ask


def _check_origin(origin: Origin) -> None:
    if origin.layers:
        raise InputError(
            f"a server gives no hidden states, and those of the layers {origin.layers} are asked for",
            where="students.<name>.soft",
            remedy="learn its probabilities alone, or name a teacher whose weights are at hand",
        )
    if origin.temperatures != (1.0,):
        raise InputError(
            "a server gives nothing to compute other temperatures from",
            where="students.<name>.soft.temperature",
            expected="1",
        )


async def _ask(
    rows: Sequence[Reading],
    keep: Keep,
    origin: Origin,
    tokenizer: "PreTrainedTokenizerBase",
    access: VllmAccess,
    runtime: Runtime,
) -> None:
    async with connect(access, origin.teacher, runtime) as server:
        line = _Line(runtime)
        limit = await line.call(server.read_limit)
        # The one token that it writes behind a row counts as well.
        check_lengths(rows, None if limit is None else limit - 1, origin.teacher)
        await _check_tokens(line, server, tokenizer, origin.teacher)

        async def read(row: Reading) -> None:
            message = await line.call(
                lambda: server.score(row.input_ids, origin.top_k), len(row.input_ids)
            )
            keep(row, read_answer(message, row, origin))

        with open_bar("capture", len(rows)) as bar:
            await line.work(rows, read, bar.update)


async def _check_tokens(
    line: "_Line", server: VllmServer, tokenizer: "PreTrainedTokenizerBase", teacher: str
) -> None:
    """Refuse a server whose tokens have other numbers than the student's; warn where it cannot be told."""
    probes = list_probes(tokenizer)
    for probe in probes:
        theirs = await line.call(partial(server.encode, probe))
        if theirs is None:
            log.warning(
                "the server does not say how it cuts text (no /tokenize): that %s has the student's "
                "tokenizer was not checked",
                teacher,
            )
            return
        compare_tokens(cut_text(probe, tokenizer), theirs, tokenizer)
    by_template = await line.call(partial(server.encode_question, PROBE))
    if by_template != cut_text(probes[0], tokenizer):
        log.warning(
            "the server's chat template is not the student's: %s reads prompts in the student's form",
            teacher,
        )


class _Line:
    """Calls of one server: so many at once, again where a failure may pass, none after one for good."""

    def __init__(self, runtime: Runtime) -> None:
        self._limits = Limits.of(runtime)
        self._throttle = Throttle(runtime.concurrency)
        self._limiters = make_limiters(self._limits)
        self._over = asyncio.Event()
        self._failed: Exception | None = None
        self._last_success = time.monotonic()
        minutes = runtime.deadline_minutes
        self._deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes

    async def work(
        self,
        rows: Sequence[Reading],
        read: Callable[[Reading], Awaitable[None]],
        tell: Callable[[], object],
    ) -> None:
        """Read all rows; the first one alone, because most of what goes wrong goes wrong with it.

        Raises:
            Exception: the first failure, once the calls in flight have come back and are kept.
        """
        waiting = deque(rows)

        async def go_on(most: float = math.inf) -> None:
            while waiting and most > 0 and not self._over.is_set():
                most -= 1
                try:
                    self._look_at_the_clock()
                    await read(waiting.popleft())
                except Exception as exc:  # noqa: BLE001 - raised below, once the others are back
                    self._failed = self._failed or exc
                    self._over.set()
                    return
                tell()

        await go_on(1)
        await asyncio.gather(*(go_on() for _ in range(min(self._limits.concurrency, len(waiting)))))
        if self._failed is not None:
            raise self._failed

    async def call(self, send: Callable[[], Awaitable[T]], tokens: int = 0) -> T:
        """Return what a call gives, tried again with growing pauses where its failure may pass.

        Raises:
            TeacherError: it did not pass.
        """
        failed = 0

        def give_up(state: RetryCallState) -> bool:
            nonlocal failed
            trouble = state.outcome.exception() if state.outcome else None
            if not isinstance(trouble, PassingError):
                raise TypeError("only errors that may pass are tried again") from trouble
            if self._over.is_set() or (trouble.retry_after or 0) > PATIENCE_SECONDS:
                return True
            if trouble.overload:
                return time.monotonic() - self._last_success > PATIENCE_SECONDS
            failed += 1
            return failed > self._limits.retries

        async def pause(seconds: float) -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), seconds)

        retrying = AsyncRetrying(
            sleep=pause,
            stop=give_up,
            wait=choose_pause,
            retry=retry_if_exception_type(PassingError),
            reraise=True,
        )
        try:
            return await retrying(self._send, send, tokens)
        except PassingError as exc:
            raise TeacherError(f"the vLLM server gave no answer ({exc})", remedy=_KEPT) from exc

    async def _send(self, send: Callable[[], Awaitable[T]], tokens: int) -> T:
        for limiter, amount in self._limiters:
            await limiter.acquire(min(tokens if amount is None else amount, limiter.max_rate))
        async with self._throttle:
            try:
                answer = await send()
            except PassingError as exc:
                self._throttle.note(refused=exc.overload)
                raise
        self._throttle.note(refused=False)
        self._last_success = time.monotonic()
        return answer

    def _look_at_the_clock(self) -> None:
        if time.monotonic() > self._deadline:
            raise TeacherError("the time is up (`runtime.deadline_minutes`)", remedy=_KEPT)
