"""Reasoning before the answer: what was written comes back, and what is unfinished has no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillhouse.base.thoughts import Thoughts, read_thoughts, write_thoughts

PIECES = st.sampled_from(
    ["<think>", "<thi", "</think>", "<\\/think>", "<\\\\/think>", "\n", "\\", "</", " a"]
)
TEXT = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=6).map("".join)


@given(TEXT, TEXT)
def test_what_was_written_comes_back(reasoning: str, answer: str) -> None:
    assert read_thoughts(write_thoughts(reasoning, answer)) == Thoughts(reasoning, answer)


def test_the_form_is_the_one_that_reasoning_models_write() -> None:
    assert write_thoughts("29 + 1 = 30", "30 days.") == "<think>\n29 + 1 = 30\n</think>\n\n30 days."
    assert write_thoughts("", "30 days.") == "30 days."


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("30 days.", Thoughts("", "30 days.")),
        ("<think>29 + 1</think>30 days.", Thoughts("29 + 1", "30 days.")),
        ("<think>\n29 +", Thoughts("29 +", "", finished=False)),
        ("<think>", Thoughts("", "", finished=False)),
        ("<th", Thoughts("", "", finished=False)),
        ("", Thoughts("", "")),
        ("<think>a</think>b</think>c", Thoughts("a", "b</think>c")),
        ("I <think> so.", Thoughts("", "I <think> so.")),
    ],
)
def test_what_a_model_says_is_taken_apart(said: str, read: Thoughts) -> None:
    assert read_thoughts(said) == read
