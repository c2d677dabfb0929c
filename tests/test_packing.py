"""Records become plain values and bytes, and come back equal, whatever their texts and numbers are."""

import math
import sys
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillhouse.base.packing import builder, decode, encode, flattener
from stillhouse.base.shelf import Shelf

TEXT = st.text(st.characters(), max_size=20)  # with control characters and halves of characters
FLOAT = st.floats(allow_nan=False)


@dataclass(frozen=True, slots=True)
class Leaf:
    text: str
    number: float


@dataclass(frozen=True, slots=True)
class Branch:
    names: tuple[str, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A record of everything that the records of a pipeline hold, three deep."""

    name: str
    count: int
    tall: bool
    width: float | None
    trunk: Branch
    branches: tuple[Branch, ...]


LEAVES = st.builds(Leaf, TEXT, FLOAT)
BRANCHES = st.builds(
    Branch,
    st.lists(TEXT, max_size=3).map(tuple),
    st.lists(LEAVES, max_size=3).map(tuple),
)
TREES = st.builds(
    Tree,
    name=TEXT,
    count=st.integers(-(2**63), 2**63 - 1),
    tall=st.booleans(),
    width=st.none() | FLOAT,
    trunk=BRANCHES,
    branches=st.lists(BRANCHES, max_size=3).map(tuple),
)
ANY_TREE = Tree("a", 1, True, None, Branch(("b",), (Leaf("c", -0.0),)), ())


def show_types(value: object) -> object:
    """Return a value's types, those of its fields too: 1, 1.0 and True are equal, and so is a subclass."""
    if isinstance(value, Leaf | Branch | Tree):
        return type(value), [show_types(getattr(value, name)) for name in value.__slots__]
    return (type(value), *map(show_types, value)) if isinstance(value, tuple) else type(value)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_a_record_comes_back_equal_from_its_bytes(tree: Tree) -> None:
    back = builder(Tree)(decode(encode(flattener(Tree)(tree))))
    assert back == tree
    assert show_types(back) == show_types(tree)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_plain_values_are_those_of_asdict(tree: Tree) -> None:
    flat = flattener(Tree)(tree)
    assert decode(encode(flat)) == decode(encode(asdict(tree)))
    assert not any(isinstance(branch, Branch) for branch in (flat["trunk"], *flat["branches"]))


@pytest.mark.parametrize(
    "number", [0.1, -0.0, 1e22, 5e-324, sys.float_info.max, math.inf, -math.inf, math.nan]
)
def test_a_number_keeps_every_bit(number: float) -> None:
    assert decode(encode([number]))[0].hex() == number.hex()


@pytest.mark.parametrize(
    "text",
    [
        "half \ud83d",
        "\ude00 half",
        "two halves \ud83d\ude00",
        "\U0001f600",
        "\x00\x1f\x7f",
        "\u2028é",
    ],
)
def test_a_text_keeps_every_code_point(text: str) -> None:
    assert decode(encode({text: text})) == {text: text}


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, Leaf("a", 1.0)])
def test_what_is_not_plain_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=f"type {type(value).__name__} is not JSON serializable"):
        encode({"value": value})


@settings(max_examples=60, deadline=None)
@given(st.lists(TREES, max_size=4))
def test_a_shelf_gives_back_equal_records_and_their_plain_values(trees: list[Tree]) -> None:
    with Shelf(Tree) as shelf:
        for number, tree in enumerate(trees):
            shelf.put(f"{number}", tree)
        assert list(shelf) == trees
        assert list(map(builder(Tree), shelf.iter_plain())) == trees
        assert [shelf.get(f"{number}") for number in range(len(trees))] == trees


def test_an_edit_of_plain_values_from_a_shelf_does_not_reach_it() -> None:
    with Shelf(Tree) as shelf:
        shelf.put("a", ANY_TREE)
        next(shelf.iter_plain()).clear()
        assert shelf.get("a") == next(iter(shelf)) == ANY_TREE
