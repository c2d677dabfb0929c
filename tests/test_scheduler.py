"""The thread with the calls gives back every request, also when it is stopped or ends at a bad moment."""

import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event, Thread, Timer
from typing import Any

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.records import Request
from stillhouse.teachers import scheduler
from stillhouse.teachers.protocol import Failure, Reply, Stop
from stillhouse.teachers.scheduler import Call, Limits, PassingError, run_calls
from tests.asking import make_request


class Pile:
    """A source of a few requests."""

    def __init__(self, opened: Event | None = None) -> None:
        self.left: list[Request] = [make_request(number) for number in range(3)]
        self.stopped: Stop = ""
        self._opened = opened

    @property
    def ended(self) -> bool:
        return bool(self.stopped) or not self.left

    def take(self, most: int) -> Sequence[Request]:
        if self._opened is not None:
            assert self._opened.wait(10)
        taken, self.left = self.left[:most], self.left[most:]
        return taken

    def put_back(self, requests: Sequence[Request]) -> None:
        self.left += requests

    def stop(self, why: Stop) -> None:
        self.stopped = self.stopped or why


def end_within(seconds: float, pile: Any, open_calls: Any) -> list[Reply]:
    """Return the replies; fail where asking does not end."""
    replies: list[Reply] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            for some in run_calls(open_calls, pile, Limits()):
                replies.extend(some)
        except Exception as exc:  # noqa: BLE001 - raised again below
            errors.append(exc)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    if errors:
        raise errors[0]
    return replies


def test_ctrl_c_while_the_connection_opens_gives_everything_back() -> None:
    pile = Pile()

    @asynccontextmanager
    async def slow() -> AsyncIterator[Call]:
        time.sleep(0.5)  # noqa: ASYNC251 - as long as the import of an SDK holds up the thread
        yield refuse

    Timer(0.2, pile.stop, ["interrupted"]).start()
    replies = end_within(10, pile, slow)
    assert len(replies) + len(pile.left) == 3


def test_the_collector_leaves_alone_what_was_there_before_while_calls_are_out() -> None:
    frozen: list[int] = []

    @asynccontextmanager
    async def look() -> AsyncIterator[Call]:
        frozen.append(gc.get_freeze_count())

        async def call(request: Request) -> Reply:
            frozen.append(gc.get_freeze_count())
            return await refuse(request)

        yield call

    before = gc.get_freeze_count()
    assert len(end_within(10, Pile(), look)) == 3
    assert min(frozen) > before + 10_000
    assert frozen[1] >= frozen[0]
    assert gc.get_freeze_count() == 0


def test_what_is_handed_over_just_as_the_thread_ends_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking, real = Event(), scheduler._Engine._break

    def note(engine: Any, exc: BaseException) -> None:
        breaking.set()
        time.sleep(0.3)
        real(engine, exc)

    @asynccontextmanager
    async def keyless() -> AsyncIterator[Call]:
        raise InputError("there is no key")
        yield refuse

    monkeypatch.setattr(scheduler._Engine, "_break", note)
    pile = Pile(breaking)
    with pytest.raises(InputError, match="no key"):
        end_within(10, pile, keyless)
    assert len(pile.left) == 3


async def refuse(request: Request) -> Reply:
    return Reply(Failure(request.request_id, "no", permanent=True))


def test_a_server_that_asks_for_a_day_is_not_waited_for() -> None:
    @asynccontextmanager
    async def open_calls() -> AsyncIterator[Call]:
        async def call(_: Request) -> Reply:
            raise PassingError("429 come back tomorrow", overload=True, retry_after=86_400)

        yield call

    replies = end_within(20, Pile(), open_calls)
    failures = [reply.outcome for reply in replies]
    assert failures
    assert all(isinstance(one, Failure) and not one.permanent for one in failures)
