"""The stub's own tokens: 1-6 letters, 1-3 digits or one other sign, with the blanks before it.

What lies beyond ASCII counts as a letter, so that bytes can be counted without a regular expression:
the stub runs beside what is measured, and counting was most of its work.
"""

import re
from functools import lru_cache
from typing import Final

PER_REQUEST: Final = 7
PER_TURN: Final = 4

_BLANK: Final = r"[ \t\n\r\v\f]"
_LETTER: Final = r"[A-Za-z\u0080-\U0010ffff]"
_SIGN: Final = r"[\0-\x08\x0e-\x1f!-/:-@\[-`{-\x7f]"
_PIECE: Final = re.compile(rf"{_BLANK}*(?:{_LETTER}{{1,6}}|[0-9]{{1,3}}|{_SIGN})|{_BLANK}+\Z")
_KINDS: Final = bytes(
    ord(" ")
    if chr(byte) in " \t\n\r\v\f"
    else ord("0")
    if chr(byte) in "0123456789"
    else ord("a")
    if byte >= 0x80 or chr(byte).isalpha()
    else ord(".")
    for byte in range(256)
)
_LATER_BYTES: Final = bytes(range(0x80, 0xC0))  # of a character in UTF-8 the first byte counts


def cut_tokens(text: str) -> list[str]:
    """Return the tokens of a text; joined they are the text, blanks at its end are one more token."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """Return how many tokens ``cut_tokens`` would give."""
    raw = text.encode().translate(_KINDS, _LATER_BYTES)
    # A whole piece becomes a sign; what is left of each run then shrinks to one letter or digit.
    raw = raw.replace(b"aaaaaa", b".").replace(b"000", b".").replace(b"00", b"0")
    raw = raw.replace(b"aaa", b"a").replace(b"aa", b"a").replace(b"aa", b"a")
    return raw.count(b"a") + raw.count(b"0") + raw.count(b".") + raw.endswith(b" ")


@lru_cache(maxsize=64)
def count_shared(text: str) -> int:
    """Count a text that many requests share, once."""
    return count_tokens(text)


def keep_tokens(text: str, limit: int) -> tuple[str, int, bool]:
    """Return at most ``limit`` tokens of a text, their number, and whether any was left out."""
    size = count_tokens(text)
    if size <= limit:
        return text, size, False
    return "".join(cut_tokens(text)[: max(limit, 0)]), max(limit, 0), True
