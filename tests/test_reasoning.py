"""Students that reason before they answer: what they learn, what counts of what they say, what is counted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillhouse.base.errors import InputError
from stillhouse.base.thoughts import write_thoughts
from stillhouse.cli.main import app
from stillhouse.distill.batches import Targets
from stillhouse.distill.encode import encode_rows, read_rows
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.students import save_student
from stillhouse.distill.train import train_student
from stillhouse.evaluation.answering import Answering, Model, load_model
from stillhouse.evaluation.thinking import Thinker, reasons_first, think_prompts
from tests.test_distill_batches import row_of
from tests.test_distill_train import PARAMS, RUNTIME
from tests.tiny import build_tiny_model

QUESTIONS = {
    "Which code?": ("It says HB-021.", "HB-021."),
    "How many days?": ("27.5 days.", "27.5."),
}
ROWS = [
    replace(row_of("recall", question, answer, f"r{place}"), reasoning=reasoning)
    for place, (question, (reasoning, answer)) in enumerate(QUESTIONS.items())
]
SETTINGS = Answering(dtype="float32", max_new_tokens=16)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    build_tiny_model(folder, hidden_size=64)
    return folder


@pytest.fixture(scope="module")
def student(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a student that knows both rows by heart."""
    tokenizer, folder = load_tokenizer(base), tmp_path_factory.mktemp("student")
    params = PARAMS.model_copy(
        update={
            "epochs": 90,
            "learning_rate": 3e-3,
            "replay_weight": 0.0,
            "reasoning": "before_answer",
        }
    )
    rows = encode_rows(ROWS, tokenizer, 200, params.reasoning)
    trained = train_student(
        base, train=rows, validation=(), targets=Targets(), params=params, runtime=RUNTIME
    )
    save_student(folder, trained, tokenizer, "float32")
    told = {"parameters": params.model_dump(mode="json")}
    (folder / "provenance.json").write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module")
def model(student: Path) -> Model:
    return load_model(student, SETTINGS, RUNTIME)


def test_the_completion_is_reasoning_then_answer_and_without_it_todays(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    bare = row_of("abstain", "Why?", "Not said.", "a")
    plain = encode_rows([*ROWS, bare], tokenizer, 200)
    reasoning = encode_rows([*ROWS, bare], tokenizer, 200, "before_answer")
    for row, one in zip(ROWS, reasoning, strict=False):
        said = tokenizer.decode(one.input_ids[one.start : -1])
        assert said == write_thoughts(row.reasoning, row.completion[0].content)
    assert reasoning[-1] == plain[-1]
    assert plain == encode_rows([replace(r, reasoning="") for r in [*ROWS, bare]], tokenizer, 200)
    assert [one.start for one in plain] == [one.start for one in reasoning]


def test_a_row_that_is_too_long_with_its_reasoning_says_what_would_help(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    longest = max(len(one.input_ids) for one in encode_rows(ROWS, tokenizer, 200))
    with pytest.raises(InputError, match="learn answers alone: `reasoning: none`"):
        encode_rows(ROWS, tokenizer, longest, "before_answer")


def test_a_teacher_reads_the_reasoning_that_the_student_learns(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    rows = [replace(row, chunk_ids=("c",)) for row in ROWS]
    encoded = encode_rows(rows, tokenizer, 200, "before_answer")
    for learned, read in zip(
        encoded, read_rows(rows, encoded, tokenizer, {"c": "The code is HB-021."}), strict=True
    ):
        assert read.start > learned.start
        assert read.input_ids[read.start :] == learned.input_ids[learned.start :]
        assert read.tokens_id == learned.tokens_id


def test_the_answer_alone_counts_and_the_reasoning_can_be_read(model: Model) -> None:
    for question, (reasoning, answer) in QUESTIONS.items():
        (said,) = think_prompts(model, [question], SETTINGS, 64)
        assert (said.reasoning, said.answer, said.finished) == (reasoning, answer, True)
    (cut,) = think_prompts(
        model, ["Which code?"], SETTINGS.model_copy(update={"max_new_tokens": 1}), 64
    )
    assert cut.answer == "HB"


def test_reasoning_that_does_not_end_is_no_answer_and_is_counted(model: Model) -> None:
    thinker = Thinker(model, SETTINGS.model_copy(update={"max_new_tokens": 1}), 64)
    assert thinker.answer(list(QUESTIONS), "asked") == ["HB", "27"]
    narrow = Thinker(model, SETTINGS.model_copy(update={"max_new_tokens": 3}), 1)
    assert narrow.answer(list(QUESTIONS), "asked") == ["", ""]
    assert narrow.describe() == {"replies": 2, "reasoned": 0.0, "unfinished": 1.0}
    assert thinker.describe() == {"replies": 2, "reasoned": 1.0, "unfinished": 0.0}


def test_who_reasons_is_told_by_its_folder(base: Path, student: Path, tmp_path: Path) -> None:
    assert reasons_first(student)
    assert not reasons_first(base)
    (tmp_path / "provenance.json").write_text('{"parameters": {"model": "x"}}')
    assert not reasons_first(tmp_path)
    for torn in ("{", "[]", "{}", '{"parameters": 3}'):
        (tmp_path / "provenance.json").write_text(torn)
        with pytest.raises(InputError, match="not a provenance"):
            reasons_first(tmp_path)


def test_ask_prints_the_answer_and_the_reasoning_where_it_is_wanted(student: Path) -> None:
    plain = CliRunner().invoke(app, ["ask", str(student), "Which code?"])
    shown = CliRunner().invoke(app, ["ask", str(student), "Which code?", "--thoughts"])
    told = CliRunner().invoke(app, ["ask", str(student), "Which code?", "--json"])
    assert (plain.stdout, shown.stdout) == ("HB-021.\n", "It says HB-021.\nHB-021.\n")
    (answer,) = json.loads(told.stdout)["answers"]
    assert answer == {
        "model": str(student), "answer": "HB-021.", "reasoning": "It says HB-021.", "finished": True,
    }  # fmt: skip
