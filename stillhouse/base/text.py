"""Words of a text, as every comparison in the project sees them."""

import re
import textwrap
import unicodedata
from typing import Final

_WIDTH: Final = 80  # of what commands print
_WORD: Final = re.compile(r"\w+(?:[.,:'’/-]\w+)*", re.UNICODE)
# A hyphen or minus that begins a number, not one inside of a range, a code or a sum.
MINUS: Final = r"(?<![\w.,:%°)\]'/±-])[-−](?=[£$€]?\d)"
_SIGNED: Final = re.compile(rf"(?P<minus>{MINUS}[£$€]?)?(?P<word>{_WORD.pattern})")


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


def fold(text: str, first: str, margin: int, lines: int | None = None) -> list[str]:
    """Return ``text`` behind ``first`` in lines of 80 columns, the others behind a margin.

    Texts of documents, teachers and files may hold control characters; none reaches the terminal.

    Args:
        text: what is told.
        first: what the first line begins with.
        margin: columns that the others are indented by.
        lines: at most so many; what is cut off becomes an ellipsis.
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(
        plain,
        width=_WIDTH,
        initial_indent=first,
        subsequent_indent=" " * margin,
        break_on_hyphens=False,
        max_lines=lines,
        placeholder=" …",
    )


def signed_words(text: str) -> list[str]:
    """Return the words of ``text`` as ``cased_words`` does, numbers below zero with a hyphen."""
    folded = unicodedata.normalize("NFKC", text).replace("’", "'")
    found = _SIGNED.finditer(folded)
    return [f"-{one['word']}" if one["minus"] else one["word"] for one in found]
