"""Further wordings of a clause's question: *do we*, *the latest*, *how long do I have*, *a limit*."""

from collections.abc import Iterator

from stillhouse.teachers.offline.asking import Wh, plural_unit, unit_name
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.turning import (
    Parts,
    has_agent,
    invert,
    reader_act,
    reader_object,
    reader_subject,
    state,
)
from stillhouse.teachers.offline.wording import finish, pick, to_first_person


def ask_otherwise(parts: Parts, whs: list[Wh]) -> Iterator[Question]:
    """Yield wordings that look at the same value from another side."""
    yield from _ask_as_house(parts, whs)
    yield from _ask_latest(parts)
    yield from _ask_time_left(parts)
    yield from _ask_limit(parts)
    if whs[0].lead == "how often":
        yield Question("synonym", finish(_statement_question(parts, "how frequently")))


def _statement_question(parts: Parts, lead: str) -> str:
    pieces = (lead, invert(parts.clause, parts.subject), parts.before, parts.after, parts.front)
    return " ".join(piece for piece in pieces if piece)


def _ask_as_house(parts: Parts, whs: list[Wh]) -> Iterator[Question]:
    """Say a passive without an agent as ``do we``: *how often do we clean a tent*."""
    clause = parts.clause
    plain = clause.passive and clause.finite in ("is", "are") and len(clause.verb_words) == 2
    if not plain or has_agent(clause) or reader_act(clause) or not parts.base:
        return
    wh = pick(whs[:2], parts.subject)
    if wh.tail:
        wh = whs[0]
    verb, _, particle = parts.base.partition(" ")
    pieces = (wh.lead, "do we", verb, parts.subject, particle, parts.before, parts.after, wh.tail)
    yield Question("we", finish(" ".join(piece for piece in (*pieces, parts.front) if piece)))


def _ask_latest(parts: Parts) -> Iterator[Question]:
    value, clause = parts.value, parts.clause
    if value.preposition != "by" or value.kind not in ("date", "time"):
        return
    act, rest = reader_act(clause), " ".join(p for p in (parts.after, parts.front) if p)
    when = "on" if value.kind == "date" else "at"
    if act:
        doing = f"I can {act} {reader_object(parts)} {to_first_person(rest)}"
    elif "not" not in clause.verb_words and clause.finite == "must":
        doing = f"{parts.subject} can {' '.join(clause.verb_words[1:])} {parts.before} {rest}"
    else:
        return
    yield Question("latest", finish(f"What is the latest {value.kind} {when} which {doing}"))


def _ask_time_left(parts: Parts) -> Iterator[Question]:
    act = reader_act(parts.clause)
    if not act or parts.value.preposition != "within" or parts.value.kind != "duration":
        return
    after = parts.attached
    if after.startswith("of "):
        after = f"after {after[3:]}"
    rest = " ".join(piece for piece in (after, parts.after, parts.front) if piece)
    doing = f"{act} {reader_object(parts)} {to_first_person(rest)}"
    yield Question("latest", finish(f"How long do I have to {doing}"))
    yield Question("latest", finish(f"How much time do I have if I need to {doing}"))


def _ask_limit(parts: Parts) -> Iterator[Question]:
    """Ask whether there is a limit; the answer sentence names it."""
    clause, value = parts.clause, parts.value
    if value.bound not in ("max", "min") or clause.imperative or value.preposition:
        return
    if clause.finite not in ("may", "can", "must") or "not" in clause.verb_words or not value.unit:
        return
    thing = f"{plural_unit(unit_name(value.unit))} {parts.attached}".strip()
    if parts.attached.split(" ")[0] in ("old", "in", "ahead", "before", "after"):
        return
    who = "I" if reader_subject(clause) else parts.subject
    doing = " ".join(p for p in (state(clause, who), parts.before, parts.after, parts.front) if p)
    if value.bound == "max":
        yield Question("limit", finish(f"Is there a limit to how many {thing} {doing}"))
    elif not parts.attached.startswith(("before", "after")):
        yield Question("limit", finish(f"What is the smallest number of {thing} that {doing}"))
