"""What an answer claims, word for word, and whether a passage has it.

Words are looked up, not understood: a value swapped for another value of the same passage, or a
"not" too many, is not seen here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.text import signed_words

STOPWORDS: Final = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "both",
        "but",
        "by",
        "called",
        "can",
        "could",
        "did",
        "do",
        "does",
        "down",
        "during",
        "each",
        "every",
        "for",
        "from",
        "get",
        "gets",
        "given",
        "had",
        "has",
        "have",
        "he",
        "her",
        "here",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "named",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "on",
        "one",
        "only",
        "onto",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "per",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "within",
        "without",
        "would",
        "yes",
        "you",
        "your",
    ]
)

_NUMBER_WORDS: Final = {
    word: str(number)
    for number, word in enumerate(
        [
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ],
        start=2,
    )
}
_SENTENCE_END: Final = re.compile(r"(?<=[.!?:])\s+|\n+")
_ORDINAL: Final = re.compile(r"(\d+)(?:st|nd|rd|th)")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER_AND_UNIT: Final = re.compile(r"(-?\d[\d.:]*)-?([a-z]+)")
_STEM_LETTERS: Final = 3
_SUFFIX: Final = re.compile(r"(?:ings?|ed|es|e|s|ly)$")


@dataclass(frozen=True, slots=True)
class Claims:
    """``values`` are numbers, codes and names; ``words`` the other words that carry meaning."""

    values: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All forms of the words of some text, ready for look-up."""

    forms: frozenset[str]

    def has_value(self, token: str) -> bool:
        """Say whether a number, code or name stands in the text: ``28mm`` also as ``28 mm``."""
        plain = canonical(token)
        if plain in self.forms:
            return True
        parts = _NUMBER_AND_UNIT.fullmatch(plain)
        if parts is None or token != token.lower():
            return False
        return self.forms.issuperset(parts.groups())

    def has_word(self, token: str) -> bool:
        """Say whether a word stands in the text, in this or another inflection."""
        return not self.forms.isdisjoint(_forms(token))

    def __or__(self, other: "Evidence") -> "Evidence":
        return Evidence(self.forms | other.forms)


def canonical(token: str) -> str:
    """Return the form in which spellings of one value are equal: ``2,845`` is ``2845``.

    A value below zero is another one than that above it: ``-18`` is not ``18``.
    """
    plain = token.casefold().removesuffix("'s").removesuffix("'")
    plain = _THOUSANDS.sub("", plain)
    if ordinal := _ORDINAL.fullmatch(plain):
        return ordinal[1]
    if re.fullmatch(r"0\d:\d\d", plain):
        return plain[1:]
    return plain


def extract_claims(text: str) -> Claims:
    """Return what a text states: every number, code, name and meaningful word of it.

    A word with a capital counts as a name unless it begins a sentence.
    """
    values: list[str] = []
    meaningful: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        for place, token in enumerate(_cut_words(sentence)):
            if _is_value(token, begins=place == 0):
                values.append(token)
            elif token.casefold() not in STOPWORDS:
                meaningful.append(token)
    return Claims(tuple(dict.fromkeys(values)), tuple(dict.fromkeys(meaningful)))


def gather_evidence(texts: Iterable[str]) -> Evidence:
    """Return the words of ``texts`` in all forms under which a claim may look for them."""
    forms: set[str] = set()
    for text in texts:
        for token in set(_cut_words(text)):
            forms |= _forms(token)
    return Evidence(frozenset(forms))


def value_set(text: str) -> frozenset[str]:
    """Return the numbers, codes and names of a text in their canonical form."""
    return frozenset(canonical(value) for value in extract_claims(text).values)


def _cut_words(text: str) -> list[str]:
    """Return the words of a text; ``is minus 18`` has the number -18, ``4 minus 18`` has not."""
    found: list[str] = []
    for word in signed_words(text):
        if word[0].isdigit() and _ends_in_minus(found):
            found[-1] = f"-{word}"
        else:
            found.append(word)
    return found


def _ends_in_minus(words: Sequence[str]) -> bool:
    before = words[-2].casefold() if len(words) > 1 else "is"
    return bool(words) and words[-1].casefold() == "minus" and before in STOPWORDS


def _is_value(token: str, begins: bool) -> bool:
    if any(character.isdigit() for character in token):
        return True
    if token.casefold() in STOPWORDS:
        return False
    return (token.isupper() and len(token) > 1) or (token[0].isupper() and not begins)


def _forms(token: str) -> set[str]:
    plain = canonical(token)
    forms = {plain, _stem(plain)}
    for part in re.split(r"[-/']", plain):
        if not any(character.isdigit() for character in part):
            forms |= {part, _stem(part)}
    if number_and_unit := _NUMBER_AND_UNIT.fullmatch(plain):
        forms.update(number_and_unit.groups())
    if plain in _NUMBER_WORDS:
        forms.add(_NUMBER_WORDS[plain])
    return forms - {""}


def _stem(word: str) -> str:
    """Return a word without its ending, where at least three letters are left."""
    stem = _SUFFIX.sub("", word)
    return stem if len(stem) >= _STEM_LETTERS else word
