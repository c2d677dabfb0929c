"""Whole questions turned round: *how much holiday is mine* for *how many days of holiday do I get*."""

import re
from collections.abc import Iterator
from typing import Final

from stillhouse.teachers.offline.lexicon import PHRASAL
from stillhouse.teachers.offline.morphology import gerund, is_plural, verb_bases

_WANT: Final = r"(?:get|receive|have|take)"
_TURNS: Final = tuple(
    (re.compile(pattern), tuple(wordings.split(" | ")))
    for pattern, wordings in (
        (
            (
                rf"How many (?:working )?(?:days|weeks|hours) of (?P<x>.+?) (?:do|can|may) I {_WANT}"
                r"(?P<rest>.*)\?"
            ),
            (
                "how much {x} do I get{rest} | how much {x} am I owed{rest} | how much {x} is mine{rest}"
                " | how long can I be away on {x}{rest}"
            ),
        ),
        (
            (
                r"How many (?P<x>(?!\w+ long\b)[a-z][\w -]*?) (?:can|may|am I allowed to) I "
                r"(?P<v>[a-z]+)(?P<rest>.*)\?"
            ),
            "what's the most {x} I can {v}{rest} | how many {x} can I {v}{rest} at the very most",
        ),
        (
            r"How many [a-z]+ long must (?P<x>.+) be\?",
            "how long {do} {x} need to be | what length {do} {x} have to have | what length makes {x} OK",
        ),
        (
            r"How old (?:must|should) (?P<x>.+) be\?",
            "from what age can people be {x} | how young is too young for {x}",
        ),
        (
            r"How much (?:can|may|am I allowed to) (?:I )?(?P<v>spend|claim)(?P<rest>.*)\?",
            "what's the most they'll pay if I {v} money{rest} | how high can I go{rest}",
        ),
        (
            r"Who do I (?:ask|contact|tell)(?P<rest> .+)\?",
            "who do I go to{rest} | who should I talk to{rest} | who do I turn to{rest}",
        ),
        (
            r"Which (?:form|document) (?:do I|must I|should I)(?: have to)? use for (?P<x>.+)\?",
            "what paperwork do I fill in for {x} | what do I have to fill in for {x}",
        ),
        (
            r"How (?:far|long) (?:in advance|before(?:hand)?) (?:do I have to|must I) (?P<v>.+)\?",
            "how early do I have to {v} | how much ahead of time do I {v}",
        ),
    )
)
_HURRY: Final = re.compile(
    r"(?:How (?:soon|quickly)|Within how many [\w ]+?) must (?P<rest>[a-z][\w' -]+)\?"
)
_HURRIED: Final = (
    "how long have {who} got to {v} {x}", "how much time do {who} have to {v} {x}",
    "how long can {who} put off {doing} {x}",
)  # fmt: skip


def turn_ask(text: str) -> Iterator[str]:
    """Yield the question turned round, where its shape is known."""
    for pattern, wordings in _TURNS:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        words = {"rest": "", "x": "", **found.groupdict()}
        if (words.get("v", ""), words["rest"].strip().split(" ")[0]) in PHRASAL:
            continue
        words["do"] = "do" if is_plural(words["x"].split(" ")[-1]) else "does"
        yield from (wording.format(**words) for wording in wordings)
    hurried = _HURRY.fullmatch(text)
    if hurried:
        yield from _ask_hurried(hurried["rest"].split(" "))


def _ask_hurried(words: list[str]) -> Iterator[str]:
    for at in range(1, len(words) - 1):
        if words[at] not in verb_bases() or not is_plural(words[at - 1]) or words[at] == "be":
            continue
        if (words[at], words[at + 1]) in PHRASAL or words[at] == "have":
            return
        who, rest = " ".join(words[:at]), " ".join(words[at + 1 :])
        for wording in _HURRIED:
            yield wording.format(who=who, v=words[at], x=rest, doing=gerund(words[at]))
        return
