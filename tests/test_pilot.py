"""A pilot asks a part of what the whole asks, says what it would give and cost, and changes nothing."""

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base.errors import BudgetError, InputError, StillhouseError
from stillhouse.base.ids import content_id
from stillhouse.base.params import load_yaml
from stillhouse.base.records import Pair, Rejection, Request, Response, Row
from stillhouse.base.tables import write_table
from stillhouse.cli.main import app
from stillhouse.distill.params import Student
from stillhouse.pilot import pilot as steps
from stillhouse.pilot.foresight import Asking, Cost, Foresight, Place, Share, foresee
from stillhouse.pilot.fractions import LEAST, Cell, choose_fractions
from stillhouse.pilot.outcome import (
    Flag,
    Gate,
    Reason,
    TaskYield,
    Unit,
    Yield,
    find_poor,
    measure_yield,
    read_gate_report,
)
from stillhouse.pilot.printing import print_markdown, print_text, to_json
from stillhouse.pilot.projection import Projection, Stratum, project_total, share_interval
from stillhouse.pilot.report import ExamSize, Measured, Money, Report, build_report, project_whole
from stillhouse.pilot.run import Ran, refuse_failed, remember_seconds
from stillhouse.pilot.settings import (
    PROBE,
    RELAXED,
    STEPS,
    build_params,
    check_fraction,
    list_local_bases,
)
from stillhouse.pilot.timing import keep_seconds, measure_time
from stillhouse.pilot.wording import word_foresight
from stillhouse.prompts.focus import Focus, FocusDocument
from stillhouse.prompts.plan import Draw, Plan, RenderParams
from stillhouse.prompts.render import Material, list_draws, render
from stillhouse.prompts.templates import load_prompts
from stillhouse.report.scores import Difference, Metrics, Score
from stillhouse.scaffold.copies import change_params, copy_tree, mirror_files
from stillhouse.teachers.asking import ask_teacher
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Bill, Budget
from stillhouse.teachers.params import Price, TeachersParams
from tests.asking import FakeTeacher, make_response
from tests.asking import make_request as make_paid
from tests.making import make_chunk, make_document, make_pair, make_request, make_row

ROOT = Path(__file__).parent.parent
SOURCES = [f"core/{n}.md" for n in range(40)] + [f"other/{n}.md" for n in range(80)]
RECALL, BOOK = Cell("core", "recall"), Cell("other", "open_book")
PLAN = {
    "core": {"recall": {"fraction": 1.0}, "simplified": {"fraction": 0.5}},
    "other": {"recall": {"fraction": 0.25}, "open_book": {"fraction": 0.6}},
}


@pytest.fixture(scope="module")
def material() -> Material:
    texts = {name: f"Gate {n} of {name} opens at {n % 24}:15." for n, name in enumerate(SOURCES)}
    return Material(
        documents=[make_document(name, text) for name, text in texts.items()],
        chunks=[make_chunk(name, text) for name, text in texts.items()],
    )


def ask(material: Material, plan: dict[str, object]) -> set[str]:
    params = RenderParams.model_validate({"plan": plan})
    return {r.request_id for r in render(material, load_prompts(ROOT / "prompts"), FOCUS, params)}


FOCUS = Focus(core=tuple(FocusDocument(source=name) for name in SOURCES[:40]))


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.3, 0.7, 1.0])
def test_a_pilot_asks_a_part_of_what_the_whole_asks_and_something_of_every_task(
    material: Material, fraction: float
) -> None:
    prompts, params = load_prompts(ROOT / "prompts"), RenderParams.model_validate({"plan": PLAN})
    draws = list(list_draws(material, prompts, FOCUS, params))
    chosen = choose_fractions(params.plan, draws, fraction)
    plan = change_params(
        PLAN, {f"{cell.group}.{cell.task}.fraction": part for cell, part in chosen.items()}
    )
    pilot, whole = ask(material, plan), ask(material, PLAN)
    assert pilot <= whole
    assert (pilot == whole) == (fraction == 1.0)
    places = Counter(Cell(draw.group, draw.task) for draw in draws)
    asked = Counter(
        Cell(draw.group, draw.task)
        for draw in list_draws(
            material, prompts, FOCUS, RenderParams.model_validate({"plan": plan})
        )
    )
    assert set(asked) == set(places) == set(chosen)
    for cell, part in chosen.items():
        assert asked[cell] >= min(LEAST, places[cell])
        whole_fraction = PLAN[cell.group][cell.task]["fraction"]
        assert whole_fraction * fraction <= part <= whole_fraction


def test_a_fraction_is_raised_until_so_many_places_are_drawn_and_never_above_the_whole() -> None:
    numbers = {"recall": [0.5, 0.02, 0.3, 0.01], "open_book": [0.1, 0.2], "silent": []}
    draws = [Draw("core", task, number) for task, own in numbers.items() for number in own]
    plan = Plan.model_validate(
        {
            "core": {
                "recall": {"fraction": 0.8},
                "open_book": {"fraction": 0.25},
                "silent": {"fraction": 0.4},
            }
        }
    )
    assert choose_fractions(plan, draws, 0.1, least=3) == {
        Cell("core", "recall"): 0.3 + 2.0**-48,
        Cell("core", "open_book"): 0.2 + 2.0**-48,
        Cell("core", "silent"): 0.4 * 0.1,
    }
    assert choose_fractions(plan, draws, 0.1, least=1) == {
        Cell("core", "recall"): 0.8 * 0.1,
        Cell("core", "open_book"): 0.1 + 2.0**-48,
        Cell("core", "silent"): 0.4 * 0.1,
    }
    assert choose_fractions(plan, draws, 1.0, least=3) == {
        Cell("core", task): one.fraction for task, one in plan.core.items()
    }


@pytest.mark.parametrize("text", ["0", "2", "x", "-0.1", "nan", ""])
def test_a_bad_fraction_is_one_sentence(text: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["pilot", f"--fraction={text}"])
    assert done.exit_code == 2
    assert done.stderr == (
        f"error: --fraction: `{text}` is no fraction; expected a number above 0 and up to 1, "
        "such as 0.1\n"
    )
    assert not list(tmp_path.iterdir())


def test_outside_of_a_project_it_says_so_and_makes_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["pilot"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "run this in the folder of a project" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_fraction_is_what_was_typed() -> None:
    assert [check_fraction(text) for text in ("0.1", "1", "5e-2")] == [0.1, 1.0, 0.05]


def test_the_pilots_parameters_are_those_of_the_whole_but_for_what_a_fraction_needs() -> None:
    whole = load_yaml(ROOT / "params.yaml")
    (student,) = whole["students"].values()
    pilot = build_params(whole, {RECALL: 0.125}, taught_rows=600)
    expected = change_params(
        whole,
        {
            "render.plan.core.recall.fraction": 0.125,
            **{f"validate.{name}": value for name, value in RELAXED.items()},
            "references.passage_questions_per_kind": 5,
            "references.base_test_rows": 20,
            "evaluate.exam.test_rows": 60,
        },
    )
    probe = pilot["students"][PROBE]
    assert pilot == {**expected, "students": {PROBE: probe}}
    assert probe == {**student, "epochs": probe["epochs"]}
    recipe = Student.model_validate(probe)
    assert recipe.batch.count_steps(600, recipe.epochs, declines=True) == STEPS
    assert build_params(whole, {}, taught_rows=3)["students"][PROBE]["epochs"] == 4.0
    assert "references.passage_questions_per_kind" not in whole  # and the whole is untouched
    assert whole == load_yaml(ROOT / "params.yaml")


def test_the_probe_takes_the_first_recipe_that_waits_for_no_other_student() -> None:
    whole = load_yaml(ROOT / "params.yaml")
    (first,) = whole["students"].values()
    soft = {"teacher": "models/big", "temperature": 1.0}
    chained = {**first, "method": "logits", "needs": "models/big", "soft": soft}
    asking = {**first, "method": "logits_online", "soft": {"teacher": first["model"]}}
    students = {"small": chained, "big": asking}
    probe = build_params({**whole, "students": students}, {}, taught_rows=600)["students"][PROBE]
    assert probe == {**asking, "epochs": probe["epochs"]}
    with pytest.raises(InputError, match="each student needs another one"):
        build_params({**whole, "students": {"small": chained}}, {})


def test_an_exam_that_is_smaller_already_stays_so() -> None:
    whole = change_params(load_yaml(ROOT / "params.yaml"), {"evaluate.exam.test_rows": 7})
    assert build_params(whole, {})["evaluate"]["exam"]["test_rows"] == 7


def test_a_pilot_shares_answers_where_the_whole_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("['remote \"models\"']\n    url = s3://bucket/x\n")
    for name in ("models", "shelf"):
        (tmp_path / name).mkdir()
    whole = load_yaml(Path("params.yaml"))
    shared = {"./shelf": str(tmp_path / "shelf"), "models": "models", "s3://b": "s3://b"}
    for remote, there in shared.items():
        pilot = build_params(change_params(whole, {"journal.remote": remote}), {})
        assert pilot["journal"]["remote"] == there


def test_limits_that_find_bad_rows_are_not_relaxed() -> None:
    from stillhouse.quality.limits import ValidateParams

    kept = set(ValidateParams.model_fields) - set(RELAXED)
    assert kept == {
        "question_words_max",
        "answer_words_max",
        "answer_words_mean_max",
        "opening_words",
        "opening_share_max",
        "email_rows_max",
        "phone_rows_max",
        "card_rows_max",
        "iban_rows_max",
        "collapse",
        "production",
    }
    changed = change_params({}, {f"validate.{name}": limit for name, limit in RELAXED.items()})
    ValidateParams.model_validate(changed["validate"])
    assert {name.partition(".")[2] for name in RELAXED if "." in name} == {
        "cluster_entropy_min",
        "diversity_drop_max",
        "mix_drift_max",
        "categories_moved_max",
    }


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working tree in git, with a file that is not tracked, one that is ignored, and one that DVC tracks."""
    root = tmp_path / "project"
    files = {
        ".gitignore": "/ignored.txt\n/base/\n/data/seed/documents/big.md\n",
        "params.yaml": "render: {base: base}\nstudents: {s: {model: base}}\n",
        "data/seed/documents/a.md": "A",
        "data/seed/documents/big.md": "Big",
        "data/seed/documents/big.md.dvc": "outs:\n- md5: 0\n  path: big.md\n",
        "untracked.txt": "new",
        "ignored.txt": "private",
        "base/config.json": "{}",
        ".stillhouse/journal.sqlite": "not to be copied",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "data/seed/documents/a.md"], cwd=root, check=True)
    monkeypatch.chdir(root)
    return root


def test_the_copy_has_what_git_would_add_and_what_dvc_tracks_and_nothing_that_is_ignored(
    tree: Path, tmp_path: Path
) -> None:
    Path("data/seed/documents/link.md").symlink_to("../../../ignored.txt")
    mirror_files(tmp_path / "copy")
    held = {p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").rglob("*.*")}
    documents = "data/seed/documents"
    assert held == {
        ".gitignore",
        "params.yaml",
        "untracked.txt",
        *(f"{documents}/{name}" for name in ("a.md", "big.md", "big.md.dvc", "link.md")),
    }
    assert (tmp_path / "copy" / documents / "link.md").is_symlink()


def test_a_file_that_became_a_folder_and_a_folder_that_became_a_file_are_so_in_the_copy(
    tree: Path, tmp_path: Path
) -> None:
    documents = Path("data/seed/documents")
    (documents / "guide").mkdir()
    (documents / "guide/b.md").write_text("B")
    mirror_files(tmp_path / "copy")
    shutil.rmtree(documents / "guide")
    (documents / "guide").write_text("A guide.")
    (documents / "a.md").unlink()
    (documents / "a.md").mkdir()
    (documents / "a.md/part.md").write_text("A")
    mirror_files(tmp_path / "copy")
    copied = tmp_path / "copy" / documents
    assert (copied / "guide").read_text() == "A guide."
    assert (copied / "a.md/part.md").read_text() == "A"


def test_a_copy_outside_of_git_is_one_sentence(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("a: 1\n")
    with pytest.raises(InputError, match="not a git repository; run `git init` there"):
        copy_tree(tmp_path / "copy", {})


def test_bases_that_are_folders_here_are_found_by_their_names(tree: Path) -> None:
    named = {
        "render": {"base": "base"},
        "references": {"bases": ["base", "smollm2-135m-instruct"]},
        "students": {
            "s": {"model": "base"},
            "t": {"model": str(tree / "base")},
            "u": {"model": "base", "soft": {"teacher": ["tests", "models/s"]}},
        },
        "teacher": {
            "provider": "offline",
            "others": [{"provider": "huggingface", "model": "data"}],
        },
    }
    for name in ("tests", "models/s"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    assert list_local_bases(named) == ("base", "tests", "data")


def test_sections_that_are_empty_name_no_bases() -> None:
    empty = dict.fromkeys(("render", "references", "teacher"))
    assert list_local_bases({**empty, "students": {"s": {"model": "nowhere"}}}) == ()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"students.second": {"method": "sft"}}, "`students.second.model` is missing"),
        ({"references": {"bases": 3}}, "`references.bases` is 3"),
        ({"evaluate.exam.test_rows": "all"}, "`evaluate.exam.test_rows` is 'all'"),
        ({"render": None}, "`render.plan` is missing"),
        ({"teacher": []}, "`teacher`"),
        ({"journal": "shared"}, "`journal`"),
    ],
)
def test_a_mistake_that_only_the_end_would_meet_is_told_before_anything_is_copied(
    settings: dict[str, object], said: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = change_params(load_yaml(ROOT / "params.yaml"), settings)
    Path("params.yaml").write_text(yaml.safe_dump(params))
    done = CliRunner().invoke(app, ["pilot"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert not steps.TREE.exists()


def costs(name: str) -> bool:
    return name == "paid"


def test_foresight_counts_what_is_asked_answered_and_to_be_paid(tmp_path: Path) -> None:
    requests = [make_paid(number) for number in range(6)]
    requests[5] = replace(requests[5], teacher="offline")
    drawn = [
        (Draw("core", "recall", 0.01), requests[:2]),
        (Draw("core", "recall", 0.5), [requests[2], requests[0]]),
        (Draw("other", "open_book", 0.02), [requests[3]]),
        (Draw("other", "open_book", 0.7), requests[4:]),
    ]
    told: list[tuple[list[str], bool, bool]] = []

    def recall(teacher, wanted, anyway):
        told.append((sorted(wanted), costs(teacher), anyway))
        return set(wanted)

    estimator = Estimator((), TeachersParams(prices={"model-1": Price(input=1e6, output=0)}))
    with Journal(tmp_path / "journal.sqlite") as journal:
        answer = make_response(requests[1])
        journal.record([answer], [Bill(answer.request_id, 0.25, "paid", "model-1", "recall", 9)])
        found = foresee(
            drawn,
            {RECALL: 0.1, BOOK: 0.1},
            journal,
            estimator,
            costs,
            recall,
            budget=Budget(1.0, 3600),
        )
        assert journal.read_spent([answer.request_id]) == 0.25
        assert journal.read_spent([requests[0].request_id]) == 0.0
    ids = [request.request_id for request in requests]
    prices = {request.request_id: estimator.reserve(request) for request in requests}
    new = [ids[0], ids[2], ids[3], ids[4]]

    def cost_of(*numbers: int) -> object:
        return pytest.approx(sum(prices[ids[number]].expected for number in numbers))

    assert found == Foresight(
        whole=Asking(
            {
                RECALL: Share(2, 3, 2, cost_of(0, 1, 2), cost_of(0, 2)),
                BOOK: Share(2, 3, 3, cost_of(3, 4), cost_of(3, 4)),
            },
            Cost(
                4,
                pytest.approx(sum(prices[name].expected for name in new)),
                pytest.approx(sum(prices[name].at_most for name in new)),
            ),
        ),
        pilot=Asking(
            {
                RECALL: Share(1, 2, 1, cost_of(0, 1), cost_of(0)),
                BOOK: Share(1, 1, 1, cost_of(3), cost_of(3)),
            },
            Cost(
                2,
                pytest.approx(prices[ids[0]].expected + prices[ids[3]].expected),
                pytest.approx(prices[ids[0]].at_most + prices[ids[3]].at_most),
            ),
        ),
        places=(Place(RECALL, (ids[0], ids[1])), Place(BOOK, (ids[3],))),
        spent=0.25,
        budget=Budget(1.0, 3600),
    )
    assert not found.affordable
    assert told == [
        ([ids[5]], False, True),
        (sorted(new), True, True),
        (
            sorted([ids[0], ids[3]]),
            True,
            False,
        ),  # of what the pilot pays, nothing may be unreadable
    ]


class Mumbler(FakeTeacher):
    def say(self, request: Request) -> Response:
        return make_response(request, "no JSON")


def test_no_pilot_costs_more_than_it_says_although_answers_are_asked_for_once_more(
    tmp_path: Path,
) -> None:
    request = make_paid()
    estimator = Estimator((), TeachersParams(prices={"model-1": Price(input=1e6, output=1e6)}))
    most = estimator.reserve(request).at_most
    with Journal(tmp_path / "journal.sqlite") as journal:
        found = foresee(
            [(Draw("core", "recall", 0.01), [request])],
            {RECALL: 0.1},
            journal,
            estimator,
            costs,
            lambda teacher, wanted, anyway: set(wanted),
            ask_again=2,
        )
        teacher = Mumbler(tmp_path / "ledger", usd=most)
        terms = Terms(estimator=estimator, ask_again=2)
        assert ask_teacher(teacher, [request.request_id], lambda _: [request], journal, terms).sent
        assert journal.read_account().spent == pytest.approx(3 * most)
    assert found.pilot.cost.at_most == pytest.approx(3 * most)


def test_a_total_is_projected_by_stratum_with_the_correction_for_a_finite_whole() -> None:
    # Cochran 1977, 5.4: variance N (N - n) s2 / n; degrees of freedom of one stratum n - 1.
    found = project_total([Stratum(10, [1.0, 2.0, 3.0])])
    half = 4.302652729911275 * (10 * 7 / 3 * 1.0) ** 0.5
    assert found == Projection(20.0, pytest.approx(6.0), pytest.approx(20 + half))  # 6 are there
    assert project_total([Stratum(3, [1.0, 2.0, 3.0]), Stratum(1, [4.0])]) == Projection(
        10.0, 10.0, 10.0
    )
    assert project_total([]) == Projection(0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="1 of 5 units"):
        project_total([Stratum(5, [1.0])])


def test_the_interval_of_a_total_holds_it_in_nine_of_ten_samples() -> None:
    rng = np.random.default_rng(3)
    strata = [rng.poisson(mean, size) for mean, size in ((3, 400), (0.5, 900), (12, 120))]
    truth = sum(int(values.sum()) for values in strata)
    held = 0
    for _ in range(300):
        drawn = [
            Stratum(
                len(values), list(map(float, rng.choice(values, len(values) // 10, replace=False)))
            )
            for values in strata
        ]
        found = project_total(drawn)
        held += found.low <= truth <= found.high
    assert held >= 270


def write_tables(copy: Path) -> tuple[list[Request], list[Place]]:
    """Three requests of two tasks: one gave two pairs and a row, one a pair that was dropped, one nothing."""
    chunk = make_chunk()
    asked = [make_request([chunk], "recall", sample=n) for n in range(2)]
    asked.append(make_request([chunk], "open_book"))
    kept = make_pair("How much leave?", "27.5 days", [chunk], request=asked[0])
    dropped = make_pair("Which leave?", "Some", [chunk], request=asked[0])
    poor = make_pair("Leave?", "Yes", [chunk], request=asked[2], task="open_book")
    data = copy / "data"
    write_table(data / "requests.parquet", Request, asked)
    answers = [
        Response(asked[0].request_id, "{}", "", "end_turn", 100, 50, 20, "m"),
        Response(asked[2].request_id, "{}", "", "end_turn", 10, 5, 0, "m"),
    ]
    write_table(data / "generated/responses.parquet", Response, answers)
    write_table(data / "generated/pairs.parquet", Pair, [kept, dropped, poor])
    refused = Rejection(asked[1].request_id, "request", "", (), "generate", "refused", "no")
    write_table(data / "generated/rejections.parquet", Rejection, [refused])
    low = [
        Rejection(pair.pair_id, "pair", "", (), "curate", "low_score", "0.1")
        for pair in (dropped, poor)
    ]
    write_table(data / "curated/rejections.parquet", Rejection, low)
    write_table(data / "reviewed.parquet", Row, [make_row(kept)])
    for part, rows in (("train", [make_row(kept)]), ("test", [])):
        write_table(data / f"dataset/{part}.parquet", Row, rows)
    places = [
        Place(RECALL, (asked[0].request_id, asked[1].request_id)),
        Place(BOOK, (asked[2].request_id,)),
    ]
    return asked, places


def price_tokens(request: Request, answer: Response) -> float:
    return answer.input_tokens + answer.output_tokens


def test_the_yield_is_counted_by_task_reason_and_place(tmp_path: Path) -> None:
    asked, places = write_tables(tmp_path)
    pairs = {
        pair.response: pair.pair_id
        for pair in (
            make_pair("Which leave?", "Some", [make_chunk()], request=asked[0]),
            make_pair("Leave?", "Yes", [make_chunk()], request=asked[2], task="open_book"),
        )
    }
    found = measure_yield(tmp_path, places, price_tokens)
    assert found == Yield(
        tasks=(
            TaskYield(
                "open_book", "prompts/open_book.md", 1, 0, 1, 0, 0, 15.0, share_interval(0, 1)
            ),
            TaskYield("recall", "prompts/recall.md", 2, 1, 2, 1, 1, 150.0, share_interval(1, 2)),
        ),
        reasons=(
            Reason("open_book", "curate", "low_score", 1, (pairs["Yes"],)),
            Reason("recall", "curate", "low_score", 1, (pairs["Some"],)),
            Reason("recall", "generate", "refused", 1, (asked[1].request_id,)),
        ),
        units=(Unit(places[0], 2, 1, 1, 150.0), Unit(places[1], 1, 0, 0, 15.0)),
        train_taught=1,
        declining=0,
        replay=0,
        test=0,
    )
    assert found.tasks[1].usd_per_row == 150.0
    assert found.tasks[0].usd_per_row is None


def make_task(task: str, requests: int, fruitful: int, pairs: int = 0) -> TaskYield:
    share = share_interval(fruitful, requests)
    return TaskYield(task, f"prompts/{task}.md", requests, 0, pairs, fruitful, fruitful, 0.0, share)


def test_tasks_without_rows_or_with_far_fewer_are_flagged_and_unlucky_ones_are_not() -> None:
    tasks = [
        make_task("good", 40, 36),
        make_task("poor", 40, 4),
        make_task("few", 4, 1),  # four requests say little
        make_task("none", 8, 0, pairs=16),
    ]
    assert find_poor(tasks) == (
        Flag(
            "poor",
            "prompts/poor.md",
            "4 of 40 requests gave rows (4% to 23%), of all others 71%",
        ),
        Flag(
            "none",
            "prompts/none.md",
            "no row from 8 requests, though 16 pairs (at most 32% of its requests can be expected "
            "to give one)",
        ),
    )


@pytest.fixture
def foresight() -> Foresight:
    """Twenty places of one task in the whole, four in the pilot, of one request each."""
    places = tuple(Place(RECALL, (content_id("request", n),)) for n in range(4))
    return Foresight(
        whole=Asking({RECALL: Share(20, 20, 12, 2.0, 1.2)}, Cost(12, 1.2, 2.4)),
        pilot=Asking({RECALL: Share(4, 4, 4, 0.4, 0.4)}, Cost(4, 0.4, 0.8)),
        places=places,
    )


def make_yield(foresight: Foresight) -> Yield:
    units = tuple(
        Unit(place, pairs, rows, rows, usd)
        for place, (pairs, rows, usd) in zip(
            foresight.places, [(4, 2, 0.1), (4, 4, 0.1), (2, 2, 0.1), (6, 4, 0.1)], strict=True
        )
    )
    task = replace(make_task("recall", 4, 4), pairs=16, rows=12, usd=0.4)
    return Yield((task,), (), units, train_taught=9, declining=0, replay=3, test=2)


def test_the_whole_is_projected_from_the_places_that_were_drawn(foresight: Foresight) -> None:
    student = Student.model_validate(load_yaml(ROOT / "params.yaml")["students"]["smollm2"])
    seconds = {"ingest": 3.0, "render": 2.0, "generate": 10.0, "judge": 4.0, "curate": 4.0}
    seconds |= dict.fromkeys(("review", "split", "validate"), 2.0)
    seconds |= {"capture@probe": 2.0, "train@probe": 62.0, "references": 2.0, "evaluate@probe": 2.0}
    measured = Measured(seconds, 4, 60, ExamSize(10, 10), ExamSize(20, 30))
    found = project_whole(foresight, make_yield(foresight), measured, {"smollm2": student})
    assert (found.requests, found.answered) == (20, 12)  # eight new ones are not in the pilot
    assert found.pairs.value == 80
    assert found.rows.value == 60
    assert 16 <= found.pairs.low < 80 < found.pairs.high
    assert found.usd == Projection(pytest.approx(2.0), pytest.approx(2.0), pytest.approx(2.0))
    # Of the 16 places outside of the pilot half are answered; each costs 0.1.
    assert found.left_usd.value == pytest.approx(0.8)
    # 45 taught rows in steps of 6; start-up 2 s in each stage; pairs and new requests as above.
    steps = student.batch.count_steps(45, student.epochs, declines=False)
    fixed = 2.0 * 12
    assert steps == 8
    assert found.seconds.value == pytest.approx(
        fixed + 1 * 1 + 8 * (8 / 4) + 2 * 5 + 2 * 5 + 60 * (8 / 60)
    )
    assert found.unmeasured == ()


def test_free_answers_that_are_there_lessen_nothing_that_is_still_to_pay(
    foresight: Foresight, tmp_path: Path
) -> None:
    """Two teachers are asked about each passage; only the free one has answered."""
    paid = [make_paid(number) for number in range(20)]
    free = [replace(make_paid(100 + number), teacher="offline") for number in range(20)]
    drawn = [
        (Draw("core", "recall", number / 20), [paid[number], free[number]]) for number in range(20)
    ]
    prices = TeachersParams(prices={"model-1": Price(input=1e6 / 100, output=1e6 / 100)})
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.record([make_response(request) for request in free])
        found = foresee(
            drawn,
            {RECALL: 0.2},
            journal,
            Estimator((), prices),
            costs,
            lambda teacher, wanted, anyway: set(wanted),
        )
    units = tuple(Unit(place, 1, 1, 1, 0.1) for place in found.places)
    assert len(units) == 4
    whole = project_whole(found, replace(make_yield(foresight), units=units), Measured({}), {})
    assert whole.left_usd.value == pytest.approx(16 * 0.1)


def test_time_that_nobody_measured_is_not_made_up(foresight: Foresight) -> None:
    student = Student.model_validate(load_yaml(ROOT / "params.yaml")["students"]["smollm2"])
    found = project_whole(foresight, make_yield(foresight), Measured({}), {"smollm2": student})
    assert found.seconds is None
    assert found.unmeasured == ("asking 8 requests (the pilot had its answers already)",)


def make_metrics(low: float) -> Metrics:
    core = Score(104, 0.1, 0.05, 0.17)
    gold = Score(200, 0.1, 0.05, 0.17, groups={"by_kind_scope": {"recall/core": core}})
    return Metrics(
        student=PROBE,
        sets={"gold": {"student": gold, "base": gold}},
        declined=None,
        falsely_declined=None,
        covered=Score(104, 0.1, 0.05, 0.2),
        learned=Score(10, 0.5, 0.2, 0.8),
        differences={"gold_core_recall": Difference(0.05, low, 0.1)},
        retention="",
    )


def report_on(foresight: Foresight, **changes: object) -> Report:
    money = {"spent": 0.4, "in_window": 0.5, "budget": 1.0, "costs": True, "unpriced": ()}
    return build_report(
        0.1,
        foresight,
        make_yield(foresight),
        changes.pop("gate", Gate(41, ())),
        changes.pop("gain", None),
        Money(**{**money, **changes}),
        Measured({}),
        {"smollm2": Student.model_validate(load_yaml(ROOT / "params.yaml")["students"]["smollm2"])},
        "nowhere",
    )


def test_the_budget_is_held_against_what_is_left(foresight: Foresight) -> None:
    assert report_on(foresight, budget=None).over_budget == "no"
    assert report_on(foresight, in_window=0.1).over_budget == "no"
    assert report_on(foresight, in_window=0.5).over_budget == "yes"


def unfold(report: Report) -> str:
    return " ".join(" ".join(print_text(report)).split())


def test_an_interval_that_holds_0_is_said_to_show_nothing(foresight: Foresight) -> None:
    unsure = unfold(report_on(foresight, gain=make_metrics(-0.01)))
    sure = unfold(report_on(foresight, gain=make_metrics(0.01)))
    assert "+0.05 (-0.01 to +0.10), which holds 0: not shown" in unsure
    assert "a difference is not shown: core facts" in unsure
    assert "+0.05 (+0.01 to +0.10), shown" in sure
    assert "not shown" not in sure
    json_of = to_json(report_on(foresight, gain=make_metrics(-0.01)))
    assert json_of["gain"]["differences"] == {
        "gold_core_recall": {"value": 0.05, "low": -0.01, "high": 0.1, "shown": False}
    }


def test_text_fits_80_columns_and_every_form_is_of_the_same_figures(foresight: Foresight) -> None:
    report = report_on(foresight, gain=make_metrics(-0.01), unpriced=("model-9",))
    text = list(print_text(report))
    assert max(map(len, text)) <= 80
    markdown = "\n".join(print_markdown(report))
    assert "| recall | 4 | 16 | 12 | 3.00 | 100% (51% to 100%) | 0.03333 |" in markdown
    value = to_json(report)
    json.dumps(value, allow_nan=False)
    assert value["whole"]["rows"]["value"] == 60
    assert value["tasks"][0]["usd_per_row"] == pytest.approx(0.4 / 12)
    assert (value["spent_usd"], value["over_budget"], value["unpriced"]) == (
        0.4,
        "yes",
        ["model-9"],
    )


def test_what_will_be_asked_is_told_with_its_price(foresight: Foresight) -> None:
    assert word_foresight(foresight) == (
        "pilot: 4 of 20 requests (20%), 4 new; about $0.4000, at most $0.8000"
    )
    free = replace(foresight, pilot=Asking({RECALL: Share(4, 4, 4)}))
    assert word_foresight(free) == "pilot: 4 of 20 requests (20%), 4 new; nothing to pay"


def test_what_ends_dvc_is_told_in_the_stages_own_sentence() -> None:
    refuse_failed(Ran())
    with pytest.raises(StillhouseError) as told:
        refuse_failed(Ran(255, "generate", "the key is wrong"))
    assert told.value.exit_code == 2
    assert str(told.value) == (
        "stage `generate` of the pilot: the key is wrong; mend that and run `stillhouse pilot` "
        "again: it goes on from there"
    )


def test_seconds_of_stages_that_did_not_run_again_are_those_of_then(tmp_path: Path) -> None:
    path = tmp_path / "seconds.json"
    assert remember_seconds(path, "0.1", {"train": 60.0, "judge": 2.0}) == {
        "train": 60.0,
        "judge": 2.0,
    }
    assert remember_seconds(path, "0.5", {"train": 90.0}) == {"train": 90.0}
    assert remember_seconds(path, "0.1", {"judge": 3.0}) == {"train": 60.0, "judge": 3.0}
    path.write_text("{torn")
    assert remember_seconds(path, "0.1", {"judge": 3.0}) == {"judge": 3.0}


def test_generate_is_timed_only_where_it_asked(tmp_path: Path) -> None:
    keep_seconds(tmp_path, 0.1, 30)("generate", 60.0)
    keep_seconds(tmp_path, 0.1, 0)("generate", 1.0)
    keep_seconds(tmp_path, 0.1, 0)("judge", 2.0)
    assert measure_time(tmp_path, tmp_path, 0.1, passed=False) == Measured(
        {"generate": 60.0, "judge": 2.0}, sent=30
    )


def test_a_failed_gate_is_read_with_its_rows(tmp_path: Path) -> None:
    check = {"name": "a.b", "meaning": "M.", "passed": True, "observed": "0", "rows": []}
    failed = {**check, "passed": False, "rows": ["r1"]}
    path = tmp_path / "reports/validation.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"checks": [check, failed]}))
    gate = read_gate_report(tmp_path)
    assert (gate.checks, gate.passed) == (2, False)
    assert [(one.name, one.rows) for one in gate.failed] == [("a.b", ("r1",))]


def test_a_pilot_that_costs_is_not_sent_without_a_word_or_over_the_budget(
    foresight: Foresight, monkeypatch
) -> None:
    prepared = steps.Prepared(0.1, {}, {}, foresight)
    assert prepared.costs
    steps.refuse_unaffordable(prepared)
    poor = replace(foresight, spent=0.7, budget=Budget(1.0, 3600))
    with pytest.raises(BudgetError, match=r"about \$0\.4000, and \$0\.7000 of \$1\.00"):
        steps.refuse_unaffordable(replace(prepared, foresight=poor))


def test_nobody_to_ask_means_no_and_names_the_option(
    foresight: Foresight, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("a: 1\n")
    monkeypatch.setattr(
        steps, "prepare_pilot", lambda part: steps.Prepared(part, {}, {}, foresight)
    )
    monkeypatch.setattr(steps, "run_pilot", lambda prepared: pytest.fail("it was sent"))
    done = CliRunner().invoke(app, ["pilot"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "error: 4 requests of the pilot cost money; nothing was asked; say `--yes` to pay for them"
    )
