"""What the offline teacher leaves out: sentences and values that say nothing without their place."""

import json

import pytest

from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline import answer, recall
from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.markdown import split_sentences
from stillhouse.teachers.offline.morphology import base_of
from tests.offline_handbook import ask


def read(text: str, section: str = "Guide > Pumps") -> list[Fact]:
    return recall.read_facts(Passage("guide.md", section, text))


def questions(text: str, section: str = "Guide > Pumps") -> list[str]:
    return [question.text for fact in read(text, section) for question in fact.questions]


@pytest.mark.parametrize(
    "sentence",
    [
        "This pump must be cleaned every 6 weeks.",
        "The valves above are replaced after 6 weeks.",
        "The following filter must be cleaned every 6 weeks.",
        "For example, a green pump must be cleaned every 6 weeks.",
        "As you can see, a green pump has two outlets.",
        "Suppose the green pump was cleaned 6 weeks ago.",
        "See the pump manual for the 6 weeks of running in.",
        "I clean the green pump every 6 weeks.",
        "We assume that the green pump is cleaned every 6 weeks.",
        "The option --clean empties the green pump after 6 weeks.",
        "clean_pump() empties the green pump after 6 weeks.",
        "(The green pump must be cleaned every 6 weeks.",
        "must be cleaned every 6 weeks by the green pump.",
        "The pump accepts 32 & 64 bits without having to say which.",
        "Two other pumps fulfil the same task in the store.",
        "Pump libfoo is cleaned every 6 weeks.",
        "Die grüne Pumpe muss alle 6 Wochen von der Werkstatt gereinigt werden.",
        "La pompe verte doit être nettoyée toutes les 6 semaines par le garage.",
    ],
)
def test_a_sentence_that_leans_on_its_place_is_left_out(sentence: str) -> None:
    assert questions(sentence) == []


def test_a_sentence_that_stands_alone_is_asked() -> None:
    assert "How often must a green pump be cleaned?" in questions(
        "A green pump must be cleaned every 6 weeks."
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "The green pump uses the two hoses of the store.",
        "The manual of the green pump has Rex 7 pages in its folder.",
        "11 green pumps are kept in the store.",
        "The green pump was shown in 3.7 maintenance releases of the store.",
        "Both ends are opened with two keys of the store.",
        "The call takes three arguments.",
        "There are four kinds of fields.",
        "Specify two names of the green pump.",
        "The green pump has one or two outlets.",
    ],
)
def test_a_number_that_counts_nothing_new_is_left_out(sentence: str) -> None:
    assert [fact for fact in read(sentence) if fact.kind == "count"] == []


def test_a_number_is_asked_without_the_list_that_spells_it_out() -> None:
    asked = questions("The green pump has two outlets, the upper one and the lower one.")
    assert "How many outlets does the green pump have?" in asked
    assert not [text for text in asked if "upper" in text]


@pytest.mark.parametrize(
    "sentence",
    [
        "Reports of the green pump are made on 3 May and 4 June.",
        "The green pump is sold by Wendel Ashby and many others.",
        "Losses of the green pump fell by 50% to 70%.",
    ],
)
def test_one_of_several_values_is_no_answer(sentence: str) -> None:
    asked = {fact.value for fact in read(sentence)}
    assert not asked & {"4 June", "3 May", "Wendel Ashby", "70%"}


def test_a_name_that_stands_in_the_title_is_no_news() -> None:
    sentence = "Orders for pumps are written on the Heron card."
    assert "On which card are orders for pumps written?" in questions(sentence, "Guide")
    assert questions(sentence, "The Heron guide") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Joining the club means that you agree with its 4 aims.", "what follows from doing"),
        ("The default is true which means that nothing is said.", "half a sentence"),
        ("A list is a set of numbers that commas separate.", "a word that is common everywhere"),
        ("The chosen method is called reference counting.", "what is chosen nobody can tell"),
        ("The resulting package is called Sphinx.", "of what it results is said elsewhere"),
        ("Called when dir() is called on the object.", "a preposition begins no term"),
        ("See the section called “Pump house” for the details.", "a part of the text"),
    ],
)
def test_what_only_looks_like_a_definition_is_left_out(text: str, why: str) -> None:
    assert read(text) == [], why


def test_what_there_is_is_no_thing_that_can_be_named_first() -> None:
    text = "There are three ways of holding back pumps of the store."
    pairs = json.loads(answer(ask(Passage("a.md", "Guide", text), phrasings=40)))["pairs"]
    asked = [question for pair in pairs for question in pair["questions"]]
    assert "How many ways of holding back pumps of the store are there?" in asked
    assert not [
        question for question in asked if "are they" in question or "bout there" in question
    ]


def test_a_common_word_is_a_term_in_a_glossary() -> None:
    text = "A benchmark is a fixed mark that other marks are measured from."
    assert "What is a benchmark?" in questions(text, "Glossary")
    assert questions(text, "Notes") == []


def test_the_word_term_is_no_part_of_the_term() -> None:
    asked = questions("The term drift day refers to a whole day off taken from the balance.")
    assert 'What does "drift day" mean?' in asked


@pytest.mark.parametrize(
    "line",
    [
        "- row: fill the rows before the columns",
        "- License: see the file",
        "- PEP 436: Argument Clinic",
        "- example: a pump in its box",
        "- Upload fixing only grave flaws: 5 days",
        "- araxis: Use the merge program",
    ],
)
def test_a_word_before_a_colon_is_not_always_a_key(line: str) -> None:
    assert read(line, "Guide > 3.2 Options") == []


def test_a_letter_of_an_index_owns_nothing() -> None:
    assert read("- timeout: 30 seconds", "Index > T") == []


def test_a_column_of_remarks_asks_nothing() -> None:
    table = "| Directory | Description |\n| --- | --- |\n| spool | Waiting mail |\n"
    assert read(table) == []


def test_a_passage_in_another_language_is_left_out() -> None:
    text = (
        "| Gegenstand | Frist |\n| --- | --- |\n| Bücher | 21 Tage |\n\n"
        "Wer die Frist versäumt, bezahlt eine kleine Gebühr an die Bibliothek und bekommt "
        "danach wieder jedes gewünschte Buch."
    )
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (
            "Receipts for a card must be handed in by the 12th of the following month.",
            "By which day of the following month must receipts for a card be handed in?",
        ),
        ("Ring the absence line on extension 4417.", "On which extension do I have to ring"),
        ("Samples need 3 weeks in the cold room.", "How many weeks do samples need"),
    ],
)
def test_questions_that_were_broken_are_whole(text: str, question: str) -> None:
    assert any(asked.startswith(question) for asked in questions(text))


def test_a_verb_that_looks_like_a_form_is_its_own_base() -> None:
    assert [base_of(word) for word in ("ring", "bring", "need", "feed", "needed")] == [
        "ring", "bring", "need", "feed", "need",
    ]  # fmt: skip


def test_a_degree_sign_ends_a_sentence() -> None:
    assert split_sentences("The store is kept at 3 °C. The pump stands in it.") == [
        "The store is kept at 3 °C.",
        "The pump stands in it.",
    ]


@pytest.mark.parametrize("text", [", the end.", ",", ", , the a, ,", "the", ". . .", "“ ”", "| |"])
def test_scraps_of_text_are_read_without_a_crash(text: str) -> None:
    assert read(text) == []
    assert json.loads(answer(ask(Passage("a.md", "", text)))) == {"pairs": []}


@pytest.mark.parametrize(
    "text",
    [
        "- From 3 July 2031",
        "From 3 July",
        "On 1 May 2030.",
        "By 3 June 2031.",
        "Until 4 May 2031,",
        "Not a £5 note a day.",
        "Not A fee of £5.",
        "Even a £5 note a day.",
    ],
)
def test_a_date_or_a_denial_alone_says_nothing(text: str) -> None:
    assert read(text) == []
    assert json.loads(answer(ask(Passage("a.md", "", text)))) == {"pairs": []}


def test_a_date_in_front_without_a_comma_is_no_subject() -> None:
    asked = questions("From 3 July 2031 a green pump must be cleaned every 6 weeks.")
    assert any("must a green pump be cleaned" in text for text in asked)


@pytest.mark.parametrize(
    ("text", "value", "question"),
    [
        ("The treasurer is Ann Brook.", "Ann Brook", "Who is the treasurer?"),
        ("The secretary is Mark Rose.", "Mark Rose", "Who is the secretary?"),
        ("The CEO, Maria Lopez, approves budgets.", "Maria Lopez", "Who is the CEO?"),
        ("Keys are held by Tom Baker.", "Tom Baker", "Who are keys held by?"),
    ],
)
def test_a_name_in_the_place_of_a_person_is_one(text: str, value: str, question: str) -> None:
    (fact,) = read(text)
    assert (fact.kind, fact.value) == ("person", value)
    assert question in [asked.text for asked in fact.questions]


@pytest.mark.parametrize(
    "text",
    [
        "The answer is New York.",
        "The tool is Visual Studio.",
        "The site is run by Open Source.",
        "Routes are shown by Tessel Services.",
        "Pumps are sold by Tessel Limited.",
        "The server, Big Blue, runs daily.",
    ],
)
def test_a_name_of_a_thing_is_no_person(text: str) -> None:
    assert [fact for fact in read(text) if fact.kind == "person"] == []


def test_both_points_only_where_no_noun_follows() -> None:
    (fact,) = read("Both parties must give 4 weeks' notice.")
    assert fact.answer == "Both parties must give 4 weeks' notice."
    assert read("Both must give 4 weeks' notice.") == []
    assert read("Both need a review within 3 weeks.") == []


@pytest.mark.parametrize(
    ("aside", "told"),
    [
        ("excluding VAT", True),
        ("without tax", True),
        ("about £1,100", False),
        ("or 3 pumps", False),
        ("plus £30 for a bag", False),
    ],
)
def test_a_bracket_that_only_narrows_keeps_its_value(aside: str, told: bool) -> None:
    found = read(f"The laptop budget is 1,200 euros ({aside}).")
    assert [fact.value for fact in found] == ["1,200 euros"] * told


@pytest.mark.parametrize("heading", ["1. Rates", "3.2 Rates", "2) Rates", "Section 4: Rates"])
def test_the_number_of_a_heading_is_no_part_of_its_name(heading: str) -> None:
    (fact,) = read("**Deposit**: £40", f"Guide > {heading}")
    assert fact.answer == "The deposit of the Rates is £40."


@pytest.mark.parametrize("heading", ["Chapter 3", "24 Hour desk", "1. T"])
def test_a_number_or_a_letter_owns_nothing(heading: str) -> None:
    assert read("**Deposit**: £40", f"Guide > {heading}") == []


def test_a_domain_is_no_example() -> None:
    assert questions("Orders are sent to example.com within 3 days.")
    assert questions("Orders are sent to shop.example within 3 days.")
    assert questions("Orders of the example are sent within 3 days.") == []
