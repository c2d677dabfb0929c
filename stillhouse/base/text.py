"""Words of a text, as every comparison in the project sees them."""

import re
import unicodedata
from typing import Final

_WORD: Final = re.compile(r"\w+(?:[.,:'’/-]\w+)*", re.UNICODE)


def normalise(text: str) -> str:
    """Return ``text`` in NFKC, case-folded, with single spaces: the form in which texts are equal."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.replace("’", "'").split())


def words(text: str) -> list[str]:
    """Return the normalised words of ``text``; ``27.5``, ``hb-014`` and ``don't`` are one word each."""
    return _WORD.findall(normalise(text))


def cased_words(text: str) -> list[str]:
    """Return the words of ``text`` as ``words`` cuts them, but with their capital letters."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).replace("’", "'"))
