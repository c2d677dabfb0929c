"""What calls cost is known before they are sent, and never above the budget in sum."""

import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from stillhouse.base.errors import BudgetError, InputError
from stillhouse.base.params import load_section
from stillhouse.base.records import Message, Request
from stillhouse.base.runtime import Runtime
from stillhouse.teachers.asking import Asked
from stillhouse.teachers.batches import TEACHER
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator, count_characters
from stillhouse.teachers.generate import Counts, GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.money import (
    Account,
    Bill,
    Budget,
    Rate,
    Reservation,
    find_price,
    price_usage,
    word_limit,
)
from stillhouse.teachers.owner import Owner
from stillhouse.teachers.params import Price, TeachersParams, load_teachers
from stillhouse.teachers.protocol import Failure, Outcome, Usage
from tests.asking import FakeTeacher, Generated, ask, generate, make_request, make_response

FORK = multiprocessing.get_context("fork")
REQUESTS = [make_request(number) for number in range(30)]
NAMES = [request.request_id for request in REQUESTS]
FIRST, SECOND, THIRD = NAMES[:3]
PRICE = Price(input=2, output=10, cache_read=0.1, cache_write=2.5, batch=0.5)
MODEL = REQUESTS[0].model


def reservation(name: str, at_most: float, expected: float = 0.0) -> Reservation:
    return Reservation(name, expected, at_most)


def bill(name: str, usd: float, usage: Usage = Usage(), task: str = "recall") -> Bill:  # noqa: B008
    return Bill(name, usd, "paid", MODEL, task, 100, usage)


def run_apart(*tasks: Callable[[], None]) -> None:
    """Run each in a process of its own, all at once."""
    processes = [FORK.Process(target=task) for task in tasks]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


# --- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(), 0.0),
        (Usage(input_tokens=1_000_000), 2.0),
        (Usage(output_tokens=1_000_000), 10.0),
        (Usage(cache_read=1_000_000), 0.1),
        (Usage(cache_write=1_000_000), 2.5),
        (Usage(1000, 500, 20_000, 4000), 0.002 + 0.005 + 0.002 + 0.01),
    ],
)
def test_each_kind_of_token_has_its_price_and_a_batch_its_discount(
    usage: Usage, usd: float
) -> None:
    assert price_usage(PRICE, usage) == pytest.approx(usd)
    assert price_usage(PRICE, usage, batch=True) == pytest.approx(usd / 2)
    assert price_usage(None, usage) == 0


def test_a_cache_without_a_price_costs_what_input_does() -> None:
    plain = Price(input=2, output=10)
    assert price_usage(plain, Usage(cache_read=500_000, cache_write=500_000)) == pytest.approx(2.0)
    assert price_usage(plain, Usage(1000), batch=True) == price_usage(plain, Usage(1000))


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("claude-haiku-4-5", 1),
        ("claude-haiku-4-5-20251001", 1),
        ("claude-haiku-4-5-2025-10-01", 1),
        ("gpt-5-2025-08-07", 3),
        ("claude-haiku-4", None),
        ("claude-haiku-4-5-latest", None),
        ("haiku-20251001", None),
    ],
)
def test_a_dated_name_has_the_price_of_its_model(model: str, price: float | None) -> None:
    prices = {
        "claude-haiku-4-5": Price(input=1, output=5),
        "gpt-5": Price(input=2, output=8),
        "gpt-5-2025-08-07": Price(input=3, output=8),
    }
    found = find_price(prices, model)
    assert (found and found.input) == price


def test_the_shipped_prices_are_read_and_name_what_a_cache_costs() -> None:
    prices = load_teachers().prices
    assert find_price(prices, "claude-sonnet-5-5-20260901") == prices["claude-sonnet-5-5"]
    for price in prices.values():
        assert price.cache_read is not None
        assert price.cache_write is not None
        assert price.cache_read < price.input < price.cache_write < price.output
        assert price.batch == 0.5


@pytest.mark.parametrize(
    ("section", "value", "said"),
    [
        ("teachers", {"prices": {"m": {"input": -1, "output": 2}}}, "input"),
        ("teachers", {"prices": {"m": {"input": 1}}}, "output"),
        ("teachers", {"prices": {"m": {"input": 1, "output": 2, "batch": 50}}}, "batch"),
        ("teachers", {"anthropic": {"api_key": "sk-ant-1"}}, "api_key"),
        ("runtime", {"budget_usd": -1}, "budget_usd"),
        ("runtime", {"budget_window": "30"}, "budget_window"),
        ("runtime", {"budget_window": "0d"}, "budget_window"),
        ("runtime", {"budget_window": "1.5d"}, "budget_window"),
    ],
)
def test_a_wrong_price_or_budget_is_refused_in_one_sentence(
    tmp_path: Path, section: str, value: dict[str, object], said: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({section: value}))
    models = {"teachers": TeachersParams, "runtime": Runtime}
    with pytest.raises(InputError, match=said) as refusal:
        load_section(section, models[section], path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("window", "seconds"),
    [("1h", 3600), ("12h", 43_200), ("30d", 2_592_000), ("all", math.inf)],
)
def test_a_budgets_window_is_hours_days_or_everything(window: str, seconds: float) -> None:
    assert Runtime(budget_window=window).window_seconds == seconds


# --- estimates -----------------------------------------------------------------------------------


def make_sized(
    characters: int, task: str = "recall", text: str = "x", **parameters: int
) -> Request:
    settings = {"max_tokens": 4000, "pairs": 2, "phrasings": 3, **parameters}
    return make_request(
        task=task,
        messages=(Message("user", text * characters),),
        parameters=json.dumps(settings),
    )


def estimate_with(*rates: Rate) -> Estimator:
    return Estimator(rates, TeachersParams(prices={MODEL: PRICE}))


def test_before_anything_is_known_four_characters_are_a_token() -> None:
    request = make_sized(4000)
    estimator = estimate_with()
    assert estimator.calls == 0
    # Two facts of 90 tokens with three questions of 20 each.
    assert estimator.estimate(request) == Usage(1000, 300)
    assert estimator.estimate(make_sized(4000, thinking_tokens=1000)) == Usage(1000, 800)
    assert estimator.estimate(make_sized(4000, max_tokens=200)) == Usage(1000, 200)


def test_system_and_all_messages_count() -> None:
    request = make_request(
        system="abc", messages=(Message("user", "de"), Message("assistant", "f")), parameters="{}"
    )
    assert count_characters(request) == 6


def test_what_a_model_read_and_wrote_calibrates_what_it_will() -> None:
    estimator = estimate_with(
        Rate(MODEL, "recall", 10, 10_000, 3000, 5000),
        Rate(MODEL, "open_book", 10, 10_000, 3500, 900),
        Rate("other", "recall", 10, 10_000, 9000, 100),
        Rate("other", "multi_step", 5, 500, 900, 700),
    )
    assert estimator.calls == 35
    assert estimator.estimate(make_sized(1000)) == Usage(325, 500)
    assert estimator.estimate(make_sized(1000, task="open_book")) == Usage(325, 90)
    # Of a task that this model has not done another model's answers say more than nothing.
    assert estimator.estimate(make_sized(1000, task="multi_step")) == Usage(325, 140)
    assert estimator.estimate(make_sized(1000, task="edge_cases")) == Usage(325, 300)


@pytest.mark.parametrize("text", ["x", "ж", "字", "🙂"])
def test_no_text_has_more_tokens_than_its_bound(text: str) -> None:
    request = make_sized(1000, text=text)
    size = len(text.encode())
    most = 600 if size == 1 else 1000 * size
    assert estimate_with().bound(request) == Usage(most + 400, 4000)


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.2, 5.0])
def test_an_estimate_never_lies_above_its_bound(rate: float) -> None:
    known = Rate(MODEL, "recall", 20, 100_000, round(100_000 * rate), 90_000)
    for text in ("x", "字"):
        request = make_sized(10_000, text=text, thinking_tokens=500)
        likely, most = estimate_with(known).estimate(request), estimate_with(known).bound(request)
        assert likely.input_tokens <= most.input_tokens
        assert likely.output_tokens <= most.output_tokens == 4500


def test_a_bound_hangs_on_no_other_texts_than_the_requests_own() -> None:
    # Prose says little of a table of numbers, where each digit may be a token.
    known = Rate(MODEL, "recall", 20, 100_000, 25_000, 900)
    request = make_sized(1000, text="7")
    assert estimate_with(known).bound(request) == estimate_with().bound(request)
    assert estimate_with().bound(request).input_tokens == 1000 + 400


def test_a_reservation_is_what_is_likely_and_what_is_the_most() -> None:
    request = make_sized(4000)
    made = estimate_with().reserve(request)
    assert made.request_id == request.request_id
    assert made.expected == pytest.approx((1000 * 2 + 300 * 10) / 1e6)
    assert made.at_most == pytest.approx((2800 * 2 + 4000 * 10) / 1e6)
    batched = estimate_with().reserve(replace(request, teacher=TEACHER), batch=True)
    assert (batched.expected, batched.at_most) == (made.expected / 2, made.at_most / 2)


def test_the_journal_remembers_what_calls_used(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.record(
            [make_response(request) for request in REQUESTS[:3]],
            [
                bill(FIRST, 0.5, Usage(10, 20, 30, 40)),
                bill(SECOND, 0.25, Usage(1, 2)),
                bill(THIRD, 0.25, Usage(5, 7), task="open_book"),
            ],
        )
        assert journal.read_rates() == [
            Rate(MODEL, "open_book", 1, 100, 5, 7),
            Rate(MODEL, "recall", 2, 200, 81, 22),
        ]
        assert journal.read_account() == Account(spent=1.0, reserved=0.0)


def test_calls_that_used_nothing_teach_nothing(tmp_path: Path) -> None:
    failure = Failure(FIRST, "400 bad", permanent=True)
    teacher = FakeTeacher(tmp_path / "l", failing={FIRST: failure}, usage=Usage(40, 9), usd=0.125)

    class Turned(FakeTeacher):
        def reply(self, request: Request):  # type: ignore[no-untyped-def]
            reply = super().reply(request)
            return reply if request.request_id != FIRST else type(reply)(reply.outcome)

    turned = Turned(**vars(teacher))
    with Journal(tmp_path / "j") as journal:
        ask(turned, REQUESTS[:3], journal)
        ((rate,), account) = journal.read_rates(), journal.read_account()
    characters = sum(map(count_characters, REQUESTS[1:3]))
    assert rate == Rate(MODEL, "recall", 2, characters, 80, 18)
    assert account == Account(0.25, 0.0)


def test_a_free_teacher_is_billed_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        ask(FakeTeacher(tmp_path / "l", costs=False, usd=1, usage=Usage(1, 1)), REQUESTS, journal)
        assert journal.read_account() == Account(0, 0)
        assert journal.read_rates() == []


# --- the account ---------------------------------------------------------------------------------


def test_what_is_reserved_counts_until_it_is_billed(tmp_path: Path) -> None:
    budget = Budget(1.0, math.inf)
    with Journal(tmp_path / "j") as journal:
        journal.claim(NAMES[:4], 4)
        costs = [reservation(name, 0.375, 0.25) for name in NAMES[:4]]
        assert journal.reserve(costs, budget) == 2
        assert journal.read_account() == Account(0, 0.75)
        assert journal.reserve(costs[2:], budget) == 0
        journal.record([make_response(REQUESTS[0])], [bill(FIRST, 0.125)])
        assert journal.read_account() == Account(0.125, 0.375)
        assert journal.reserve(costs[2:], budget) == 1
        assert journal.reserve(costs[3:], None) == 1  # without a budget everything goes
        journal.release()
        assert journal.read_account() == Account(0.125, 0)


def test_only_the_window_counts(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.record([make_response(REQUESTS[0])], [bill(FIRST, 2.0)])
        journal._base.execute("UPDATE spending SET at = at - 7200")
        journal.record([make_response(REQUESTS[1])], [bill(SECOND, 0.5)])
        assert journal.read_account(3600).spent == 0.5
        assert journal.read_account(7300).spent == 2.5
        assert journal.read_account().spent == 2.5
        journal.claim([THIRD], 1)
        assert journal.reserve([reservation(THIRD, 0.4)], Budget(1.0, 7300)) == 0
        assert journal.reserve([reservation(THIRD, 0.4)], Budget(1.0, 3600)) == 1


def test_what_is_written_off_counts_as_spent(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.claim(NAMES[:3], 3)
        journal.reserve([reservation(name, 1.0, 0.25) for name in (FIRST, SECOND)], None)
        journal.write_off([FIRST, THIRD])
        assert journal.read_account() == Account(0.25, 1.0)
        assert journal.claim(NAMES[:3], 3) == [FIRST, THIRD]
        kinds = journal._base.execute("SELECT kind, request_id FROM spending").fetchall()
        assert kinds == [("lost", FIRST)]
        assert journal.read_rates() == []


def leave_in_flight(path: Path, names: Sequence[str], at_most: float, expected: float) -> None:
    """Reserve, and die without a word."""

    def die() -> None:
        journal = Journal(path)
        journal.claim(names, len(names))
        journal.reserve([reservation(name, at_most, expected) for name in names], None)
        os._exit(0)

    run_apart(die)


def test_taking_over_from_a_dead_process_costs_what_was_likely_in_flight(tmp_path: Path) -> None:
    leave_in_flight(tmp_path / "j", NAMES[:2], 1.0, 0.25)
    with Journal(tmp_path / "j") as journal:
        assert journal.read_account() == Account(0, 2.0)
        assert journal.claim(NAMES[:1], 1) == NAMES[:1]
        assert journal.read_account() == Account(0.25, 1.0)
        assert journal.claim(NAMES[:3], 3) == NAMES[1:3]
        assert journal.read_account() == Account(0.5, 0)


def test_what_a_dead_process_left_in_flight_does_not_weigh_for_ever(tmp_path: Path) -> None:
    """Its requests may never be wanted again: the prompt was edited meanwhile."""
    leave_in_flight(tmp_path / "j", NAMES[:3], 0.5, 0.125)
    with Journal(tmp_path / "j") as journal:
        journal.claim(NAMES[3:5], 2)
        costs = [reservation(name, 0.5) for name in NAMES[3:5]]
        assert journal.reserve(costs, Budget(1.0, math.inf)) == 1
        assert journal.read_account() == Account(0.375, 0.5)


def test_what_a_living_process_has_in_flight_is_left_to_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as other, Journal(tmp_path / "j") as journal:
        other._owner = Owner("another machine", 1, "1")
        other.claim([FIRST], 1)
        other.reserve([reservation(FIRST, 0.75, 0.5)], None)
        journal.claim([SECOND], 1)
        costs = [reservation(SECOND, 0.5)]
        assert journal.reserve(costs, Budget(1.0, math.inf)) == 0
        assert journal.read_account() == Account(0, 0.75)
        other._base.execute("UPDATE leases SET expires = 0 WHERE pid = 1")
        assert journal.reserve(costs, Budget(1.0, math.inf)) == 1
        assert journal.read_account() == Account(0.5, 0.5)


def test_two_processes_together_stay_within_the_budget(tmp_path: Path) -> None:
    """Each has requests of its own, and what they cost is less than what is reserved."""
    path, budget, together = tmp_path / "j", Budget(1.0, math.inf), FORK.Barrier(2)

    def spend(names: Sequence[str]) -> Callable[[], None]:
        def run() -> None:
            with Journal(path) as journal:
                for number, name in enumerate(names):
                    if number < 4:
                        together.wait(30)
                    journal.claim([name], 1)
                    if not journal.reserve([reservation(name, 0.125, 0.0625)], budget):
                        if journal.read_account().reserved > 0:
                            continue
                        break
                    account = journal.read_account()
                    assert account.spent + account.reserved <= budget.usd
                    journal.record([Failure(name, "529", permanent=False)], [bill(name, 0.0625)])

        return run

    run_apart(*(spend([f"{letter}{number}" for number in range(200)]) for letter in "ab"))
    with Journal(path) as journal:
        account = journal.read_account()
        owners = journal._base.execute(
            "SELECT count(DISTINCT substr(request_id, 1, 1)) FROM spending"
        ).fetchone()
    assert owners == (2,)
    assert account.reserved == 0
    assert 1.0 - 0.125 < account.spent <= 1.0


# --- asking within a budget ----------------------------------------------------------------------

TEACHERS = TeachersParams(prices={MODEL: Price(input=0, output=1_000_000 / 64)})
AT_MOST = 0.125  # eight tokens of output, of which no answer uses more than half


def make_terms(usd: float) -> Terms:
    return Terms(Estimator((), TEACHERS), Budget(usd, math.inf))


def run(folder: Path, usd: float, requests: Sequence[Request] = REQUESTS) -> Generated:
    with Journal(folder / "j") as journal:
        return generate(
            requests,
            [FakeTeacher(folder / "l", usd=AT_MOST / 2, usage=Usage(1, 4), seconds=0.002)],
            journal,
            Archive(folder, folder),
            GenerateParams(),
            make_terms(usd),
        )


def test_a_budget_stops_with_what_was_spent_what_is_missing_and_what_it_would_cost(
    tmp_path: Path,
) -> None:
    with pytest.raises(BudgetError) as stop:
        run(tmp_path, 1.0)
    # The 15th began with 0.875 spent, and may have cost what was left.
    assert str(stop.value) == (
        "params.yaml: runtime.budget_usd: the budget of $1.00 does not allow the next request: "
        "$0.9375 are spent; 15 of 30 answers came and are kept, 15 are missing, which would cost "
        "about $1.8750 (one of them at most $0.1250); raise it, or ask for less; then `dvc repro` "
        "goes on from there"
    )
    assert len(FakeTeacher(tmp_path / "l").read_ledger()) == 15
    with pytest.raises(BudgetError, match="0 of 15 answers came"):
        run(tmp_path, 1.0)
    assert len(FakeTeacher(tmp_path / "l").read_ledger()) == 15
    assert run(tmp_path, 2.0).counts == Counts(requests=30, answered=15, sent=15)


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (5.0, "$5.00"),
        (0.1, "$0.10"),
        (0.0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.004, "$0.004"),
        (1.005, "$1.005"),
    ],
)
def test_a_budget_is_told_as_it_was_set(usd: float, said: str) -> None:
    assert word_limit(usd) == said


def test_the_price_of_what_is_missing_leaves_out_what_was_refused_for_good(tmp_path: Path) -> None:
    refusal = Failure(FIRST, "no", permanent=True)
    teacher = FakeTeacher(tmp_path / "l", usd=AT_MOST / 2, failing={FIRST: refusal})
    asked = [REQUESTS[0], REQUESTS[1], REQUESTS[2]]
    with (
        Journal(tmp_path / "j") as journal,
        pytest.raises(BudgetError, match=r"1 are missing, which would cost about \$0\.1250 "),
    ):
        generate(
            asked,
            [teacher],
            journal,
            Archive(tmp_path, tmp_path),
            GenerateParams(tolerate_refusals=1),
            make_terms(AT_MOST * 1.5),
        )


def test_only_a_teacher_that_has_batches_is_priced_in_batches() -> None:
    estimator, usage = Estimator((), TeachersParams(prices={MODEL: PRICE})), Usage(1000, 1000)
    claude, other = make_request(1, teacher=TEACHER), make_request(1, teacher="openai")
    whole = price_usage(PRICE, usage)
    assert estimator.price(claude, usage, batch=True) == whole / 2
    assert estimator.price(other, usage, batch=True) == whole


def test_a_budget_that_suffices_to_the_cent_is_enough(tmp_path: Path) -> None:
    assert run(tmp_path, AT_MOST, REQUESTS[:1]).counts.sent == 1
    with pytest.raises(BudgetError):
        run(tmp_path, AT_MOST, REQUESTS[1:2])


def test_stages_and_processes_at_once_share_one_budget(tmp_path: Path) -> None:
    def spend(requests: Sequence[Request]) -> Callable[[], None]:
        def go() -> None:
            with pytest.raises(BudgetError):
                run(tmp_path, 1.0, requests)

        return go

    # Each wants more than there is money for, also where it gets all of it.
    run_apart(spend(REQUESTS[:18]), spend(REQUESTS[12:]), spend(REQUESTS[5:25]))
    with Journal(tmp_path / "j") as journal:
        account = journal.read_account()
    assert account == Account(0.9375, 0)
    assert len(FakeTeacher(tmp_path / "l").read_ledger()) == 15


def test_money_that_others_have_in_flight_is_waited_for(tmp_path: Path) -> None:
    """What they reserved may come back: their answers cost less."""
    released = []

    class Waits(FakeTeacher):
        def say(self, request: Request) -> Outcome:
            assert released
            return super().say(request)

    with Journal(tmp_path / "j") as other, Journal(tmp_path / "j") as journal:
        other._owner = Owner("another machine", 1, "1")
        other.claim([FIRST], 1)
        other.reserve([reservation(FIRST, 0.1)], None)
        reserve = journal.reserve

        def settle_elsewhere_after(costs: Sequence[Reservation], budget: Budget | None) -> int:
            count = reserve(costs, budget)
            if not released:
                other.record([make_response(REQUESTS[0])], [bill(FIRST, 0.01)])
                released.append(count)
            return count

        journal.reserve = settle_elsewhere_after  # type: ignore[method-assign]
        teacher = Waits(tmp_path / "l", usd=0.05, usage=Usage(1, 4))
        assert ask(teacher, REQUESTS[1:2], journal, make_terms(0.15)) == Asked(sent=1)
    assert released == [0]


def test_a_model_without_a_price_is_not_asked_within_a_budget(tmp_path: Path) -> None:
    unpriced = [*REQUESTS[:2], make_request(77, model="model-2")]
    with pytest.raises(InputError, match=r"`model-2` has no price.*with zeros for a server"):
        run(tmp_path, 5.0, unpriced)
    assert FakeTeacher(tmp_path / "l").read_ledger() == []


def test_what_was_put_back_unsent_reserves_nothing(tmp_path: Path) -> None:
    class Timid(FakeTeacher):
        def answer(self, source) -> Iterator[Sequence[object]]:  # type: ignore[no-untyped-def, override]
            source.put_back(source.take(2))
            account = Journal(tmp_path / "j").read_account()
            assert account == Account(0, 0)
            yield from super().answer(source)

    with Journal(tmp_path / "j") as journal:
        teacher = Timid(tmp_path / "l", usd=0.05, usage=Usage(1, 4))
        assert ask(teacher, REQUESTS[:3], journal, make_terms(0.25)) == Asked(sent=3)
