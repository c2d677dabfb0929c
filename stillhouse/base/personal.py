"""Personal data that a pattern can find: e-mail addresses, telephone, card and account numbers.

Patterns, not understanding: names and postal addresses are not found, and a number that happens to
have the form of a telephone number is.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

Span = tuple[int, int]

_GAP: Final = " \u00a0\u202f"  # spaces within a number, those that do not break among them
# A simple address: local part, @, and a domain with a dot (far narrower than RFC 5322). The local part's
# bound (RFC 5321, 4.5.3.1.1) keeps a pasted blob of one long word from being tried at every sign to its end.
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
_PHONE: Final = re.compile(
    # Neither the end of a longer number with hyphens nor the middle of a date (2024/01/15) begins one.
    r"(?<![\w.])(?<!\d-)(?!(?<=\d/)\d\d/)"
    # +44 20 7946 0000, +1.415.555.2671: a plus and 9 to 15 digits (E.164).
    rf"(?:\+\d(?:[{_GAP}()/.-]{{0,2}}\d){{7,13}}"
    # 020 7946 0000, (020) 7946-0000: a 0 first; no dots, which dates have.
    rf"|\(?0\d(?:[{_GAP}()/-]{{0,2}}\d){{7,13}}"
    # (415) 555-2671, 415-555-2671: area code and exchange begin with 2 to 9 (North American plan).
    rf"|(?:1[{_GAP}.-])?(?:\([2-9]\d\d\)[{_GAP}]?|[2-9]\d\d[.-])[2-9]\d\d[.-]\d{{4}})(?![\w-])"
)
_DIGITS: Final = re.compile(rf"(?<![\w-])\d++(?:[{_GAP}-]\d++)*+")
_GROUP: Final = re.compile(r"\d+(?:-\d+)*")
_CARD_GROUPS: Final = 5  # 4-4-4-4-3, 4-6-5
# Groups as cards have them, apart by one kind of sign: dates and part numbers beside each other are none.
_CARD_FORM: Final = re.compile(
    rf"\d+|\d{{4}}(?:([{_GAP}-])\d{{4,6}})(?:\1\d{{4,6}})*(?:\1\d{{1,6}})?"
)
_ONE_SIGN: Final = re.compile(rf"\d+(?:-\d+)*|\d+(?:[{_GAP}]\d+)*")
_CARD_DIGITS: Final = range(13, 20)
_CARD_FIRST: Final = "23456"  # of the payment industry (ISO/IEC 7812)
_ACCOUNT: Final = re.compile(rf"(?<!\w)[A-Za-z]{{2}}\d\d(?:[{_GAP}-]?[A-Za-z0-9]){{11,30}}+")
_ACCOUNT_DIGITS: Final = 8  # no country's account numbers have fewer


def name_personal(text: str) -> str:
    """Return what kind of personal data ``text`` holds first, in words and without the value."""
    return next((name for name, find in _KINDS.items() if find(text)), "")


def hide_personal(text: str) -> tuple[str, tuple[str, ...]]:
    """Return ``text`` with a mark for each find (``[e-mail]``, ``[phone]``, …), and the marks' kinds in order."""
    hidden: list[str] = []
    for kind, find in _MARKS:
        parts, end = [], 0
        for start, stop in find(text):
            parts += [text[end:start], f"[{kind}]"]
            end = stop
            hidden.append(kind)
        text = "".join([*parts, text[end:]])
    return text, tuple(hidden)


def find_email(text: str) -> str:
    """Return the first e-mail address of ``text``, or nothing."""
    return _first(_find_emails, text)


def find_phone(text: str) -> str:
    """Return the first telephone number of ``text``, or nothing."""
    return _first(_find_phones, text)


def find_card(text: str) -> str:
    """Return the first payment card number: 13 to 19 digits whose Luhn checksum holds (ISO/IEC 7812).

    What stands before or behind it (an expiry date, a code) does not hide it.
    """
    return _first(_find_cards, text)


def find_iban(text: str) -> str:
    """Return the first account number of ``text`` whose checksum holds (ISO 13616, mod 97 = 1)."""
    return _first(_find_accounts, text)


def _first(find: Callable[[str], Iterator[Span]], text: str) -> str:
    return next((text[start:end] for start, end in find(text)), "")


def _find_emails(text: str) -> Iterator[Span]:
    return (hit.span() for hit in _EMAIL.finditer(text))


def _find_phones(text: str) -> Iterator[Span]:
    return (hit.span() for hit in _PHONE.finditer(text))


def _find_cards(text: str) -> Iterator[Span]:
    """Yield the cards among groups of digits: of each run of groups the longest part that holds first."""
    for run in _DIGITS.finditer(text):
        groups = [hit.span() for hit in _GROUP.finditer(text, *run.span())]
        if text[run.end() : run.end() + 1].isalnum():
            groups.pop()  # "12th" ends no number
        first = 0
        while first < len(groups):
            last = _find_card_end(text, groups, first)
            if last < first:
                first += 1
                continue
            yield groups[first][0], groups[last][1]
            first = last + 1


def _find_card_end(text: str, groups: list[Span], first: int) -> int:
    """Return the last of the groups that are a card from ``first`` on, the longest one; -1 for none."""
    start = groups[first][0]
    for last in reversed(range(first, min(first + _CARD_GROUPS, len(groups)))):
        number = text[start : groups[last][1]]
        digits = [sign for sign in number if sign.isdigit()]
        whole = first == 0 and last == len(groups) - 1 and _ONE_SIGN.fullmatch(number) is not None
        formed = digits[0] in _CARD_FIRST and _CARD_FORM.fullmatch(number) is not None
        if len(digits) in _CARD_DIGITS and (whole or formed) and _luhn_holds(digits):
            return last
    return -1


def _find_accounts(text: str) -> Iterator[Span]:
    """Yield the account numbers: from each beginning the longest that ends with a word and holds."""
    place = 0
    while hit := _ACCOUNT.search(text, place):
        ends = (
            end
            for end in range(hit.end(), hit.start() + 14, -1)
            if text[end - 1].isalnum() and not text[end : end + 1].isalnum()
        )
        end = next((end for end in ends if _iban_holds(text[hit.start() : end])), 0)
        if end:
            yield hit.start(), end
        place = end or hit.start() + 1


def _luhn_holds(number: list[str]) -> bool:
    """Every second digit from the right is doubled; the digits of all sum to a multiple of ten."""
    digits = [int(character) for character in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _iban_holds(number: str) -> bool:
    plain = [sign for sign in number if sign.isalnum()]
    if len(plain) < 15 or sum(map(str.isdigit, plain)) < _ACCOUNT_DIGITS:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


_KINDS: Final = {
    "an e-mail address": find_email,
    "a telephone number": find_phone,
    "a payment card number": find_card,
    "a bank account number": find_iban,
}

# In this order: an account number may hold what looks like a card's or a telephone's.
_MARKS: Final[tuple[tuple[str, Callable[[str], Iterator[Span]]], ...]] = (
    ("e-mail", _find_emails),
    ("account", _find_accounts),
    ("card", _find_cards),
    ("phone", _find_phones),
)
