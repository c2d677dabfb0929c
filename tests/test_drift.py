"""Drift: how far training questions are from production prompts, beside what chance gives."""

import random
from dataclasses import replace

import numpy as np
import pytest

from stillhouse.quality.alarms import measure_quality, report_quality
from stillhouse.quality.drift import Questions, energy, measure_drift, name_kind
from stillhouse.quality.expectations import expect_all
from stillhouse.quality.frames import build_known, build_measured
from stillhouse.quality.gate import Validation, run_checks
from stillhouse.quality.limits import CollapseLimits, ProductionLimits, ValidateParams
from tests.making import make_request
from tests.varied_rows import OPENINGS, SUBJECTS, embed, make_rows, make_tables


def ask(seed: int, subjects: tuple[str, ...], count: int = 120) -> list[str]:
    draw = random.Random(seed)
    return [f"{draw.choice(OPENINGS).format(draw.choice(subjects))}?" for _ in range(count)]


def wish(seed: int, count: int = 120) -> list[str]:
    """Return what nobody asks a handbook."""
    draw = random.Random(seed)
    verbs, things = ("Compose", "Invent", "Sing", "Paint"), ("tango", "llama", "sonnet", "comet")
    return [f"{draw.choice(verbs)} me {draw.choice(things)} art!" for _ in range(count)]


def questions(texts: list[str], *categories: str) -> Questions:
    return Questions(texts, embed(texts), categories or ("factual",) * len(texts))


@pytest.mark.parametrize("seed", range(4))
def test_prompts_of_the_same_source_are_no_farther_than_chance_and_others_are(seed: int) -> None:
    train = questions(ask(seed, SUBJECTS))
    same = measure_drift(train, questions(ask(seed + 100, SUBJECTS)), 100, 7)
    other = measure_drift(train, questions(wish(seed)), 100, 7)
    assert same.distance <= same.null_high
    assert other.distance > 3 * max(other.null_high, same.null_high)
    assert same.far_share < 0.1
    assert other.far_share > 0.9


def test_the_energy_distance_is_that_of_the_formula_without_a_points_own() -> None:
    first = np.array([[1, 0], [0, 1]], dtype=np.float32)
    second = np.array([[-1, 0], [0, -1]], dtype=np.float32)
    between = 2 * (2 + 2 + 2**0.5 + 2**0.5) / 4
    within = 2**0.5 + 2**0.5
    assert energy(first, second) == pytest.approx((between - within) / between)
    assert energy(first[:1], first[:1]) == 0.0


def test_drift_is_the_same_for_a_seed() -> None:
    train, asked = questions(ask(1, SUBJECTS)), questions(ask(2, SUBJECTS[:4]))
    assert measure_drift(train, asked, 20, 7) == measure_drift(train, asked, 20, 7)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many days of leave do I have?", "how many"),
        ("How do I claim travel?", "how"),
        ("Who signs?", "who"),
        ("Which form is it?", "what"),
        ("May I work from home?", "yes or no"),
        ("Summarise the rules of the house.", "request"),
        ("Leave, how long?", "other question"),
        ("", "request"),
    ],
)
def test_the_kind_of_a_question_is_read_off_its_first_words(question: str, kind: str) -> None:
    assert name_kind(question) == kind


def test_the_mixes_stand_beside_each_other() -> None:
    train = questions(["How many days?", "Who signs the form?"], "factual", "code")
    asked = questions(["Who signs the form now?"] * 3 + ["How many days?"])
    drift = measure_drift(train, asked, 5, 7)
    assert drift.kinds == {"how many": (0.5, 0.25), "who": (0.5, 0.75)}
    assert drift.categories == {"code": (0.5, 0.75), "factual": (0.5, 0.25)}
    assert (drift.kinds_moved, drift.categories_moved) == (0.25, 0.25)
    assert drift.farthest[0] == ("Who signs the form now?", pytest.approx(0.894, abs=2e-3))


PARAMS = ValidateParams(
    collapse=CollapseLimits(rows=100, clusters=6), production=ProductionLimits(distance_max=0.1)
)


def fail(prompts: list[str], params: ValidateParams = PARAMS) -> list[str]:
    quality = measure_quality(make_tables(make_rows(1)), prompts, None, embed, params)
    frame = {
        "production": build_measured("production", quality.production),
        "measured": build_known(quality.production, params.production.prompts_min),
    }
    wanted = [item for item in expect_all(params) if item.frame in frame]
    return [check.name for check in run_checks(frame, wanted) if not check.passed]


def test_the_gate_stops_where_training_is_far_from_production_and_a_limit_says_so() -> None:
    strange = wish(3)
    assert fail(strange) == ["production.distance"]
    assert fail(strange, PARAMS.model_copy(update={"production": ProductionLimits()})) == []
    few = [f"For the office: {text}" for text in ask(4, SUBJECTS)][:19]
    assert fail(few) == ["production.measured"]  # a limit that nothing is held against is none
    assert fail(few, PARAMS.model_copy(update={"production": ProductionLimits()})) == []


def test_the_report_names_what_production_asks_and_training_does_not() -> None:
    tables = make_tables(make_rows(1))
    tables = replace(tables, requests=[make_request(category="factual")])
    prompts = [*ask(5, SUBJECTS, 40), "Tell me a joke about llamas."]
    quality = measure_quality(tables, prompts, None, embed, PARAMS)
    production = report_quality(quality, Validation({}, ()), "0" * 32)["production"]
    assert isinstance(production, dict)
    assert production["prompts"] == 41
    farthest = production["farthest"]
    assert isinstance(farthest, list)
    assert farthest[0]["prompt"] == "Tell me a joke about llamas."
