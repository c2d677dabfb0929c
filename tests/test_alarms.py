"""Alarms: a monotonous dataset is told from a varied one, and one that moved from its baseline."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json
from stillhouse.base.ids import md5_file
from stillhouse.base.records import Message, Row
from stillhouse.base.tables import write_table
from stillhouse.cli.main import app
from stillhouse.quality.alarms import Quality, measure_quality, report_quality
from stillhouse.quality.baseline import (
    Baseline,
    Moved,
    compare_baseline,
    describe_baseline,
    read_baseline,
)
from stillhouse.quality.collapse import (
    distinct_share,
    draw_by_hash,
    even_share,
    find_centres,
    mean_similarity,
    measure_corpus,
    refuses,
)
from stillhouse.quality.curate import CurateParams
from stillhouse.quality.expectations import expect_all
from stillhouse.quality.gate import Check, Validation
from stillhouse.quality.limits import CollapseLimits, ProductionLimits, ValidateParams
from stillhouse.quality.review_errors import ReviewErrors
from stillhouse.quality.validate import Against, validate
from tests.varied_rows import OPENINGS, SUBJECTS, embed, make_rows, make_tables, repeat_rows

LIMITS = CollapseLimits(rows=100, clusters=6)
PARAMS = ValidateParams(collapse=LIMITS)


def measure(rows: Sequence[Row], baseline: Baseline | None = None) -> Quality:
    return measure_quality(make_tables(rows), (), baseline, embed, PARAMS)


def alarms(quality: Quality, params: ValidateParams = PARAMS) -> set[str]:
    """Return the names of the alarms that the gate raises."""
    against = Against([], (), {}, {}, (), quality, ReviewErrors(None, None, None))
    checked = validate({}, make_tables([]), against, params, CurateParams())
    groups = ("collapse", "baseline", "production")
    return {check.name for check in checked.failed() if check.name.partition(".")[0] in groups}


def as_baseline(quality: Quality) -> Baseline:
    assert quality.figures is not None
    return Baseline(train_md5="0" * 32, figures=asdict(quality.figures), tasks=dict(quality.tasks))


@pytest.mark.parametrize("seed", range(5))
def test_varied_rows_raise_no_alarm_and_three_rows_over_and_over_do(seed: int) -> None:
    rows = make_rows(seed)
    assert alarms(measure(rows)) == set()
    assert alarms(measure(repeat_rows(rows, 160))) >= {
        "collapse.distinct_1",
        "collapse.distinct_2",
        "collapse.distinct_3",
        "collapse.repeated_openings",
    }


def say(answer: str) -> Callable[[Row], Row]:
    return lambda row: replace(row, completion=(Message("assistant", answer),))


@pytest.mark.parametrize("seed", range(3))
def test_answers_that_decline_are_counted_outside_of_the_task_that_is_there_for_it(
    seed: int,
) -> None:
    decline = say("The handbook does not say.")
    rows = make_rows(seed)
    declining = [decline(row) for row in rows[:20]]
    assert alarms(measure([*declining, *rows[20:]])) == {"collapse.refusal_share"}
    abstain = [replace(row, task="abstain") for row in declining]
    assert alarms(measure([*abstain, *rows[20:]])) == set()


def test_questions_about_one_subject_alone_have_no_entropy_and_are_alike() -> None:
    one = measure(make_rows(1, subjects=SUBJECTS[:1]))
    many = measure(make_rows(1))
    assert one.figures is not None
    assert many.figures is not None
    assert one.figures.cluster_entropy < many.figures.cluster_entropy
    assert one.figures.self_similarity > many.figures.self_similarity
    assert alarms(one, ValidateParams(collapse=LIMITS)) >= {"collapse.cluster_entropy"}


@pytest.mark.parametrize(
    ("change", "alarm"),
    [
        (say("It takes a good many days, so ask the office early in the year."), "length_drift"),
        (lambda row: replace(row, task="exceptions"), "mix_drift"),
    ],
    ids=["length", "mix"],
)
def test_a_dataset_that_moved_from_its_baseline_raises_the_alarm_of_what_moved(
    change: Callable[[Row], Row], alarm: str
) -> None:
    rows = make_rows(2)
    baseline = as_baseline(measure(rows))
    assert f"baseline.{alarm}" in alarms(measure([change(row) for row in rows], baseline))
    assert alarms(measure(rows, baseline)) == set()
    assert alarms(measure([change(row) for row in rows])) == set()


def test_a_baseline_that_was_measured_otherwise_is_no_measure() -> None:
    rows = make_rows(2)
    then = measure(rows)
    baseline = as_baseline(then).model_copy(update={"settings": dict(then.settings)})
    assert alarms(measure(rows, baseline)) == set()
    other = baseline.model_copy(update={"settings": {**then.settings, "opening_words": 2}})
    with pytest.raises(InputError, match=r"`validate\.opening_words: 2`, and params\.yaml says 4"):
        measure(rows, other)


def test_fewer_wordings_than_the_baseline_raise_the_alarm_of_diversity() -> None:
    rows = make_rows(3)
    baseline = as_baseline(measure(rows))
    fewer = [replace(row, prompt=rows[n % 20].prompt) for n, row in enumerate(rows)]
    found = measure(fewer, baseline)
    assert alarms(found) >= {"baseline.diversity_drop"}
    assert found.moved.diversity_drop > 0.25


def test_the_baseline_of_a_dataset_itself_moves_nothing_and_changes_no_check() -> None:
    rows = make_rows(4)
    without = measure(rows)
    with_it = measure(rows, as_baseline(without))
    assert with_it.moved == Moved()

    def check(quality: Quality) -> tuple[Check, ...]:
        against = Against([], (), {}, {}, (), quality, ReviewErrors(None, None, None))
        return validate({}, make_tables([]), against, PARAMS, CurateParams()).checks

    assert check(without) == check(with_it)


def test_the_changes_from_a_baseline_are_shares_of_what_was() -> None:
    before = {
        "distinct_1": 0.4,
        "distinct_2": 0.5,
        "cluster_entropy": 0.8,
        "self_similarity": 0.2,
        "repeated_openings": 0.5,
        "question_words": 10.0,
        "answer_words": 4.0,
        "of an older version": 1.0,
    }
    after = {
        "distinct_1": 0.3,
        "distinct_2": 0.6,
        "cluster_entropy": 0.76,
        "self_similarity": 0.25,
        "repeated_openings": 0.4,
        "question_words": 11.0,
        "answer_words": 3.0,
        "distinct_3": 0.1,
    }
    baseline = Baseline(train_md5="0" * 32, figures=before, tasks={"recall": 0.9, "replay": 0.1})
    assert compare_baseline(baseline, after, {"recall": 0.6, "open_book": 0.4}) == Moved(
        length_drift=0.25,
        diversity_drop=0.25,
        similarity_rise=0.05,
        openings_rise=0.0,
        mix_drift=0.4,
    )


def test_too_few_rows_are_not_measured() -> None:
    quality = measure(repeat_rows(make_rows(1), 49))
    assert quality.figures is None
    assert alarms(quality) == set()
    assert report_quality(quality, Validation({}, ()), "0" * 32)["figures"] == {}


def test_distinct_ngrams_are_counted_within_texts_and_up_to_so_many_words() -> None:
    texts = ["one two one", "two one two"]
    assert distinct_share(texts, 1) == pytest.approx(2 / 6, abs=1e-4)
    assert distinct_share(texts, 2) == pytest.approx(2 / 4, abs=1e-4)
    assert distinct_share(texts, 3) == 1.0
    assert distinct_share([*texts, "three four"], 1, most=6) == distinct_share(texts, 1)
    assert distinct_share([], 2) == 0.0


def test_self_similarity_is_the_mean_cosine_of_two_different_texts() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert mean_similarity(vectors) == pytest.approx((0 + 0.6 + 0.8) / 3, abs=1e-3)
    assert mean_similarity(vectors[:1]) == 0.0


@pytest.mark.filterwarnings("error")
def test_passages_that_repeat_make_no_clusters_that_nothing_is_in() -> None:
    three = np.eye(3, dtype=np.float32)
    vectors = three[[0, 1, 2] * 30]
    for seed in range(5):
        centres = find_centres(vectors, 22, seed)
        assert sorted(map(tuple, centres.tolist())) == sorted(map(tuple, three.tolist()))
    texts = [f"passage {number % 3}" for number in range(90)]
    assert measure_corpus(texts, vectors, 30, 0).cluster_entropy == 1.0


def test_an_even_spread_has_entropy_one_and_a_single_cluster_none() -> None:
    assert even_share([0, 1, 2, 3], 4) == 1.0
    assert even_share([2, 2, 2, 2], 4) == 0.0
    assert even_share([0, 0, 1, 1], 4) == 0.5
    assert even_share([0, 0], 1) == 1.0


def test_a_sample_is_the_same_in_any_order_and_mostly_the_same_with_more_rows() -> None:
    names = [f"row {number}" for number in range(300)]
    drawn = draw_by_hash(names, str, 50, 7)
    assert draw_by_hash(reversed(names), str, 50, 7) == drawn
    assert draw_by_hash(names, str, 50, 8) != drawn
    more = draw_by_hash([*names, *(f"new {n}" for n in range(30))], str, 50, 7)
    assert len(set(more) & set(drawn)) >= 40


def test_clusters_are_the_same_for_a_seed() -> None:
    vectors = embed([f"{subject} {opening}" for subject in SUBJECTS for opening in OPENINGS])
    assert np.array_equal(find_centres(vectors, 5, 7), find_centres(vectors, 5, 7))
    assert find_centres(vectors, 1, 7).shape == (1, 64)


@pytest.mark.parametrize(
    ("answer", "refusing"),
    [
        ("The handbook does not say.", True),
        ("I cannot answer that.", True),
        ("27.5 days; the handbook does not say more.", False),
        ("Batteries.", False),
        ("I cannot help with that.", True),
        ("I’m sorry, but I can’t assist with that request.", True),
        ("I am unable to provide legal advice.", True),
        ("We must respectfully decline to comment.", True),
        ("As an AI, I have no view on that.", True),
        ("No information is given.", True),
        ("No handbook says so, and I cannot find it elsewhere.", True),
        ("No, the policy does not say that staff must pay.", False),
        ("Yes: whoever is unable to say when asks the desk.", False),
        ("Staff who cannot help with a case pass it on.", False),
        ("I could not help but notice the door.", False),
    ],
)
def test_an_answer_declines_by_its_words_and_gives_no_figure(answer: str, refusing: bool) -> None:
    assert refuses(answer) == refusing


def test_the_report_names_the_alarms_that_were_raised() -> None:
    rows = make_rows(5)
    quality = measure(rows, as_baseline(measure(rows)))
    checks = (
        Check("collapse.distinct_1", "Rows use different words.", False, "0.01", ()),
        Check("coverage.train", "Enough rows.", False, "3", ()),
    )
    report = report_quality(quality, Validation({}, checks), "f" * 32)
    assert report["alarms"] == [
        {
            "name": "collapse.distinct_1",
            "meaning": "Rows use different words.",
            "observed": "0.01",
        }
    ]
    assert report["moved"] == asdict(Moved())
    assert report["baseline"] == describe_baseline(as_baseline(measure(rows)))
    assert json.dumps(report, allow_nan=False)


def test_every_limit_is_an_expectation_with_its_number_in_the_sentence() -> None:
    told = {item.name: item.meaning for item in expect_all(ValidateParams())}
    names = CollapseLimits.model_fields.keys() - {"rows", "seed", "clusters"}
    for name in names:
        plain = name.removesuffix("_min").removesuffix("_max")
        meaning = told.get(f"collapse.{plain}") or told[f"baseline.{plain}"]
        assert f"{getattr(CollapseLimits(), name):g}" in meaning
    assert not any(name.startswith("production.") for name in told)
    limits = ValidateParams(production=ProductionLimits(distance_max=0.4))
    assert [e.name for e in expect_all(limits) if e.name.startswith("production.")] == [
        "production.measured",
        "production.distance",
    ]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a dataset and what was measured of it; no baseline is set."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("validate: {}\n")
    rows = make_rows(6)
    write_table(Path("data/dataset/train.parquet"), Row, rows)
    write_json(Path("data/seed/baseline.json"), {})
    md5 = md5_file(Path("data/dataset/train.parquet"))
    write_json(Path("reports/quality.json"), report_quality(measure(rows), Validation({}, ()), md5))
    return tmp_path


def call(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["baseline", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_setting_a_baseline_writes_the_figures_of_the_dataset_that_is_there(project: Path) -> None:
    assert read_baseline() is None
    assert call("show")[1].startswith("No baseline is set")
    code, told, _ = call("set")
    md5 = md5_file(project / "data/dataset/train.parquet")
    assert (code, told.splitlines()[0]) == (
        0,
        f"data/seed/baseline.json: the figures of the dataset with md5 {md5}.",
    )
    quality = json.loads(Path("reports/quality.json").read_text())
    written = json.loads(Path("data/seed/baseline.json").read_text())
    kept = ("train_md5", "figures", "tasks", "settings")
    assert written == {name: quality[name] for name in kept}
    assert read_baseline() == Baseline.model_validate(written)
    assert json.loads(call("show", "--json")[1]) == {"baseline": written, "now": written}
    lines = call("show")[1].splitlines()
    assert lines[0].split() == ["baseline", "now"]
    assert lines[-1].split() == ["share", "of", "recall", "1", "1"]


def test_figures_of_another_dataset_are_no_baseline(project: Path) -> None:
    write_table(Path("data/dataset/train.parquet"), Row, make_rows(7))
    code, told, error = call("set")
    assert (code, told) == (2, "")
    assert "its figures are not those of data/dataset/train.parquet; run `dvc repro`" in error
    assert read_baseline() is None


def test_a_dataset_too_small_to_measure_is_no_baseline(project: Path) -> None:
    report = json.loads(Path("reports/quality.json").read_text())
    write_json(Path("reports/quality.json"), {**report, "figures": {}})
    assert call("set")[0] == 2
    assert "too few rows" in call("set")[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("[]", "expected `key: value` lines"),
        (f'{{"figures": {{"a": {"1" * 5000}}}}}', "not valid JSON"),
        ('{"figures": {}}', "is missing"),
        ('{"train_md5": "x", "figures": {}, "tasks": {}}', "`train_md5` is 'x'"),
        (
            f'{{"train_md5": "{"0" * 32}", "figures": {{"distinct_1": 1e400}}, "tasks": {{}}}}',
            r"`figures\.distinct_1` is inf",
        ),
    ],
)
def test_a_baseline_that_cannot_be_read_is_one_sentence(
    text: str, said: str, project: Path
) -> None:
    Path("data/seed/baseline.json").write_text(text)
    with pytest.raises(InputError, match=said):
        read_baseline()
    assert call("show")[0] == 2


def test_the_commands_have_help_with_an_example() -> None:
    for name in ("set", "show"):
        code, told, _ = call(name, "--help")
        assert code == 0
        assert f"Example: stillhouse baseline {name}" in told
