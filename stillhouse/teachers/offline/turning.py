"""Turning a clause round a value: inversion, do-support, first person, passive into active."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.lexicon import (
    ADVERBS,
    BE,
    DO,
    GENERIC_PEOPLE,
    HAVE,
    MODALS,
    PARTICLES,
    PEOPLE,
    READER_ACTS,
    RELATIVES,
    list_words,
)
from stillhouse.teachers.offline.morphology import base_of, is_plural
from stillhouse.teachers.offline.spans import Value
from stillhouse.teachers.offline.wording import lower_first, to_first_person

_ATTACHERS: Final = frozenset(
    list_words(
        "of before after in ahead from old long wide high deep prior less more fewer higher lower"
    )
)
_STOPPERS: Final = frozenset(
    list_words(
        "a an per each every in on at by for from to with within without until during into when if "
        "unless while because and or but before after under over above below even as so where which "
        "who that is are must may can , ; through between since per"
    )
)
_ADVANCE: Final = (("in", "advance"), ("ahead",), ("beforehand",))


@dataclass(frozen=True, slots=True)
class Parts:
    """A clause round its value, as text: front, subject, words before, hanging on and after it."""

    clause: Clause
    value: Value
    front: str
    subject: str
    before: str
    attached: str
    after: str

    @property
    def base(self) -> str:
        """The main verb's base form with its particle."""
        return main_verb(self.clause)


def split_parts(clause: Clause, value: Value, names: frozenset[str]) -> Parts:
    """Return the parts of a clause whose complement holds the value."""
    end = _attached_end(clause, value)
    return Parts(
        clause=clause,
        value=value,
        front=lower_first(clause.front, names),
        subject=lower_first(clause.subject, names),
        before=clause.text(clause.verb_end, value.outer),
        attached=clause.text(value.end, end),
        after=clause.text(end, clause.end),
    )


def _attached_end(clause: Clause, value: Value) -> int:
    tokens, at, end = clause.tokens, value.end, clause.end
    if at >= end or tokens[at].low not in _ATTACHERS:
        return at
    for phrase in _ADVANCE:
        if tuple(token.low for token in tokens[at : at + len(phrase)]) == phrase:
            return at + len(phrase)
    first = tokens[at].low
    if first == "of" and value.kind in ("identifier", "place"):
        return _until(clause, at + 1, _STOPPERS)
    if first == "in" or value.kind in ("identifier", "code", "person", "place"):
        return at
    if first in ("before", "after", "from") and value.kind in ("duration", "count"):
        if value.preposition in ("for", "every", "after", "before"):
            return at
        return _until(clause, at + 1, frozenset({",", ";", "and", "if", "unless", "when", "even"}))
    if first in ("old", "long", "wide", "high", "deep"):
        return at + 1
    if first in ("less", "more", "fewer", "higher", "lower"):
        return _until(clause, at, _STOPPERS | {"than"}) if value.kind == "percent" else at
    return _until(clause, at + 1, _STOPPERS) if first == "of" else at


def _until(clause: Clause, at: int, stops: frozenset[str]) -> int:
    start = at
    if clause.tokens[at : at + 1] and clause.tokens[at].low.endswith("ing"):
        stops = frozenset({",", ";", "and", "if", "unless", "when"})
    while at < clause.end and (clause.tokens[at].low not in stops or at == start):
        at += 1
    joined = at + 1 < clause.end and clause.tokens[at].low in ("or", "and") and "or" in stops
    if joined and (at + 2 == clause.end or clause.tokens[at + 2].low in stops):
        at += 2  # ``of the birth or placement``
    return at


def main_verb(clause: Clause) -> str:
    """Return the base form of the main verb, with its particle (``hand in``); "" when unknown."""
    words = [word for word in clause.verb_words if word not in ADVERBS or word in PARTICLES]
    particle = ""
    if len(words) > 1 and words[-1] in PARTICLES | {"for", "with", "after"}:
        particle, words = f" {words[-1]}", words[:-1]
    if not words:  # what was taken for the verb is an adverb
        return ""
    if words[-1] in BE | {"be", "been"}:
        return "be"
    if words[-1] in HAVE:
        return "have"
    base = base_of(words[-1])
    if not base and words[0] in MODALS and len(words) == 2:
        base = words[-1]
    return base + particle if base else ""


def invert(clause: Clause, subject: str) -> str:
    """Return auxiliary + subject + rest of the verb group, with do-support where needed."""
    words = clause.verb_words
    finite = words[0]
    if finite == "cannot":
        return _join("can", subject, "not", words[1:])
    if finite in MODALS | BE | DO or (finite in HAVE and len(words) > 1):
        return _join(finite, subject, "", words[1:])
    particle = words[1:]
    return _join(_do_form(clause), subject, base_of(finite) or finite, particle)


def state(clause: Clause, subject: str) -> str:
    """Return subject + verb group in statement order."""
    return _join(subject, "", "", clause.verb_words)


def _join(first: str, second: str, third: str, rest: Sequence[str]) -> str:
    return " ".join(part for part in (first, second, third, *rest) if part)


def _do_form(clause: Clause) -> str:
    token = clause.tokens[clause.verb_start]
    if token.tag == "VBD" and base_of(token.low) != token.low:
        return "did"
    if token.low == "had":
        return "did"
    return "does" if token.low == "has" or base_of(token.low) != token.low else "do"


def obligation(clause: Clause) -> tuple[str, ...]:
    """Return the ways in which a clause's modal is said of ``I``: ``must`` -> *do I have to*."""
    finite = clause.finite
    if clause.imperative or finite in ("must", "shall"):
        return ("do I have to", "must I", "do I need to")
    if finite == "may":
        return ("can I", "may I", "am I allowed to")
    if finite == "can":
        return ("can I", "could I")
    if finite == "should":
        return ("should I", "am I supposed to")
    return ("do I",)


def reader_subject(clause: Clause) -> bool:
    """Whether the subject is people in general, so that the reader may say ``I``."""
    words = [token.low for token in clause.tokens[clause.subject_start : clause.verb_start]]
    words = [word for word in words if word not in ("a", "all", "every", "each", "any", "the")]
    return len(words) == 1 and words[0] in GENERIC_PEOPLE


def role_subject(clause: Clause) -> str:
    """Return ``as …`` for a subject that is people in some role, or ""."""
    words = [token.low for token in clause.tokens[clause.subject_start : clause.verb_start]]
    if not words or RELATIVES & set(words) or len(words) > 6:
        return ""
    head = words[-1]
    for at, word in enumerate(words):
        if word in ("of", "on", "in", "with", "at"):
            head = words[at - 1]
            break
    return head if (head in PEOPLE and len(words) > 1) or head in PEOPLE - GENERIC_PEOPLE else ""


def reader_act(clause: Clause) -> str:
    """Return the base verb of a passive or imperative that the reader does oneself, or ""."""
    base = main_verb(clause)
    head = base.partition(" ")[0]
    if clause.imperative:
        return base
    if not clause.passive or "not" in clause.verb_words:
        return ""
    if has_agent(clause):
        return ""
    if clause.finite in ("must", "should") or (clause.finite in ("may", "can")):
        return base if head not in ("keep", "hold", "be", "") else ""
    return base if head in READER_ACTS and clause.finite in ("is", "are") else ""


def has_agent(clause: Clause) -> bool:
    """Whether a passive says by whom (``by the stores``)."""
    rest = clause.tokens[clause.verb_end : clause.end]
    return any(word.low == "by" and not after.text[0].isdigit() for word, after in pairwise(rest))


def reader_object(parts: Parts) -> str:
    """Return what the reader acts on: a passive's subject, or an imperative's words."""
    return to_first_person(parts.before if parts.clause.imperative else parts.subject)


def subject_is_plural(clause: Clause) -> bool:
    """Whether the subject takes a plural verb, as far as the verb or the noun shows."""
    if clause.finite in ("are", "were", "have", "do"):
        return True
    if clause.finite in ("is", "was", "has", "does"):
        return False
    for token in clause.tokens[clause.subject_start : clause.verb_start]:
        if token.low in ("of", "for", "in", "with", "on", "who", "that", "which"):
            break
        head = token.low
    return is_plural(head)
