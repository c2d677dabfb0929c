"""Personal data that a pattern can find: e-mail addresses, telephone, card and account numbers.

Patterns, not understanding: names and postal addresses are not found, and a number that happens to
have the form of a telephone number is.
"""

import re
from collections.abc import Callable
from typing import Final

# A simple address: local part, @, and a domain with a dot (far narrower than RFC 5322). The local part's
# bound (RFC 5321, 4.5.3.1.1) keeps a pasted blob of one long word from being tried at every sign to its end.
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
# +44 20 7946 0000, 020 7946 0000, (020) 7946-0000: a plus or a 0 first, 9 to 15 digits (E.164).
_PHONE: Final = re.compile(r"(?<![\w.])(?:\+|\(?0)\d(?:[ ()/-]{0,2}\d){7,13}(?![\w-])")
_CARD: Final = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")


def name_personal(text: str) -> str:
    """Return what kind of personal data ``text`` holds first, in words and without the value."""
    return next((name for name, find in _KINDS.items() if find(text)), "")


def hide_personal(text: str) -> tuple[str, tuple[str, ...]]:
    """Return ``text`` with a mark for each find (``[e-mail]``, ``[phone]``, …), and the marks' kinds in order."""
    hidden: list[str] = []
    for kind, pattern, holds in _MARKS:

        def put(hit: re.Match[str], kind: str = kind, holds: Callable[[str], bool] = holds) -> str:
            if not holds(hit[0]):
                return hit[0]
            hidden.append(kind)
            return f"[{kind}]"

        text = pattern.sub(put, text)
    return text, tuple(hidden)


def find_email(text: str) -> str:
    """Return the first e-mail address of ``text``, or nothing."""
    return _first(_EMAIL, text)


def find_phone(text: str) -> str:
    """Return the first telephone number of ``text``, or nothing."""
    return _first(_PHONE, text)


def find_card(text: str) -> str:
    """Return the first payment card number: 13 to 19 digits whose Luhn checksum holds."""
    return next((hit[0] for hit in _CARD.finditer(text) if _luhn_holds(hit[0])), "")


def find_iban(text: str) -> str:
    """Return the first account number of ``text`` whose checksum holds (ISO 13616, mod 97 = 1)."""
    return next((hit[0] for hit in _IBAN.finditer(text) if _iban_holds(hit[0])), "")


def _first(pattern: re.Pattern[str], text: str) -> str:
    hit = pattern.search(text)
    return hit[0] if hit else ""


def _luhn_holds(number: str) -> bool:
    """Every second digit from the right is doubled; the digits of all sum to a multiple of ten."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _iban_holds(number: str) -> bool:
    plain = number.replace(" ", "")
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


_KINDS: Final = {
    "an e-mail address": find_email,
    "a telephone number": find_phone,
    "a payment card number": find_card,
    "a bank account number": find_iban,
}

# In this order: an account number may hold what looks like a card's or a telephone's.
_MARKS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = (
    ("e-mail", _EMAIL, bool),
    ("account", _IBAN, _iban_holds),
    ("card", _CARD, _luhn_holds),
    ("phone", _PHONE, bool),
)
