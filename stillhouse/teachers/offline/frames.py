"""A clause's question as a whole: question words first, or the statement with the gap in place."""

from stillhouse.teachers.offline.asking import Wh
from stillhouse.teachers.offline.turning import Parts, invert, state
from stillhouse.teachers.offline.wording import finish


def ask_core(parts: Parts, wh: Wh, subject: str = "") -> str:
    """Return question words, inverted clause and what follows, without the fronted adjunct."""
    turned = invert(parts.clause, subject or parts.subject)
    pieces = (wh.lead, turned, parts.before, parts.after, wh.tail)
    return " ".join(piece for piece in pieces if piece)


def ask_whole(parts: Parts, wh: Wh) -> str:
    """Return the full question, the fronted adjunct at its end."""
    core = ask_core(parts, wh)
    if not parts.front:
        return finish(core)
    if wh.tail:
        return finish(f"{parts.front}, {core}")
    return finish(f"{core} {parts.front}")


def ask_in_place(parts: Parts, wh: Wh) -> str:
    """Return the statement with the question words where the value stood."""
    clause = parts.clause
    pieces = (
        f"{parts.front}," if parts.front else "", state(clause, parts.subject), parts.before,
        wh.lead, parts.after,
    )  # fmt: skip
    if wh.tail:
        return ask_whole(parts, wh)
    return finish(" ".join(piece for piece in pieces if piece))
