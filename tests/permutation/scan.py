"""Finds every number, date, time, price, code and name of a text, with a way to write another.

One scanner serves collecting, replacing and checking, so that the three cannot disagree.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tests.permutation.amount_notations import AMOUNT_PATTERNS
from tests.permutation.dates import DATE_PATTERNS
from tests.permutation.found import Found, Lexicon, Reader, match_case, one_key

_NUMBERING: Final = re.compile(
    r"^[ \t]*(?:#+ )?\d{1,2}(?:\.(?=\s)|\.\d{1,2}(?=  ))|^\| ?\d{1,2}(?= ?\|)", re.MULTILINE
)


def scan(text: str, lexicon: Lexicon) -> list[Found]:
    """Return the values in a text, in order, none overlapping another."""
    taken = [m.span() for m in _NUMBERING.finditer(text)]
    found: list[Found] = []
    for pattern, read in (*_lexical(lexicon), *DATE_PATTERNS, *AMOUNT_PATTERNS):
        for match in pattern.finditer(text):
            value = None if _overlaps(match.span(), taken) else read(match, lexicon)
            if value is not None:
                taken.append((value.start, value.end))
                found.append(value)
    return sorted(found, key=lambda value: value.start)


def _overlaps(span: tuple[int, int], taken: Iterable[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)


def _lexical(lexicon: Lexicon) -> Iterator[tuple[re.Pattern[str], Reader]]:
    yield _any_of(lexicon.phrases, r"(?<![\w-])({})(?!\w)"), _word_reader("phrase")
    yield _any_of(lexicon.grades, r"(?<=[gG]rade |[lL]evel )({})(?!\w)"), _word_reader("grade name")
    yield _any_of(lexicon.terms, r"(?i)(?<![\w-])({})(?!\w)", plural=True), _read_term
    both = lexicon.names | {name.upper() for name in lexicon.names}
    yield _any_of(both, r"(?<![\w])({})(?!\w)", plural=True), _read_name
    yield _any_of(lexicon.colours, r"(?i)(?<![\w-])({})(?!\w)"), _word_reader("colour")
    yield re.compile(r"(?<![\w-])([A-Z]{2})([- ]?)(\d{1,3})(?![\w])"), _read_code
    yield _any_of(lexicon.prefixes, r"(?<![\w-])({})(?![\w-])"), _word_reader("prefix")


def _any_of(words: Iterable[str], shape: str, plural: bool = False) -> re.Pattern[str]:
    ordered = sorted(words, key=lambda word: (-len(word), word)) or [r"(?!)"]
    choices = "|".join(word.replace(" ", r"\s+") for word in ordered)
    return re.compile(shape.format(f"{choices})(s?" if plural else choices))


def _flatten(text: str) -> str:
    return " ".join(text.split())


def _word_reader(kind: str) -> Reader:
    def read(match: re.Match[str], lexicon: Lexicon) -> Found:
        old = _flatten(match.group())
        key = old.lower() if kind == "colour" else old
        return one_key(match, kind, key, lambda new: match_case(old, new))

    return read


def _read_name(match: re.Match[str], lexicon: Lexicon) -> Found:
    old, ending = match.group(1), match.group(2)
    key = old if old in lexicon.names else old.capitalize()
    return one_key(match, "name", key, lambda new: match_case(old, new) + ending)


def _read_term(match: re.Match[str], lexicon: Lexicon) -> Found:
    old, ending = match.group(1), match.group(2)
    return one_key(match, "term", _flatten(old).lower(), lambda new: match_case(old, new) + ending)


def _read_code(match: re.Match[str], lexicon: Lexicon) -> Found | None:
    letters, link, digits = match.groups()
    code = f"{letters}-{digits}"
    if code not in lexicon.codes:
        return None
    return one_key(match, "code", code, lambda new: new.replace("-", link))
