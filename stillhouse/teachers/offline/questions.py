"""Questions for a clause and the value in it, in constructions that differ."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stillhouse.teachers.offline.asking import Wh, ask_for, unit_name
from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.conditions import (
    MEASURED,
    ask_condition,
    ask_measured,
    ask_not_exceed,
    ask_worth,
)
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.frames import ask_core, ask_in_place, ask_whole
from stillhouse.teachers.offline.lexicon import (
    DETERMINERS,
    RELATIVES,
    list_words,
)
from stillhouse.teachers.offline.morphology import gerund, is_participle
from stillhouse.teachers.offline.openings import ASIDES
from stillhouse.teachers.offline.readers import ask_as_reader, with_object
from stillhouse.teachers.offline.rewording import ask_otherwise
from stillhouse.teachers.offline.spans import Value
from stillhouse.teachers.offline.synonyms import ask_with_synonyms
from stillhouse.teachers.offline.turning import (
    Parts,
    invert,
    main_verb,
    reader_act,
    reader_object,
    reader_subject,
    split_parts,
    state,
)
from stillhouse.teachers.offline.wording import (
    content_words,
    drop_article,
    finish,
    pick,
    to_first_person,
)

_AMOUNTS: Final = frozenset(["money", "duration", "count", "measure", "percent"])
_CLAUSE_WORDS: Final = frozenset(list_words("when whenever if unless where wherever provided"))


def ask_clause(clause: Clause, value: Value, names: frozenset[str], topic: str) -> list[Question]:
    """Return questions whose answer is the value in the clause's complement, best first."""
    parts = split_parts(clause, value, names)
    between = {token.low for token in clause.tokens[clause.verb_end : value.outer]}
    if between & {"how", "what", "why", "whether"}:
        return []
    if any(re.split("['’]", word)[0] in RELATIVES for word in between):
        return []
    if between & {"and", "or"} and clause.tokens[value.outer - 2].low in ("and", "or"):
        return []
    if between & _CLAUSE_WORDS:
        return list(ask_condition(parts)) if value.kind in _AMOUNTS else []
    whs = [
        wh
        for wh in ask_for(value, parts.attached, parts.base)
        if not wh.tail or len(f"{parts.before} {parts.after} {parts.front}".split()) < 4
    ]
    if clause.tokens[value.outer - 1].low == "worth":
        return ask_worth(parts)
    if parts.base == "exceed" and "not" in clause.verb_words:
        return ask_not_exceed(parts)
    dated = value.kind in ("date", "time", "duration")
    if parts.after.startswith("or ") or (dated and parts.after.startswith("and ")):
        return []
    explained = clause.copular and parts.before.split(" ")[0] in DETERMINERS
    if explained and value.preposition not in ("", "of"):
        return []
    if value.preposition == "of":
        whs = ask_measured(parts)
        parts = replace(parts, before=MEASURED.sub("", parts.before))
    if not whs:
        return []
    return list(_ask_all(parts, whs, topic))


def _ask_all(parts: Parts, whs: list[Wh], topic: str) -> Iterator[Question]:
    clause, first = parts.clause, whs[0]
    if not clause.imperative:
        yield Question("full", ask_whole(parts, first))
    yield from ask_as_reader(parts, whs)
    yield from ask_otherwise(parts, whs)
    yield _keywords(parts)
    yield from _ask_as_noun(parts)
    yield _indirect(parts, whs[-1])
    yield from ask_with_synonyms(parts, first)
    if topic and not clause.imperative:
        yield Question("topic", finish(f"{topic}: {ask_core(parts, whs[-1])}"))
    for wh in whs[1:]:
        if not clause.imperative:
            yield Question(f"wh-{wh.style}", ask_whole(parts, wh), wh.style != "drop")
    yield from _fronted(parts, whs[-1])
    yield from _curt(parts, first)
    if not clause.imperative:
        yield Question("in-situ", ask_in_place(parts, first))


def _indirect(parts: Parts, wh: Wh) -> Question:
    clause = parts.clause
    subject = parts.subject
    if clause.imperative:
        middle = f"I have to {main_verb(clause)}"
    elif reader_subject(clause) and clause.finite in ("must", "may", "can", "should"):
        middle = state(clause, "I")
    else:
        middle = state(clause, subject)
    before, after = parts.before, parts.after
    if "I " in middle:
        before, after = to_first_person(before), to_first_person(after)
    words = " ".join(p for p in (wh.lead, middle, before, after, wh.tail, parts.front) if p)
    frame = pick(ASIDES, f"{clause.subject}{parts.value.text}")
    return _aside(frame, words)


def _aside(frame: str, words: str) -> Question:
    text = finish(frame.format(words))
    if frame.startswith(("I ", "Please")):
        text = text.removesuffix("?") + "."
    return Question("indirect", text)


def _keywords(parts: Parts) -> Question:
    value = parts.value
    verb = parts.base if parts.base not in ("be", "have") else ""
    kind = {
        "money": "amount", "time": "time", "date": "date", "person": "who", "place": "where",
        "percent": "percentage", "ordinal": value.unit,
    }.get(value.kind, unit_name(value.unit))  # fmt: skip
    bound = {"max": "maximum", "min": "minimum"}.get(value.bound, "")
    pieces = (
        parts.front,
        parts.subject,
        verb,
        parts.before,
        bound,
        kind,
        parts.attached,
        parts.after,
    )
    words = content_words(" ".join(pieces))
    return Question("keywords", " ".join(words), False)


def _ask_as_noun(parts: Parts) -> Iterator[Question]:
    """Ask by a noun: the maximum number of …, the deadline for …, the time limit for …."""
    clause, value = parts.clause, parts.value
    if value.bound in ("max", "min") and not clause.imperative and not value.preposition:
        yield from _ask_bound(parts)
    noun = _limit_noun(parts)
    act = reader_act(clause) or (parts.base if _acts_on_object(parts) else "")
    if noun and act:
        thing = reader_object(parts) if reader_act(clause) else parts.before
        doing = with_object(gerund(act), thing)
        rest = f" {parts.after}" if parts.after and len(parts.after.split()) < 7 else ""
        front = f" {parts.front}" if parts.front else ""
        yield Question("noun", finish(f"What is the {noun} for {doing}{rest}{front}"))


def _acts_on_object(parts: Parts) -> bool:
    clause = parts.clause
    plain = not clause.passive and not clause.copular and "not" not in clause.verb_words
    return plain and bool(parts.before) and reader_subject(clause) and parts.base not in ("", "be")


def _limit_noun(parts: Parts) -> str:
    value = parts.value
    if value.preposition == "by" and value.kind in ("date", "time"):
        return "deadline"
    if value.preposition == "within" and value.kind == "duration":
        return "time limit"
    if value.kind == "duration" and parts.attached.startswith("before ") and value.bound == "min":
        return "minimum notice"
    return ""


def _ask_bound(parts: Parts) -> Iterator[Question]:
    clause, value = parts.clause, parts.value
    word = "maximum" if value.bound == "max" else "minimum"
    tail = " ".join(piece for piece in (parts.before, parts.after, parts.front) if piece)
    statement = state(clause, parts.subject)
    if parts.attached.split(" ")[0] in ("old", "before", "after", "in", "ahead"):
        return
    if value.kind in ("duration", "count", "measure"):
        thing = f"number of {unit_name(value.unit)} {parts.attached}".strip()
    elif value.kind == "money":
        thing = "amount"
    else:
        return
    yield Question("noun", finish(f"What is the {word} {thing} that {statement} {tail}"))


def _fronted(parts: Parts, wh: Wh) -> Iterator[Question]:
    """Put an adjunct or condition at the front: ``If I …, how soon …``."""
    clause = parts.clause
    if parts.front and not clause.imperative:
        yield Question("fronted", finish(f"{parts.front}, {ask_core(parts, wh)}"))
        return
    first = parts.after.split(" ")[0]
    if first in ("if", "when", "for", "after", "before", "on", "during", "in") and not wh.tail:
        short = " ".join(p for p in (wh.lead, invert(clause, parts.subject), parts.before) if p)
        if not clause.imperative and len(parts.after.split()) > 1:
            yield Question("fronted", finish(f"{parts.after}, {short}"))


def _curt(parts: Parts, wh: Wh) -> Iterator[Question]:
    clause = parts.clause
    if parts.front or wh.tail:
        return
    act = reader_act(clause)
    noun = drop_article(parts.subject)
    rest = f" {parts.after}" if parts.after else ""
    if act and parts.value.preposition != "every":
        thing = reader_object(parts)
        yield Question("curt", finish(f"{gerund(act)} {thing}{rest}: {wh.lead}"), False)
    elif parts.base == "have" and not clause.imperative:
        yield Question("curt", finish(f"{noun}: {wh.lead} {parts.before}{rest}"), False)
    elif clause.passive and is_participle(clause.verb_words[-1]) and len(clause.verb_words) == 2:
        done = clause.verb_words[-1]
        pieces = (noun, "—", done, parts.before, wh.lead, parts.after)
        yield Question("curt", finish(" ".join(piece for piece in pieces if piece)), False)
