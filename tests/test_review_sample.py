"""The review sample: seeded, from every stratum; the error rate weighs strata and knows what it knows."""

import math
from collections import Counter
from dataclasses import replace

import pytest

from stillhouse.base.intervals import wilson
from stillhouse.base.records import Row
from stillhouse.evaluation.intervals import share
from stillhouse.quality.error_rate import (
    count_needed,
    describe_errors,
    measure_agreement,
    measure_errors,
)
from stillhouse.quality.review import Verdict
from stillhouse.quality.sample import SampleParams, draw_sample
from tests.making import make_chunk, make_pair, make_row


def make_rows(**counts: int) -> list[Row]:
    return [
        make_row(make_pair(f"{task} {n}?", f"{n} days.", [make_chunk()], task=task))
        for task, count in counts.items()
        for n in range(count)
    ]


ROWS = make_rows(recall=90, multi_step=9, abstain=1, replay=50)
PARAMS = SampleParams(rows=20, seed=7, least=2, double=0.5)


def judge(row: Row, verdict: str, who: str = "Ada") -> Verdict:
    return Verdict(row.row_id, verdict, "x", who, "")


def test_each_stratum_is_drawn_in_proportion_but_a_small_one_not_below_its_least() -> None:
    drawn = {one.name: (one.rows, len(one.drawn)) for one in draw_sample(ROWS, PARAMS).strata}
    assert drawn == {"abstain": (1, 1), "multi_step": (9, 2), "recall": (90, 18)}


def test_the_same_rows_are_drawn_whatever_their_order_and_another_seed_draws_others() -> None:
    sample = draw_sample(ROWS, PARAMS)
    assert draw_sample(ROWS[::-1], PARAMS) == sample
    assert draw_sample(ROWS, PARAMS.model_copy(update={"seed": 8})) != sample


def test_a_row_that_goes_moves_one_row_of_the_sample_at_most() -> None:
    before = {row.row_id for row in draw_sample(ROWS, PARAMS).in_order()}
    gone = next(row for row in ROWS if row.row_id in before)
    after = {
        row.row_id for row in draw_sample([r for r in ROWS if r is not gone], PARAMS).in_order()
    }
    assert len(before - after - {gone.row_id}) == 0
    assert len(after - before) <= 1


def test_who_stops_half_way_has_seen_half_of_each_stratum() -> None:
    rows = make_rows(recall=60, multi_step=40)
    order = draw_sample(rows, SampleParams(rows=50, least=0)).in_order()
    assert Counter(row.task for row in order) == {"recall": 30, "multi_step": 20}
    assert Counter(row.task for row in order[:25]) == {"recall": 15, "multi_step": 10}


def test_a_stratum_counts_by_its_rows_not_by_how_many_of_it_were_looked_at() -> None:
    rows = make_rows(recall=90, multi_step=10)
    sample = draw_sample(rows, SampleParams(rows=20, least=10))
    bad = [judge(row, "reject") for row in sample.in_order() if row.task == "multi_step"]
    good = [judge(row, "accept") for row in sample.in_order() if row.task == "recall"]
    errors = measure_errors(sample, [*bad, *good])
    assert len(bad) == 10
    assert len(good) == 18
    assert errors.rate == pytest.approx(0.1)
    doubt = 0.9**2 / 18 * (90 - 18) / (90 - 1)  # of the other stratum every row was looked at
    assert (errors.low, errors.high) == pytest.approx(wilson(0.1, 1 / doubt))


def test_where_every_row_was_looked_at_nothing_is_left_to_doubt() -> None:
    rows = make_rows(recall=30, multi_step=1)
    sample = draw_sample(rows, SampleParams(rows=31))
    for wrong in (0, 3):
        verdicts = [judge(row, "reject" if n < wrong else "accept") for n, row in enumerate(rows)]
        errors = measure_errors(sample, verdicts)
        assert errors.rate == pytest.approx(wrong / 31)
        assert errors.low == errors.high == errors.rate


@pytest.mark.parametrize("limit", [0.05, 0.03, 0.01])
def test_a_limit_tells_how_many_rows_without_an_error_show_it(limit: float) -> None:
    needed = count_needed(limit)
    assert wilson(0.0, needed)[1] <= limit < wilson(0.0, needed - 1)[1]


def test_with_one_large_stratum_the_interval_is_wilsons() -> None:
    rows = make_rows(recall=4000)
    sample = draw_sample(rows, SampleParams(rows=40))
    drawn = sample.in_order()
    verdicts = [judge(row, "reject" if n < 5 else "accept") for n, row in enumerate(drawn)]
    errors = measure_errors(sample, verdicts)
    plain = share([n < 5 for n in range(40)], [str(n) for n in range(40)])
    assert errors.rate == plain.value
    assert errors.low is not None
    assert errors.high is not None
    assert math.isclose(errors.low, plain.low, abs_tol=1e-3)
    assert math.isclose(errors.high, plain.high, abs_tol=1e-3)


def test_before_any_verdict_nothing_is_known_and_strata_not_looked_at_are_not_spoken_of() -> None:
    sample = draw_sample(ROWS, PARAMS)
    told = describe_errors(measure_errors(sample, []), 0.05)
    assert (told["error_rate"], told["low"], told["high"], told["max_error_rate"]) == (
        None, None, None, 0.05,
    )  # fmt: skip
    one = next(row for row in sample.in_order() if row.task == "multi_step")
    errors = measure_errors(sample, [judge(one, "fix")])
    assert errors.rate == 1.0
    assert errors.covered == 0.09
    assert errors.high == 1.0
    few = measure_errors(sample, [judge(one, "accept")])
    assert few.high is not None
    assert few.high > 0.91  # whatever was not looked at may be wrong
    assert errors.reviewed == 1


def test_a_verdict_outside_of_the_sample_says_nothing_of_the_rate() -> None:
    sample = draw_sample(ROWS, PARAMS)
    drawn = {row.row_id for row in sample.in_order()}
    outside = [judge(row, "reject") for row in ROWS if row.row_id not in drawn]
    assert measure_errors(sample, outside).rate is None


def test_agreement_names_the_rows_in_dispute_and_counts_each_reviewer_once_a_row() -> None:
    verdicts = [
        judge(ROWS[0], "reject"), judge(ROWS[0], "accept"), judge(ROWS[0], "accept", "Bob"),
        judge(ROWS[1], "accept"), judge(ROWS[1], "reject", "Bob"),
        judge(ROWS[2], "accept"),
    ]  # fmt: skip
    verdicts[3] = replace(verdicts[3], target=ROWS[1].slot_id)
    agreement = measure_agreement(verdicts, ROWS)
    assert agreement.reviewers == {"Ada": 3, "Bob": 2}
    assert (agreement.shared, agreement.agreed) == (2, 1)
    assert agreement.disputed == (ROWS[1].row_id,)
