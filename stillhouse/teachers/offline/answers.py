"""The short answer sentence that keeps only the asked-for value of its type."""

from typing import Final

from stillhouse.teachers.offline.apart import value_type
from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.spans import Value
from stillhouse.teachers.offline.tagging import join_words
from stillhouse.teachers.offline.values import find_values
from stillhouse.teachers.offline.wording import upper_first

_LONGEST_ANSWER: Final = 24


def write_answer(clause: Clause, value: Value) -> str:
    """Return the clause up to the value and its near adjuncts, with no other value of its type."""
    end = clause.end
    start = 0
    tokens = clause.tokens
    others = [
        other
        for other in find_values(tokens)
        if value_type(other) == value_type(value) and other.start != value.start
    ]
    for other in others:
        if other.outer == value.end and other.preposition == "of":
            continue
        if other.start > value.start:
            end = min(end, _cut_before(clause, value, other))
        elif other.end <= clause.front_end:
            start = clause.subject_start
        else:
            return _short_answer(clause, value)
    if end - start > _LONGEST_ANSWER:
        end = max(split_end(clause, value), value.end)
    if end - start > _LONGEST_ANSWER:
        return _short_answer(clause, value)
    words = [token.text for token in tokens[start:end]]
    text = join_words(words).rstrip(",;: ")
    return upper_first(text) + "."


def split_end(clause: Clause, value: Value) -> int:
    """Return the token after the value and what hangs on it."""
    end = value.end
    while end < clause.end and clause.tokens[end].low not in (",", "and", "if", "when", "unless"):
        end += 1
    return end


def _cut_before(clause: Clause, value: Value, other: Value) -> int:
    at = other.outer
    while at > value.end and clause.tokens[at - 1].low in (
        "and",
        "or",
        ",",
        "at",
        "by",
        "on",
        "to",
    ):
        at -= 1
    return max(at, value.end)


def _short_answer(clause: Clause, value: Value) -> str:
    words = [token.text for token in clause.tokens[value.outer : value.end]]
    return upper_first(join_words(words)) + "."
