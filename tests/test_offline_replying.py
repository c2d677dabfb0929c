"""The offline teacher answers a user only where one fact fits clearly, and does instructions wholly or not."""

from pathlib import Path

import pytest

from stillhouse.base.records import Message
from stillhouse.prompts.logs import load_logs
from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline.instructing import carry_out
from stillhouse.teachers.offline.recall import read_facts
from stillhouse.teachers.offline.replying import find_reply

LEAVE = Passage(
    "leave.md",
    "Leave > How much",
    "The standard annual leave for full-time staff is 26 days a year.\n\n"
    "| Grade | Annual leave a year |\n|---|---|\n| Trainees | 23 days |\n| Foremen | 31 days |\n\n"
    "Leave must be requested within 12 working days. The leave year begins on 1 June.",
)
PEOPLE = Passage(
    "desk.md",
    "Help desk",
    "- **Owner of the help desk rules:** Ada Borg, Head of Services\n\nThe help desk closes at 17:40.",
)


def reply(*turns: str) -> str | None:
    roles = ("user", "assistant") * len(turns)
    messages = [Message(role, said) for role, said in zip(roles, turns, strict=False)]
    facts = [fact for passage in (LEAVE, PEOPLE) for fact in read_facts(passage)]
    found = find_reply(messages, facts)
    return found.value if found else None


@pytest.mark.parametrize(
    ("turns", "value"),
    [
        (("hi, when does the help desk close?",), "17:40"),
        (
            (
                "I'm new here, and my mail is [e-mail]. How many days of leave do foremen get a year?",
            ),
            "31 days",
        ),
        (("How many days of leave do foremen get a year?", "31.", "And trainees?"), "23 days"),
        (("Planning a trip: when does the leave year begin?",), "1 June"),
        (("who is the owner of the help desk rules",), "Ada Borg"),
    ],
)
def test_a_question_in_the_users_words_finds_its_fact(turns: tuple[str, ...], value: str) -> None:
    assert reply(*turns) == value


@pytest.mark.parametrize(
    "said",
    [
        "Write me a poem about leave.",
        "Thanks!",
        "Which football team does the owner of the help desk rules support?",
        "Where is the help desk?",
        "How much does a day of leave cost?",
        "How many days of leave a year?",
    ],
)
def test_what_no_fact_answers_clearly_is_not_answered(said: str) -> None:
    assert reply(said) is None


def do(instruction: str, passage: Passage = LEAVE) -> str | None:
    done = carry_out(instruction, passage, read_facts(passage))
    return done.answer if done else None


def test_instructions_are_carried_out_by_their_words() -> None:
    assert do("List the deadlines and dates in the passage.") == (
        "The leave year begins on 1 June. Leave must be requested within 12 working days."
    )
    assert do("Who is responsible for what the passage describes?", PEOPLE) == (
        "The owner of the help desk rules is Ada Borg."
    )
    assert do("What does the passage say that people must do? List it.") == (
        "Leave must be requested within 12 working days."
    )
    summed = do("Summarise the passage in one sentence.", PEOPLE)
    assert summed is not None
    assert {"Ada Borg", "17:40"} <= {part for part in ("Ada Borg", "17:40") if part in summed}
    assert summed.count(".") == 1


def test_an_instruction_names_the_passage_by_its_headings() -> None:
    done = carry_out("List the dates in the passage.", LEAVE, read_facts(LEAVE))
    assert done is not None
    assert done.instruction == 'List the dates in the passage "Leave: How much".'


@pytest.mark.parametrize(
    "instruction",
    [
        "Write a poem about the passage.",
        "Summarise the passage in one sentence.",  # it says more than a sentence holds
        "List the deadlines in the passage in at most five words.",
        "Name the people in the passage and their roles.",
    ],
)
def test_what_rules_cannot_do_wholly_is_not_done(instruction: str) -> None:
    assert do(instruction) is None


def test_every_number_is_listed_or_none() -> None:
    told = Passage(
        "a.md", "Piers", "Pier 4 has 7 berths. In 1907 somebody, once, saw 3 whales there"
    )
    assert carry_out("List every number in the passage.", told, read_facts(told)[:1]) is None
    whole = Passage("a.md", "Piers", "The north pier has 7 berths.")
    assert do("List every number in the passage.", whole) == "The north pier has 7 berths."


def test_the_shipped_log_holds_talks_of_several_turns_and_more_than_questions() -> None:
    logs = load_logs(Path("data/seed/prompts.jsonl"))
    assert len(logs) >= 45
    assert sum(len(log.messages) > 1 for log in logs) >= 8
    assert {kind for log in logs for kind in log.hidden} == {"e-mail", "phone"}
