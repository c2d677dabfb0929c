"""Tokens of a sentence with part-of-speech tags, from the tagger that TextBlob carries."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from stillhouse.teachers.offline.lexicon import list_words

_OPENING: Final = "([\"“‘'"
_CLOSING: Final = ".,;:!?)]\"”’'…"
_NO_SPACE_BEFORE: Final = frozenset(".,;:!?)]”’…")
_INNER_DASH: Final = re.compile(r"\s+–\s+|\s*—\s*")
_ABBREVIATIONS: Final = frozenset(
    list_words("e.g. i.e. etc. no. mr. mrs. dr. st. vs. approx. a.m. p.m.")
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word or punctuation mark, its Penn Treebank tag, and the word in lower case."""

    text: str
    tag: str
    low: str


@cache
def lexicon() -> dict[str, str]:
    """Return TextBlob's word list: word -> its most frequent tag. Nothing is downloaded."""
    from textblob.en import parser

    entries = parser.lexicon
    len(entries)  # loads the lazy dictionary
    return {word: entries[word] for word in entries}


def split_words(text: str) -> list[str]:
    """Return words and punctuation marks; ``27.5``, ``HB-014`` and ``10:15`` stay whole."""
    found: list[str] = []
    for piece in _INNER_DASH.sub(" — ", text).split():
        found.extend(_split_piece(piece))
    return found


def _split_piece(piece: str) -> list[str]:
    before: list[str] = []
    after: list[str] = []
    while len(piece) > 1 and piece[0] in _OPENING:
        before.append(piece[0])
        piece = piece[1:]
    while len(piece) > 1 and piece[-1] in _CLOSING and piece.lower() not in _ABBREVIATIONS:
        if piece[-1] in "’'" and piece[-2:-1] == "s":
            break  # a plural possessive
        after.insert(0, piece[-1])
        piece = piece[:-1]
    return [*before, piece, *after]


def tag_words(words: list[str]) -> tuple[Token, ...]:
    """Return the words as tokens, tagged, with the tagger's frequent slips mended."""
    from textblob.en import parser

    if not words:
        return ()
    tagged = parser.find_tags(words)
    return tuple(
        Token(word, str(pair[1]), word.lower()) for word, pair in zip(words, tagged, strict=True)
    )


def join_words(words: list[str]) -> str:
    """Return words and punctuation as running text."""
    out = ""
    quote_open = False
    for word in words:
        if word == '"':
            out += word if quote_open else (" " + word if out else word)
            quote_open = not quote_open
        elif (
            not out
            or word in _NO_SPACE_BEFORE
            or out[-1] in "([“‘"
            or (out.endswith('"') and quote_open)
        ):
            out += word
        else:
            out += " " + word
    return out
