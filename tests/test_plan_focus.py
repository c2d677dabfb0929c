"""`plan --focus` sees validation rows and dev gold alone, and its weights are what `render` reads."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillhouse.base.tables import write_table
from stillhouse.cli.main import app
from stillhouse.evaluation.records import Prediction
from stillhouse.planning.focus import find_weakness
from stillhouse.prompts.focus import load_focus

ROOT = Path(__file__).parent.parent
FOCUS = """# Which documents weigh most.
version: 1
core:
  - source: leave.md   # the first
    facts:
      - {id: leave-01, fact: "Leave is 26 days.", answer: "26 days"}
held_out:
  - source: vans.md
"""


def predict(number: int, correct: bool, document: str = "leave.md", **changes: str) -> Prediction:
    said = {"set": "validation", "reference": "student", "kind": "phrasing", "task": "recall"}
    told = {**said, **changes}
    return Prediction(
        prediction_id=f"{number:064}-{told['set']}-{document}-{told['task']}", base="b",
        set=told["set"], reference=told["reference"], question_id=str(number), kind=told["kind"],
        scope="", task=told["task"], document=document, cluster="", question="?", accepted=("a",),
        answer="a", correct=correct, f1=0.0, abstained=False,
    )  # fmt: skip


ANSWERS = [
    *(predict(n, n < 18) for n in range(20)),
    *(predict(n, n < 2, "study.md") for n in range(10)),
    *(predict(n, False, "", task="", set="dev", kind="unanswerable") for n in range(6)),
    *(predict(n, False, "vans.md", set="dev", task="", kind="recall") for n in range(4)),
]
SEALED = [
    predict(n, False, "leave.md", set=name)
    for name in ("gold", "gold_open", "test", "general")
    for n in range(100, 150)
]


def make_project(root: Path, answers: list[Prediction]) -> Path:
    (root / "data/seed").mkdir(parents=True)
    (root / "data/seed/focus.yaml").write_text(FOCUS)
    (root / "params.yaml").write_text("students: {tiny: {}, other: {}}\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    shutil.copytree(ROOT / "prompts", root / "prompts")
    for source in ("leave.md", "study.md", "vans.md", "few.md", "many.md"):
        (root / "data/seed/documents").mkdir(exist_ok=True)
        (root / "data/seed/documents" / source).write_text("Here.")
    evaluate(root, answers)
    return root


def evaluate(root: Path, answers: list[Prediction]) -> None:
    path = root / "reports/students/tiny/evaluation/predictions.parquet"
    write_table(path, Prediction, answers)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make_project(tmp_path, ANSWERS))
    return tmp_path


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["plan", *arguments])
    return done.exit_code, done.output


def test_weak_documents_and_tasks_get_a_weight_the_weakest_first(project: Path) -> None:
    found = find_weakness(project)
    assert (found.students, found.asked, found.right) == (("tiny",), 40, 20)
    assert [(g.source, g.task, g.right, g.asked, g.weight) for g in found.groups] == [
        (None, "abstain", 0, 6, 1.9),
        ("study.md", None, 2, 10, 1.7),
        (None, "recall", 20, 34, 1.0),
        ("leave.md", None, 18, 20, 1.0),
    ]
    assert found.weights == ((None, "abstain", 1.9), ("study.md", None, 1.7))


def test_no_sealed_answer_and_no_reference_moves_a_weight(tmp_path: Path) -> None:
    plain = find_weakness(make_project(tmp_path / "a", ANSWERS))
    base = [predict(n, False, "leave.md", reference="base", set="dev") for n in range(90)]
    assert find_weakness(make_project(tmp_path / "b", [*ANSWERS, *SEALED, *base])) == plain


def test_two_wrong_answers_out_of_two_weigh_less_than_twenty_out_of_twenty(tmp_path: Path) -> None:
    answers = [
        *(predict(n, True) for n in range(40)),
        *(predict(n, False, "few.md") for n in range(2)),
        *(predict(n, False, "many.md") for n in range(20)),
    ]
    weights = {g.source: g.weight for g in find_weakness(make_project(tmp_path, answers)).groups}
    assert weights["leave.md"] == 1.0
    assert 1.1 <= weights["few.md"] < weights["many.md"] == 2.0


def test_writing_keeps_comments_and_what_stands_there_and_multiplies(project: Path) -> None:
    path = project / "data/seed/focus.yaml"
    path.write_text(
        FOCUS + "weights:\n  - {task: abstain, weight: 1.2}\n  - {task: simplified, weight: 0.5}\n"
    )
    code, said = invoke("--focus", "--write")
    assert (code, "holds 3 weights now" in said) == (0, True)
    assert path.read_text().startswith(FOCUS)
    assert [(w.source, w.task, w.weight) for w in load_focus(path).weights or ()] == [
        (None, "abstain", 2.28),
        (None, "simplified", 0.5),
        ("study.md", None, 1.7),
    ]
    written = path.read_bytes()
    code, said = invoke("--focus", "--write")
    assert (code, "were drawn from these answers already" in said) == (0, True)
    assert path.read_bytes() == written
    evaluate(project, [*ANSWERS, predict(99, True)])
    invoke("--focus", "--write")
    assert {w.weight for w in load_focus(path).weights or ()} == {3.0, 0.5, 2.89}


def test_nothing_is_weighed_that_render_does_not_know(project: Path) -> None:
    gone = [
        *(predict(n, False, "gone.md") for n in range(200, 220)),
        *(predict(n, False, task="deeper") for n in range(220, 240)),
    ]
    evaluate(project, [*(predict(n, True, "study.md") for n in range(20)), *gone])
    assert {(group.source, group.task) for group in find_weakness(project).groups} == {
        ("study.md", None), ("leave.md", None), (None, "recall"),
    }  # fmt: skip


def test_a_look_changes_nothing_and_its_json_is_whole(project: Path) -> None:
    code, said = invoke("--focus", "--json")
    assert code == 0
    found = json.loads(said)
    assert found["weights"] == [
        {"task": "abstain", "weight": 1.9},
        {"source": "study.md", "weight": 1.7},
    ]
    assert (found["asked"], found["right"], found["written"]) == (40, 20, False)
    assert (project / "data/seed/focus.yaml").read_text() == FOCUS
    code, said = invoke("--focus")
    assert "20 of 40 right (50%), tiny." in said
    assert "stillhouse plan --focus --write" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--write",), "`--write` goes with `--focus`"),
        (("--focus", "--md"), "`--focus` is no plan of requests"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    project: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(app, ["plan", *arguments])
    assert done.exit_code != 0
    assert said in f"{done.output}{done.exception}"


def test_without_answers_it_says_what_to_do(tmp_path: Path) -> None:
    root = make_project(tmp_path / "a", SEALED)
    with pytest.raises(Exception, match="validation_rows"):
        find_weakness(root)
    (root / "reports/students/tiny/evaluation/predictions.parquet").unlink()
    with pytest.raises(Exception, match="no student was evaluated"):
        find_weakness(root)
