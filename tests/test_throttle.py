"""The number of calls in flight follows what the server bears, and nothing waits for ever."""

import asyncio
import contextlib
import random

import pytest

from stillhouse.teachers.throttle import Throttle


def play(most: int, rounds: int, share: float) -> float:
    """Return the limit after calls of which a share is turned away at random."""
    draw, throttle = random.Random(3), Throttle(most)
    for _ in range(rounds * most):
        throttle.note(refused=draw.random() < share)
    return throttle.limit


def test_it_begins_and_stays_at_the_most_that_is_allowed() -> None:
    assert Throttle(64).limit == 64
    assert play(64, 20, 0.0) == 64


def test_few_refusals_by_chance_cost_little() -> None:
    assert play(64, 50, 0.03) > 50


def test_a_server_that_turns_everything_away_is_asked_one_at_a_time() -> None:
    assert play(64, 50, 1.0) == 1


def test_a_server_that_bears_few_at_once_is_met_near_that() -> None:
    throttle = Throttle(64)
    for _ in range(4000):
        flying = int(throttle.limit)
        throttle.note(refused=random.Random(flying).random() < max(0, flying - 8) / flying)
    assert 4 <= throttle.limit <= 16


def test_no_more_calls_fly_than_the_limit_and_all_have_their_turn() -> None:
    async def run() -> tuple[int, int]:
        throttle, flying, most, done = Throttle(5), 0, 0, 0

        async def call() -> None:
            nonlocal flying, most, done
            async with throttle:
                flying += 1
                most = max(most, flying)
                await asyncio.sleep(0.001)
                flying -= 1
                done += 1
                throttle.note(refused=False)

        await asyncio.gather(*(call() for _ in range(60)))
        return most, done

    assert asyncio.run(run()) == (5, 60)


def test_a_turn_that_is_given_up_goes_to_the_next() -> None:
    async def run() -> bool:
        throttle = Throttle(1)
        async with throttle:
            waiting = [asyncio.create_task(hold(throttle)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
        waiting[1].cancel()  # its turn has come just now
        with contextlib.suppress(asyncio.CancelledError):
            await waiting[1]
        return await asyncio.wait_for(waiting[2], 2)

    async def hold(throttle: Throttle) -> bool:
        async with throttle:
            return True

    assert asyncio.run(run())


@pytest.mark.parametrize("limit", [1, 7])
def test_the_limit_never_leaves_its_bounds(limit: int) -> None:
    draw, throttle = random.Random(1), Throttle(limit)
    for _ in range(500):
        throttle.note(refused=draw.random() < 0.5)
        assert 1 <= throttle.limit <= limit
