"""Word by word: each version can be read off the pieces, and they are cut where a reader would cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillhouse.diffing.words import Piece, diff_words

# Few words, so that the two texts have much in common; and anything at all.
TEXTS = st.lists(
    st.sampled_from([*"abc", " ", "  ", "\n", ".", ",", "12.5", "don’t", "日本", "é"]), max_size=40
).map("".join) | st.text(max_size=60)


def _mark(old: str, new: str) -> str:
    marks = {"same": "{}", "old": "[-{}-]", "new": "[+{}+]"}
    return "".join(marks[piece.kind].format(piece.text) for piece in diff_words(old, new))


@given(TEXTS, TEXTS)
def test_each_version_can_be_read_off_the_pieces(old: str, new: str) -> None:
    pieces = diff_words(old, new)
    assert "".join(p.text for p in pieces if p.kind != "new") == old
    assert "".join(p.text for p in pieces if p.kind != "old") == new
    assert all(piece.text for piece in pieces)
    kinds = [piece.kind for piece in pieces]
    assert all(pair not in {("new", "old"), ("same", "same")} for pair in pairwise(kinds))


@given(TEXTS)
def test_equal_texts_are_one_piece(text: str) -> None:
    assert diff_words(text, text) == ([Piece("same", text)] if text else [])


@pytest.mark.parametrize(
    ("old", "new", "marked"),
    [
        ("Within 4 working days.", "Within 6 working days.", "Within [-4-][+6+] working days."),
        ("12.50 EUR in 3 days", "12.75 EUR in 5 days", "[-12.50-][+12.75+] EUR in [-3-][+5+] days"),
        ("We don’t pay.", "We do pay.", "We [-don’t-][+do+] pay."),
        ("the cat, the bird", "the cat, the dog, the bird", "the cat, [+the dog, +]the bird"),
        ("One. Three.", "One. Two. Three.", "One. [+Two. +]Three."),
        ("one\ntwo\n", "one\ntwo\nthree\n", "one\ntwo\n[+three\n+]"),
        ("每年有二十天。", "每年有三十天。", "每年有[-二-][+三+]十天。"),
        ("यह नियम है", "यह नया नियम है", "यह [+नया +]नियम है"),
        ("a  b", "a b", "a [- -]b"),
        ("a\nb", "a\n\nb", "a\n[+\n+]b"),
        ("قبل يوم", "قبل يوم، كتابة", "قبل يوم[+، كتابة+]"),
    ],
)
def test_only_the_words_that_changed_are_marked(old: str, new: str, marked: str) -> None:
    assert _mark(old, new) == marked


def test_small_words_that_two_sentences_happen_to_share_do_not_break_them_up() -> None:
    old = "Ask the manager of your own site about the forms."
    new = "Send a letter to the head of your depot, with the receipts."
    assert _mark(old, new) == f"[-{old[:-1]}-][+{new[:-1]}+]."


def test_a_number_between_two_changes_stays_where_the_changes_are_small() -> None:
    assert _mark("from 3 to 5 days", "from 2 to 6 days") == "from [-3-][+2+] to [-5-][+6+] days"


def test_vast_texts_are_compared_by_lines_and_then_by_the_words_of_what_changed() -> None:
    lines = [
        f"Rule {n} of the handbook says that {n * 7 % 1000} days are enough.\n" for n in range(3000)
    ]
    edited = [
        line.replace("days", "weeks") if n % 500 == 7 else line for n, line in enumerate(lines)
    ]
    changes = [
        piece for piece in diff_words("".join(lines), "".join(edited)) if piece.kind != "same"
    ]
    assert changes == [Piece("old", "days"), Piece("new", "weeks")] * 6


def test_two_vast_texts_of_one_line_that_differ_are_not_compared_word_by_word() -> None:
    old, new = " ".join(["old"] * 15_000), " ".join(["new"] * 15_000)
    assert diff_words(old, new) == [Piece("old", old), Piece("new", new)]
