"""What the scanner returns, and the pieces of patterns that its readers share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Key = tuple[str, str]
"""(kind, value): ``("day", "27.5")``, ``("date", "03-01")``, ``("name", "Haverkorn")``."""
Write = Callable[[tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class Found:
    """A value at ``text[start:end]``; ``write`` takes a new value for each key."""

    start: int
    end: int
    keys: tuple[Key, ...]
    write: Write


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The invented words of one set of documents.

    ``phrases`` are names made of ordinary words, ``grades`` such names that count as names only
    after the word grade or level, ``terms`` small-letter coinages (``drift day``).
    """

    names: frozenset[str]
    phrases: frozenset[str]
    grades: frozenset[str]
    terms: frozenset[str]
    colours: frozenset[str]
    codes: frozenset[str]

    @property
    def prefixes(self) -> frozenset[str]:
        """Return the letters with which document codes (three digits) begin."""
        return frozenset(code[:2] for code in self.codes if len(code) == 6)


Reader = Callable[[re.Match[str], Lexicon], Found | None]
FREE: Final = r"(?<![\w.,£/#-])(?<!\d[:])"  # no part of a word, path or longer number


def one_key(match: re.Match[str], kind: str, value: str, write: Callable[[str], str]) -> Found:
    """Return the whole match as one value."""
    return Found(match.start(), match.end(), ((kind, value),), lambda new: write(new[0]))


def match_case(like: str, word: str) -> str:
    """Return ``word`` in capitals, with a capital, or as it is, like ``like``."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
