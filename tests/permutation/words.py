"""English notations that the permutation reads and writes. Data and tiny converters, no logic."""

from typing import Final


def list_words(words: str) -> list[str]:
    """Return the words of a line or several."""
    return words.split()


_ONES: Final = list_words(
    """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen"""
)
_TENS: Final = list_words("""twenty thirty forty fifty sixty seventy eighty ninety""")
_ORDINAL_ONES: Final = list_words(
    """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"""
)
MONTHS: Final = list_words(
    """January February March April May June July August September October November December"""
)
SEASONS: Final = list_words("""winter spring summer autumn""")
NUMBERS: Final[dict[str, int]] = {
    **{word: i for i, word in enumerate(_ONES, 1)},
    **{word: 10 * i for i, word in enumerate(_TENS, 2)},
    **{f"{t}-{o}": 10 * i + j for i, t in enumerate(_TENS, 2) for j, o in enumerate(_ONES[:9], 1)},
}
ORDINALS: Final[dict[str, int]] = {
    **{word: i for i, word in enumerate(_ORDINAL_ONES, 1)},
    **{tens[:-1] + "ieth": 10 * i for i, tens in enumerate(_TENS, 2)},
    **{
        f"{t}-{o}": 10 * i + j
        for i, t in enumerate(_TENS, 2)
        for j, o in enumerate(_ORDINAL_ONES[:9], 1)
    },
}
_NUMBER_WORD: Final = {value: word for word, value in NUMBERS.items()}
_ORDINAL_WORD: Final = {value: word for word, value in ORDINALS.items()}
_UNIT_FORMS: Final = {
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years birthday",
    "hour": "hour hours h",
    "minute": "minute minutes min",
    "second": "seconds",
    "night": "night nights",
    "times": "times",
    "per cent": "percent pc %",
    "kilogram": "kilogram kilograms kilos kg",
    "tonne": "tonne tonnes",
    "metre": "metre metres meters m",
    "kilometre": "kilometre kilometres km",
    "centimetre": "centimetre centimetres cm",
    "millimetre": "millimetre millimetres mm",
    "speed": "m/s",
    "slow speed": "cm/s",
    "salinity": "g/kg",
    "mile": "mile miles",
    "mph": "mph",
    "knot": "knot knots kn",
    "degree": "degree degrees °c c",
    "decibel": "decibel decibels db",
    "gigabyte": "gigabyte gigabytes gb",
    "litre": "litre litres liters l",
    "millilitre": "millilitre millilitres",
    "milligram": "milligram milligrams",
    "newton": "newton newtons nm",
    "kilonewton": "kilonewtons",
    "ohm": "ohms",
    "kilowatt": "kilowatts",
    "volt": "volts volt v",
    "amp-hour": "ah",
    "count": "people persons person quotations trustees passengers visitors",
}
UNITS: Final[dict[str, str]] = {
    form: unit for unit, forms in _UNIT_FORMS.items() for form in forms.split()
}
# Words between a number and its unit end the search for a unit.
STOPS: Final = frozenset(
    list_words(
        """a an and any are as at before but by each for from if in is it into no of on or over past
    per than that the then to were when which while who with worked"""
    )
)
COLOURS: Final = list_words(
    """teal amber plum violet scarlet crimson turquoise beige maroon magenta indigo ivory lilac
    olive khaki coral cyan fawn cobalt russet"""
)
# Capitalised in mid-sentence and yet nobody's invention: titles, departments, calendar, world.
COMMON: Final = frozenset(
    list_words(
        """Access Accounts Adviser Abroad Alarm Annual Assistant Audit Benefits Business Calibration
    Canteen Celsius Change Christmas Company Conduct Contact Controller Coordinator Current Data
    Department Deputy Desk Director Document Duty Easter Economic Editor Employee Employees
    Energy Environment Estuary European Facilities Family Field Finance Financial Fleet Form
    Front Head Health Human Incident Information Installer Instruments Investigator Issue
    Kingdom Laboratory Lead Leader Learning Leave Level Manager Managing Master Member Mooring
    New Norwegian Office Officer Owner Pension People Photographs Polar Portuguese Procurement
    Product Products Protection Purchasing Quality Reception Relations Representative Resources
    River Safety Sales Secretary Security Senior Service Staff Storage Supervisor Team Tidal
    Training United Visitors Wellbeing Works Year Internet Wi Fi Atlantic English Britain
    British Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mondays Tuesdays Wednesdays
    Thursdays Fridays Saturdays Sundays"""
    )
) | frozenset(MONTHS)
# The ordinary noun at the head of a name keeps its place: `Turnstone Room` stays a room.
HEADS: Final = frozenset(
    list_words(
        """Room Yard Gate Green Steps Bay Bays Port Club Plan Savings Shore Park Hall Kit Card
    Listening Building Street Road Area College"""
    )
)


def spell_number(value: int) -> str:
    """Return ``value`` in words below one hundred, else in digits."""
    return _NUMBER_WORD.get(value, str(value))


def spell_ordinal(value: int) -> str:
    """Return the ordinal word below one hundred, else digits with their ending."""
    return _ORDINAL_WORD.get(value, add_ending(value))


def add_ending(value: int) -> str:
    """Return ``1st``, ``2nd``, ``11th``."""
    special = value % 100 in (11, 12, 13)
    return f"{value}{'th' if special else {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th')}"
