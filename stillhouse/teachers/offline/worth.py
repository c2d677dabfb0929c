"""Clauses, values, terms and questions that tell a reader something without their passage."""

import re
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Final

from stillhouse.base.text import cased_words, words
from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.doubts import FUNCTION, TALK
from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.lexicon import (
    BE,
    DETERMINERS,
    MODALS,
    NUMBER_WORDS,
    RELATIVES,
    STOP,
    SUBORDINATORS,
    list_words,
)
from stillhouse.teachers.offline.morphology import singular
from stillhouse.teachers.offline.spans import Value
from stillhouse.teachers.offline.tagging import Token, lexicon
from stillhouse.teachers.offline.wording import content_words, drop_article

# Nouns that say what kind of thing a value is and not whose it is.
_ABSTRACT: Final = frozenset(
    list_words(
        "size value number amount limit default length width height result results output input "
        "argument arguments option options parameter parameters type types name names order count "
        "total maximum minimum first second third last next previous current new old other same "
        "only main following one two three example case cases way ways thing things part parts time "
        "method methods strategy approach technique chosen alternative different useful special certain "
        "existing unknown various several particular general basic simple common available kind kinds current "
        "point version versions difference advantage problem reason answer question idea effect"
    )
)
_RELATIVE: Final = frozenset(
    list_words(
        "current previous next last new old other same chosen existing first resulting related "
        "corresponding respective given"
    )
)
_UNTOLD: Final = STOP | _ABSTRACT | _RELATIVE
_REFERENCES: Final = frozenset(
    list_words("section chapter figure table page step appendix volume part line paragraph example")
)
_LOOSE: Final = frozenset(["in", "with", "from", "as", "into", "of", "at", "between", "for", "via"])
_GLOSSARY: Final = frozenset(list_words("glossary terms terminology definitions vocabulary"))
# Kinds that say by their question word what is asked for: ``How old must drivers be?``
_TYPED: Final = frozenset(["person", "duration", "money", "date", "time"])
_LISTED: Final = frozenset(["name", "person", "place", "code", "date", "identifier", "literal"])
_LONG: Final = 16  # words of a sentence
_EXISTING: Final = 2  # of words that say what there is, and where


def is_askable(clause: Clause) -> bool:
    """Whether a clause says something of a thing that can be named outside the passage."""
    front = {token.low for token in clause.tokens[: clause.front_end]}
    if front & BE and clause.tokens[0].low not in SUBORDINATORS:
        return False
    if clause.imperative:
        return _is_order(clause)
    subject = clause.tokens[clause.subject_start : clause.verb_start]
    held = [token.low for token in subject if token.low not in DETERMINERS]
    if not held or ("there" in held and len(held) > 1):
        return False
    if subject[0].low == "another":
        return False
    if held[0] == "there":
        return _says_what_there_is(clause)
    if clause.tokens[clause.end - 1].low in ("without", "with", "of", "and", "or"):
        return False
    if held[0] in ("we", "you"):
        return True
    named = [word for word in held if len(word) > 1 and word not in _UNTOLD]
    told = len(named) > (subject[0].low == "the" and bool(_RELATIVE & set(held)))
    return told and not _is_misread(clause, subject)


def _is_order(clause: Clause) -> bool:
    """Whether what was read as an order is one, and is not about the text itself."""
    order = clause.tokens[clause.verb_start : clause.end]
    return order[0].low not in TALK and not any(
        word.tag in ("VBD", "VBZ") and before.tag.startswith(("NN", '"', "''"))
        for before, word in pairwise(order[1:])
    )


def _says_what_there_is(clause: Clause) -> bool:
    rest = [token.low for token in clause.tokens[clause.verb_end : clause.end]]
    named = [word for word in rest if word not in FUNCTION | _ABSTRACT | set(NUMBER_WORDS)]
    return "also" not in rest and len(named) > _EXISTING


def _is_misread(clause: Clause, subject: Sequence[Token]) -> bool:
    """Whether the words before the verb are no plain subject."""
    first = subject[0]
    numbered = first.tag in ("VBD", "VBN") and subject[1:] and subject[1].text[0].isdigit()
    adverb = first.tag.startswith("RB") and first.low != "only"
    doing = first.tag == "VBG" and clause.finite in MODALS
    aside = any(token.text in "()" or token.low == "whose" for token in subject)
    return bool(numbered or adverb or doing or aside)


def is_news(clause: Clause, value: Value, headings: Sequence[str]) -> bool:
    """Whether a name tells something: it is neither a title's own word nor a mere abbreviation."""
    if value.kind != "name":
        return True
    named = [word for word in value.text.split() if word[0].isupper()]
    titles = set(cased_words(" ".join(headings).lower()))
    return not (
        clause.imperative
        or (bool(value.preposition) and not (clause.passive and value.end == clause.end))
        or len(clause.tokens) > _LONG
        or any(word.isupper() for word in named)
        or any(word.lower() in titles for word in named)
    )


def is_specific(clause: Clause, value: Value) -> bool:
    """Whether a small number in words counts something of a thing that is named closely enough.

    ``The call takes two arguments`` is prose about a call that was spoken of before.
    """
    counted = value.kind == "count" and value.text.split(" ")[0] in NUMBER_WORDS
    if value.bound or not (counted or (value.kind == "person" and not clause.copular)):
        return True
    subject = clause.tokens[clause.subject_start : clause.verb_start]
    if clause.imperative:
        return not counted  # ``Give two arguments`` says how a call is written
    if not subject or subject[0].low not in ("the", "a", "an", "both"):
        return True
    named = [t for t in subject[1:] if t.low not in FUNCTION | _ABSTRACT]
    return len(named) > 1


def is_single(clause: Clause, value: Value) -> bool:
    """Whether a value is all that stands in its place: not one of a list, of an aside or of a verb."""
    before = clause.tokens[value.outer - 1] if value.outer > 0 else None
    if before is not None and before.low in ("only", "about", "just") and value.comparator:
        return False
    after = clause.tokens[value.end : value.end + 2]
    if after and after[0].low in ("only", "too", "also"):
        return False
    if after and after[0].text == "(" and not _narrows(clause.tokens[value.end :]):
        return False
    if value.kind == "count":
        return _counts_freely(clause, value, before)
    if value.kind == "money":
        return value.preposition not in ("in", "as", "with")  # ``$1`` of a script
    if value.kind == "person" and _did_something_else(clause, value):
        return False
    if value.kind in ("identifier", "code") and not _is_numbered(clause, value, before):
        return False
    return value.kind not in _LISTED or not _is_listed(value, before, after)


def _narrows(aside: Sequence[Token]) -> bool:
    """Whether a bracket only says what a value holds (``excluding VAT``), without one of its own."""
    opened = len(aside) > 1 and (aside[1].tag == "VBG" or aside[1].low in _NARROWING)
    words = list(takewhile(lambda token: token.text != ")", aside))
    plain = not any(re.search(r"\d", t.text) or t.low in NUMBER_WORDS for t in words[1:])
    return opened and plain and len(words) <= _LONGEST_ASIDE


_NARROWING: Final = frozenset(
    list_words(
        "plus with without before after net gross excl excl. incl incl. ex inclusive exclusive"
    )
)
_LONGEST_ASIDE: Final = 6


def _counts_freely(clause: Clause, value: Value, before: Token | None) -> bool:
    """Whether ``how many`` can be asked: the count is what the verb acts on, and not an aside."""
    inner = [token.tag for token in clause.tokens[clause.verb_end : value.outer]]
    if (before is not None and before.low in ("as", "using", "like")) or (
        "VBG" in inner and not value.preposition
    ):
        return False
    return bool(value.bound) or value.preposition not in _LOOSE or "notice" in value.text


def _did_something_else(clause: Clause, value: Value) -> bool:
    """Whether a person belongs to a participle (``patches sent by …``) and not to the verb."""
    inner = [token.tag for token in clause.tokens[clause.verb_end : value.outer]]
    agent = value.preposition == "by"
    return (agent and not clause.passive) or (bool(inner) and inner[-1] in ("VBN", "VBD"))


def _is_numbered(clause: Clause, value: Value, before: Token | None) -> bool:
    """Whether a number or code names a thing of its own, and no part of a text or of a name."""
    if value.kind == "identifier" and value.unit.split(" ")[-1] in _REFERENCES:
        return False
    named = before is not None and before.tag.startswith("NN") and value.outer > clause.verb_end
    return bool(value.preposition) or not named


def _is_listed(value: Value, before: Token | None, after: Sequence[Token]) -> bool:
    if after and after[0].low in RELATIVES:
        return True
    if len(after) > 1 and after[0].low in ("and", "or", "&", ","):
        joined, first = after[0].low != ",", after[1].text[0]
        if value.kind == "person" and joined:
            return True
        dated = value.kind == "date" and first.isdigit()
        if (joined or value.kind in ("name", "code", "literal")) and (first.isupper() or dated):
            return True
    return before is not None and before.low in ("and", "or", "/", "&")


def is_told_apart(question: str, fact: Fact) -> bool:
    """Whether a question names what it is about with more than words that fit anything."""
    found = [word for word in content_words(question) if word not in _ABSTRACT]
    return len(found) > (fact.kind not in _TYPED)


def is_coined(term: str, headings: Sequence[str]) -> bool:
    """Whether a term says by itself what it belongs to: of several words, or no common word.

    A list of terms, or a section with its name, is where a common word is explained for good.
    """
    titles = {singular(word) for word in words(" ".join(headings))}
    if _GLOSSARY & set(words(" ".join(headings))) or singular(drop_article(term).lower()) in titles:
        return True
    found = [word for word in cased_words(drop_article(term)) if word]
    return len(found) > 1 or any(word.lower() not in lexicon() for word in found)


def is_named(thing: str) -> bool:
    """Whether a thing that has a name can be told by what is said of it: ``the chosen way`` cannot."""
    first = thing.split(" ", maxsplit=1)[0].lower()
    found = [word for word in content_words(thing) if word not in _ABSTRACT | _REFERENCES]
    return len(found) > 1 + bool(_RELATIVE & set(words(thing))) and first != "one"


def is_relative(term: str) -> bool:
    """Whether a term only points at something spoken of: ``the corresponding key``."""
    return term.lower().startswith("the ") and bool(_RELATIVE & set(words(term)))
