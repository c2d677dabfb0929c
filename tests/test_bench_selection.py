"""Curated and random arms differ in what curation drops alone, and an arm is run once."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.outcomes import CURATED, RANDOM, Outcome, compare, print_outcomes
from bench.pools import (
    Arm,
    draw_documents,
    draw_pairs,
    drop_asked,
    load_source,
    make_arms,
    print_found,
)
from bench.selection import Bench, name_arm, run_arm, run_arms
from stillhouse.base.errors import InputError
from stillhouse.base.questions import question_of, row_question
from stillhouse.base.records import Message
from stillhouse.base.runtime import Runtime
from stillhouse.base.text import normalise
from stillhouse.distill.bases import open_base
from stillhouse.evaluation.answering import Answering
from stillhouse.evaluation.intervals import Interval
from stillhouse.evaluation.records import Item
from tests.making import make_gold
from tests.test_bench_corruption import PAIRS
from tests.test_distill_batches import row_of
from tests.test_distill_train import PARAMS
from tests.tiny import build_tiny_model
from tests.trace_project import LEAVE, is_of, make_project_once, read_rows

GOLD_QUESTION = "Which calendar is it that all the summer leave is put into?"
ROWS = tuple(row_of("recall", f"How long is {n}?", f"{n} days.", f"r{n}") for n in range(4))
ITEM = Item(
    "gold", "q0", "recall", "core", "", "a.md", "fact", "How long?", "How long?", ("9 days",)
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("base")
    build_tiny_model(folder)
    return Bench(
        base=open_base(str(folder), folder),
        student=PARAMS.model_dump(mode="json") | {"epochs": 1},
        items={"gold": (ITEM,)},
        common=frozenset(),
        answering=Answering(dtype="float32", batch=2, max_new_tokens=3),
        runtime=Runtime(device="cpu", threads=1),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project_once(tmp_path_factory)


def arm_of(*rows: object, seed: int = 0) -> Arm:
    return Arm("clean", RANDOM, seed, rows or ROWS, 0, (ITEM.document,))


@pytest.mark.parametrize("seed", range(3))
def test_arms_of_one_seed_differ_where_curation_dropped_a_row_and_nowhere_else(seed: int) -> None:
    everything = {pair.pair_id for pair in PAIRS}
    allowed = everything - {pair.pair_id for pair in PAIRS[::5]}
    raw, kept = (draw_pairs(PAIRS, ids, 40, seed) for ids in (everything, allowed))
    assert len(set(raw)) == len(set(kept)) == 40
    assert {pair.pair_id for pair in kept} <= allowed
    assert any(pair.pair_id not in allowed for pair in raw)
    for before, after in zip(raw, kept, strict=True):
        assert (before is after) == (before.pair_id in allowed)
    assert not set(kept) & set(raw) - {pair for pair in raw if pair.pair_id in allowed}


def test_seeds_draw_different_rows_and_too_few_are_refused() -> None:
    ids = {pair.pair_id for pair in PAIRS}
    assert draw_pairs(PAIRS, ids, 40, 0) == draw_pairs(PAIRS, ids, 40, 0)
    assert draw_pairs(PAIRS, ids, 40, 0) != draw_pairs(PAIRS, ids, 40, 1)
    with pytest.raises(InputError, match="9 pairs to choose from"):
        draw_pairs(PAIRS, set(sorted(ids)[:9]), 40, 0)


def test_the_pool_teaches_the_core_and_holds_nothing_that_is_asked_later(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    pairs = load_source().pairs
    held = {row.row_id for row in read_rows("data/dataset/test.parquet") if is_of(row, LEAVE)}
    assert held
    assert not held & {pair.pair_id for pair in pairs}
    tested = {normalise(row_question(r)) for r in read_rows("data/dataset/test.parquet")}
    assert not tested & {normalise(question_of(pair.messages, "")) for pair in pairs}
    copy, *_ = (replace(pair, messages=(Message("user", GOLD_QUESTION),)) for pair in pairs)
    gold = [make_gold(GOLD_QUESTION)]
    assert drop_asked([copy, *pairs], gold) == pairs
    assert {(pair.task, pair.slot_id.partition("|")[0]) for pair in pairs} == {("recall", LEAVE)}


def test_curation_leaves_fewer_spoilt_rows_in_an_arm_of_the_same_size(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    source = load_source()
    count = len(source.pairs) // 3
    (raw, curated), seen = make_arms(source, "spoilt", 0, count)
    assert (raw.choice, curated.choice) == (RANDOM, CURATED)
    assert len(raw.rows) == len(curated.rows) == count
    assert raw.spoilt > curated.spoilt
    assert seen.total() == len(source.pairs)
    assert sum(n for (kind, _), n in seen.items() if kind) == round(0.3 * len(source.pairs))
    (raw, curated), seen = make_arms(source, "clean", 0, count)
    assert (raw.spoilt, curated.spoilt, {kind for kind, _ in seen}) == (0, 0, {""})


def test_an_arm_is_trained_and_asked_by_the_house_itself(bench: Bench) -> None:
    outcome = run_arm(arm_of(seed=3), bench)
    assert outcome.pop("seconds") >= 0
    assert outcome == {
        "pool": "clean",
        "choice": RANDOM,
        "seed": 3,
        "rows": 4,
        "spoilt": 0,
        "steps": 2,
        "documents": ["a.md"],
        "replies": {"gold": {"q0": False}},
    }


def test_an_arm_that_was_run_is_not_run_again_and_a_torn_outcome_is(
    bench: Bench, tmp_path: Path
) -> None:
    path, ran = tmp_path / "study/selection.jsonl", Counter[int]()

    def run(arm: Arm, _: Bench) -> Outcome:
        ran[arm.seed] += 1
        told = {"pool": arm.pool, "choice": arm.choice, "seed": arm.seed}
        return {**told, "spoilt": 0, "seconds": 1, "replies": {"gold": {"q0": True}}}

    arms = [arm_of(seed=seed) for seed in range(3)]
    first = run_arms(arms[:2], bench, path, run)
    assert run_arms(arms[:2], bench, path, run) == first
    assert ran == {0: 1, 1: 1}
    path.write_bytes(path.read_bytes()[:-9])  # killed while it wrote the second
    again = run_arms(arms, bench, path, run)
    assert again[:2] == first
    assert ran == {0: 1, 1: 2, 2: 1}
    assert run_arms(arms, bench, path, run) == again


def test_an_outcome_belongs_to_its_rows_seed_recipe_and_questions_and_not_to_the_machine(
    bench: Bench,
) -> None:
    key = name_arm(arm_of(), bench)
    asked = replace(ITEM, accepted=("9",))
    others = {
        name_arm(arm_of(seed=1), bench),
        name_arm(arm_of(*ROWS[1:]), bench),
        name_arm(arm_of(*ROWS[::-1]), bench),
        name_arm(arm_of(), replace(bench, student=bench.student | {"learning_rate": 1e-3})),
        name_arm(arm_of(), replace(bench, items={"gold": (asked,)})),
        name_arm(arm_of(), replace(bench, answering=Answering(dtype="bfloat16"))),
    }
    assert len(others - {key}) == 6
    assert name_arm(arm_of(), replace(bench, runtime=Runtime(device="cpu", threads=2))) == key


def outcome_of(choice: str, seed: int, **right: bool) -> Outcome:
    return {"pool": "spoilt", "choice": choice, "seed": seed, "replies": {"gold": right}}


def test_the_difference_is_taken_over_the_same_questions_and_seeds() -> None:
    items = [replace(ITEM, question_id=f"q{n}", cluster=f"f{n}") for n in range(6)]
    first = [
        outcome_of(RANDOM, 0, q0=True, q1=False, q2=False, q3=False),
        outcome_of(CURATED, 0, q0=True, q1=True, q2=False, q3=False),
    ]
    second = [  # another half of the documents: other questions
        outcome_of(CURATED, 1, q3=True, q4=True),
        outcome_of(RANDOM, 1, q3=False, q4=True),
    ]
    alone = [outcome_of(CURATED, 2, q5=True)]  # its other half was not run
    by_fact, by_seed = compare([*first, *second, *alone], "spoilt", "gold", items)
    assert (by_fact.n, by_fact.value) == (6, 2 / 6)
    assert 0 <= by_fact.low < 2 / 6 < by_fact.high < 1
    # Differences of 1/4 and 1/2: half their distance is the standard error, t of one degree 12.7062.
    assert (by_seed.n, by_seed.value) == (2, 3 / 8)
    assert by_seed.high == pytest.approx(3 / 8 + 12.7062 / 8, abs=1e-4)
    assert compare(first, "spoilt", "gold", items)[1] == Interval(1, 0.25, -1.0, 1.0)


def test_outcomes_are_printed_for_each_pool_and_set(capsys: pytest.CaptureFixture[str]) -> None:
    told = [outcome_of(RANDOM, 0, q0=False), outcome_of(CURATED, 0, q0=True)]
    clean = [{**outcome, "pool": "clean"} for outcome in told]
    print_outcomes([*told, *clean], {"gold": [ITEM]})
    assert capsys.readouterr().out.splitlines()[:2] == [
        "clean, gold, 1 answers, 1 seeds: random 0.000, curated 1.000",
        "  curated - random +1.000; by fact -1.000 to +1.000; by seed -1.000 to +1.000",
    ]


def test_two_seeds_divide_the_documents_and_the_next_two_divide_them_otherwise() -> None:
    core = [f"{name}.md" for name in "abcdefgh"]
    halves = [draw_documents(core, seed) for seed in range(8)]
    assert [len(half) for half in halves] == [4] * 8
    for even, odd in zip(halves[::2], halves[1::2], strict=True):
        assert sorted([*even, *odd]) == core
    assert len(set(halves)) > 4
    assert draw_documents(["a.md"], 1) == ("a.md",)


def test_what_is_found_of_each_kind_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        ("truncated", ""): 1,
        ("truncated", "groundedness"): 3,
        ("", "conflict"): 2,
        ("", ""): 6,
    }
    print_found(found)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["truncated", "3", "of", "4", "75.0%", "groundedness", "3"] in lines
    assert ["intact", "2", "of", "8", "25.0%", "conflict", "2"] in lines
