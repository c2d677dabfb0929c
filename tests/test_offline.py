"""The offline teacher answers a request as a language model is asked to, by rules alone."""

import hashlib
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from stillhouse.base import versions
from stillhouse.base.errors import TeacherError
from stillhouse.base.records import Request
from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline import answer
from tests.offline_handbook import LOANS, MANUAL, NIGHT, ROOMS, ask

# A changed answer needs a new versions.OFFLINE_TEACHER, and then a new pair here.
PINNED = (4, "ffb4a3dce1dd095ab1dc20ed881b3cb907d6617968e01162e62fca122d83ac32")


def pairs_of(request: Request) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = json.loads(answer(request))["pairs"]
    return pairs


def pair_with(answer_text: str, request: Request) -> dict[str, Any]:
    return next(pair for pair in pairs_of(request) if pair["answer"] == answer_text)


def test_a_table_cell_is_a_fact_of_its_row_and_column() -> None:
    pair = pair_with("The loan period for films is 7 days.", ask(LOANS))
    assert pair["fact"] == "Elmwood library guide > Loans: Films: Loan period: 7 days"
    assert "How long is the loan period for films?" in pair["questions"]
    assert pair["confidence"] == 1.0


def test_a_sentence_is_asked_in_the_readers_own_words() -> None:
    pair = pair_with("Members may borrow up to 12 items at a time.", ask(LOANS))
    assert pair["questions"][:2] == [
        "How many items may members borrow at a time?",
        "How many items can I borrow at a time?",
    ]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The late bus leaves at 22:10.", "At what time does the late bus leave?"),
        ("Lamps are replaced every 9 months.", "How often are lamps replaced?"),
        ("Claims must be submitted by 4 May.", "By what date must claims be submitted?"),
        ("The fee for a locker is £3.", "How much does a locker cost?"),
        ("The keys hang in the Birch Room.", "Where do the keys hang?"),
        ("Drivers must be at least 21 years old.", "How old must drivers be?"),
        ("Work stops when the wind is above 30 knots.", "When does work stop?"),
        ("The chair of the board is Ada Quill.", "Who is the chair of the board?"),
        (
            "Post is sent in the mail system, a program called Wren.",
            "What is the mail system called?",
        ),
        ("Logs are kept for 3 years.", "How long are logs kept?"),
        ("A parcel may weigh at most 20 kilograms.", "How many kilograms may a parcel weigh?"),
    ],
)
def test_each_kind_of_value_has_its_own_question_word(sentence: str, question: str) -> None:
    asked = pairs_of(ask(Passage("a.md", "Guide", sentence), phrasings=20))
    assert question in [text for pair in asked for text in pair["questions"]]


def test_a_sentence_with_a_form_and_a_time_limit_gives_two_facts() -> None:
    sentence = (
        "Inter-library loans must be requested on form IL-9 within 5 working days of the enquiry."
    )
    about = [pair["questions"][0] for pair in pairs_of(ask(LOANS)) if pair["fact"] == sentence]
    assert {question.split(" inter")[0].split(" must")[0] for question in about} == {
        "Within how many working days of the enquiry",
        "On which form",
    }


def test_an_answer_keeps_one_value_of_the_type_that_was_asked_for() -> None:
    text = "The desk is open from 08:15 to 16:40."
    answers = {pair["answer"] for pair in pairs_of(ask(Passage("a.md", "Desk", text)))}
    assert answers == {"The desk is open from 08:15.", "The desk is open to 16:40."}


def test_no_question_gives_its_answer_away_and_no_two_facts_share_one() -> None:
    pairs = pairs_of(ask(LOANS)) + pairs_of(ask(ROOMS))
    questions = [question for pair in pairs for question in pair["questions"]]
    assert len(questions) == len(set(questions)) > 60
    for pair in pairs:
        value = re.search(r"So the answer is (.*)\.$", pair["reasoning"])
        assert not (value and any(value[1] in question for question in pair["questions"]))


def test_a_sentence_whose_pronoun_has_no_clear_noun_is_left_out() -> None:
    text = "Somebody left a bag. It was found after 3 days, when they had given up."
    assert pairs_of(ask(Passage("a.md", "Finds", text))) == []


def test_a_pronoun_takes_the_subject_before_it() -> None:
    text = "The deposit is £4. It must be paid within 8 days."
    assert pair_with(
        "The deposit must be paid within 8 days.", ask(Passage("a.md", "Lockers", text))
    )


def test_a_name_and_a_definition_are_asked_from_both_sides() -> None:
    questions = [text for pair in pairs_of(ask(ROOMS, phrasings=16)) for text in pair["questions"]]
    assert {
        "What is a quiet hour?",
        "What is an hour in which nobody may telephone called?",
        "What is the room calendar called?",
        "Which program are rooms booked in?",
    } <= set(questions)


def test_pairs_phrasings_and_reasoning_are_obeyed() -> None:
    pairs = pairs_of(ask(LOANS, pairs=2, phrasings=3, reasoning=False))
    assert [len(pair["questions"]) for pair in pairs] == [3, 3]
    assert [pair["reasoning"] for pair in pairs] == ["", ""]


def test_reasoning_quotes_the_source_sentence() -> None:
    pair = pair_with("Fire extinguishers are checked every 12 months.", ask(ROOMS))
    assert pair["reasoning"] == (
        'The passage says: "Fire extinguishers are checked every 12 months." '
        "So the answer is 12 months."
    )


def test_persona_and_variation_change_the_wording() -> None:
    manager = pair_with(
        "Members may borrow up to 12 items at a time.", ask(LOANS, persona="manager")
    )
    assert "How many items can my team member borrow at a time?" in manager["questions"]
    text = "Tickets must be submitted within 2 days."
    plain = pairs_of(ask(Passage("a.md", "Tickets", text), variation="beginner"))
    assert plain[0]["answer"] == "Tickets must be sent in within 2 days."


def test_a_brief_answer_is_the_value_with_its_preposition_and_unit() -> None:
    text = (
        "Tickets must be submitted within 2 days. The request is form AB-1. "
        "A ticket is a request for a repair that somebody else has to approve."
    )
    request = ask(Passage("a.md", "Tickets", text), variation="brief")
    answers = {pair["answer"] for pair in pairs_of(request)}
    assert {"Within 2 days.", "Form AB-1."} <= answers
    assert any(answer.startswith("A ticket is a request") for answer in answers)


def test_an_unanswered_question_is_declined_in_the_given_words() -> None:
    request = ask(task="abstain", question="Is there a pool?", style="Not in the guide.")
    asked = pairs_of(request)[0]["questions"]
    assert asked[0] == "Is there a pool?"
    assert len(asked) == len(set(asked)) <= 8
    assert pairs_of(request)[0]["answer"] == "Not in the guide."


def test_two_values_of_one_column_are_compared_exactly() -> None:
    answers = {pair["answer"] for pair in pairs_of(ask(LOANS, task="multi_step"))}
    assert "The loan period is 14 days longer for books than for films." in answers
    assert "The fine is 35p higher for films than for books." in answers


def test_values_below_zero_are_compared_with_their_sign() -> None:
    text = "| Store | Temperature |\n| --- | --- |\n| Cold room | 4 °C |\n| Sample freezer | −18 °C |\n"
    pairs = pairs_of(ask(Passage("a.md", "Stores", text), task="multi_step"))
    assert [(pair["answer"], pair["reasoning"].rpartition("Step 3. ")[2]) for pair in pairs] == [
        (
            "The temperature is 22 °C higher for cold room than for sample freezer.",
            "4 minus −18 is 22. So the difference is 22 °C.",
        ),
        ("It is higher for cold room: 4 °C.", "4 is more than −18."),
    ]


@pytest.mark.parametrize("value", ["±2 mm", "10-12 mm", "A-4"])
def test_a_value_without_one_sign_is_not_compared(value: str) -> None:
    text = f"| Gauge | Drift |\n| --- | --- |\n| North gauge | 5 mm |\n| South gauge | {value} |\n"
    assert pairs_of(ask(Passage("a.md", "Gauges", text), task="multi_step")) == []


def test_a_limit_below_zero_is_not_tried_with_values_around_it() -> None:
    text = "The cold room may warm up to {} degrees."
    asked = [
        len(pairs_of(ask(Passage("a.md", "Stores", text.format(value)), task="edge_cases")))
        for value in ("10", "-10")
    ]
    assert asked == [2, 0]


def test_an_exception_is_answered_with_its_own_value() -> None:
    (pair,) = pairs_of(ask(LOANS, NIGHT, task="exceptions"))
    assert pair["answer"] == "Reserved books of night readers are held for 9 days."
    assert "held for 6 days" in pair["reasoning"]
    assert "night readers" in pair["questions"][0]


def test_a_limit_is_tried_from_inside_and_outside() -> None:
    tried = {
        pair["questions"][0]: pair["answer"].split(".")[0]
        for pair in pairs_of(ask(LOANS, ROOMS, task="edge_cases"))
    }
    assert tried["May members borrow 13 items at a time?"] == "No"
    assert tried["May members borrow 11 items at a time?"] == "Yes"
    assert tried["Is it enough for a visiting group to have 3 people?"] == "No"


def test_simplified_asks_for_a_definition_first() -> None:
    first = pairs_of(ask(ROOMS, task="simplified"))[0]
    assert first["questions"][0] == "What is a quiet hour?"


def test_a_passage_without_facts_gives_no_pairs() -> None:
    assert pairs_of(ask(Passage("a.md", "Hello", "Be kind to one another."))) == []


def test_an_unknown_task_names_the_ones_that_exist() -> None:
    with pytest.raises(TeacherError, match="expected recall, multi_step"):
        answer(ask(LOANS, task="poetry"))


def test_a_new_number_changes_no_word_of_any_question() -> None:
    other = Passage(LOANS.source, LOANS.section, LOANS.text.replace("12 items", "19 items"))
    before = [pair["questions"] for pair in pairs_of(ask(LOANS, phrasings=40))]
    after = [pair["questions"] for pair in pairs_of(ask(other, phrasings=40))]
    assert {text for texts in before for text in texts} == {t for texts in after for t in texts}


def test_answers_change_only_with_the_version() -> None:
    digest = _digest()
    assert (versions.OFFLINE_TEACHER, digest) == PINNED, f"answers are now {digest}"


@pytest.mark.parametrize("seed", ["0", "77"])
def test_answers_are_equal_in_another_process(seed: str) -> None:
    code = "from tests.test_offline import _digest; print(_digest())"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == _digest()


def _digest() -> str:
    tasks = ("recall", "open_book", "multi_step", "exceptions", "simplified", "edge_cases")
    texts = [answer(ask(LOANS, ROOMS, NIGHT, MANUAL, task=task)) for task in tasks]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def test_what_an_unmade_statement_would_answer_is_declined() -> None:
    unmade = Passage("unanswered.jsonl", "", "The yearly rent for a staff allotment is £27.")
    (pair,) = pairs_of(ask(unmade, task="abstain", style="Not in the guide.", phrasings=4))
    assert len(pair["questions"]) == 4
    assert all("allotment" in question.lower() for question in pair["questions"])
    assert (pair["answer"], pair["fact"]) == ("Not in the guide.", "")
