"""The offline judge: what it scores, why, and on what a score depends."""

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.records import Chunk, Judgement, Pair
from stillhouse.quality.arithmetic import Equation, find_equations
from stillhouse.quality.claims import extract_claims, gather_evidence
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.quality.wording import find_faults
from tests.making import make_chunk, make_pair

LEAVE = make_chunk()
HOTELS = make_chunk(
    "money/hotels.md",
    "Rooms cost at most £96 in Skarrowmouth and £1,640 a week elsewhere. A stay of two nights "
    "needs form HB-014, a longer stay form FN-207, handed in by 08:40.",
)


def judge(pair: Pair, *chunks: Chunk) -> dict[str, Judgement]:
    known = {chunk.chunk_id: chunk for chunk in chunks}
    return {found.criterion: found for found in judge_pairs([pair], known, JudgeParams())}


def grounded(answer: str, chunk: Chunk = HOTELS, **fields: str) -> float:
    pair = make_pair("What does a room in town cost?", answer, [chunk], **fields)  # type: ignore[arg-type]
    return judge(pair, chunk)["groundedness"].score


@pytest.mark.parametrize(
    "answer",
    [
        "A room costs at most £96.",
        "£1640 a week.",
        "Form HB-014.",
        "By 8:40.",
        "It is Skarrowmouth.",
        "2 nights.",
    ],
)
def test_an_answer_from_the_passage_is_grounded(answer: str) -> None:
    assert grounded(answer) == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "A room costs at most £69.",
        "£164 a week.",
        "Form HB-207.",
        "By 9:40.",
        "It is Brindlemouth.",
    ],
)
def test_one_value_that_is_not_in_the_passage_makes_the_score_zero(answer: str) -> None:
    assert grounded(answer) == 0.0


def test_words_that_neither_passage_nor_question_has_lower_the_score() -> None:
    assert grounded("At most £96 in town, breakfast included") == 0.3333


def test_the_rationale_names_the_value_that_is_missing() -> None:
    pair = make_pair("What does a room in town cost?", "It costs £69.", [HOTELS])
    assert judge(pair, HOTELS)["groundedness"].rationale == (
        '"69": not in the passage and not worked out from it'
    )


def test_a_right_sum_of_given_numbers_may_be_answered() -> None:
    sum_of_two = 'The passage says: "at most £96". So £96 x 2 nights = £192.'
    assert grounded("£192.", task="multi_step", reasoning=sum_of_two) == 1.0


@pytest.mark.parametrize(
    "reasoning",
    ["So £96 x 2 nights = £193.", "So £95 + £98 = £193.", "It is £193."],
    ids=["wrong result", "operand from nowhere", "no sum"],
)
def test_a_sum_that_is_wrong_or_begins_from_nothing_is_not_grounded(reasoning: str) -> None:
    assert grounded("£193.", task="multi_step", reasoning=reasoning) == 0.0


def test_the_number_of_the_askers_own_case_may_be_repeated() -> None:
    case = make_pair(
        "I stay 5 nights: which form?", "For 5 nights, FN-207.", [HOTELS], task="edge_cases"
    )
    plain = make_pair("I stay 5 nights: which form?", "For 5 nights, FN-207.", [HOTELS])
    assert judge(case, HOTELS)["groundedness"].score == 1.0
    assert judge(plain, HOTELS)["groundedness"].score == 0.0


def test_pairs_without_a_passage_get_no_groundedness() -> None:
    replay = make_pair("What is the capital of Italy?", "Rome.", task="replay")
    assert sorted(judge(replay)) == ["format", "length"]


def test_a_pair_of_an_unknown_chunk_is_an_error() -> None:
    with pytest.raises(InputError, match="which the corpus does not have"):
        judge(make_pair("How many days are there?", "27.5 days.", [LEAVE]))


def test_a_score_depends_on_the_pair_and_its_chunks_alone() -> None:
    pairs = [
        make_pair("How many days of leave?", "27.5 days.", [LEAVE]),
        make_pair("Which form for two nights?", "HB-014.", [HOTELS]),
    ]
    chunks = {chunk.chunk_id: chunk for chunk in (LEAVE, HOTELS)}
    together = list(judge_pairs(pairs, chunks, JudgeParams()))
    apart = [found for pair in pairs for found in judge_pairs([pair], chunks, JudgeParams())]
    assert together == apart
    assert [found.criterion for found in together] == ["format", "groundedness", "length"] * 2


@pytest.mark.parametrize(
    ("question", "answer", "fault"),
    [
        ("How many days of leave for the", "27.5.", "breaks off"),
        ("How many days of leave:", "27.5.", "breaks off"),
        ("How many {unit} of leave are there?", "27.5.", "a piece of a template"),
        ("How many days of of leave are there?", "27.5.", "a word twice in a row"),
        ("How many days of **leave** are there?", "27.5.", "holds markup"),
        ("How many days of leave are there?", "| 27.5 | days |", "the answer holds markup"),
        ("According to the passage, how long is leave?", "27.5.", "speaks of a passage"),
        ("How long is leave?", "The passage says 27.5 days.", "speaks of a passage"),
        ("When must it be reported?", "By 08:40.", "pronoun"),
        ("How much is this?", "£96.", "pronoun"),
    ],
)
def test_careless_wording_is_named(question: str, answer: str, fault: str) -> None:
    faults = find_faults(question, answer, closed_book=True, plain_answer=True)
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    "question",
    [
        "How long does it take to repair a buoy?",
        "Name the program in which leave is booked.",
        "hotel price national capitals",
        "What's the limit for a hotel room that costs < £96?",
        "Is it allowed to bring a dog to the Skarrowmouth office?",
    ],
)
def test_a_natural_question_has_no_fault(question: str) -> None:
    assert find_faults(question, "It depends.", closed_book=True, plain_answer=True) == []


def test_with_the_passage_beside_it_a_question_may_speak_of_it() -> None:
    pair = make_pair(
        "What does the passage say about leave?", "27.5 days.", [LEAVE], context=LEAVE.text
    )
    assert judge(pair, LEAVE)["format"].score == 1.0


def test_length_has_bounds_and_replay_has_none() -> None:
    long = "word " * 61
    asked = make_pair("How many words are there?", long, [make_chunk(text=long)])
    replay = make_pair("How many words are there?", long, task="replay")
    assert judge(asked, make_chunk(text=long))["length"].score == 0.0
    assert judge(asked, make_chunk(text=long))["length"].rationale == (
        "question 5 words, answer 61 words; allowed 3 to 40 and 1 to 60"
    )
    assert judge(replay)["length"].score == 1.0


def test_claims_are_values_and_words() -> None:
    claims = extract_claims("Leave is booked in Leeward. At most 4.5 days, see HB-014.")
    assert claims.values == ("Leeward", "4.5", "HB-014")
    assert claims.words == ("Leave", "booked", "days", "see")


def test_a_code_is_not_put_together_from_parts_of_others() -> None:
    evidence = gather_evidence(["Forms HB-014 and FN-207, within a 37-day period of 28mm"])
    assert evidence.has_value("HB-014")
    assert not evidence.has_value("HB-207")
    assert evidence.has_value("37")
    assert evidence.has_value("28")


COLD = make_chunk(
    "stores/cold.md",
    "The cold room is kept at 4 °C, the freezer at −18 °C, the archive at 10-12 °C. Shelf A-40 is free. "
    "The balance is -£30. The tank is kept at minus 7 °C.",
)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("The freezer is kept at −18 °C.", 1.0),
        ("The freezer is kept at -18 °C.", 1.0),
        ("The freezer is kept at minus 18 °C.", 1.0),
        ("The freezer is kept at 18 °C.", 0.0),
        ("The cold room is kept at −4 °C.", 0.0),
        ("The archive is kept at 10-12 °C.", 1.0),
        ("The archive is kept at -12 °C.", 0.0),
        ("Shelf A-40 is free.", 1.0),
        ("The balance is −£30.", 1.0),
        ("The balance is £30.", 0.0),
        ("The tank is kept at −7 °C.", 1.0),
    ],
)
def test_a_number_below_zero_is_another_one_than_that_above_it(answer: str, score: float) -> None:
    assert grounded(answer, COLD) == score


def test_a_sum_over_numbers_below_zero_is_worked_out_again() -> None:
    answer = "The cold room is 22 °C above the freezer."
    sums = {"task": "multi_step", "reasoning": "4 minus −18 is 22."}
    assert grounded(answer, COLD, **sums) > 0.5
    assert grounded(answer, COLD, **sums | {"reasoning": "4 plus 18 is 22."}) == 0.0


@pytest.mark.parametrize(
    ("text", "equation"),
    [
        ("4 minus −18 is 22", Equation(("4", "-18"), "22", holds=True)),
        ("−18 minus -40 is 22", Equation(("-18", "-40"), "22", holds=True)),
        ("−18 + 4 = −14", Equation(("-18", "4"), "-14", holds=True)),
        ("-£18 + £4 = -£14", Equation(("-18", "4"), "-14", holds=True)),
        ("12-10 = 2", Equation(("12", "10"), "2", holds=True)),
        ("5 -3 = 2", Equation(("5", "3"), "2", holds=True)),
        ("37 days + 14 days = 51 days", Equation(("37", "14"), "51", holds=True)),
        ("£2,845 − £100 = £2,745", Equation(("2,845", "100"), "2,745", holds=True)),
        ("2 + 3 × 4 = 14", Equation(("2", "3", "4"), "14", holds=True)),
        ("7 divided by 2 is 3.5", Equation(("7", "2"), "3.5", holds=True)),
        ("5 / 0 = 5", Equation(("5", "0"), "5", holds=False)),
    ],
)
def test_sums_are_read_and_worked_out(text: str, equation: Equation) -> None:
    assert find_equations(text) == [equation]
