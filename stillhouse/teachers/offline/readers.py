"""Questions in the words of a reader who asks what holds for oneself: ``do I``, ``can I``."""

import re
from collections.abc import Iterator

from stillhouse.teachers.offline.asking import Wh
from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.copulas import one_of
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.lexicon import (
    VERB_SYNONYMS,
)
from stillhouse.teachers.offline.turning import (
    Parts,
    obligation,
    reader_act,
    reader_object,
    reader_subject,
    role_subject,
)
from stillhouse.teachers.offline.wording import (
    finish,
    to_first_person,
)


def ask_as_reader(parts: Parts, whs: list[Wh]) -> Iterator[Question]:
    """Yield the questions that somebody asks for oneself."""
    clause = parts.clause
    act = reader_act(clause)
    if act:
        yield from _ask_active(parts, whs, act)
    elif reader_subject(clause) and not clause.passive and parts.base:
        yield from _ask_subject_as_i(parts, whs)
    elif role := role_subject(clause):
        yield from _ask_role(parts, whs[0], role)


def _ask_active(parts: Parts, whs: list[Wh], act: str) -> Iterator[Question]:
    thing = reader_object(parts)
    verb = with_object(act, thing)
    rest = " " + to_first_person(parts.after) if parts.after else ""
    if not parts.clause.imperative and parts.before:
        rest = f" {to_first_person(parts.before)}{rest}"
    front = f" {parts.front}" if parts.front else ""
    for wh, way in zip((whs[0], whs[-1]), _ways(parts.clause), strict=False):
        tail = f" {wh.tail}" if wh.tail else ""
        yield Question("reader", finish(f"{wh.lead} {way} {verb}{rest}{tail}{front}"))


def with_object(act: str, thing: str) -> str:
    """Return a verb with what it acts on."""
    return f"{act} {thing}".strip()


def _ways(clause: Clause) -> tuple[str, ...]:
    ways = obligation(clause)
    return (ways[0], ways[-1]) if len(ways) > 1 else (ways[0], ways[0])


def _ask_subject_as_i(parts: Parts, whs: list[Wh]) -> Iterator[Question]:
    base, after = parts.base, to_first_person(parts.after)
    verbs = [base]
    if base == "have" and parts.clause.finite in ("have", "has"):
        verbs = ["get", "have"]
    head, _, particle = base.partition(" ")
    verbs += [other for other in VERB_SYNONYMS.get(head, ()) if not particle and head != "keep"]
    if "not" in parts.clause.verb_words:
        return
    for wh, way, verb in zip((whs[0], whs[-1]), _ways(parts.clause), verbs * 2, strict=False):
        pieces = (wh.lead, way, verb, to_first_person(parts.before), after, wh.tail, parts.front)
        yield Question("reader", finish(" ".join(piece for piece in pieces if piece)))


def _ask_role(parts: Parts, wh: Wh, _role: str) -> Iterator[Question]:
    if not parts.base or parts.clause.passive or "not" in parts.clause.verb_words:
        return
    way, verb = _ways(parts.clause)[0], parts.base
    if verb == "have" and parts.clause.finite in ("have", "has"):
        verb = "get"
    pieces = (way, verb, to_first_person(parts.before), to_first_person(parts.after), wh.tail)
    core = " ".join(piece for piece in (wh.lead, *pieces) if piece)
    subject = _as_one(re.sub(r"^(?:the|all|every|each)\s+", "", parts.subject))
    if way.startswith("do I") and parts.clause.finite not in ("has", "have", "must"):
        return
    yield Question("reader", finish(f"As {subject}, {core} {parts.front}"))


def _as_one(people: str) -> str:
    """Return people in a role as one of them: ``drivers of vans`` -> ``a driver of vans``."""
    found = re.match(r"^(?P<head>.+?)(?P<rest> (?:of|in|on|at|with|for|from) .+)?$", people)
    if found is None or people.split(" ", maxsplit=1)[0] in ("a", "an"):
        return people
    return one_of(found["head"]) + (found["rest"] or "")
