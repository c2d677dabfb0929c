"""One value set apart: a clause with several values of a type becomes a clause about one of them."""

from collections.abc import Sequence
from dataclasses import replace

from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.spans import Value

_JOINTS = frozenset({"and", "or", ",", "but"})


def value_type(value: Value) -> str:
    """Return the type that must be alone in an answer: a number, a date, a code, a name."""
    if value.kind in ("code", "identifier"):
        return "code"
    if value.kind in ("count", "duration", "measure"):
        return "number"
    return value.kind


def set_apart(clause: Clause, value: Value, values: Sequence[Value]) -> tuple[Clause, Value] | None:
    """Return the clause without the other values of this type that are joined to ``value``.

    Values that stand elsewhere (in a condition, in the subject) stay. None means that the joined
    values cannot be told apart.
    """
    if value.outer < clause.verb_end:
        return clause, value
    for other in values:
        if value_type(other) != value_type(value) or other.start == value.start:
            continue
        if value.end <= other.outer < clause.end:
            clause = replace(clause, end=_end_before(clause, value, other))
        elif clause.verb_end <= other.outer and other.end <= value.outer:
            reduced = _without_earlier(clause, value, other)
            if reduced is None:
                return None
            return reduced
    return clause, value


def _end_before(clause: Clause, value: Value, other: Value) -> int:
    """Cut a clause before a later value where it is joined (``and 3 pumps``, ``to 18:00``)."""
    tokens = clause.tokens
    if value.preposition == "from" and other.preposition in ("to", "until", "till"):
        return other.outer
    for at in range(value.end, other.outer):
        if tokens[at].low in _JOINTS:
            return at
    return clause.end


def _without_earlier(clause: Clause, value: Value, other: Value) -> tuple[Clause, Value] | None:
    tokens = clause.tokens
    between = [token.low for token in tokens[other.end : value.outer]]
    ranged = other.preposition == "from" and value.preposition in ("to", "until", "till")
    if ranged and not between:
        return _cut(clause, value, other.outer, value.outer)
    if not set(between) & _JOINTS:
        return clause, value
    if between[-1] in _JOINTS and len(between) <= 3:
        return _cut(clause, value, other.outer, value.outer)
    return None


def _cut(clause: Clause, value: Value, start: int, end: int) -> tuple[Clause, Value]:
    gap = end - start
    tokens = clause.tokens[:start] + clause.tokens[end:]
    moved = replace(value, start=value.start - gap, end=value.end - gap, outer=value.outer - gap)
    return replace(clause, tokens=tokens, end=clause.end - gap), moved
