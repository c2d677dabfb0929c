"""Compound names as people say them: *the Foo contract*, *Foo* for *the Foo service contract*."""

import re
from collections.abc import Iterator
from typing import Final

from stillhouse.teachers.offline.asks_nouns import COUNTED
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.lexicon import list_words
from stillhouse.teachers.offline.morphology import article
from stillhouse.teachers.offline.tagging import tag_words
from stillhouse.teachers.offline.wording import content_words, upper_first

SHORT: Final = "short"

# Words inside a compound that say little beside its first word.
_INNER: Final = frozenset(
    list_words(
        "service support maintenance supply management training information control work request claim "
        "backup customer product standard general internal office staff safety record application data "
        "storage equipment administration cleaning handling access booking account project quality "
        "security assessment reporting planning"
    )
)
# First words that hardly tell a compound from its neighbours.
_LEADING: Final = frozenset(
    list_words(
        "annual yearly expense general standard official corporate company staff internal electronic "
        "online central regular written formal usual normal personal employee overall basic mandatory "
        "statutory main"
    )
)
# Heads that a name can do without.
_HEADS: Final = frozenset(
    list_words(
        "contract policy form plan scheme server machine course package programme system tool software "
        "application app platform portal process procedure printer dryer mixer oven press pump scanner "
        "van lorry truck tariff licence agreement project model unit device building site warehouse "
        "office branch depot plant line team database service account card manual handbook "
        "guideline"
    )
)
# Pairs that mean something only together.
_BOUND: Final = frozenset(
    {
        ("customer", "service"), ("room", "service"), ("self", "service"), ("car", "service"),
        ("health", "service"), ("fire", "safety"), ("food", "safety"), ("first", "aid"),
        ("personal", "data"), ("risk", "assessment"), ("social", "security"), ("help", "desk"),
        ("case", "management"), ("time", "management"), ("change", "request"), ("pull", "request"),
        ("general", "ledger"), ("general", "manager"), ("personal", "assistant"), ("main", "course"),
        ("standard", "deviation"), ("human", "resources"), ("company", "secretary"),
        ("personal", "protective"), ("statutory", "auditor"), ("written", "warning"),
        ("annual", "general"), ("head", "office"),
    }
)  # fmt: skip
_ABOUT_LEAVE: Final = frozenset(list_words("policy form request plan calendar rule year procedure"))
_TOKEN: Final = re.compile(r"[\w][\w'’-]*|[^\w\s]")
_LEAST: Final = 3

Spot = tuple[int, int]


def shorten(question: Question) -> Iterator[Question]:
    """Yield the question with a compound name of it shortened; something is left out of it."""
    text = question.text
    if '"' in text:
        return
    for run in _find_compounds(text):
        for gap in _find_gaps(text, run):
            short = _cut(text, *gap)
            if content_words(short):
                yield Question(SHORT, _with_article(short, text, run), exact=False)


def _find_compounds(text: str) -> Iterator[list[Spot]]:
    """Yield the runs of nouns and modifiers as the places of their words."""
    spots = [match.span() for match in _TOKEN.finditer(text)]
    tags = tag_words([text[start:end] for start, end in spots])
    run: list[Spot] = []
    for at, (spot, token) in enumerate(zip(spots, tags, strict=True)):
        known = token.low in _INNER | _LEADING | _HEADS or (run and token.low == "leave")
        if at and (token.tag.startswith(("NN", "JJ")) or known) and token.text[:1].isalnum():
            run.append(spot)
            continue
        yield run
        run = []
    yield run


def _find_gaps(text: str, run: list[Spot]) -> Iterator[Spot]:
    """Yield the stretches of a compound that may be left out."""
    words = [text[start:end] for start, end in run]
    low = [word.lower() for word in words]
    if len(words) >= _LEAST:
        for at in range(1, len(words) - 1):
            pairs = {(low[at - 1], low[at]), (low[at], low[at + 1])}
            if low[at] in _INNER and words[at].islower() and not pairs & _BOUND:
                yield run[at - 1][1], run[at][1]
        if low[0] in _LEADING and words[0].islower() and _is_loose(low):
            yield run[0][0], run[1][0]
    name = next((at for at, word in enumerate(words) if not word[:1].isupper()), len(words))
    named = 0 < name < len(words) and words[-1].islower() and low[-1] in _HEADS
    if named and all(word in _HEADS | _INNER for word in low[name:]):
        yield run[name - 1][1], run[-1][1]


def _is_loose(low: list[str]) -> bool:
    if (low[0], low[1]) == ("annual", "leave"):
        return low[2].removesuffix("s") in _ABOUT_LEAVE
    return (low[0], low[1]) not in _BOUND


def _cut(text: str, start: int, end: int) -> str:
    before, after = text[:start], text[end:]
    if text[end - 1 : end] == " ":  # the first word went: its article follows the next one
        found = re.search(r"\b(an?) $", before, re.IGNORECASE)
        if found:
            before = f"{before[: found.start()]}{article(after)} "
    elif re.search(r"\b[Tt]he [A-Z][\w'’-]*$", before) and not after.startswith(" "):
        before = re.sub(r"\b[Tt]he (?=[A-Z][\w'’-]*$)", "", before)
    return upper_first(before + after)


def _with_article(short: str, text: str, run: list[Spot]) -> str:
    """Give a bare name of a single thing its article (*for the bronze contract*)."""
    start = run[0][0]
    led = re.search(r"(?:for|of|does|is|on|to|in|with) $", text[:start])
    head = text[run[-1][0] : run[-1][1]]
    if not led or head not in COUNTED or text[start].isupper() or f" {head}" not in short[start:]:
        return short
    return f"{short[:start]}the {short[start:]}"
