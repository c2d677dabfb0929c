"""A reviewer's desk: who is asked about what, what is written, and what is refused before it is."""

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.questions import Question, read_dev, read_gold
from stillhouse.base.records import Row
from stillhouse.cli.main import app
from stillhouse.prompts.focus import Focus
from stillhouse.quality.review import apply_verdicts, read_verdicts
from stillhouse.quality.sample import SampleParams, draw_sample
from stillhouse.reviewing.desk import show_row
from stillhouse.reviewing.gold import Corpus, GoldDesk, list_candidates
from stillhouse.reviewing.lines import append_line, change_lines
from stillhouse.reviewing.opening import find_reviewer
from stillhouse.reviewing.verdicts import VerdictDesk, Wording
from tests.making import LEAVE, LEAVE_TEXT, make_chunk, make_gold, make_pair, make_row
from tests.review_project import REVIEW, make_review_project, read_lines

CHUNK = make_chunk()
CHUNKS = {CHUNK.chunk_id: CHUNK}
ROWS = [make_row(make_pair(f"What is number {n}?", f"{n} days.", [CHUNK])) for n in range(8)]


def open_desk(
    path: Path,
    who: str,
    double: float = 0.0,
    rows: Sequence[Row] = ROWS,
    gold: Sequence[Question] = (),
) -> VerdictDesk:
    sample = draw_sample(rows, SampleParams(rows=len(rows), double=double))
    return VerdictDesk(path, who, sample, CHUNKS, Wording(gold, 8, 0.9))


def list_open(desk: VerdictDesk) -> list[str]:
    shown: Any = desk.show()["rows"]
    return [row["id"] for row in shown if row["verdict"] is None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.jsonl"


def test_what_one_reviewer_decided_no_other_is_asked_about(path: Path) -> None:
    ada, bob = open_desk(path := _touch(path), "Ada"), open_desk(path, "Bob")
    first, second, *others = list_open(ada)
    ada.save({"row_id": first, "verdict": "accept"})
    bob.save({"row_id": second, "verdict": "reject"})
    assert list_open(ada) == list_open(bob) == others
    ada.undo()
    assert list_open(bob) == [first, *others]


def test_a_row_that_two_look_at_is_asked_twice_and_shows_no_others_verdict(path: Path) -> None:
    ada, bob, cy = (open_desk(_touch(path), who, double=1.0) for who in ("Ada", "Bob", "Cy"))
    first = list_open(ada)[0]
    ada.save({"row_id": first, "verdict": "reject", "reason": "wrong"})
    assert first in list_open(bob)
    assert "wrong" not in json.dumps(bob.show()["rows"])
    bob.save({"row_id": first, "verdict": "accept"})
    assert first not in list_open(cy)
    assert not {row["id"] for row in _rows(cy)} & {first}
    assert [row["verdict"]["verdict"] for row in _rows(bob) if row["id"] == first] == ["accept"]


def test_undo_goes_back_line_by_line_and_touches_nobody_elses(path: Path) -> None:
    ada, bob = open_desk(_touch(path), "Ada"), open_desk(path, "Bob")
    first, second = list_open(ada)[:2]
    ada.save({"row_id": first, "verdict": "reject", "reason": "wrong"})
    ada.save({"row_id": first, "verdict": "accept"})
    bob.save({"row_id": second, "verdict": "accept"})
    undone: Any = ada.undo()
    assert (undone["row_id"], undone["verdict"]["verdict"]) == (first, "reject")
    assert ada.undo() == {"row_id": first, "verdict": None}
    with pytest.raises(InputError, match="no verdict of yours"):
        ada.undo()
    assert [(one.reviewer, one.target) for one in read_verdicts(path)] == [("Bob", second)]


def test_a_fix_keeps_only_the_words_that_it_changes(path: Path) -> None:
    desk = open_desk(_touch(path), "Ada")
    row = ROWS[0]
    asked, said = "What is number 0?", "0 days."
    for question, response, words in (
        (asked, "None.", {"response": "None."}),
        ("Which number is it?", said, {"question": "Which number is it?"}),
        (f" {asked} ", " None at all. ", {"response": "None at all."}),
    ):
        answer = {"row_id": row.row_id, "verdict": "fix", "question": question}
        desk.save({**answer, "response": response})
        line = json.loads(path.read_text().splitlines()[-1])
        assert line == {
            "row_id": row.row_id, "verdict": "fix", "reviewer": "Ada", "reason": "", **words,
        }  # fmt: skip
    (fixed,) = apply_verdicts([row], read_verdicts(path)).rows
    assert fixed.completion[0].content == "None at all."


OPEN = make_row(make_pair("How many days?", "27.5 days.", [CHUNK], context=LEAVE_TEXT))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"verdict": "accept", "row_id": "0" * 64}, "not in the sample"),
        ({"verdict": "ok"}, "no verdict 'ok'; expected one of accept"),
        ({"verdict": "withdraw"}, "no verdict 'withdraw'"),
        ({"verdict": "fix"}, "a fix needs a question and an answer"),
        ({"verdict": "fix", "question": "How many days?", "response": " "}, "needs a question"),
        (
            {"verdict": "fix", "question": "How many days?", "response": "27.5 days."},
            "nothing is changed; accept",
        ),
        ({"verdict": "fix", "question": "How\nmany?", "response": "27.5 days."}, "several lines"),
        (
            {"verdict": "fix", "question": "What may I ask of you here", "response": "x"},
            "copies a question that measures students",
        ),
        ({"verdict": "fix", "question": "x" * 20_001, "response": "x"}, "longer than 20,000"),
    ],
)
def test_what_cannot_be_saved_is_said_and_nothing_is_written(
    path: Path, answer: dict[str, str], said: str
) -> None:
    desk = open_desk(
        _touch(path), "Ada", rows=[OPEN], gold=[make_gold("What may I ask of you here?")]
    )
    with pytest.raises(InputError, match=said):
        desk.save({"row_id": OPEN.row_id, **answer})
    assert path.read_text() == ""


def test_a_row_is_shown_with_its_passage_and_the_answer_marked_in_it() -> None:
    shown: Any = show_row(OPEN, CHUNKS)
    assert (shown["question"], shown["answer"]) == ("How many days?", "27.5 days.")
    (passage,) = shown["passages"]  # the one that the row shows is that of its chunk
    assert passage["title"] == f"{LEAVE} › Annual leave"
    assert "".join(part["text"] for part in passage["parts"]) == LEAVE_TEXT
    assert [part["text"] for part in passage["parts"] if part["marked"]] == ["27.5 days"]


def test_a_line_never_joins_what_a_crash_left_half_written(path: Path) -> None:
    path.write_text('{"a": 1}\n{"b"')
    append_line(path, {"c": "ü\u2028"})
    assert path.read_text().split("\n") == ['{"a": 1}', '{"b"', '{"c": "ü\u2028"}', ""]


def test_a_full_disk_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    path.write_text('{"a": 1}\n')
    write = os.write

    def fill(handle: int, data: bytes) -> int:
        if len(data) > 5:
            return write(handle, data[:5])
        raise OSError(28, "no space")

    monkeypatch.setattr("stillhouse.reviewing.lines.os.write", fill)
    with pytest.raises(MachineError, match="no space is left"):
        append_line(path, {"c": 1})
    assert path.read_text() == '{"a": 1}\n'


def held(question: str, answer: str, fact: str, holdout: str = "phrasing", **given: Any) -> Row:
    return make_row(make_pair(question, answer, [CHUNK], fact=fact, **given), holdout=holdout)


FACT = {"id": "leave-01", "fact": "The leave calendar is called Leeward.", "answer": "Leeward"}
OTHER = {"id": "leave-02", "fact": "Staff have 27.5 days of leave a year.", "answer": "27.5 days"}
FOCUS = Focus.model_validate({"core": [{"source": LEAVE, "facts": [FACT, OTHER]}]})
NAME = held("What is the leave calendar called?", "Leeward.", "name")


def open_gold(path: Path, *rows: Row, focus: Focus = FOCUS, asked: Sequence[str] = ()) -> GoldDesk:
    measuring = [make_gold("By what name does the calendar of leave go?", "gold-007")]
    corpus = Corpus(CHUNKS, focus, asked, measuring, frozenset(), 8, 0.9)
    return GoldDesk(path, list_candidates(rows, frozenset()), corpus)


def test_only_rows_kept_out_of_training_whose_fact_is_taught_become_gold() -> None:
    rows = [
        NAME,
        held("How is the calendar named?", "Leeward.", "name"),  # the same fact
        held("How many days are there?", "27.5 days.", "days", holdout="fact"),
        held("Which days?", "27.5 days.", "open", context=LEAVE_TEXT),
        held("What is 2 + 2?", "4.", "", holdout="question", task="replay"),
        held("Is there a sauna?", "It does not say.", "", holdout="question", task="abstain"),
        held("Who leaves?", "Ada.", "whole", holdout="document"),
        held("In train?", "Yes.", "train", holdout=""),
    ]
    found = list_candidates(rows, frozenset())
    assert {row.prompt[0].content for row in found.values()} in (
        {"What is the leave calendar called?", "Is there a sauna?", "Who leaves?"},
        {"How is the calendar named?", "Is there a sauna?", "Who leaves?"},
    )
    assert list_candidates(rows[::-1], frozenset()) == found
    assert NAME.row_id not in list_candidates([NAME], frozenset({NAME.slot_id}))


def test_a_gold_question_is_filled_in_as_the_exam_reads_it(path: Path) -> None:
    desk = open_gold(path, NAME)
    shown: Any = desk.show()["rows"]
    proposed = {key: shown[0][key] for key in ("kind", "answers", "fact")}
    assert proposed == {"kind": "recall", "answers": ["Leeward"], "fact": "leave-01"}
    answer = {
        "row_id": NAME.row_id,
        "question": "Where is leave  booked?",
        "answers": "Leeward\n the Leeward ",
    }
    desk.save({**answer, "kind": "recall", "fact": "leave-01"})
    name = f"review-{NAME.row_id[:12]}"
    accepted = ("Leeward", "the Leeward")
    wanted = Question(
        name, "Where is leave booked?", accepted, "recall", "core", "leave-01", (LEAVE,)
    )
    assert read_gold(path) == [wanted]
    desk.save({**answer, "question": "Which calendar has it?", "kind": "recall", "fact": ""})
    assert [one.question for one in read_gold(path)] == ["Which calendar has it?"]
    desk.undo()
    assert read_gold(path) == [wanted]
    desk.undo()
    assert read_gold(path) == []


def test_undo_takes_back_what_was_saved_last_and_nothing_else(path: Path) -> None:
    rows = [held(f"What is thing {n} called?", f"Name {n}.", f"fact {n}") for n in range(3)]
    desk = open_gold(path, *rows)
    words = ("Where do boats lie?", "Who keeps the keys?", "Which door is green?")

    def save(place: int, question: str) -> None:
        row_id = rows[place].row_id
        desk.save({"row_id": row_id, "question": question, "answers": "x", "kind": "recall"})

    for place, question in enumerate(words):
        save(place, question)
    save(0, "At what quay do ships moor?")
    undone: Any = desk.undo()
    assert (undone["row_id"], undone["verdict"]["question"]) == (rows[0].row_id, words[0])
    assert [one.question for one in read_gold(path)] == [*words]
    assert desk.undo() == {"row_id": rows[2].row_id, "verdict": None}
    assert [one.question for one in read_gold(path)] == [*words[:2]]
    again = open_gold(path, *rows)  # nothing was saved at this desk: the last line goes
    assert again.undo() == {"row_id": rows[1].row_id, "verdict": None}


def test_what_is_sealed_is_neither_offered_to_dev_gold_nor_taken_in_its_words(path: Path) -> None:
    twin = held("How is the calendar named?", "Leeward.", "name")
    days = held("How many days are there?", "27.5 days.", "days")
    rows = [NAME, twin, days]
    assert [*list_candidates(rows, frozenset(), frozenset({NAME.row_id}))] == [days.row_id]
    name = f"review-{NAME.row_id[:12]}"
    sealed = replace(
        make_gold("Which diary has the days off?", name), place="data/seed/eval/gold.jsonl:3"
    )
    corpus = Corpus(CHUNKS, FOCUS, (), [sealed], frozenset(), 8, 0.9)
    desk = GoldDesk(path, {NAME.row_id: NAME}, corpus)
    answer = {"row_id": NAME.row_id, "answers": "Leeward", "kind": "recall"}
    with pytest.raises(InputError, match=f"the question {name} asks that in the same words"):
        desk.save({**answer, "question": "Which diary has the days off?"})
    assert not path.exists()


def test_own_gold_questions_stay_when_others_come_and_go(path: Path) -> None:
    own = '{"id": "g1", "question": "What?", "answers": ["x"], "kind": "recall", "scope": "core", "fact": "", "sources": []}'
    path.write_text(own)  # as an editor may leave it, without a final line end
    desk = open_gold(path, NAME)
    desk.save(
        {"row_id": NAME.row_id, "question": "Which one?", "answers": "Leeward", "kind": "recall"}
    )
    assert [one.id for one in read_gold(path)] == ["g1", f"review-{NAME.row_id[:12]}"]
    desk.undo()
    assert path.read_text() == f"{own}\n"
    with pytest.raises(InputError, match="no question to take back"):
        desk.undo()


@pytest.mark.parametrize(
    ("focus", "holdout", "scope"),
    [
        (FOCUS, "phrasing", "core"),
        (Focus(), "phrasing", "core"),
        (Focus.model_validate({"core": []}), "phrasing", "other"),
        (FOCUS, "document", "held_out"),
    ],
)
def test_the_scope_is_that_of_the_documents(
    path: Path, focus: Focus, holdout: str, scope: str
) -> None:
    row = held("What is the calendar called?", "Leeward.", "name", holdout=holdout)
    answer = {"row_id": row.row_id, "question": "Which?", "answers": "Leeward", "kind": "recall"}
    open_gold(path, row, focus=focus).save(answer)
    assert [one.scope for one in read_gold(path)] == [scope]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"row_id": "0" * 64}, "not held out"),
        ({"question": " "}, "the question is empty"),
        ({"question": "what is the LEAVE calendar called"}, "a row is worded like that: “What is"),
        ({"question": "By what name does the calendar of leave go"}, "gold-007 asks that"),
        ({"answers": "\n"}, "needs an accepted answer"),
        ({"kind": "unanswerable"}, "unanswerable has no accepted answer"),
        ({"kind": "general"}, "no kind 'general'"),
        ({"fact": "leave-09"}, "no fact 'leave-09'"),
    ],
)
def test_what_would_measure_nothing_is_refused(
    path: Path, changes: dict[str, str], said: str
) -> None:
    desk = open_gold(path, NAME, asked=["What is the leave calendar called?"])
    good = {"row_id": NAME.row_id, "question": "Which?", "answers": "Leeward", "kind": "recall"}
    with pytest.raises(InputError, match=said):
        desk.save({**good, **changes})
    assert not path.exists()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    make_review_project(tmp_path, rows=20, double=1.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_status_tells_rate_limit_and_dispute_and_ends_with_1_over_the_limit(
    project: Path,
) -> None:
    asked = CliRunner().invoke(app, ["review", "--status"])
    assert asked.exit_code == 0
    assert "wrong: not known yet" in asked.stdout
    from stillhouse.reviewing.opening import open_verdict_desk

    ada, bob = open_verdict_desk("Ada"), open_verdict_desk("Bob")
    for n, row in enumerate(_rows(ada)):
        ada.save({"row_id": row["id"], "verdict": "accept" if n else "reject"})
    bob.save({"row_id": _rows(bob)[0]["id"], "verdict": "accept"})
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["review"]["max_error_rate"] = 0.01
    Path("params.yaml").write_text(yaml.safe_dump(params))
    told = CliRunner().invoke(app, ["review", "--status", "--json"])
    assert told.exit_code == 1
    found = json.loads(told.stdout)
    count = found["sample"]["drawn"]
    assert (found["open"], found["open_second"], found["over"]) == (0, count - 1, True)
    assert found["agreement"]["reviewers"] == {"Ada": count, "Bob": 1}
    assert found["agreement"]["disputed"] == [read_lines(project)[0]["row_id"]]
    text = CliRunner().invoke(app, ["review", "--status"]).stdout
    assert "the limit of 1.0% is passed, and the gate is red" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dev"], "expected `--gold --dev`"),
        (["--json"], "expected `--status --json`"),
        (["--port", "70000"], "no port 70000"),
        (["--reviewer", "A\nda"], "the reviewer's name is no name"),
    ],
)
def test_slips_on_the_command_line_are_one_sentence(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["review", "--no-open", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_reviewer_is_gits_user_unless_another_is_named(project: Path) -> None:
    git = ["git", "-C", str(project)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "config", "user.name", "Grace"], check=True)
    assert find_reviewer("") == "Grace"
    assert find_reviewer(" Ada ") == "Ada"


def test_a_broken_review_file_is_said_before_the_page_opens(project: Path) -> None:
    (project / REVIEW).write_text("accept\n")
    done = CliRunner().invoke(app, ["review", "--no-open", "--reviewer", "Ada"])
    assert done.exit_code == 2
    assert "review.jsonl:1: not JSON" in done.stderr


def _touch(path: Path) -> Path:
    path.touch()
    return path


def _rows(desk: VerdictDesk) -> list[dict[str, Any]]:
    rows: Any = desk.show()["rows"]
    return list(rows)


def test_a_line_that_is_appended_while_the_file_is_written_anew_stays(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    for number in range(3):
        append_line(path, {"n": number})
    other = threading.Thread(target=append_line, args=(path, {"n": 3}))

    def change(lines: list[str]) -> list[str]:
        other.start()
        time.sleep(0.3)  # the other one waits at the lock
        return [line for line in lines if line != '{"n": 1}']

    change_lines(path, change)
    other.join(timeout=120)
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [0, 2, 3]


@pytest.mark.parametrize("changed", [{}, {"id": "other"}, {"question": "What else is asked here?"}])
def test_dev_gold_that_repeats_sealed_gold_is_refused(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    sealed = {
        "id": "g1", "question": "Where is the key?", "answers": ["x"], "kind": "recall",
        "scope": "core", "fact": "", "sources": [],
    }  # fmt: skip
    (tmp_path / "gold.jsonl").write_text(f"{json.dumps(sealed)}\n")
    (tmp_path / "dev.jsonl").write_text(f"{json.dumps({**sealed, **changed})}\n")
    with pytest.raises(InputError, match=r"dev\.jsonl:1: .*gold\.jsonl:1: what dev gold shows"):
        read_dev(tmp_path)
    fine = {**sealed, "id": "d1", "question": "What else is asked here?"}
    (tmp_path / "dev.jsonl").write_text(f"{json.dumps(fine)}\n")
    assert [one.id for one in read_dev(tmp_path)] == ["d1"]
