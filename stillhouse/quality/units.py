"""What numbers of a text are numbers of: the words directly behind them."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Final
from unicodedata import normalize

from stillhouse.quality.claims import STOPWORDS, canonical, gather_evidence

Units = Mapping[
    str, Sequence[tuple[str, ...]]
]  # words behind each number, one entry for each place

# A number with up to three words behind it; a name before it makes it a label ("Rule 12 applies").
_MEASURED: Final = re.compile(
    r"(?:\b(?P<name>[A-Z][\w'-]*) )?(?<![\w.,:/-])(?P<number>-?\d+(?:[.,]\d+)*)"
    r"(?=(?P<behind>(?: [^\W\d_]+){1,3}))"
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_SHORT: Final = {
    short: unit
    for unit, forms in {
        "second": "s sec secs",
        "minute": "min mins",
        "hour": "h hr hrs",
        "week": "wk wks",
        "year": "yr yrs",
        "gram": "g",
        "kilogram": "kg kilo kilos",
        "millimetre": "mm",
        "centimetre": "cm",
        "metre": "m meter meters",
        "kilometre": "km kilometer kilometers",
        "litre": "l liter liters",
    }.items()
    for short in forms.split()
}


def list_units(text: str) -> Units:
    """Return for each number of a text, in its canonical form, the words behind it up to a stop word.

    Numbers without such a word are not there, nor are years and numbers behind a name.
    """
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    plain = " ".join(normalize("NFKC", text).split())
    for hit in _MEASURED.finditer(plain):
        label = hit["name"] and hit["name"].casefold() not in STOPWORDS
        behind = hit["behind"].casefold().split()
        unit = tuple(_SHORT.get(one, one) for one in takewhile(_means, behind))
        if unit and not label and not _YEAR.fullmatch(hit["number"]):
            found[canonical(hit["number"])].append(unit)
    return found


def have_other_units(first: Units, second: Units, numbers: Collection[str]) -> bool:
    """Say whether one of some numbers has a unit in both texts, and never the same.

    "27 working days" are 27 days, "27 calendar days" are not "27 working days": the word directly behind
    one number has to be among those behind the other, in any inflection.
    """
    return any(
        not any(_match(mine, theirs) for mine in first[number] for theirs in second[number])
        for number in numbers
        if number in first and number in second
    )


def _match(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    return any(
        gather_evidence([" ".join(one)]).has_word(other[0])
        for one, other in ((mine, theirs), (theirs, mine))
    )


def _means(word: str) -> bool:
    return word not in STOPWORDS
