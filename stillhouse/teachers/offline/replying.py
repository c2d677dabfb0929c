"""The answer to a question that a user asked: the one fact of the passages that fits it clearly."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.records import Message
from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.lexicon import list_words
from stillhouse.teachers.offline.markdown import split_sentences
from stillhouse.teachers.offline.wording import content_words

_LEAST: Final = 0.6  # of a fit in [0, 1]: found on other questions than those that ship
_MARGIN: Final = 0.12  # to the best fact with another value
_COVERED: Final = 0.6  # of the question's words: what else is asked about is another subject
_HALF: Final = 0.5  # what a word of an earlier turn counts beside one of the question

# What a question asks for, by how it asks; the first pattern that is found decides.
_WANTED: Final = (
    (r"\bwho\b|\bwhom\b", "person"),
    (r"\bwhere\b|\b(?:which|what) (?:room|place|building|floor|site)\b", "place name"),
    (r"\bform\b|\bcard do i\b", "code identifier"),
    (r"\b(?:number|extension)\b.*\b(?:ring|call|phone|dial|reach)\b|\bwhat number\b", "identifier code"),
    (r"\b(?:what time|by when|until when|when|deadline)\b", "time date duration ordinal"),
    (r"\bhow (?:quickly|soon|early|often|far ahead|fast|long)\b", "duration time date frequency count"),
    (r"\bhow many (?:days|weeks|months|years|hours|minutes)\b", "duration count"),
    (r"\bhow many\b", "count duration measure"),
    (r"\b(?:cost|price|money|payment|fee)\b", "money percent"),
    (r"\b(?:how much|ceiling|claim|grant|pay)\b", "money percent duration measure"),
)  # fmt: skip
_CHATTER: Final = frozenset(
    list_words(
        "again anyone asked asking ask does glad happened hello help hi isn't know looking mine ok okay "
        "oh question quick sorry still sure thank thanks that's there's think wonder wondering planning "
        "hey good morning afternoon now today tomorrow want need like back i'm i'd i've what's it's didn't "
        "don't e-mail phone card account"
    )
)
_LEAD: Final = re.compile(
    r"[,:;] (?=(?:what|how|which|who|where|by when|when|from what)\b)", re.IGNORECASE
)
_THING: Final = re.compile(
    r"\b(?:which|what) ((?:[\w-]+ ){1,4}?)(?:do|does|did|is|are|can|may|must|has|have|will|should)\b"
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The stems of a question, of all else that was said, the kinds of value it may want, and of what thing."""

    words: frozenset[str]
    context: frozenset[str]
    kinds: frozenset[str]
    thing: frozenset[str] = frozenset()


def find_reply(messages: Sequence[Message], facts: Sequence[Fact]) -> Fact | None:
    """Return the fact that answers the last message, or None where none does clearly.

    A fact fits as far as the words of a sentence of the message are its own, and the words of one of
    its own questions were said (F1 of the two shares). Without a clear lead over every fact with
    another value there is no answer: a wrong one is worse than none.
    """
    asked = list(_read(messages))
    fits = [round(max((_fit(one, fact) for one in asked), default=0.0), 4) for fact in facts]
    best = max(range(len(facts)), key=lambda place: (fits[place], -place), default=None)
    if best is None or fits[best] < _LEAST:
        return None
    rivals = (fit for fit, fact in zip(fits, facts, strict=True) if fact.value != facts[best].value)
    return facts[best] if fits[best] - max(rivals, default=0.0) >= _MARGIN else None


def _read(messages: Sequence[Message]) -> Iterator[_Asked]:
    """Yield what the last message may ask: each question in it, or else the whole of it."""
    said = [turn.content for turn in messages if turn.role == "user"]
    wanted = next((kinds for turn in reversed(said) if (kinds := _want(turn))), "")
    parts = _split(said[-1])
    asking = [part for part in parts if part.endswith("?") and any(_stems(part))]
    every = frozenset(stem for text in said for stem in _stems(text))
    for text in asking or [said[-1]]:
        if words := frozenset(_stems(text)):
            values = frozenset((_want(text) or wanted).split())
            yield _Asked(words, every - words, values, _find_thing(text))


def _split(text: str) -> list[str]:
    """Return the sentences of a message, what leads up to a question cut off from it."""
    sentences = split_sentences(" ".join(text.split()))
    return [part for one in sentences for part in _LEAD.split(one)]


def _find_thing(text: str) -> frozenset[str]:
    """Return the words of what is chosen from: ``football team`` of ``Which football team does …``."""
    found = _THING.search(text.lower())
    return frozenset(_stems(found[1])) if found else frozenset()


def _want(text: str) -> str:
    lowered = text.lower()
    return next((kinds for pattern, kinds in _WANTED if re.search(pattern, lowered)), "")


def _fit(asked: _Asked, fact: Fact) -> float:
    if asked.kinds and fact.kind not in asked.kinds:
        return 0.0
    questions = [frozenset(_stems(question.text)) for question in fact.questions if question.exact]
    every = frozenset[str]().union(*questions, _stems(fact.statement))
    if not asked.thing <= every:
        return 0.0
    told = asked.words | asked.context
    weight = len(asked.words) + _HALF * len(asked.context & every)
    covered = (len(asked.words & every) + _HALF * len(asked.context & every)) / weight
    own = max((len(one & told) / len(one) for one in questions if one), default=0.0)
    return 2 * covered * own / (covered + own) if covered >= _COVERED and own else 0.0


def _stems(text: str) -> Iterator[str]:
    for word in content_words(re.sub(r"\[[a-z-]+\]", " ", text)):
        if word not in _CHATTER and any(letter.isalpha() for letter in word):
            yield _stem(word)


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
