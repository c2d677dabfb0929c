"""Questions for values that stand in a condition, a measure or a ceiling."""

import re
from collections.abc import Iterator
from typing import Final

from stillhouse.teachers.offline.asking import Wh, unit_name
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.frames import ask_in_place
from stillhouse.teachers.offline.lexicon import (
    SUBORDINATORS,
)
from stillhouse.teachers.offline.morphology import base_of
from stillhouse.teachers.offline.turning import (
    Parts,
    invert,
    state,
)
from stillhouse.teachers.offline.wording import (
    content_words,
    drop_article,
    finish,
)


def ask_not_exceed(parts: Parts) -> list[Question]:
    """Ask for a ceiling put as ``X may not exceed V``."""
    subject, unit = parts.subject, unit_name(parts.value.unit)
    many = f"how many {unit}" if unit else "how much"
    noun = drop_article(subject)
    after = f" {parts.after}" if parts.after else ""
    return [
        Question("full", finish(f"What is the upper limit for {subject}{after}")),
        Question("noun", finish(f"Is there a maximum for {subject}{after}")),
        Question("keywords", " ".join([*content_words(subject), "maximum", unit]), False),
        Question("synonym", finish(f"Above {many} may {subject} not go{after}")),
        Question("indirect", finish(f"Can you tell me what the limit for {subject} is{after}")),
        Question("curt", finish(f"{noun}: what is the maximum{after}")),
        Question("in-situ", finish(f"{subject} may not exceed {many}{after}")),
    ]


def ask_worth(parts: Parts) -> list[Question]:
    """Ask for the worth of a thing that may or must have it: ``a prize worth up to £50``."""
    found = re.search(r"(?:^| )(?P<thing>an? .+) worth$", parts.before)
    if not found or parts.clause.finite not in ("may", "can") or parts.value.bound != "max":
        return []
    thing = found["thing"]
    doing = f"{parts.subject} may {parts.base}"
    return [
        Question("full", finish(f"How much may {thing} that {doing} be worth")),
        Question("in-situ", ask_in_place(parts, Wh("how much"))),
        Question("keywords", " ".join([*content_words(thing), parts.base, "maximum worth"]), False),
        Question("indirect", finish(f"Can you tell me how much {thing} may be worth at most")),
        Question("noun", finish(f"What is the highest permitted worth of {thing}")),
    ]


def ask_measured(parts: Parts) -> list[Wh]:
    """Ask for the measure itself: ``at a speed of 2 knots`` -> *at what speed*."""
    found = MEASURED.search(parts.before)
    if not found or parts.value.kind not in _MEASURES_OF:
        return []
    return [Wh(f"{found['link']} what {found['noun']}")]


_MEASURES_OF: Final = frozenset(["money", "duration", "count", "measure", "percent"])
MEASURED: Final = re.compile(
    r"(?:^| )(?P<link>at|from|in|with|to|within) (?:a|an|the) (?P<noun>(?:[a-z]+ )?[a-z]+)$"
)


_EXCEEDS: Final = frozenset(["above", "over", "more", "exceeds"])


def ask_condition(parts: Parts) -> Iterator[Question]:
    """Ask for a value inside a condition: ``… closes when the queue is above 30 people``."""
    clause, value = parts.clause, parts.value
    at = next(
        i for i in range(clause.verb_end, value.outer) if clause.tokens[i].low in SUBORDINATORS
    )
    opener = clause.tokens[at].low
    if parts.subject == "there":
        return
    if opener not in ("when", "whenever", "if", "where", "wherever", "unless") or clause.imperative:
        return
    main = " ".join(
        p for p in (state(clause, parts.subject), clause.text(clause.verb_end, at)) if p
    )
    turned = f"{invert(clause, parts.subject)} {clause.text(clause.verb_end, at)}"
    yield Question("full", finish(f"when {turned}"))
    condition = clause.text(at + 1, value.outer)
    yield from _ask_inside(parts, main, condition, clause.text(at, value.outer))
    rest = clause.text(at + 1, clause.end)
    wordy = " ".join(content_words(f"{parts.subject} {parts.base} {rest}"))
    words = " ".join(w for w in wordy.split() if w not in value.text.lower().split())
    yield Question(
        "keywords", f"{words} {'limit' if value.bound else unit_name(value.unit)}", False
    )
    yield Question("noun", finish(f"Under what condition {turned}"))
    yield Question("indirect", finish(f"Can you tell me when {main}"))


def _ask_inside(parts: Parts, main: str, condition: str, opened: str) -> Iterator[Question]:
    value, words = parts.value, condition.split()
    many = f"how many {unit_name(value.unit)}" if value.unit else "how much"
    comparator = " ".join(p for p in (value.preposition, value.comparator) if p)
    yield Question(
        "in-situ", finish(f"{main} {opened} {comparator} {many} {parts.attached} {parts.after}")
    )
    if words and words[-1] in ("exceeds", "exceed") and not comparator:
        thing = " ".join(words[:-1])
        yield Question("exceed", finish(f"{many} must {thing} exceed before {main}"))
    if words and words[-1] in ("is", "are") and comparator.split(" ")[0] in _EXCEEDS:
        thing = " ".join(words[:-1])
        yield Question("exceed", finish(f"{many} must {thing} exceed before {main}"))
    if comparator.endswith(" than") and comparator.split(" ")[0] in _MEASURES:
        adjective = _MEASURES[comparator.split(" ")[0]]
        if words and words[-1] in ("is", "are"):
            thing = " ".join(words[:-1])
            yield Question("exceed", finish(f"how {adjective} must {thing} be before {main}"))
        elif words and base_of(words[-1]):
            thing, verb = " ".join(words[:-1]), base_of(words[-1])
            yield Question("exceed", finish(f"how {adjective} must {thing} {verb} before {main}"))


_MEASURES: Final = {
    "longer": "long", "higher": "high", "heavier": "heavy", "larger": "large", "older": "old",
    "later": "late", "greater": "great", "smaller": "small", "lower": "low", "younger": "young",
}  # fmt: skip
