"""The arms of the distillation study: equal rows and steps, a distance that is true, honest intervals."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import recipes
from bench.frontier import (
    Arm,
    Setting,
    count_learned,
    make_arm,
    measure_distance,
    name_arm,
    run_arm,
    run_arms,
)
from bench.frontier_outcomes import Outcome, compare, print_arms, print_differences
from bench.recipes import ABLATIONS, EQUAL_TOKENS, FRONTIER, RECIPES, UNTRAINED
from stillhouse.base.errors import InputError
from stillhouse.base.params import load_section
from stillhouse.base.runtime import Runtime
from stillhouse.distill.bases import open_base
from stillhouse.distill.batches import plan_batches
from stillhouse.distill.encode import encode_rows
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.params import Student
from stillhouse.evaluation.answering import Answering
from stillhouse.evaluation.intervals import Interval
from stillhouse.evaluation.records import Item
from tests.test_distill_batches import row_of
from tests.test_distill_train import PARAMS
from tests.tiny import build_tiny_model

SHIPPED = load_section("students.smollm2", Student).model_dump(mode="json")
ITEM = Item("gold", "q0", "recall", "core", "", "a.md", "fact", "How long?", "How long?", ("9",))
OTHER = replace(ITEM, question_id="q1", document="b.md", cluster="other")


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("base")
    build_tiny_model(folder)
    taught = [row_of("recall", f"How long is {n}?", f"{n} days.", f"r{n}") for n in range(16)]
    everyday = [row_of("replay", f"What is {n}?", f"It is {n}.", f"e{n}") for n in range(60)]
    return Setting(
        base=open_base(str(folder), folder),
        student=PARAMS.model_dump(mode="json")
        | {"epochs": 1, "model": str(folder), "warmup_steps": 0},
        rows=tuple(replace(row, chunk_ids=(f"c{n % 2}",)) for n, row in enumerate(taught)),
        everyday=tuple(everyday[4:]),
        held=tuple(everyday[:4]),
        passages={"c0": "Zero days are given.", "c1": "One day is given."},
        sources={"c0": "a.md", "c1": "b.md"},
        gold=(ITEM, OTHER),
        general=(replace(ITEM, set="general", question_id="g0", document=""),),
        common=frozenset(),
        answering=Answering(dtype="float32", batch=2, max_new_tokens=3),
        runtime=Runtime(device="cpu", threads=1),
    )


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Captured distributions go below the working folder; the tiny base is the teacher."""
    monkeypatch.chdir(tmp_path)
    for name in ("context", "seeds"):
        soft = {**RECIPES[name]["soft"], "teacher": str(setting.student["model"]), "top_k": 16}
        monkeypatch.setitem(recipes.RECIPES, name, {**RECIPES[name], "soft": soft})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_reasoning_at_equal_tokens_trains_as_many_as_answers_alone_and_the_same_rows(
    setting: Setting, seed: int
) -> None:
    thought = [
        replace(row_of("recall", f"How long is {n}?", f"{n} days and {n} hours.", f"t{n}"),
                chunk_ids=("c0",), reasoning=f"It says {n}. " * (1 + n % 5))
        for n in range(200)
    ]  # fmt: skip
    wide = replace(setting, rows=tuple(thought), sources={"c0": "a.md", "c1": "b.md"})

    def learn(recipe: str) -> tuple[int, set[str]]:
        arm = make_arm(wide, recipe, seed, 180)
        assert arm.params is not None
        counts = count_learned(arm.rows, wide, arm.reasoning)
        encoded = encode_rows(list(arm.rows), load_tokenizer(wide.base.folder), 200, arm.reasoning)
        steps = plan_batches(encoded, arm.params.batch, arm.params.epochs, arm.params.seed)
        return sum(counts[at] for step in steps for at in step), {r.row_id for r in arm.rows}

    (plain, _), (thinking, rows), (answers, same) = map(learn, ("sft", *EQUAL_TOKENS))
    assert rows == same
    assert thinking == pytest.approx(plain, rel=0.01)
    assert answers == pytest.approx(plain, rel=0.04)  # of few rows, in whole steps


@pytest.mark.parametrize("recipe", sorted({**FRONTIER, **ABLATIONS}))
def test_a_recipe_fits_the_shipped_student_and_takes_as_many_steps_as_any_other(
    recipe: str,
) -> None:
    student = Student.model_validate({**SHIPPED, **RECIPES[recipe]})
    plain = Student.model_validate({**SHIPPED, **RECIPES["sft"]})
    steps = [s.batch.count_steps(600, s.epochs, declines=False) for s in (student, plain)]
    assert steps == [100, 100]


def test_recipes_of_one_seed_train_the_same_rows_and_seeds_other_documents(
    setting: Setting,
) -> None:
    arms = {name: make_arm(setting, name, 0, 4) for name in ("sft", "replay", "context")}
    assert arms["sft"].rows == arms["context"].rows == arms["replay"].rows[:4]
    assert {row.task for row in arms["replay"].rows[4:]} == {"replay"}
    assert not set(arms["replay"].rows) & set(setting.held)
    other = make_arm(setting, "sft", 1, 4)
    assert {*arms["sft"].documents, *other.documents} == {"a.md", "b.md"}
    for arm in (arms["sft"], other):
        assert {setting.sources[row.chunk_ids[0]] for row in arm.rows} == set(arm.documents)
        assert [item.document for item in arm.choose_gold(setting)] == list(arm.documents)
    with pytest.raises(InputError, match="8 rows about half of the core documents"):
        make_arm(setting, "sft", 0, 9)


@pytest.mark.parametrize("recipe", [UNTRAINED, *FRONTIER])
def test_every_arm_is_trained_measured_and_asked(setting: Setting, recipe: str) -> None:
    arm = make_arm(setting, recipe, 0, 6)
    outcome = run_arm(arm, setting)
    assert {name: set(replies) for name, replies in outcome["replies"].items()} == {
        "gold": {item.question_id for item in arm.choose_gold(setting)},
        "general": {"g0"},
    }
    trained = recipe != UNTRAINED
    assert outcome["steps"] == trained * 1
    assert (outcome["kl"] > 0) == trained
    assert (outcome["tokens"] > 0) == trained


def test_the_distance_to_the_base_is_the_mean_divergence_of_held_tokens(
    setting: Setting, tmp_path: Path
) -> None:
    build_tiny_model(tmp_path / "other", seed=9)
    assert measure_distance(setting.base.folder, setting) == 0.0
    rows = encode_rows(setting.held, load_tokenizer(setting.base.folder), 200)
    base, other = (load_model(place) for place in (setting.base.folder, tmp_path / "other"))
    apart = list[float]()
    for row in rows:
        ids = torch.tensor([row.input_ids])
        p, q = (model(ids).logits[0].double().softmax(-1) for model in (base, other))
        for at in range(row.start, len(row.input_ids)):  # predicted from the position before
            apart.append(float((p[at - 1] * (p[at - 1] / q[at - 1]).log()).sum().detach()))
    assert measure_distance(tmp_path / "other", setting) == pytest.approx(
        sum(apart) / len(apart), rel=1e-5
    )


def test_an_arm_is_run_once_and_one_of_other_rows_or_another_recipe_is_another(
    setting: Setting, tmp_path: Path
) -> None:
    plan = [(name, seed) for seed in range(2) for name in (UNTRAINED, "sft", "seeds")]
    arms = [make_arm(setting, *one, 4) for one in plan]
    ran = list[Arm]()

    def run(arm: Arm, _: Setting) -> Outcome:
        ran.append(arm)
        return outcome_of(arm.recipe, arm.seed, {"q0": True})

    first = run_arms(arms[:4], setting, tmp_path / "frontier.jsonl", run)
    again = run_arms(arms, setting, tmp_path / "frontier.jsonl", run)
    assert again[:4] == first
    assert [(arm.recipe, arm.seed) for arm in ran] == plan
    assert len({name_arm(arm, setting) for arm in arms}) == len(arms)
    asked = replace(setting, general=())
    assert name_arm(arms[0], asked) != name_arm(arms[0], setting)
    threads = replace(setting, runtime=Runtime(device="cpu", threads=2))
    assert name_arm(arms[0], threads) == name_arm(arms[0], setting)


def outcome_of(recipe: str, seed: int, gold: dict[str, bool], kl: float = 0.5) -> Outcome:
    replies = {"gold": gold, "general": {"g0": seed == 0, "g1": recipe == "context"}}
    return {"recipe": recipe, "seed": seed, "kl": kl, "seconds": 10, "replies": replies}


FACTS = {"q0": "a", "q1": "b", "g0": "c", "g1": "d"}
TOLD = [
    outcome_of("sft", 0, {"q0": True, "q1": False}),
    outcome_of("context", 0, {"q0": True, "q1": False}, 0.1),
    outcome_of("sft", 1, {"q0": False}),
    outcome_of("context", 1, {"q0": False}, 0.3),
    outcome_of("context", 2, {"q0": True}),  # the other was not run with this seed
]


def test_recipes_are_compared_over_the_seeds_that_both_were_run_with() -> None:
    found = {
        name: {one["seed"]: one for one in TOLD if one["recipe"] == name}
        for name in ("sft", "context")
    }
    by_fact, by_seed = compare(found["context"], found["sft"], "general", FACTS)
    assert (by_fact.n, by_fact.value) == (4, 0.5)
    # 1/2 more with each of the two seeds: nothing lies between them.
    assert by_seed == Interval(2, 0.5, 0.5, 0.5)
    one = {0: found["context"][0]}
    assert compare(one, found["sft"], "general", FACTS)[1] == Interval(1, 0.5, -1.0, 1.0)


def test_what_is_printed_says_where_recall_is_matched(capsys: pytest.CaptureFixture[str]) -> None:
    print_arms(TOLD)
    print_differences(TOLD, FACTS)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == [
        "sft 2 0.250 0.250 0.500 10",
        "context 3 0.500 0.667 0.300 10",
        "context - sft, recall matched within two points",
    ]
    assert lines[5].startswith("general +0.500; by question ")
    apart = [{**one, "replies": {**one["replies"], "gold": {"q0": one["recipe"] == "sft"}}} for one in TOLD]  # fmt: skip
    print_differences(apart, FACTS)
    assert "context - sft\n  gold    -1.000" in capsys.readouterr().out


def test_ablations_stand_beside_what_they_change_one_knob_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one_knob = outcome_of("T-1", 0, {"q0": True, "q1": True})
    print_differences([outcome_of("seeds", 0, {"q0": True, "q1": False}), one_knob], FACTS)
    assert "T-1 - seeds\n  gold    +0.500" in capsys.readouterr().out
