"""Small pieces of wording: letters, lists of content words, stable choices."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

from stillhouse.base.ids import sha256_text
from stillhouse.base.text import words
from stillhouse.teachers.offline.lexicon import STOP
from stillhouse.teachers.offline.tagging import lexicon

T = TypeVar("T")

_SPACES: Final = re.compile(r"\s+")
_FIRST_PERSON: Final = {
    "your": "my", "yourself": "myself", "you": "I", "yours": "mine", "themselves": "myself",
    "their": "my",
}  # fmt: skip


def pick(options: Sequence[T], key: str) -> T:
    """Return one of the options, the same one for the same key in every process.

    Digits of the key do not count, so that a changed number leaves the wording as it was.
    """
    return options[int(sha256_text(re.sub(r"\d", "0", key))[:8], 16) % len(options)]


def lower_first(phrase: str, names: frozenset[str]) -> str:
    """Return the phrase for use inside a sentence: its first word in lower case unless a name."""
    first, _, rest = phrase.partition(" ")
    if not first[:1].isupper() or first == "I":
        return phrase
    plain = first.lower()
    capital_next = rest[:1].isupper() and plain not in STOP
    known = plain in STOP or plain in lexicon() or plain.rstrip("s") in lexicon() or "-" in plain
    if "." in first or any(mark.isdigit() for mark in first):
        return phrase
    if (
        (first.isupper() and len(first) > 1)
        or capital_next
        or (first in names and plain not in STOP)
    ):
        return phrase
    if not known and not plain.endswith(("s", "ed", "ing", "er", "ion", "ment")):
        return phrase
    return f"{plain} {rest}".strip()


def upper_first(phrase: str) -> str:
    """Return the phrase with a capital first letter."""
    return phrase[:1].upper() + phrase[1:]


def squeeze(text: str) -> str:
    """Return the text with single spaces and none before punctuation."""
    text = _SPACES.sub(" ", text).strip()
    return re.sub(r" ([?,.;:])", r"\1", text)


def finish(question: str) -> str:
    """Return a finished question: capital letter, single spaces, one question mark."""
    text = squeeze(question).rstrip("?.,;: ")
    return upper_first(text) + "?"


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, in their order, each once."""
    found: dict[str, None] = {}
    for word in words(text):
        plain = word.removesuffix("'s")
        if plain not in STOP:
            found.setdefault(plain)
    return list(found)


def drop_article(phrase: str) -> str:
    """Return a noun phrase without its leading article or quantifier."""
    return re.sub(r"^(?:the|a|an|all|every|each|any)\s+", "", phrase, flags=re.IGNORECASE)


def to_first_person(text: str) -> str:
    """Return text addressed to ``you`` as said by the reader."""
    return " ".join(_FIRST_PERSON.get(word, word) for word in text.split(" "))
