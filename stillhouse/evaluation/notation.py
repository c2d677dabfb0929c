"""The notations of English values: one pattern, and the words that it reads. Data, no logic."""
# ruff: noqa: SIM905 - word lists are read more easily as words than as a hundred quoted strings

import re
from typing import Final

_UNITS_OF_TEN: Final = "one two three four five six seven eight nine".split()
_TEENS: Final = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBER_WORDS: Final[dict[str, int]] = {
    "zero": 0,
    "a": 0,
    **{word: i for i, word in enumerate(_UNITS_OF_TEN, 1)},
    **{word: i for i, word in enumerate(_TEENS, 10)},
    **{word: 10 * i for i, word in enumerate(_TENS, 2)},
}
_ORDINALS: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
ORDINAL_WORDS: Final[dict[str, int]] = {
    **{word: i for i, word in enumerate(_ORDINALS, 1)},
    **{f"twenty-{word}": 20 + i for i, word in enumerate(_ORDINALS[:9], 1)},
    "thirtieth": 30,
    "thirty-first": 31,
}
_MONTHS: Final = (
    "january february march april may june july august september october november december"
).split()
MONTHS: Final[dict[str, int]] = {
    **{word: i for i, word in enumerate(_MONTHS, 1)},
    **{word[:3]: i for i, word in enumerate(_MONTHS, 1)},
    "sept": 9,
}
WEEKDAYS: Final = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
# sign or word -> (currency, factor to its unit)
CURRENCIES: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(("£", "gbp", "pound", "pounds", "quid"), ("gbp", "1")),
    **dict.fromkeys(("p", "pence", "penny"), ("gbp", "0.01")),
    **dict.fromkeys(("€", "eur", "euro", "euros"), ("eur", "1")),
    **dict.fromkeys(("$", "usd", "dollar", "dollars"), ("usd", "1")),
}
_UNIT_FORMS: Final = {
    "day": "day days",
    "week": "week weeks wk wks",
    "month": "month months",
    "year": "year years yr yrs",
    "hour": "hour hours hr hrs h",
    "minute": "minute minutes min mins",
    "second": "second seconds sec secs s",
    "%": "% percent",
    "kilogram": "kilogram kilograms kilo kilos kg kgs",
    "gram": "gram grams g",
    "tonne": "tonne tonnes ton tons",
    "metre": "metre metres meter meters m",
    "kilometre": "kilometre kilometres kilometer kilometers km",
    "centimetre": "centimetre centimetres centimeter centimeters cm",
    "millimetre": "millimetre millimetres millimeter millimeters mm",
    "mile": "mile miles",
    "mph": "mph",
    "knot": "knot knots kn kt kts",
    "degree": "degree degrees",
    "decibel": "decibel decibels db",
    "gigabyte": "gigabyte gigabytes gb",
    "megabyte": "megabyte megabytes mb",
    "terabyte": "terabyte terabytes tb",
    "litre": "litre litres liter liters l",
    "volt": "volt volts v",
    "amp": "amp amps",
    "watt": "watt watts w",
    "person": "person persons people",
}
UNITS: Final[dict[str, str]] = {
    form: unit for unit, forms in _UNIT_FORMS.items() for form in forms.split()
}
STOPWORDS: Final = frozenset(
    """a an the this that these those it its he she they them their his her we our you your i my me
    is are was were be been being am do does did done has have had having can could may might must
    shall should will would to of in on at by for from with without within into onto over under
    above below between before after during until till since about against per as than then so if
    or and but nor not no yes there here where when which who whom whose what why how many much long
    each every any all some more most less least at only also just very up down out off again
    according answer question please""".split()
)

_NUMERAL: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_ONES: Final = "|".join(_UNITS_OF_TEN)
_SPELLED: Final = (
    rf"(?:a|{_ONES})[ -](?:hundred|thousand)"
    rf"|(?:{'|'.join(_TENS)})(?:[ -](?:{_ONES}))?|{'|'.join(_TEENS)}|{_ONES}|zero"
)
_MONTH: Final = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December"
    "|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\\b\\.?)"
)
_DAY: Final = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{'|'.join(sorted(ORDINAL_WORDS, key=len)[::-1])})"
_CURRENCY: Final = "|".join(
    sorted((word for word in CURRENCIES if word.isalpha()), key=len, reverse=True)
)
_NO_NAME: Final = "|".join(
    sorted({word.capitalize() for word in (*STOPWORDS, *MONTHS, *WEEKDAYS)}, key=len)[::-1]
)
# Letters only, so that a name never swallows the code, date or number that follows it.
_CAPITAL: Final = (
    rf"(?!(?:{_NO_NAME})\b)(?![A-Z]{{2,5}} \d)"
    r"(?:(?:[A-Z]\.)+|[A-Z][^\W\d_]*(?:['-][^\W\d_]+)*(?![\w-]*\d))"
)
_PARTS: Final = {
    "date": rf"\d{{4}}-\d\d-\d\d|(?i:{_DAY})(?: of)? {_MONTH}(?:,? \d{{4}})?"
    rf"|{_MONTH} (?:the )?(?i:{_DAY})(?!\w)(?:,? \d{{4}})?",
    "time": r"\d{1,2}:\d{2}(?:\s?(?i:[ap]\.?m\b\.?))?|\d{1,2}(?:\.\d{2})?\s?(?i:[ap]\.?m\b\.?)"
    r"|(?i:noon|midday|midnight)",
    "money": rf"[£$€]\s?(?:{_NUMERAL})|(?:{_NUMERAL})\s?(?i:{_CURRENCY})|(?i:gbp|eur|usd)\s?"
    rf"(?:{_NUMERAL})",
    "code": r"[A-Za-z]{1,5}-\d{1,6}(?:-\d+)*[A-Za-z]?|[A-Z]{2,5} \d{2,6}"
    r"|[A-Za-z]{1,4}\d{1,6}[A-Za-z]{0,3}",
    "ordinal": rf"\d+(?:st|nd|rd|th)|(?i:{'|'.join(sorted(ORDINAL_WORDS, key=len)[::-1])})",
    "numeral": rf"(?:{_NUMERAL})(?![\d])|(?i:{_SPELLED})\b",
    "calendar": rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|{_MONTH}",
    "name": rf"{_CAPITAL}(?: (?:& |of |de |van )?{_CAPITAL})*",
}
# Not inside a word or a longer number, and (but for numerals, `5kg`, and signs) up to a word's end.
_END: Final = r"(?!\w)"
VALUE: Final = re.compile(
    r"(?<![\w£$€])(?<!\d[.,:])(?:"
    + "|".join(
        f"(?P<{name}>(?:{part}){'' if name == 'numeral' else _END})"
        for name, part in _PARTS.items()
    )
    + ")"
)
