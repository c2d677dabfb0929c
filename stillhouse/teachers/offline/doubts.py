"""Sentences and labels that must not be asked about: what they say depends on where they stand.

A question is read without its passage. So a sentence that leans on its neighbours, shows code, gives
an example or is not English is left out: a fact less costs little, a broken question teaches nonsense.
"""

import re
from collections.abc import Sequence
from typing import Final

from stillhouse.base.text import cased_words
from stillhouse.teachers.offline.lexicon import (
    BE,
    DETERMINERS,
    DURATIONS,
    HAVE,
    MODALS,
    PARTICLES,
    PREPOSITIONS,
    STOP,
    list_words,
)
from stillhouse.teachers.offline.morphology import singular
from stillhouse.teachers.offline.tagging import Token, lexicon

# Signs, calls, options, paths, and the names that programmers give to nothing in particular.
_CODE: Final = re.compile(
    r"[=\\{}<>|@~^_`#+*]|\$[A-Za-z({]|\(\)|^--?[A-Za-z]|::|^[./]+\w|\w\[|\w/\w+/|-{2,}|[A-Za-z]:\w|^'$"
    r"|^:\w|\w\.\.\.|^(?:lib)?(?:foo|foobar|baz)(?![a-z])"
)
_POINTING: Final = frozenset(
    list_words("this these aforementioned latter former thus therefore hence consequently")
)
_NARRATED: Final = frozenset(list_words("i i'm i've i'd let's"))
# What the writers of a text do with it; a house that says ``we`` gives and issues things instead.
_TELLING: Final = frozenset(
    list_words(
        "will can could would should have now already assume describe discuss recommend suggest see "
        "use want need know say call consider look show explain mention hope think believe do did "
        "just saw used need must may then first also might start get add define introduce"
    )
)
_EXAMPLE: Final = re.compile(
    r"\(see\b|\b(?:for (?:example|instance)|e\.g\.|in (?:this|that) case|as follows|"
    r"see (?:also|below|above)|as you (?:can )?(?:see|know)|say,|since then|hypothetical|foo|(?<!\w\.)example)(?!\w|\.\w)",
    re.IGNORECASE,
)
# Verbs of an order that is about the text or an argument, not about what a reader does.
TALK: Final = frozenset(
    list_words(
        "suppose assume imagine consider note see refer recall remember let observe beware bear "
        "thank guess"
    )
)
FUNCTION: Final = STOP | PREPOSITIONS | DETERMINERS | PARTICLES
_ENGLISH_SHARE: Final = 0.15  # of the words of a sentence that are function words; German has 0.02
_KNOWN_SHARE: Final = 0.6
_FEW: Final = 6


def stands_alone(text: str, tokens: Sequence[Token]) -> bool:
    """Whether a sentence means the same to a reader who sees nothing else."""
    if text[0] == "(" or text[0].islower() or tokens[0].low in TALK or not _is_whole(text):
        return False
    if {token.low for token in tokens} & (_POINTING | _NARRATED) or _EXAMPLE.search(text):
        return False
    if any(_points(tokens, at) for at in range(len(tokens))):
        return False
    return not any(_CODE.search(token.text) for token in tokens) and is_english(tokens)


def _is_whole(text: str) -> bool:
    """Whether every quotation and bracket that a sentence opens is closed in it."""
    if re.search(r"\w[\"”]?\. [a-z]", text):
        return False
    pairs = (("(", ")"), ("“", "”"), ("[", "]"))
    return text.count('"') % 2 == 0 and all(text.count(a) == text.count(b) for a, b in pairs)


def _points(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word points at another place of the text: ``the above``, ``listed below``, ``those``."""
    word = tokens[at].low
    after = tokens[at + 1].low if at + 1 < len(tokens) else "."
    if word in ("above", "below"):
        if after in BE | HAVE | MODALS or tokens[max(0, at - 1)].low == "the":
            return True
        return not after[0].isalnum() and after[0] not in "£$€"
    if word == "following":
        return singular(after) not in DURATIONS
    if word == "those":
        return after not in ("who", "that", "which", "of", "for", "in", "with", "from", "on")
    if word == "both":
        return not _has_noun(tokens, at + 1)
    if word == "&":  # of a name only: ``Hill & Sons``
        return not (after[:1].isalpha() and tokens[at + 1].text[0].isupper())
    if word == "same":
        return singular(after) not in DURATIONS | {"time", "way", "person"}
    return word == "we" and after in _TELLING


def _has_noun(tokens: Sequence[Token], at: int) -> bool:
    """Whether a noun stands at a place, with or without what describes it."""
    while at < len(tokens) and tokens[at].tag.startswith(("JJ", "DT", "PRP$")):
        at += 1
    return at < len(tokens) and tokens[at].tag.startswith("NN")


def is_english(tokens: Sequence[Token]) -> bool:
    """Whether enough of a sentence's words are function words of English."""
    found = [token.low for token in tokens if token.low[:1].isalpha()]
    if len(found) < _FEW:
        return True
    return sum(word in FUNCTION for word in found) >= _ENGLISH_SHARE * len(found)


def reads_english(text: str) -> bool:
    """Whether most small-written words of a passage are English words."""
    found = [word for word in cased_words(text) if word.islower() and word.isalpha()]
    if len(found) < _FEW:
        return True
    return sum(word in lexicon() for word in found) >= _KNOWN_SHARE * len(found)


def is_sample(text: str) -> bool:
    """Whether a passage shows how something would look, with names that stand for any name."""
    return bool(re.search(r"\b(?:lib)?foo(?:bar|\d)?\b", text, re.IGNORECASE))


def is_code(text: str) -> bool:
    """Whether a label or cell shows code, a path or an option rather than words."""
    return any(_CODE.search(word) for word in text.split())


def is_known(phrase: str) -> bool:
    """Whether every word of a label is a common word, so that it can name what a value is."""
    parts = [part for word in cased_words(phrase.lower()) for part in word.split("-") if part]
    return bool(re.match(r"[A-Za-z][\w '’/-]*$", phrase)) and all(
        part in lexicon() for part in parts
    )
