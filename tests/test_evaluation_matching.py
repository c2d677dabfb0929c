"""Golden cases of matching: what counts as right, as hedging, and as declining."""

from dataclasses import replace

import pytest

from stillhouse.evaluation.matching import declines, is_right, score_reply, token_f1
from stillhouse.evaluation.records import Item
from stillhouse.evaluation.values import common_words

CORPUS = [
    "The owner of the annual leave policy is the head of people.",
    "The works safety manager, the adviser and the staff of the office meet in the yard.",
]
COMMON = common_words(CORPUS)

RIGHT = [
    # numbers and their notations
    ("How many days?", ["27.5 days"], "Full-time staff have 27.5 days a year."),
    ("How many days?", ["27.5"], "It is 27½ days."),
    ("How heavy?", ["2,150 kilograms"], "The highest towed weight is 2150 kg."),
    ("How heavy?", ["1200"], "1,200"),
    ("How many?", ["9"], "A triangle has nine of them."),
    ("How many hours a day?", ["24"], "There are twenty-four hours in one day."),
    ("How many?", ["1000"], "There are one thousand metres in a kilometre."),
    ("What share?", ["18.5 per cent"], "The premium is 18.5% of basic pay."),
    ("How fast?", ["68 mph"], "The limiter is set to 68 miles per hour."),
    ("How long?", ["3 hours 50 minutes"], "Longer than 3 hours and 50 minutes."),
    ("How long?", ["19 working days"], "At least 19 working days, which is 4 weeks."),
    ("What temperature?", ["19.5 degrees"], "It is 19.5 °C."),
    ("How much?", ["65 GB"], "65GB per person."),
    # money
    ("How much?", ["£38"], "At most £38.00 for a customer."),
    ("How much?", ["£38"], "38 pounds."),
    ("How much?", ["£1,200"], "£1200"),
    ("What rate?", ["43p"], "The rate is £0.43 a mile."),
    # dates and times
    ("When?", ["1 March"], "The leave year begins on March 1st."),
    ("When?", ["1 March"], "It begins on the 1st of March 2026."),
    ("By when?", ["16:10"], "By 4:10 pm on the previous working day."),
    ("When?", ["Tuesday at 11:20"], "It is handed over on Tuesday at 11:20."),
    ("On which day?", ["ninth calendar day"], "From the 9th calendar day."),
    # codes, words, names
    ("Which form?", ["LV-22"], "Form LV 22."),
    ("Which code?", ["HB-014"], "The code is hb-014, not a form."),
    ("What is water?", ["H2O"], "Its formula is H₂O."),
    ("Which number?", ["extension 4417", "4417"], "Call 4417."),
    ("Where?", ["Net Loft Yard"], "At the Net Loft Yard."),
    ("Who owns it?", ["Ilse Haverkorn"], "The Head of People, Ilse Haverkorn, owns it."),
    ("Who owns it?", ["Odalys Brenk"], "It is the Financial Controller, Odalys Brenk."),
    ("Who owns it?", ["Ilse Haverkorn", "Haverkorn"], "Ms Haverkorn."),
    ("Which colour?", ["teal"], "Customers wear a TEAL badge."),
    ("What is it called?", ["core time"], "It is called core-time."),
    ("Capital of Italy?", ["Rome"], "Rome, a city in the region Lazio."),
    ("Who wrote it?", ["Rowling"], "Harry Potter was written by J.K. Rowling."),
    # values of the question, of another type, or the same twice, are no second value
    ("After 3 years, how many days?", ["29 days"], "After 3 years it is 29 days, 29 in all."),
    ("Between £10 and £20?", ["£15"], "Between £10 and £20 the charge is £15."),
    ("How many days?", ["24 days"], "24 days, or 174 hours, under section 7."),
    ("How many legs?", ["8", "eight"], "Eight legs, one pair behind the other."),
    ("How many days?", ["6", "6 days", "six days"], "Up to six days (6) a year."),
    ("By when?", ["08:40", "08.40"], "1. Report it by 08:40.\n2. Ring extension 4417."),
    ("How much?", ["£2,960"], "Up to £2,960. The policy allows for up to £2,9"),
    ("Who owns it?", ["Hedda Lorimarsh"], "Hedda Lorimarsh, a German-based manager."),
    ("How hot?", ["100"], "100 degrees Celsius (212 degrees Fahrenheit)."),
    ("How long?", ["110 minutes", "1 hour 50 minutes"], "110 minutes, so 1 hour 50 minutes."),
    ("How long?", ["7 years and 3 months"], "Seven years, 3 months."),
    ("How long?", ["21.5 hours"], "21 1/2 hours, or 21 and a half hours."),
    # a bare number with the unit of another accepted answer, of an unknown word, or with none
    ("How long?", ["410 days", "410"], "410"),
    ("How long?", ["410 days", "410"], "410 working days"),
    ("How many?", ["410 days", "410"], "410 of them"),
    ("How cold?", ["19.5 degrees Celsius", "19.5"], "19.5 degrees."),
    ("How long?", ["90 minutes", "1.5 hours", "1.5"], "1.5 hours"),
    ("When?", ["16:10", "16.10"], "At 16.10 hours."),
    # signs
    ("How cold?", ["-5 degrees"], "Minus five degrees."),
    ("How cold?", ["-5 degrees"], "It is −5 °C."),
    ("How cold?", ["minus 18 degrees"], "18 degrees below zero."),
    ("How much?", ["-£5"], "minus 5 pounds"),
    ("How many?", ["3 to 5 days", "3-5 days"], "3-5 days"),
    ("Which form?", ["LV-22"], "LV-22"),
    # other words beside a word without a type are no list of possibilities
    ("Which colour?", ["teal"], "Teal, worn on the left."),
    ("Which badge do customers wear?", ["teal"], "For customers, teal, not visitors."),
    ("Which colours?", ["teal, plum and amber"], "teal, plum, and amber"),
    # yes and no
    ("May I?", ["No"], "No, that needs a permit."),
    ("May I?", ["No", "not allowed"], "That is not allowed."),
]

WRONG = [
    # token boundaries
    ("How many?", ["27.5"], "It is 127.5 days."),
    ("How many?", ["27"], "It is 27.5 days."),
    ("How many?", ["2"], "It is 2,150."),
    ("Which form?", ["LV-2"], "Form LV-22."),
    ("How much?", ["£3"], "£3.80"),
    ("Which colour?", ["teal"], "It was a steal."),
    ("How much?", ["£38"], "It is 38 days."),
    ("How long?", ["1 week", "a week"], "It is 3 weeks."),
    ("When?", ["1 March"], "11 March"),
    ("How long?", ["3 hours 50 minutes"], "3 hours."),
    # a second value of the same type
    ("How many days?", ["27.5 days"], "27.5 days, or 24 days for apprentices."),
    ("How many days?", ["27.5 days"], "24 or 27.5 days"),
    ("How many days?", ["27.5 days", "27.5"], "It is 24, 27.5 or 29 days."),
    ("How many days?", ["27.5", "27.5 days"], "The answer is 27.5 and not 24 days."),
    ("How much?", ["£38"], "£38 or £40."),
    ("How much?", ["£38"], "38 pounds, sometimes £40"),
    ("Which form?", ["LV-22"], "Form LV-22 or form RW-5."),
    ("When?", ["1 March"], "On 1 March or 17 May."),
    ("When does it begin?", ["10:15"], "From 10:15 to 15:20."),
    ("Which number?", ["4417"], "4417 or 4093"),
    ("Who owns it?", ["Ilse Haverkorn"], "Ilse Haverkorn or Merrit Osqvale."),
    ("Who owns it?", ["Ilse Haverkorn"], "Merrit Osqvale. Ilse Haverkorn."),
    ("Which city?", ["Canberra"], "Sydney or Canberra."),
    ("Which colour?", ["teal"], "teal or plum"),
    ("Which colour?", ["teal"], "It is amber or teal"),
    ("In which year?", ["1945"], "It ended in 1945 or 1946."),
    ("Which colour?", ["teal"], "teal, plum, amber"),
    ("Which colour?", ["teal"], "It could be plum, amber, teal."),
    ("Which colour?", ["teal"], "amber, teal and plum"),
    ("Which colour?", ["teal"], "Teal, plum, and amber."),
    # a bare number with another unit than the accepted answer beside it has
    ("How long?", ["410 days", "410"], "410 hours"),
    ("How much?", ["£38", "38"], "38 %"),
    ("How long?", ["38 days", "38"], "£38"),
    ("How cold?", ["5 degrees Celsius", "5"], "5 degrees Fahrenheit"),
    # signs
    ("How cold?", ["-5 degrees"], "5 degrees"),
    ("How cold?", ["5 degrees"], "-5 degrees"),
    ("How cold?", ["5 degrees"], "minus five degrees"),
    ("How cold?", ["5 degrees"], "5 degrees below zero"),
    ("How much?", ["£5"], "-£5"),
    # yes and no, negation, nothing
    ("Who owns it?", ["Ilse Haverkorn", "Haverkorn"], "Not Ilse Haverkorn."),
    ("Who owns it?", ["Haverkorn"], "It is not Ilse Haverkorn."),
    ("What is it called?", ["core working time", "working time"], "Not core working time."),
    ("May I?", ["No"], "Yes, you may."),
    ("May I?", ["Yes"], "No."),
    ("May I?", ["No"], "There is no charge."),
    ("May I?", ["No", "permit"], "Yes, with a permit."),
    ("How many days?", ["27.5 days"], "It is not 27.5 days."),
    ("How many days?", ["27.5 days"], ""),
]


@pytest.mark.parametrize(("question", "accepted", "reply"), RIGHT)
def test_an_accepted_answer_in_any_notation_is_right(
    question: str, accepted: list[str], reply: str
) -> None:
    assert is_right(question, accepted, reply, COMMON)


@pytest.mark.parametrize(("question", "accepted", "reply"), WRONG)
def test_part_of_a_token_or_a_second_value_is_wrong(
    question: str, accepted: list[str], reply: str
) -> None:
    assert not is_right(question, accepted, reply, COMMON)


@pytest.mark.parametrize(
    "reply",
    [
        "The handbook does not say.",
        "The handbook doesn’t say.",
        "I don't know.",
        "That is not mentioned in the handbook.",
        "There is no information about this.",
        "I cannot find that.",
        "The passage does not mention the colour of the door on 4 May.",
        "It is not specified. One would have to ask.",
    ],
)
def test_a_reply_that_has_no_answer_and_no_value_declines(reply: str) -> None:
    assert declines("What colour is the door on 4 May?", reply, COMMON)


@pytest.mark.parametrize(
    "reply",
    [
        "The handbook does not say, but it is 24 days.",
        "I don't know, perhaps Merrit Osqvale.",
        "It is blue.",
        "Staff do not pay for it.",
        "",
    ],
)
def test_a_reply_with_a_value_of_its_own_does_not_decline(reply: str) -> None:
    assert not declines("What colour is the door?", reply, COMMON)


def test_declining_is_right_exactly_on_what_cannot_be_answered() -> None:
    reply = "The handbook does not say."
    unanswerable = _item("unanswerable", ())
    answerable = _item("recall", ("27.5 days",))
    assert (score_reply(unanswerable, reply).correct, score_reply(answerable, reply).correct) == (
        True,
        False,
    )
    assert score_reply(answerable, reply).abstained
    assert not score_reply(unanswerable, "It is 24 days.").correct


def test_the_right_word_in_a_reply_that_declines_is_not_right() -> None:
    item = _item("recall", ("teal",))
    assert score_reply(item, "It is teal.").correct
    hedging = score_reply(item, "I am not sure, perhaps teal.")
    assert (hedging.correct, hedging.abstained) == (False, True)


def test_every_part_of_a_test_rows_answer_must_occur() -> None:
    item = _item("phrasing", ("It is 4 days and £20.",), ("4 days", "£20"))
    assert score_reply(item, "£20 and four days.").correct
    assert not score_reply(item, "It is 4 days.").correct
    assert not score_reply(item, "£20 and 4 days, or 5 days.").correct


def test_the_verdict_of_a_test_rows_answer_is_the_replys_first_word() -> None:
    item = _item("phrasing", ("No: it is £38 at most.",), ("No", "£38"))
    assert score_reply(item, "No, £38.").correct
    assert not score_reply(item, "Yes, £38.").correct
    assert not score_reply(item, "£38, no more.").correct
    worded = replace(item, parts=("No",), min_f1=0.6)
    assert score_reply(worded, "No: it is £38 at most.").correct
    assert not score_reply(worded, "Yes: it is £38 at most.").correct


def test_token_f1_is_that_of_squad() -> None:
    assert token_f1("The capital is Rome.", "Rome") == pytest.approx(0.5)
    assert token_f1("A Rome", "rome!") == 1.0
    assert token_f1("Paris", "Rome") == 0.0


def _item(kind: str, accepted: tuple[str, ...], parts: tuple[str, ...] = ()) -> Item:
    return Item(
        set="gold",
        question_id="q",
        kind=kind,
        scope="core",
        task="",
        document="a.md",
        cluster="f",
        question="How many?",
        prompt="How many?",
        accepted=accepted,
        parts=parts,
        answerable=kind != "unanswerable",
    )
