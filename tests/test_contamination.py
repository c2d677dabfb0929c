"""Copies of gold wording are found; the same facts in other words stay."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from stillhouse.base.questions import Question
from stillhouse.quality.contamination import find_copied
from tests.making import make_gold

RUN: Final = 8
SIMILARITY: Final = 0.9

# Facts of an invented ferry line: what gold asks, and three questions by other hands about the same.
FACTS: Final[tuple[tuple[str, tuple[str, str, str]], ...]] = (
    ("How long does the crossing from Merrow to Skerry Point take in winter?",
     ("What's the winter sailing time between Skerry Point and Merrow?",
      "If I board at Merrow in January, when will I land at Skerry Point?",
      "Between the two harbours, how many minutes is one under way once summer is over?")),
    ("What does a return ticket for a bicycle cost on weekdays?",
     ("On a Tuesday, what will I pay to bring my bike there and back?",
      "Which price applies to bicycles that travel both ways outside weekends?",
      "How much is charged for cycles, out and home again, Monday to Friday?")),
    ("Which deck is closed to passengers while the ramp is raised?",
     ("Where on board may nobody stand as the ramp goes up?",
      "When the ramp is lifted, what part of the ship is off limits?",
      "Name the deck that has to be empty before the ramp moves.")),
    ("Who signs the safety log before the first sailing of the day?",
     ("Whose signature does the log need ahead of the morning's first departure?",
      "The day's safety log is signed off by which officer?",
      "Before anything sails, which member of the crew puts a name under the safety record?")),
    ("How many life jackets are kept on the upper deck?",
     ("What number of life vests does the top deck hold?",
      "Up on the highest deck, how many jackets could people put on in an emergency?",
      "State the count of life jackets stored upstairs.")),
    ("When must unaccompanied luggage be handed in at the Merrow office?",
     ("By what time do I have to drop bags that travel without me?",
      "Merrow takes bags sent alone until when?",
      "What is the latest hour for leaving cases that nobody travels with?")),
    ("What is the name of the vessel that replaced the Corran in 2019?",
     ("Which ship took over from the Corran?",
      "After the Corran was retired, what was her successor called?",
      "The boat that has sailed in place of the Corran since 2019 bears what name?")),
    ("At what wind speed are sailings to Skerry Point cancelled?",
     ("How hard must it blow before boats no longer go to Skerry Point?",
      "From how many knots on does the Skerry Point run stay in harbour?",
      "Name the wind limit beyond which nobody is taken over to Skerry Point.")),
    ("Which form do residents fill in to claim the island discount?",
     ("As an islander, what paper do I need for cheaper fares?",
      "What is the code of the application for reduced fares for people who live here?",
      "The residents' price reduction is asked for on what sheet?")),
    ("How often is the hull of each ferry inspected by divers?",
     ("At what interval do divers look at the ships' hulls?",
      "Divers examine the underside of every ferry how many times a year?",
      "How frequently does someone go under water to check the boats?")),
    ("Where are dogs allowed to stay during the night crossing?",
     ("On the night boat, what place is set aside for dogs?",
      "I sail overnight with my dog; in which part of the ship will it sleep?",
      "Which area is open to pets on sailings after dark?")),
    ("What happens to a booking when the passenger is ten minutes late?",
     ("I turn up ten minutes after check-in ends: is my place gone?",
      "How is a reservation treated if its holder comes late by ten minutes?",
      "Ten minutes behind time, what becomes of someone's ticket?")),
    ("Where do horses stand?",
     ("In which part of the ship is there room for a horse?",
      "What deck takes horses?",
      "I bring my mare along; which space is hers?")),
    ("How heavy may a trailer be?",
     ("What is the greatest weight of trailers taken on board?",
      "Up to how many tonnes do you carry a trailer?",
      "Name the weight limit for what is towed.")),
)  # fmt: skip

Edit = Callable[[str, random.Random], str]


def exchange_letters(text: str, rng: random.Random) -> str:
    """Swap two letters in the middle of a word."""
    spelled = text.split()
    at = rng.choice([place for place, word in enumerate(spelled) if len(word) > 4])
    word = spelled[at]
    spelled[at] = word[0] + word[2] + word[1] + word[3:]
    return " ".join(spelled)


def leave_out_small_word(text: str, rng: random.Random) -> str:
    spelled = text.split()
    small = [place for place, word in enumerate(spelled) if word in ("the", "a", "of", "is", "to")]
    del spelled[rng.choice(small or [len(spelled) - 1])]
    return " ".join(spelled)


COPIES: Final[Sequence[Edit]] = (
    lambda text, _: text,
    lambda text, _: text.upper(),
    lambda text, _: text.removesuffix("?"),
    lambda text, _: text.replace(" ", "  ") + " ",
)
LIGHT: Final[Sequence[Edit]] = (
    exchange_letters,
    leave_out_small_word,
    lambda text, _: f"Please tell me: {text[0].lower()}{text[1:]}",
    lambda text, _: f"{text.removesuffix('?')}, please?",
    lambda text, rng: exchange_letters(text.lower(), rng),
    lambda text, _: f"{text} Answer in one sentence.",
    lambda text, _: text.replace("the ", "our ", 1),
)


def share_found(questions: Sequence[str], gold: Sequence[Question]) -> float:
    found = list(find_copied(questions, gold, RUN, SIMILARITY))
    return sum(one is not None for one in found) / len(found)


@pytest.mark.parametrize("seed", range(5))
def test_copies_and_light_edits_of_gold_are_found(seed: int) -> None:
    rng = random.Random(seed)
    gold = [make_gold(asked, f"gold-{number}") for number, (asked, _) in enumerate(FACTS)]
    copies = [edit(asked, rng) for asked, _ in FACTS for edit in COPIES]
    edited = [edit(asked, rng) for asked, _ in FACTS for edit in LIGHT]
    assert share_found(copies, gold) >= 0.98
    assert share_found(edited, gold) >= 0.98
    for place, found in enumerate(find_copied(edited, gold, RUN, SIMILARITY)):
        assert found is None or found.gold_id == f"gold-{place // len(LIGHT)}"


def test_a_short_gold_question_among_words_of_courtesy_is_a_copy_and_its_words_elsewhere_are_not() -> (
    None
):
    gold = [make_gold("Where do horses stand?"), make_gold("Why so?", "gold-002")]
    asked = [
        "Quick question: where do horses stand exactly?",
        "Where do the horses stand?",
        "Why so late?",
    ]
    found = [one and one.detail for one in find_copied(asked, gold, RUN, 1.0)]
    assert found == ['holds all of gold-001: "where do horses stand"', None, None]


@pytest.mark.parametrize(
    ("asked", "copies"),
    [
        ("What is the notice period?", True),
        ("Please tell me: what is the notice period?", True),
        ("Can you say what is the notice period exactly, thanks", True),
        ("According to the handbook, what is the notice period?", True),
        ("I joined in May. What is the notice period? Many thanks in advance!", True),
        ("What is the notice period for senior managers in Lyon?", False),
        ("For senior managers, what is the notice period?", False),
        ("For senior managers: what is the notice period", False),
    ],
)
def test_a_short_gold_question_of_another_subject_is_no_copy(asked: str, copies: bool) -> None:
    gold = [make_gold("What is the notice period?")]
    assert [one is not None for one in find_copied([asked], gold, RUN, SIMILARITY)] == [copies]


def test_the_same_facts_in_other_words_stay() -> None:
    gold = [make_gold(asked, f"gold-{number}") for number, (asked, _) in enumerate(FACTS)]
    assert share_found([asked for _, others in FACTS for asked in others], gold) <= 0.02
