"""Several students of one dataset through dvc.yaml: an ensemble, one that asks, a chain, one of words alone."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from stillhouse.distill.bases import weights_sha256
from stillhouse.lineage.provenance import read_provenance
from tests.small_project import commit, copy_shared, edit, edit_params, fail, run
from tests.tiny import build_tiny_model

METHODS = ("tiny", "averaged", "asking", "chained")
DOCUMENT = "data/seed/documents/people/annual-leave.md"

pytestmark = pytest.mark.slow


def add_students(params: dict[str, dict[str, object]]) -> None:
    tiny = params["students"]["tiny"]
    words = {**tiny, "batch": {**tiny["batch"], "replay": 1}}  # type: ignore[dict-item,index]
    first = {"reasoning": "before_answer", "max_tokens": 600}
    averaged = {"teacher": ["deep-teacher", "tiny-student"], "reads": "passage", "top_k": 16,
                "temperature": [2.0, 1.0], "alpha": {"start": 0.9, "end": 0.3}}  # fmt: skip
    asking = {"teacher": "deep-teacher", "reads": "passage", "temperature": 1.0,
              "hidden": {"layers": [[1, 2], [2, 4]]}}  # fmt: skip
    chained = {"teacher": "models/tiny", "top_k": 32, "temperature": 1.0,
               "hidden": {"layers": [[2, 2]], "loss": "mse"}}  # fmt: skip
    params["students"] |= {
        "averaged": {**words, **first, "method": "logits", "soft": averaged},
        "asking": {
            **words, "method": "logits_online", "soft": asking, "keep_layers": 2, "layer_rate": 0.8,
        },
        "chained": {**words, "method": "logits", "needs": "models/tiny", "soft": chained},
    }  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project that trained all four students, and what the run said."""
    folder = copy_shared(tmp_path_factory, tmp_path_factory.mktemp("students") / "project")
    build_tiny_model(folder / "deep-teacher", seed=3, layers=4, hidden_size=48)
    edit_params(folder, add_students)
    said = run(folder, "dvc", "repro", *(f"train@{name}" for name in METHODS))
    commit(folder, "Four students")
    return folder, said


def hash_of(folder: Path, student: str) -> str:
    return read_provenance(folder / "models" / student).weights_sha256


def teachers_of(folder: Path, student: str) -> dict[str, str]:
    """Return name -> sha256 of the weights of those whose probabilities a student learned."""
    told = read_provenance(folder / "models" / student).teachers
    return {teacher.name: teacher.sha256 for teacher in told}


def captured_in(said: str) -> dict[str, tuple[int, int]]:
    """Return student -> (rows, computed) of each capture that ran."""
    found = re.findall(r"^capture@(\w+): rows=(\d+) computed=(\d+)", said, re.MULTILINE)
    return {name: (int(rows), int(computed)) for name, rows, computed in found}


def count_rows(folder: Path, student: str) -> int:
    told = json.loads((folder / f"data/distributions/{student}/teacher/manifest.json").read_text())
    return int(told["rows"])


def test_each_student_is_trained_and_a_teacher_before_its_student(
    trained: tuple[Path, str],
) -> None:
    folder, said = trained
    assert "train@tiny" not in re.findall(r"^Running stage '(\S+)'", said, re.MULTILINE)
    order = re.findall(r"^Running stage '(\S+)'", said, re.MULTILINE)
    assert order.index("capture@chained") < order.index("train@chained")
    assert len({hash_of(folder, name) for name in METHODS}) == len(METHODS)
    deep = weights_sha256(folder / "deep-teacher")
    assert teachers_of(folder, "tiny") == {}
    assert teachers_of(folder, "averaged")["deep-teacher"] == deep
    assert teachers_of(folder, "asking") == {"deep-teacher": deep}
    assert teachers_of(folder, "chained") == {"models/tiny": hash_of(folder, "tiny")}
    config = json.loads((folder / "models/asking/config.json").read_text())
    assert config["num_hidden_layers"] == 2
    assert "projections" not in " ".join(config)


def test_a_teacher_that_changes_is_asked_again_by_its_student_alone(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained[0], tmp_path / "project", symlinks=True))
    edit_params(folder, lambda params: params["students"]["tiny"].update(learning_rate=1e-3))
    said = run(folder, "dvc", "repro", *(f"train@{name}" for name in METHODS))
    order = re.findall(r"^Running stage '(\S+)'", said, re.MULTILINE)
    assert order == ["capture@tiny", "train@tiny", "capture@chained", "train@chained"]
    rows, computed = captured_in(said)["chained"]
    assert rows == computed == count_rows(folder, "chained") > 0


def test_a_student_that_reasons_first_is_examined_by_its_answers(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained[0], tmp_path / "project", symlinks=True))
    run(folder, "dvc", "repro", "evaluate@averaged", "evaluate@tiny")
    told = {
        name: json.loads((folder / f"reports/students/{name}/metrics.json").read_text())
        for name in ("averaged", "tiny")
    }
    assert told["averaged"]["reasoning"]["replies"] > 0
    assert "reasoning" not in told["tiny"]
    with_it = count_tokens(folder, "averaged")
    assert with_it > 2 * count_tokens(folder, "chained")


def count_tokens(folder: Path, student: str) -> int:
    told = json.loads((folder / f"data/distributions/{student}/teacher/manifest.json").read_text())
    return int(told["tokens"])


def test_an_edited_document_is_captured_again_and_no_other_and_words_alone_capture_nothing(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained[0], tmp_path / "project", symlinks=True))
    before = {path: path.read_bytes() for path in (folder / "data/distributions").rglob("*.json")}
    edit(folder / DOCUMENT, "27.5 days", "26.5 days")
    edit_params(folder, lambda params: params["students"]["tiny"]["batch"].update(replay=0))
    said = run(folder, "dvc", "repro", "capture@averaged", "capture@tiny", "capture@asking")
    rows, computed = captured_in(said)["averaged"]
    assert 0 < computed < rows / 2
    assert captured_in(said)["tiny"] == captured_in(said)["asking"] == (0, 0)
    manifest = folder / "data/distributions/tiny/manifest.json"
    assert json.loads(manifest.read_text()) == {"parts": []}
    assert before[manifest] != manifest.read_bytes()


def test_a_clone_trains_every_student_to_the_same_hash(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    original, clone = trained[0], tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(original), str(clone))
    run(clone, "dvc", "cache", "dir", "--local", str(original / ".dvc/cache"))
    run(
        clone,
        "dvc",
        "checkout",
        "--quiet",
        "ingest",
        "validate",
        *(f"capture@{name}" for name in METHODS),
    )
    run(clone, "dvc", "checkout", "--quiet", "split", "train@tiny")
    for name in METHODS[1:]:
        run(clone, sys.executable, "-m", "stages.capture", name)
        run(clone, sys.executable, "-m", "stages.train", name)
        assert hash_of(clone, name) == hash_of(original, name), name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"soft": {"teacher": "models/tiny"}}, "set `needs: models/tiny`"),
        (
            {"soft": {"teacher": "deep-teacher"}, "needs": "models/tiny"},
            "not this student's teacher",
        ),
        ({"soft": None}, "or `soft: {teacher: <model>}`"),
        ({"soft": {"teacher": "deep-teacher", "hidden": {"layers": [[9, 1]]}}}, "has no layer 9"),
        ({"soft": {"teacher": "other-words"}}, "another vocabulary"),
        ({"soft": {"teacher": "nowhere"}}, "nowhere"),
    ],
    ids=["unneeded", "needless", "teacherless", "layerless", "strange", "missing"],
)
def test_a_teacher_that_cannot_teach_is_one_sentence(
    trained: tuple[Path, str], tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    folder = Path(shutil.copytree(trained[0], tmp_path / "project", symlinks=True))
    build_tiny_model(folder / "other-words", seed=1, words=("quite", "other"))
    edit_params(folder, lambda params: params["students"]["averaged"].update(changes))
    told = fail(folder, sys.executable, "-m", "stages.capture", "averaged")
    assert told.count("error: ") == 1
    assert said in told
