"""Students that reason before they answer: what they learn, what counts of what they say, what is counted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base.errors import InputError
from stillhouse.base.thoughts import Thoughts, write_thoughts
from stillhouse.cli.main import app
from stillhouse.distill.batches import Targets
from stillhouse.distill.encode import check_reasoning, encode_rows, read_rows
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.students import save_student
from stillhouse.distill.train import train_student
from stillhouse.evaluation import thinking
from stillhouse.evaluation.answering import Answering, Model, load_model
from stillhouse.evaluation.intervals import share
from stillhouse.evaluation.thinking import Thinker, reasons_first, think_prompts
from tests.test_distill_batches import row_of
from tests.test_distill_train import PARAMS, RUNTIME
from tests.tiny import build_tiny_model

ROOT = Path(__file__).parent.parent
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


def test_reasoning_that_nobody_wrote_is_refused() -> None:
    bare = [replace(row, reasoning="") for row in ROWS]
    with pytest.raises(InputError) as told:
        check_reasoning(bare, "before_answer")
    assert str(told.value) == (
        "students.<name>.reasoning: `reasoning: before_answer`, and none of the 2 rows has reasoning to "
        "learn; expected rows whose teacher gave its reasoning (`reasoning` in "
        "data/dataset/train.parquet); ask for it in the prompts of the tasks, or set `reasoning: none`"
    )
    check_reasoning([*bare, ROWS[0]], "before_answer")
    check_reasoning(bare, "none")


def test_a_tokenizer_whose_tags_are_special_tokens_is_refused(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    with pytest.raises(InputError, match="does not give back the tags that part reasoning from"):
        encode_rows(ROWS, tokenizer, 200, "before_answer")
    assert encode_rows(ROWS, tokenizer, 200)
    plain = load_tokenizer(base)
    plain.add_tokens(["<think>", "</think>"])  # tokens of their own, as Qwen3 has them
    assert encode_rows(ROWS, plain, 200, "before_answer")


def test_a_template_that_opens_the_reasoning_itself_is_refused(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.chat_template = str(tokenizer.chat_template).replace(
        "assistant\n{% endif %}", "assistant\n<think>\n{% endif %}"
    )
    with pytest.raises(InputError, match="writes <think> before the student says anything"):
        encode_rows(ROWS, tokenizer, 200, "before_answer")
    assert encode_rows(ROWS, tokenizer, 200)


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
    none, all_of_two = share([False] * 2, ["a", "b"]), share([True] * 2, ["a", "b"])
    never = {"share": 0.0, "low": 0.0, "high": round(none.high, 6)}
    always = {"share": 1.0, "low": round(all_of_two.low, 6), "high": 1.0}
    assert 0.3 < all_of_two.low < 0.4  # Wilson's for two of two
    assert narrow.describe() == {"replies": 2, "reasoned": never, "unfinished": always}
    assert thinker.describe() == {"replies": 2, "reasoned": always, "unfinished": never}


def test_who_reasons_is_told_by_its_folder(base: Path, student: Path, tmp_path: Path) -> None:
    assert reasons_first(student)
    assert not reasons_first(base)
    (tmp_path / "provenance.json").write_text('{"parameters": {"model": "x"}}')
    assert not reasons_first(tmp_path)
    for torn in ("{", "[]", "{}", '{"parameters": 3}'):
        (tmp_path / "provenance.json").write_text(torn)
        with pytest.raises(InputError, match="not a provenance"):
            reasons_first(tmp_path)


def test_ask_gives_the_room_that_the_projects_evaluation_gives(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["evaluate"]["reasoning_tokens"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    given: list[int] = []

    def think(*asked: object) -> list[Thoughts]:
        given.append(cast("int", asked[3]))
        return [Thoughts("", "", finished=False)]

    monkeypatch.setattr(thinking, "think_prompts", think)
    said = CliRunner().invoke(app, ["ask", str(student), "Which code?"])
    monkeypatch.chdir(student)  # which is no project
    CliRunner().invoke(app, ["ask", str(student), "Which code?"])
    assert said.stdout == "(no answer: its reasoning did not end)\n"
    assert given == [1, 128]


def test_ask_prints_the_answer_and_the_reasoning_where_it_is_wanted(student: Path) -> None:
    plain = CliRunner().invoke(app, ["ask", str(student), "Which code?"])
    shown = CliRunner().invoke(app, ["ask", str(student), "Which code?", "--thoughts"])
    told = CliRunner().invoke(app, ["ask", str(student), "Which code?", "--json"])
    assert (plain.stdout, shown.stdout) == ("HB-021.\n", "It says HB-021.\nHB-021.\n")
    (answer,) = json.loads(told.stdout)["answers"]
    assert answer == {
        "model": str(student), "answer": "HB-021.", "reasoning": "It says HB-021.", "finished": True,
    }  # fmt: skip
