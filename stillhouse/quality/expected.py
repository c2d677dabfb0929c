"""One expectation about one frame, and the forms that most of them have."""

from dataclasses import dataclass

Value = str | int | float | bool | list[str] | list[bool] | None


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation about one frame.

    ``rule`` is the name of a class in ``great_expectations.expectations``, ``arguments`` what it is
    given; up to ``allowed`` lines of the frame may break it.
    """

    name: str
    meaning: str
    frame: str
    rule: str
    column: str
    arguments: tuple[tuple[str, Value], ...] = ()
    allowed: int = 0


def expect_true(name: str, meaning: str, frame: str, column: str) -> Expected:
    """Expect that a column says True in every line."""
    return Expected(
        name, meaning, frame, "ExpectColumnValuesToBeInSet", column, (("value_set", [True]),)
    )


def expect_false(name: str, meaning: str, frame: str, column: str) -> Expected:
    """Expect that a column says False in every line."""
    return Expected(
        name, meaning, frame, "ExpectColumnValuesToBeInSet", column, (("value_set", [False]),)
    )


def expect_empty(name: str, meaning: str, column: str, allowed: int = 0) -> Expected:
    """Expect of all rows but ``allowed`` that a column is empty."""
    return Expected(
        name,
        meaning,
        "rows",
        "ExpectColumnValuesToBeInSet",
        column,
        (("value_set", [""]),),
        allowed,
    )


def expect_between(
    name: str, meaning: str, frame: str, column: str, low: float | None, high: float | None
) -> Expected:
    """Expect that a column lies within bounds in every line."""
    return Expected(
        name,
        meaning,
        frame,
        "ExpectColumnValuesToBeBetween",
        column,
        (("min_value", low), ("max_value", high)),
    )


def expect_figure(
    name: str,
    meaning: str,
    column: str,
    low: float | None,
    high: float | None,
    frame: str = "figures",
) -> Expected:
    """Expect of a frame with one line of figures that one of them is within bounds."""
    bounds = (("min_value", low), ("max_value", high))
    return Expected(name, meaning, frame, "ExpectColumnMaxToBeBetween", column, bounds)


def expect_match(name: str, meaning: str, frame: str, column: str, regex: str) -> Expected:
    """Expect that a column matches a pattern in every line."""
    return Expected(
        name, meaning, frame, "ExpectColumnValuesToMatchRegex", column, (("regex", regex),)
    )
