"""A sentence as adjunct, subject, verb group and complement: enough grammar to turn it round."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from stillhouse.teachers.offline.breaks import clause_end
from stillhouse.teachers.offline.lexicon import (
    ADVERBS,
    BE,
    DETERMINERS,
    HAVE,
    MODALS,
    MONTHS,
    PHRASAL,
    PREPOSITIONS,
    PRONOUNS,
    SUBORDINATORS,
    list_words,
)
from stillhouse.teachers.offline.morphology import base_of, is_participle, verb_bases
from stillhouse.teachers.offline.tagging import Token, join_words
from stillhouse.teachers.offline.verbs import find_verb

_OPENERS: Final = PREPOSITIONS | (SUBORDINATORS - {"who", "whom", "which", "that", "what", "whose"})

_DISCOURSE: Final = frozenset(
    list_words(
        "however therefore moreover furthermore otherwise instead afterwards normally usually "
        "generally also finally then please nevertheless consequently additionally similarly thus "
        "typically and but so"
    )
)

_LONGEST_SUBJECT: Final = 16

_LONGEST_FRONT: Final = 15


@dataclass(frozen=True, slots=True)
class Clause:
    """``tokens`` = front adjunct, subject, verb group, complement; each given by its bounds.

    ``front`` is ``tokens[:front_end]``; the subject is ``tokens[subject_start:verb_start]``; the
    verb group is ``tokens[verb_start:verb_end]``; the complement runs to ``end``. An imperative has
    no subject words (``subject_start == verb_start``).
    """

    tokens: tuple[Token, ...]
    front_end: int
    subject_start: int
    verb_start: int
    verb_end: int
    end: int
    imperative: bool = False

    def text(self, start: int, end: int) -> str:
        """Return the words of a stretch as running text."""
        return join_words([token.text for token in self.tokens[start:end]])

    @property
    def subject(self) -> str:
        """The subject's words."""
        return self.text(self.subject_start, self.verb_start)

    @property
    def front(self) -> str:
        """The fronted adjunct without its comma."""
        return self.text(0, self.front_end)

    @property
    def verb_words(self) -> list[str]:
        """The verb group in lower case."""
        return [token.low for token in self.tokens[self.verb_start : self.verb_end]]

    @property
    def finite(self) -> str:
        """The finite verb in lower case."""
        return self.tokens[self.verb_start].low

    @property
    def copular(self) -> bool:
        """Whether the verb is a bare form of ``be``."""
        return len(self.verb_words) == 1 and self.finite in BE

    @property
    def passive(self) -> bool:
        """Whether the verb group ends in ``be`` + past participle."""
        group = [word for word in self.verb_words if word not in ADVERBS]
        return len(group) > 1 and group[-2] in BE | {"be", "been"} and is_participle(group[-1])


def parse_clause(tokens: Sequence[Token]) -> Clause | None:
    """Return the main clause of a sentence, or None where its structure is not understood."""
    return _parse_clause(tuple(tokens))


@lru_cache(maxsize=512)
def _parse_clause(tokens: tuple[Token, ...]) -> Clause | None:
    words = _strip_discourse(tokens)
    if len(words) < 3 or words[0].low in ("which", "who", "what"):
        return None
    front = _front_end(words)
    if front < 0 or front >= len(words):  # nothing but a front: ``From 3 July 2031``
        return None
    start = front + 1 if front else 0
    if front and words[front].text != ",":
        start = front
    if start >= len(words):
        return None
    verb = find_verb(words, start)
    if verb is None:
        return _imperative(words, start, front)
    if verb == start or verb - start > _LONGEST_SUBJECT or not _good_subject(words, start, verb):
        return None
    return _complete(Clause(words, front, start, verb, verb + 1, clause_end(words, verb)))


def _strip_discourse(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    while tokens and tokens[0].low in _DISCOURSE:
        tokens = tokens[1:]
        if tokens and tokens[0].text == ",":
            tokens = tokens[1:]
    while tokens and tokens[-1].text in ".;:!":
        tokens = tokens[:-1]
    return tokens


def _front_end(tokens: Sequence[Token]) -> int:
    """Return where a fronted adjunct ends (its comma), 0 for none, -1 when it cannot be told."""
    if tokens[0].low not in _OPENERS:
        return 0
    if dated := _dated_front(tokens):
        return dated
    for at, token in enumerate(tokens[: _LONGEST_FRONT + 1]):
        if token.text == ",":
            return at
    return -1


def _dated_front(tokens: Sequence[Token]) -> int:
    """Return the end of a front such as ``From 3 July 2031`` that has no comma, else 0.

    It is ``len(tokens)`` where nothing follows the date.
    """
    months = [at for at in (1, 2) if at < len(tokens) and tokens[at].low in MONTHS]
    if not months or tokens[0].low not in ("from", "on", "since", "until", "by"):
        return 0
    end = max(months[0] + 1, 3)
    end += end < len(tokens) and bool(re.match(r"^\d{4}$", tokens[end].text))
    return 0 if end < len(tokens) and tokens[end].text == "," else end


def _good_subject(tokens: Sequence[Token], start: int, verb: int) -> bool:
    first = tokens[start]
    if first.low in PRONOUNS and (verb == start + 1 or first.low in ("it", "they", "he", "she")):
        return False
    if first.low in ("i", "what", "why", "how", "to", "not", "nothing", "nobody", "none"):
        return False
    words = [token.text for token in tokens[start:verb]]
    if any(mark in words for mark in (";", ":", "—", "?")):
        return False
    return words.count(",") in (0, 2)


def second_clauses(clause: Clause) -> list[tuple[Token, ...]]:
    """Return what stands behind ``and`` as sentences of their own, with the subject where shared."""
    tokens, at = clause.tokens, clause.end
    if at < len(tokens) and tokens[at].text == ",":
        at += 1
    if at >= len(tokens) or tokens[at].low not in ("and", "but") or clause.imperative:
        return []
    rest = tokens[at + 1 :]
    if not rest or rest[0].low in PRONOUNS:
        return []
    subject = tokens[clause.subject_start : clause.verb_start]
    first = rest[0]
    if first.low in MODALS | BE | HAVE | {"does", "do"} or (
        first.tag == "VBZ" and base_of(first.low)
    ):
        return [(*subject, *rest)]
    if is_participle(first.low) and clause.passive:
        verbs = tokens[clause.verb_start : clause.verb_end - 1]
        return [(*subject, *verbs, *rest)]
    return [tuple(rest)] if first.low in DETERMINERS else []


def _complete(clause: Clause) -> Clause | None:
    """Extend the verb group over auxiliaries, adverbs, participle and particle."""
    tokens, at = clause.tokens, clause.verb_start + 1
    finite = clause.finite
    while at < clause.end and tokens[at].low in ADVERBS:
        at += 1
    auxiliary = finite in MODALS | BE | HAVE | {"do", "does", "did"}
    if auxiliary and at < clause.end:
        at = _verbs_after(tokens, at, finite, clause.end)
    elif not auxiliary:
        at = clause.verb_start + 1
    while (
        at > clause.verb_start + 1 and tokens[at - 1].low in ADVERBS and tokens[at - 1].low != "not"
    ):
        at -= 1
    return replace(clause, verb_end=_take_particle(tokens, at, clause.end))


def _take_particle(tokens: Sequence[Token], at: int, end: int) -> int:
    """Take the particle of a phrasal verb (``fill in``, ``is paid for with``) into the group."""
    if at >= end:
        return at
    pair = (base_of(tokens[at - 1].low), tokens[at].low)
    stranded = (
        tokens[at].low in PREPOSITIONS
        and at + 1 < end
        and (tokens[at + 1].low in PREPOSITIONS and tokens[at + 1].low not in ("over", "up"))
    )
    return (
        at + 1
        if pair in PHRASAL or (stranded and tokens[at].low in ("for", "in", "off", "on"))
        else at
    )


def _verbs_after(tokens: Sequence[Token], at: int, finite: str, end: int) -> int:
    last = finite
    while at < end:
        word = tokens[at].low
        if word in ("be", "been", "have") and last in MODALS | HAVE:
            last = word
        elif word in ADVERBS:
            pass
        elif (
            (last in MODALS and (base_of(word) == word or tokens[at].tag in ("VB", "VBP", "NN")))
            or (last in BE | {"be", "been"} and is_participle(word))
            or (last in HAVE | {"have"} and is_participle(word) and tokens[at].tag != "JJ")
            or (last in ("do", "does", "did") and base_of(word) == word)
        ):
            return at + 1
        else:
            return at
        at += 1
    return at


def _imperative(tokens: tuple[Token, ...], start: int, front: int) -> Clause | None:
    first = tokens[start]
    if first.low not in verb_bases() or first.low in ADVERBS or len(tokens) < start + 3:
        return None
    after = tokens[start + 1].low
    if first.tag == "NNS" or not (
        after in DETERMINERS | PREPOSITIONS | {"yourself"} or first.tag in ("VB", "VBP")
    ):
        return None
    end = clause_end(tokens, start)
    verb_end = _take_particle(tokens, start + 1, end)
    return Clause(tokens, front, start, start, verb_end, end, imperative=True)
