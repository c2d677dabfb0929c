"""Yes-or-no questions about a limit: the frame into which a value inside or beyond it is put."""

from stillhouse.teachers.offline.turning import Parts, invert, main_verb, reader_act, reader_object
from stillhouse.teachers.offline.wording import finish


def frame_trial(parts: Parts) -> str:
    """Return a question with ``{}`` for the tried value, or "" where yes or no is not certain."""
    clause, value = parts.clause, parts.value
    if "not" in clause.verb_words or value.bound == "threshold":
        return ""
    if value.bound == "max" and clause.finite in ("may", "can") and not value.preposition:
        return _may(parts)
    if value.preposition == "within" and clause.finite in ("must", "shall") and reader_act(clause):
        return _in_time(parts)
    if value.bound == "min" and clause.finite == "must" and not value.preposition:
        return _enough(parts)
    return ""


def _may(parts: Parts) -> str:
    turned = invert(parts.clause, parts.subject)
    return _finish(turned, parts.before, "{}", parts.attached, parts.after, parts.front)


def _in_time(parts: Parts) -> str:
    doing = f"{reader_act(parts.clause)} {reader_object(parts)}"
    if parts.attached.startswith("of "):
        return _finish("Is it still in time to", doing, "{} after", parts.attached[3:], parts.front)
    if parts.attached:
        return ""
    return _finish("Is it still in time to", doing, parts.after, "after {}", parts.front)


def _enough(parts: Parts) -> str:
    rest = " ".join(parts.clause.verb_words[1:]) or main_verb(parts.clause)
    whom = f"Is it enough for {parts.subject} to {rest}"
    return _finish(whom, parts.before, "{}", parts.attached, parts.after, parts.front)


def _finish(*pieces: str) -> str:
    return finish(" ".join(piece for piece in pieces if piece))
