"""YAML as it is written: a key that stands twice is refused, what a merge brings is not."""

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.params import parse_yaml


def test_nested_merges_bring_keys_that_stand_there_already() -> None:
    text = "a: &a {x: 1}\nc: {b: &b {<<: *a, x: 2}, <<: *b, y: 3}\nd: {<<: *b}"
    assert parse_yaml(text, "w") == {
        "a": {"x": 1},
        "c": {"b": {"x": 2}, "x": 2, "y": 3},
        "d": {"x": 2},
    }


@pytest.mark.parametrize(
    "text", ["{x: 1, x: 2}", "a: &a {x: 1, x: 2}\nb: {<<: *a}", "b: {<<: {x: 1, x: 2}}"]
)
def test_a_key_that_stands_twice_is_refused_also_where_it_is_merged(text: str) -> None:
    with pytest.raises(InputError, match="`x` stands there twice"):
        parse_yaml(text, "w")
