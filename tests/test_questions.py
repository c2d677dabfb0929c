"""Reading the questions that measure a student, and finding the question in a prompt."""

from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.questions import (
    Question,
    ask_with_passage,
    list_questions,
    question_of,
    read_general,
    read_gold,
)
from stillhouse.base.records import Message

GOLD = (
    '{"id": "g1", "question": "How long is leave?", "answers": ["27.5 days"], "kind": "recall", '
    '"scope": "core", "fact": "leave-03", "sources": ["people/leave.md"], "gold_version": 1}\n'
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gold.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_gold_is_read_as_it_stands(tmp_path: Path) -> None:
    assert read_gold(write(tmp_path, GOLD)) == [
        Question(
            "g1",
            "How long is leave?",
            ("27.5 days",),
            "recall",
            "core",
            "leave-03",
            ("people/leave.md",),
        )
    ]


def test_general_questions_have_their_own_kind_and_scope(tmp_path: Path) -> None:
    line = (
        '{"id": "e1", "question": "Capital of Italy?", "answers": ["Rome"], "general_version": 1}\n'
    )
    assert read_general(write(tmp_path, line)) == [
        Question("e1", "Capital of Italy?", ("Rome",), "general", "general", "", ())
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"scope": "core", ', "", r"gold\.jsonl:1: `scope` is missing"),
        ('"recall"', '"trivia"', r"gold\.jsonl:1: `kind` is 'trivia'; expected one of recall"),
        ('["27.5 days"]', '"27.5 days"', r"gold\.jsonl:1: `answers` is not a list of texts"),
        ("\n", "\n" + GOLD, "the id 'g1' is used twice"),
    ],
)
def test_a_wrong_line_is_named_with_its_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_gold(write(tmp_path, GOLD.replace(old, new)))


def test_the_bare_question_is_found_beside_a_passage_and_without_one() -> None:
    passage = "# Leave\n\nQuestion: this line is in the passage.\n\nStaff have 27.5 days."
    shown = [Message("user", ask_with_passage(passage, "How long is leave?"))]
    assert question_of(shown, passage) == "How long is leave?"
    assert question_of([Message("user", "How long is leave?")], "") == "How long is leave?"


def test_a_conversation_asks_in_every_turn_of_its_user_and_never_by_the_passage() -> None:
    passage = "# Leave\n\nStaff have 27.5 days."
    shown = Message("user", ask_with_passage(passage, "How long is leave?"))
    turns = [
        Message("system", "Be brief."),
        Message("user", " Hello.\nI am new. "),
        shown,
        Message("assistant", "27.5 days."),
        Message("user", "Is it paid?"),
    ]
    asked = ("Hello.\nI am new.", "How long is leave?", "Is it paid?")
    assert list_questions(turns, passage) == asked
    assert list_questions([shown], passage) == ("How long is leave?",)
    assert list_questions([Message("assistant", "Hello.")], "") == ()
