"""Which rows differ, said so that a person finds them."""

import pytest

from stillhouse.auditing.rows import compare_rows
from stillhouse.lineage.provenance import SeenRow


def make(*rows: str) -> list[SeenRow]:
    """Return rows of an id and, behind a colon, their content."""
    parts = [row.partition(":") for row in rows]
    return [SeenRow(row_id, content or "same") for row_id, _, content in parts]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("a b c d e f", []),
        ("b a c d e f", ["rows 1 and 2 have changed places"]),
        ("f a b c d e", ["6 rows stand in other places, the first is row 1"]),
        ("a b:x c d e f", ["row 2 (b…) has other content"]),
        ("a b c d e", ["row 6 (f…) is missing"]),
        ("a", ["rows 2 (b…), 3 (c…), 4 (d…) and 2 more are missing"]),
        ("a b c g d e f h", ["rows 4 (g…), 8 (h…) are not among those listed"]),
        ("a b c d e f f", ["rows 6 (f…), 7 (f…) are there more or less often than listed"]),
        ("b:x a c d e f", ["row 2 (b…) has other content"]),
    ],
)
def test_differences_are_told_by_place_and_id(table: str, told: list[str]) -> None:
    assert compare_rows(make(*"abcdef"), make(*table.split())) == told


def test_a_row_that_is_listed_twice_and_there_once_is_told() -> None:
    assert compare_rows(make("a", "a"), make("a")) == [
        "row 1 (a…) is there more or less often than listed"
    ]
