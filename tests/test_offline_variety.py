"""Varied wordings say the same in other words, frames and situations."""

import re
from dataclasses import replace

import pytest

from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline import recall, situations
from stillhouse.teachers.offline.asks import ask_otherwise, count_patterns
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
from stillhouse.teachers.offline.shortening import shorten
from stillhouse.teachers.offline.swapping import swap_words
from stillhouse.teachers.offline.thesaurus import count_groups, swaps
from stillhouse.teachers.offline.variety import VARIED, vary
from stillhouse.teachers.offline.wording import content_words
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
    assert count_groups() >= 900
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


def asked_ways(text: str, kind: str = "duration") -> set[str]:
    fact = fact_with(text, kind=kind)
    return {question.text for question in ask_otherwise(fact.questions[0], fact)}


def shortened_ways(text: str) -> set[str]:
    return {question.text for question in shorten(Question("full", text))}


def test_patterns_of_asking_are_many() -> None:
    assert count_patterns() >= 200


@pytest.mark.parametrize(
    ("text", "kind", "other"),
    [
        (
            "What is the response time for gold service contract?",
            "duration",
            "How fast do we have to react for the gold service contract?",
        ),
        ("What's the probation period?", "duration", "How long am I on trial at the start?"),
        ("Who is the owner of the plans?", "person", "Whose baby are the plans?"),
        ("What is the parking fee?", "money", "What will parking set me back?"),
        (
            "What is the monthly charge for a locker?",
            "money",
            "What do they want for a locker a month?",
        ),
        ("What is the extension of the depot?", "number", "What do I dial for the depot?"),
        ("Who approves travel requests?", "person", "Who gives the nod for travel requests?"),
        (
            "Who do travel requests have to be approved by?",
            "person",
            "Whose go-ahead do travel requests need?",
        ),
        ("How long are invoices kept?", "duration", "How long do we hang on to invoices?"),
        ("When does the canteen open?", "time", "How early can I get into the canteen?"),
        (
            "How much does a lost card cost to replace?",
            "money",
            "What's the damage for replacing a lost card?",
        ),
        (
            "How soon must new starters finish the course?",
            "duration",
            "How long have new starters got to finish the course?",
        ),
        (
            "How many days of annual leave do I get per year?",
            "duration",
            "How much annual leave am I owed per year?",
        ),
    ],
)
def test_a_question_is_asked_in_peoples_own_words(text: str, kind: str, other: str) -> None:
    assert other in asked_ways(text, kind)


def test_a_noun_of_another_kind_of_value_is_not_asked_for() -> None:
    assert asked_ways("What is the deposit for a key?", "duration") == set()
    assert asked_ways('What does "deposit" mean?', "money") == set()


def test_nothing_is_put_into_people() -> None:
    ways = asked_ways("What is the storage quota for trainees?", "measure")
    assert ways == {"How much space do trainees get?"}


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Who owns the Foo service contract?", "Who owns the Foo contract?"),
        ("Who owns the Foo service contract?", "Who owns Foo?"),
        ("Who is the annual leave policy owned by?", "Who is the leave policy owned by?"),
        ("Where is an expense claim form kept?", "Where is a claim form kept?"),
        ("How much is the fee for gold service contract?", "How much is the fee for the gold contract?"),
    ],
)  # fmt: skip
def test_a_compound_name_is_shortened(text: str, other: str) -> None:
    assert other in shortened_ways(text)
    assert all(not question.exact for question in shorten(Question("full", text)))


@pytest.mark.parametrize(
    "text",
    [
        "Who repairs the service lift?",
        "Who leads the customer service team?",
        "How many days of annual leave do employees get?",
        'What does "annual leave policy" mean?',
        "Where is the Ashton Room?",
    ],
)
def test_a_name_that_would_no_longer_tell_stays(text: str) -> None:
    assert shortened_ways(text) == set()


def test_a_shortened_name_that_fits_a_rival_is_left_out() -> None:
    text = "Who owns the annual leave policy?"
    fact = replace(fact_with(text, kind="person"), statement="Ann owns the annual leave policy.")
    ours = vary(fact.questions, fact, 30, rivals=["Bo owns the sick leave policy."])
    assert not any("the leave policy" in question.text for question in ours)
    ours = vary(fact.questions, fact, 30, rivals=["Bo owns the dress code."])
    assert any("the leave policy" in question.text for question in ours)


def test_content_words_of_varied_wordings_differ() -> None:
    text = "What is the warranty period for the Falcon dryer?"
    fact = fact_with(text)
    found = vary(fact.questions, fact, 24)
    cores = {frozenset(content_words(question.text)) for question in found}
    assert len(found) == 24
    assert len(cores) >= 16
    assert sum("warranty" in question.text for question in found) <= 12
