"""Varied wordings say the same in other words, frames and situations."""

import re

import pytest

from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline import recall, situations
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.openings import (
    ABOUT,
    AFTER,
    BEFORE,
    FOR_NOUNS,
    FOR_OTHERS,
    INDIRECT,
    PLANS,
)
from stillhouse.teachers.offline.swapping import swap_words
from stillhouse.teachers.offline.thesaurus import count_groups, swaps
from stillhouse.teachers.offline.variety import VARIED, vary
from tests.offline_handbook import LOANS, ROOMS

KEYS = [first + second for first in "abcdefgh" for second in "stuvwxyz"]


def swapped_ways(text: str, kind: str = "count") -> set[str]:
    return {swap_words(text, key, 1, kind) for key in KEYS}


def fact_with(text: str, subject: str = "", kind: str = "duration") -> Fact:
    return Fact(
        statement="", quote="", questions=(Question("full", text),), answer="", kind=kind,
        value="9 days", subject=subject, confidence=1.0, score=1.0,
    )  # fmt: skip


def test_the_thesaurus_is_large_and_no_word_stands_for_itself() -> None:
    assert count_groups() >= 350
    for group in swaps().values():
        for swap in group:
            assert " ".join(swap.words) not in swap.others


def test_frames_are_many() -> None:
    frames = {*BEFORE, *AFTER, *INDIRECT, *FOR_OTHERS, *FOR_NOUNS, *ABOUT, *PLANS}
    assert len(frames) >= 60


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("How many days of annual leave do I get?", "How many days of holiday do I get?"),
        ("On which form must claims be submitted?", "On which form must claims be handed in?"),
        ("Where is an expense claim kept?", "Where is a claim for costs kept?"),
        ("How soon must I submit the journal?", "How soon must I send in the journal?"),
        ("When does the contract expire?", "When does the contract run out?"),
    ],
)
def test_an_expression_is_swapped_in_its_own_form(text: str, other: str) -> None:
    assert other in swapped_ways(text)


@pytest.mark.parametrize(
    "text",
    [
        "What is a Form Owner?",
        'What does "annual leave" mean?',
        "Who signs form GR-7?",
    ],
)
def test_names_codes_and_quoted_terms_stay(text: str) -> None:
    for other in swapped_ways(text):
        for kept in ("Form Owner", '"annual leave"', "form GR-7"):
            assert (kept in text) == (kept in other)


def test_a_noun_that_means_something_else_behind_its_preposition_stays() -> None:
    ways = swapped_ways("As for the store rules: who is in charge?")
    assert ways
    assert all("in charge" in way for way in ways)


def test_a_plan_comes_before_a_short_question() -> None:
    text = "By when do I have to use the voucher?"
    plan = situations.ask_with_plan(text, fact_with(text), "a")
    assert plan[0] in PLANS
    assert plan[1] == "use the voucher"
    assert re.fullmatch(r"By when do I have to do (?:it|that|this)\?", plan[2])


def test_a_condition_becomes_a_supposed_case() -> None:
    text = "How much does it cost if a lamp is broken?"
    assert situations.ask_with_case(text, fact_with(text), "a")[1:] == (
        "a lamp is broken",
        "How much does it cost?",
    )


def test_a_thing_named_first_is_it_afterwards() -> None:
    text = "How often is the boiler cleaned?"
    about = situations.ask_about(text, fact_with(text, "boiler"), "a")
    assert about[1].lower() == "the boiler"
    assert about[2].lower() == "how often is it cleaned?"


def test_who_is_asked_for_is_not_called_it() -> None:
    text = "How old must a driver be?"
    assert situations.ask_about(text, fact_with(text, "driver"), "a") == ()


def test_a_colleague_is_not_i() -> None:
    text = "Can you tell me how many days I may carry over?"
    framed = [situations.ask_indirectly(text, fact_with(text), key) for key in KEYS]
    others = [core for frame, core in framed if frame in FOR_OTHERS]
    assert set(others) == {"how many days they may carry over"}


def test_varied_questions_are_new_and_as_many_as_wanted() -> None:
    for fact in recall.read_facts(LOANS):
        found = vary(fact.questions, fact, 16)
        assert found[: len(fact.questions)] == list(fact.questions)
        assert len({question.text.rstrip("?. ").casefold() for question in found}) == len(found)
        assert len(found) >= 14


def test_no_varied_question_fits_two_facts() -> None:
    facts = recall.widen_facts(recall.read_facts(ROOMS), 16)
    texts = [question.text for fact in facts for question in fact.questions]
    assert len(texts) == len(set(texts)) > 100


def test_a_wide_choice_takes_natural_and_varied_wordings_in_turn() -> None:
    (fact, *_) = recall.widen_facts(recall.read_facts(LOANS), 8)
    styles = {question.text: question.style for question in fact.questions}
    chosen = [styles[text].startswith(VARIED) for text in recall.choose_questions(fact, 6)]
    assert chosen == [False, False, True, False, True, False]


def test_open_book_does_not_always_take_the_first_wording() -> None:
    text = "Lamps are replaced every 9 months. Tents are aired every 4 weeks. Boats are painted \
every 3 years. Stoves are swept every 8 months. Ropes are burnt every 2 years."
    facts = recall.widen_facts(recall.read_facts(Passage("a.md", "Camp", text)), 16)
    firsts = [recall.choose_one(fact) == [fact.questions[0].text] for fact in facts]
    assert len(facts) == 5
    assert not all(firsts)
