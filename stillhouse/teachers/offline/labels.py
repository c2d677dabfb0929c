"""How the label of a row reads inside a sentence: ``for apprentices``, ``in the reading room``."""

import re
from typing import Final

from stillhouse.teachers.offline.copulas import is_place
from stillhouse.teachers.offline.lexicon import PEOPLE, STOP, list_words
from stillhouse.teachers.offline.morphology import is_plural
from stillhouse.teachers.offline.tagging import lexicon, split_words, tag_words
from stillhouse.teachers.offline.wording import (
    lower_first,
)

PLACES: Final = frozenset(
    list_words(
        "place places site city town country region location where department office building area "
        "team"
    )
)

WORK_PLACES: Final = frozenset(["department", "team", "office", "site", "unit"])

_OF_NOUNS: Final = frozenset(
    list_words(
        "length price weight size capacity colour color height depth width meaning status purpose "
        "range duration cost speed age title owner"
    )
)


def is_noun_phrase(header: str) -> bool:
    """Whether a column header or a key names a thing (not ``Who`` or ``What goes in``)."""
    tokens = tag_words(split_words(header.replace("_", " ")))
    if not tokens or tokens[0].low in STOP - {"the", "a", "an", "per", "most", "least", "no"}:
        return False
    if len(tokens) == 1 and tag_words([header.lower()])[0].tag[:2] not in ("NN", "CD", "FW"):
        return False
    return tokens[-1].tag not in ("IN", "TO", "VBZ", "VBP", "MD", "RB", "DT") or len(tokens) == 1


def name_thing(head: str, label: str, noun: str, names: frozenset[str]) -> str:
    """Return what a cell is the value of: ``the loan period for books``."""
    if ": " in label:
        owner, _, attribute = label.partition(":")
        thing = lower_first(owner.strip(), names)
        return f"the {lower_first(attribute.strip(), names)} of {_with_article(thing)}"
    owner = own_label(head, label, names)
    link = "of" if noun.rsplit(" ", maxsplit=1)[-1] in _OF_NOUNS else "for"
    if PLACES & set(head.lower().split()) and not is_people(owner):
        link, owner = name_place(head, label, names).split(" ", 1)
    if noun in ("name", "person", "contact"):
        return owner if owner.startswith("the ") else f"the {owner}"
    if re.search(r" (?:for|of|in) ", noun):
        return f"the {owner} {noun}" if len(owner.split()) < 4 else f"the {noun}, {owner},"
    return f"{'' if noun.startswith(('the ', 'my ')) else 'the '}{noun} {link} {owner}"


def name_place(head: str, label: str, names: frozenset[str]) -> str:
    """Return ``in <label>`` as it reads in a sentence: ``in Finance``, ``in the reading room``."""
    kinds = set(head.lower().split())
    if WORK_PLACES & kinds:
        return f"in the {label}" if is_place(label) else f"in {label}"
    owner = own_label(head, label, names)
    if is_place(label) and owner[:1].isupper():
        return f"in the {owner}"
    return f"in {_with_article(owner)}" if owner[:1].islower() else f"in {owner}"


def own_label(head: str, label: str, names: frozenset[str]) -> str:
    """Return a row's label for use in a sentence, with its column's noun where it is a bare name."""
    owner = lower_first(label, names)
    kind = head.lower().strip()
    bare = owner[:1].isupper() and len(owner.split()) <= 2 and owner.lower() not in lexicon()
    if len(kind.split()) == 2 and " " not in label and label[:1].isupper():
        bare, owner = not is_plural(label), label if not is_plural(label) else owner
    if kind and owner.lower().split()[-1] == kind.split()[-1]:
        return f"the {owner}" if is_place(owner) else owner
    fits = kind and len(kind.split()) <= 3 and not is_plural(kind.split()[-1])
    if bare and fits and not PLACES & set(kind.split()) and kind not in ("name", "model", "role"):
        return f"the {owner} {kind}"
    if bare and fits and kind == "role":
        return f"the {owner}"
    return owner


def _with_article(noun: str) -> str:
    if (
        noun.split(" ", maxsplit=1)[0] in ("the", "a", "an", "all", "each", "every")
        or noun[:1].isupper()
    ):
        return noun
    return noun if is_plural(noun.rsplit(" ", maxsplit=1)[-1]) else f"the {noun}"


def is_people(label: str) -> bool:
    """Whether a label names people in some role."""
    words = label.lower().split()
    for at, word in enumerate(words):
        if word in ("on", "in", "of", "with", "at", "who", "without", "under"):
            return bool(at) and words[at - 1] in PEOPLE
    return bool(words) and words[-1] in PEOPLE
