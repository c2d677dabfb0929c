"""The confidence of an answer is the mean probability of the tokens that wrote it, and of no other."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillhouse.base.records import Request, Response
from stillhouse.teachers.answers import parse_answer
from stillhouse.teachers.confidence import Token, measure_confidence
from tests.asking import make_request, make_response

SURE, UNSURE = math.log(0.9), math.log(0.1)


def tell(pieces: Sequence[str | bytes], unsure: Sequence[int] = ()) -> list[Token]:
    """Return the pieces as tokens of probability 0.9; the numbered ones have 0.1."""
    return [(piece, UNSURE if i in unsure else SURE) for i, piece in enumerate(pieces)]


def write(*answers: object) -> str:
    return json.dumps({"pairs": [{"answer": answer} for answer in answers]}, ensure_ascii=False)


def spell(text: str) -> list[str]:
    return list(text)


def find(text: str, part: str) -> list[int]:
    start = text.index(part)
    return list(range(start, start + len(part)))


def test_each_answer_has_the_mean_of_its_own_tokens() -> None:
    text = '{"pairs": [{"answer": "ten days"}, {"answer": "Rome"}]}'
    pieces = ['{"pairs": [{"', 'answer": "', "ten", " days", '"}, {"', 'answer": "', "Rome", '"}]}']
    assert "".join(pieces) == text
    logprobs = [-3.0, -3.0, -0.2, -0.4, -3.0, -3.0, -0.05, -3.0]
    tokens = list(zip(pieces, logprobs, strict=True))
    assert measure_confidence("recall", text, tokens) == (0.741, 0.951)  # exp(-0.3), exp(-0.05)


def test_a_token_that_goes_on_beyond_the_answer_counts_as_part_of_it() -> None:
    pieces = ['{"pairs": [{"answer": "', "Ro", 'me"}', "]}"]
    assert measure_confidence("recall", "".join(pieces), tell(pieces, [2])) == (0.3,)


@pytest.mark.parametrize(
    "text",
    [
        write("Rome"),
        '{"pairs": [{"fact": "x\\", \\"answer\\": \\"no", "questions": ["answer", "Q?"], "answer": "Rome"}]}',
        '{"pairs": [{"more": {"answer": "no", "n": [1, {"answer": "no"}]}, "answer": "Rome"}]}',
        '{"note": [{"answer": "no"}], "pairs": [{"answer": "Rome", "confidence": 0.5e-1}]}',
        '{"pairs": [{"answer": "no", "answer": "Rome"}]}',
        '{"pairs": [{"\\u0061nswer": "Rome", "ok": true}], "answer": "no"}',
        '  Here it is:\n```json\n{"pairs": [\n  {"answer": "Rome"}\n]}\n```\n',
    ],
)
def test_the_answer_is_found_wherever_the_json_has_it(text: str) -> None:
    others = [i for i in range(len(text)) if i not in find(text, "Rome")]
    assert measure_confidence("recall", text, tell(spell(text), others)) == (0.9,)


def test_an_empty_answer_has_the_confidence_of_its_quotes() -> None:
    pieces = ['{"pairs": [{"answer":', ' ""', "}]}"]
    assert measure_confidence("recall", "".join(pieces), tell(pieces, [1])) == (0.1,)


TEXT = '{"pairs": [{"answer": "£5 … 🙂!"}, {"answer": "é"}]}'
TORN = "\N{REPLACEMENT CHARACTER}"


def split_bytes(text: str) -> list[bytes]:
    return [bytes([byte]) for byte in text.encode()]


def split_last(text: str) -> list[str]:
    """Each byte is a token: a character stands on its last one."""
    return [piece for one in text for piece in [*[""] * (len(one.encode()) - 1), one]]


def split_torn(text: str) -> list[str]:
    """Each byte is a token: one of a longer character is shown as U+FFFD."""
    return [
        piece for one in text for piece in ([one] if one.isascii() else [TORN] * len(one.encode()))
    ]


@pytest.mark.parametrize("split", [split_bytes, split_last, split_torn])
def test_a_character_may_be_spread_over_tokens(split: object) -> None:
    pieces = split(TEXT)  # type: ignore[operator]
    place = len(TEXT[: TEXT.index("é")].encode())
    assert len(pieces) == len(TEXT.encode())
    assert measure_confidence("recall", TEXT, tell(pieces)) == (0.9, 0.9)
    both = tell(pieces, [place, place + 1])
    assert measure_confidence("recall", TEXT, both) == (0.9, 0.1)
    assert measure_confidence("recall", TEXT, tell(pieces, [place])) == (0.9, 0.3)


def test_torn_characters_beside_letters_in_one_token_are_found() -> None:
    text = write("a€a£", "b")
    head, tail = text.split("a€a£")
    pieces = [head, "a" + TORN, TORN, "a", TORN, TORN, tail]
    assert measure_confidence("recall", text, tell(pieces, [0, 1, 6])) == (0.58, 0.1)
    assert measure_confidence("replay", "a€", tell(["a" + TORN, TORN], [1])) == (0.3,)
    assert measure_confidence("replay", "€a", tell([TORN, TORN, "a", "<|end|>"])) == (0.9,)


@given(
    st.lists(st.text(max_size=12), min_size=1, max_size=3),
    st.sets(st.integers(1, 200)),
    st.booleans(),
)
def test_wherever_tokens_are_cut_all_answers_have_their_probability(
    answers: list[str], cuts: set[int], ascii_only: bool
) -> None:
    pairs = {"pairs": [{"answer": answer} for answer in answers]}
    text = json.dumps(pairs, ensure_ascii=ascii_only)
    raw = text.encode(errors="surrogatepass")
    places = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(places)]
    assert measure_confidence("recall", text, tell(pieces)) == (0.9,) * len(answers)
    torn = [piece.decode(errors="replace") for piece in pieces]
    assert measure_confidence("recall", text, tell(torn)) in ((0.9,) * len(answers), ())


def test_plain_text_has_one_confidence_without_the_space_around_it() -> None:
    pieces = ["\n", "Rome", " it", " is", "  "]
    assert measure_confidence("replay", "".join(pieces), tell(pieces, [0, 4])) == (0.9,)


def test_tokens_may_begin_before_the_text_and_end_behind_it() -> None:
    text = write("Rome")
    thoughts = ["<think>", f"perhaps {text}", "</think>", "\n\n"]
    tokens = tell([*thoughts, *spell(text), "<|im_end|>"], [0, 1, 2, 3])
    assert measure_confidence("recall", text, tokens) == (0.9,)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (write("Rome"), spell(write("Roma"))),
        (write("Rome"), spell(write("Rome"))[:-1]),
        (write("Rome"), []),
        (write("Rome")[:-3], spell(write("Rome")[:-3])),
        (write("Rome", 5), spell(write("Rome", 5))),
        (write("Rome", {"answer": "x"}), spell(write("Rome", {"answer": "x"}))),
        ('{"pairs": ["Rome"]}', spell('{"pairs": ["Rome"]}')),
        ('["Rome"]', spell('["Rome"]')),
        ("Rome.", spell("Rome.")),
        ('{"pairs": []}', spell('{"pairs": []}')),
        ("[" * 100_000, ["[" * 100_000]),
        ("", []),
    ],
)
def test_what_cannot_be_aligned_has_no_confidence(text: str, pieces: list[str]) -> None:
    assert measure_confidence("recall", text, tell(pieces)) == ()


@pytest.mark.parametrize(("logprob", "read"), [(1e-6, 1.0), (-9999.0, 2.2250738585072014e-308)])
def test_a_confidence_is_above_zero_and_at_most_one(logprob: float, read: float) -> None:
    assert measure_confidence("replay", "Rome", [("Rome", logprob)]) == (read,)


def respond(request: Request, text: str, *confidences: float) -> Response:
    plain = make_response(request, text)
    fields = {name: getattr(plain, name) for name in Response.__slots__}
    return Response(**{**fields, "confidences": confidences})


def entry(answer: str, claimed: float) -> dict[str, object]:
    return {"questions": [f"Which {answer}?"], "answer": answer, "confidence": claimed}


TWO = json.dumps({"pairs": [entry("A", 0.5), entry("B", 0.6)]})


@pytest.mark.parametrize(
    ("measured", "read"), [((0.2, 0.3), (0.2, 0.3)), ((), (0.5, 0.6)), ((0.2,), (0.5, 0.6))]
)
def test_a_measured_confidence_counts_before_a_claimed_one(
    measured: tuple[float, ...], read: tuple[float, ...]
) -> None:
    request = make_request()
    pairs = parse_answer(request, respond(request, TWO, *measured)).pairs
    assert tuple(pair.confidence for pair in pairs) == read
    claimed = parse_answer(request, respond(request, TWO)).pairs
    assert [pair.pair_id for pair in pairs] == [pair.pair_id for pair in claimed]


def test_a_plain_answer_has_its_confidence() -> None:
    request = make_request(task="replay")
    (pair,) = parse_answer(request, respond(request, "Rome.", 0.7)).pairs
    (bare,) = parse_answer(request, respond(request, "Rome.")).pairs
    assert (pair.confidence, bare.confidence) == (0.7, None)
    assert pair.pair_id == bare.pair_id
