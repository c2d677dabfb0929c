"""Questions inside a situation: a plan, a supposed case, a thing that is named first, a frame.

Each function returns a frame and what fills it, so that only the filling is reworded, or nothing.
"""

import re
from collections.abc import Sequence
from typing import Final

from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.lexicon import PARTICLES, PEOPLE, PHRASAL, PREPOSITIONS
from stillhouse.teachers.offline.morphology import is_plural
from stillhouse.teachers.offline.openings import (
    ABOUT,
    AFTER,
    ASIDES,
    BEFORE,
    BY_KIND,
    BY_WORD,
    FOR_NOUNS,
    FOR_OTHERS,
    FOR_PEOPLE,
    INDIRECT,
    PLANS,
    SUPPOSE,
)
from stillhouse.teachers.offline.tagging import split_words, tag_words
from stillhouse.teachers.offline.wording import lower_first, pick, upper_first

_WAY: Final = r"(?:do I (?:have|need) to|must I|can I|may I|should I|am I (?:allowed|supposed) to)"
_READER: Final = re.compile(rf"^(?P<lead>[A-Z].*?) (?P<way>{_WAY}) (?P<act>[^,]+)\?$")
_ADJUNCT: Final = re.compile(
    r"^(?:(?:By|Within|In|On|At|With|To|From|Until|After|Before|For|Every) (?:which|what|how many|when)"
    r"|How (?:soon|quickly|often|long|fast|far)|When\b|Where\b|What time\b|How many .*\b(?:before|after|ahead|in advance)\b)"
)
_COUNTED: Final = re.compile(r"^How many (?P<thing>[\w -]+)$")
_STATES: Final = frozenset(["be", "have", "get", "need", "receive", "earn", "lose", "reach"])
_CASE: Final = re.compile(r"^(?P<ask>[A-Z].+?) (?:if|when|once) (?P<case>[^,]+)\?$")
_CASE_FIRST: Final = re.compile(r"^(?:If|When|Once) (?P<case>[^,]+), (?P<ask>[^,]+)\?$")
_NOUN: Final = re.compile(r"^What(?:'s| is) (?P<noun>the [^,:?.]+)\?$")
_SHORT: Final = re.compile(r"^(?P<wh>What|Who|Where) is (?P<noun>[^,:?.]+?)(?P<tail> based)?\?$")
_LEAD: Final = (
    r"(?P<lead>(?:How|What|Which|When|Where|After how|Until when|From when|Who)\b[\w' -]*?)"
)
_DONE_BY: Final = re.compile(rf"^{_LEAD} do (?P<rest>(?:I|we|they) [^,:?.]+)\?$")
_CAN: Final = re.compile(
    rf"^{_LEAD} (?P<way>must|can|may|should) (?P<who>I|we|somebody|one) (?P<rest>[^,:?.]+)\?$"
)
_OTHERS: Final = {"I": "they", "my": "their", "me": "them", "am": "are", "myself": "themselves"}
_WH: Final = re.compile(r"(?:\w+ )?(?:how|wh\w+)\b")
_LONGEST: Final = 20

Framed = tuple[str, ...]


def ask_with_frame(text: str, fact: Fact, key: str) -> Framed:
    """Return the question after an opening that suits its words or its kind, or any opening."""
    low = f" {text.lower().rstrip('?')} "
    options = [frame for word, frame in BY_WORD.items() if f" {word} " in low]
    options += BY_KIND.get(fact.kind, ())
    turn = pick(range(3), key)
    if not options or turn:
        options = list(BEFORE)
    return _fill(pick(options, key), text) if _can_be_framed(text) else ()


def ask_with_end(text: str, _fact: Fact, key: str) -> Framed:
    """Return the question with a remark after it."""
    if not _can_be_framed(text) or ". " in text or _first(text) in _AUXILIARIES:
        return ()
    return pick(AFTER, key), text.rstrip("?")


def ask_indirectly(text: str, _fact: Fact, key: str) -> Framed:
    """Return an indirect question in another frame, for oneself or for somebody else."""
    core = _indirect_core(text)
    if not core or len(core.split()) > _LONGEST:
        return ()
    if pick(range(3), key) == 0:
        core = " ".join(_OTHERS.get(word, word) for word in core.split(" "))
        return pick(FOR_OTHERS, key), core
    return pick(INDIRECT, key), core


def ask_for_noun(text: str, _fact: Fact, key: str) -> Framed:
    """Return a wish for the thing that a *what is the …* question names."""
    found = _NOUN.match(text)
    if not found or re.search(r" (?:that|if|when|which|who|called|while|damage|most)\b", text):
        return ()
    if len(found["noun"].split()) > 14:
        return ()
    return pick(FOR_NOUNS, key), found["noun"]


def ask_for_person(text: str, _fact: Fact, key: str) -> Framed:
    """Return a question for the holder of a post that a *who is the …* question names."""
    found = re.match(r"^Who is (?P<post>the [^,:?.]+)\?$", text)
    plain = found is not None and not re.search(r" (?:that|if|when|who|for) ", text)
    return (pick(FOR_PEOPLE, key), found["post"]) if found and plain else ()


def ask_with_plan(text: str, _fact: Fact, key: str) -> Framed:
    """Return the reader's plan and a short question about it (*I want to … When can I do it?*)."""
    found = _READER.match(text)
    if not found or ". " in text:
        return ()
    lead, way, act = found["lead"], found["way"], found["act"]
    verb, _, rest = act.partition(" ")
    if verb in _STATES or act.split(" ")[-1] in PREPOSITIONS | PARTICLES:
        return ()
    if _ADJUNCT.match(lead) and rest and ": " not in lead:
        doing = pick(("do that", "do it", "do this"), key)
        return pick(PLANS, key), act, f"{lead} {way} {doing}?"
    counted = _COUNTED.match(lead)
    return _plan_amount(counted["thing"], way, act, key) if counted else ()


def _plan_amount(thing: str, way: str, act: str, key: str) -> Framed:
    words = act.split(" ")
    size = 2 if tuple(words[:2]) in PHRASAL else 1
    verb, rest = " ".join(words[:size]), " ".join(words[size:])
    if set(thing.split()) & {"old", "more", "times"} or "that" in words:
        return ()
    plan = " ".join(piece for piece in (verb, "some", thing, rest) if piece)
    return pick(PLANS[:5], key), plan, f"How many {way} {verb}?"


def ask_with_case(text: str, _fact: Fact, key: str) -> Framed:
    """Return the condition as a supposed case, and the question after it."""
    found = _CASE_FIRST.match(text) or _CASE.match(text)
    if not found or ". " in text or ": " in text:
        return ()
    case, ask = found["case"], found["ask"]
    tags = [token.tag for token in tag_words(split_words(case))]
    if len(tags) < 3 or not any(tag in ("VBZ", "VBP", "MD") for tag in tags[1:]):
        return ()
    spoken = tags[0].startswith(("VB", "PRP")) and not case.startswith("I ")
    if spoken or len(ask.split()) < 4:
        return ()
    return pick(SUPPOSE, key), case, f"{upper_first(ask)}?"


def ask_about(text: str, fact: Fact, key: str) -> Framed:
    """Return the question with its thing named first, and *it* or nothing in its place."""
    subject = fact.subject.removeprefix("the ").removeprefix("a ").removeprefix("an ")
    owned = re.match(r"^the (?:.+?) (?:for|of|in) (?P<owner>[^,]+)$", fact.subject)
    if owned:
        found = re.match(rf"^(?P<ask>.+) (?:for|of|in) {re.escape(owned['owner'])}\?$", text)
        if found and len(found["ask"].split()) > 2:
            return _fill_about(owned["owner"], f"{found['ask']}?", key)
        return ()
    if (
        subject.lower() in ("", "there")
        or _head(subject) in PEOPLE
        or not text.lower().startswith(_ASKING)
    ):
        return ()
    return _ask_about_it(text, subject, key)


_SINGULAR: Final = r"(?:is|was|does|has)"
_PLURAL: Final = r"(?:are|were|do|have)"
_ASKING: Final = ("how", "what", "which", "when", "where", "by ", "within", "on ", "at ", "after")


def _ask_about_it(text: str, subject: str, key: str) -> Framed:
    pattern = rf" (?P<noun>(?:(?P<article>the|a|an) )?{re.escape(subject)})(?= (?P<next>[\w-]+)|\?)"
    found = re.search(pattern, text, re.IGNORECASE)
    if not found or text.count(found["noun"]) != 1:
        return ()
    before = text[: found.start()].lower()
    helper = re.search(rf" ({_SINGULAR}|{_PLURAL}|must|may|can|should|using)$", before)
    if helper is None:
        return ()
    many = bool(re.match(_PLURAL, helper[1])) or is_plural(_head(subject))
    if many and re.match(_SINGULAR, helper[1]):
        return ()
    following = tag_words([found["next"]])[0] if found["next"] else None
    if following is not None and following.tag.startswith(("NN", "IN", "CC", "DT")):
        return ()
    if before.startswith(("what is", "what are")) and following is None:
        return ()
    noun = found["noun"]
    if not found["article"] and not many and not noun[:1].isupper() and " " not in noun:
        return ()
    pronoun = "they" if many else "it"
    asked = f"{text[: found.start()]} {pronoun}{text[found.end() :]}"
    return _fill_about(noun, asked, key)


def _head(noun: str) -> str:
    words = noun.lower().split(" ")
    ends = [at for at, word in enumerate(words) if at and word in PREPOSITIONS]
    return words[(ends[0] if ends else len(words)) - 1]


def _fill_about(noun: str, asked: str, key: str) -> Framed:
    frame = pick(ABOUT, key)
    lowered = frame.endswith(": {}")
    return frame, noun, lower_first(asked, frozenset()) if lowered else upper_first(asked)


def _indirect_core(text: str) -> str:
    for aside in ASIDES:
        opening = aside.removesuffix("{}")
        if text.startswith(opening):
            core = text.removeprefix(opening).rstrip("?.")
            return core if _WH.match(core) else ""
    found = _DONE_BY.match(text)
    if found:
        return f"{lower_first(found['lead'], frozenset())} {found['rest']}"
    found = _CAN.match(text)
    if found and "," not in text:
        return f"{lower_first(found['lead'], frozenset())} {found['who']} {found['way']} {found['rest']}"
    found = _SHORT.match(text)
    if found and len(found["noun"].split()) <= 6 and not re.search(r" (?:called|meant)\b", text):
        return f"{found['wh'].lower()} {found['noun']} is{found['tail'] or ''}"
    return ""


def _can_be_framed(text: str) -> bool:
    return text.endswith("?") and len(text.split()) <= _LONGEST and _first(text) in _OPENERS


_AUXILIARIES: Final = frozenset(["do", "can", "could", "any"])


def _first(text: str) -> str:
    return text.split(" ", maxsplit=1)[0].lower().rstrip(",:")


_OPENERS: Final[Sequence[str]] = (
    "how", "what", "which", "when", "where", "who", "whose", "what's", "who's", "by", "within",
    "on", "at", "after", "before", "in", "for", "with", "to", "from", "until", "is", "are", "do",
    "does", "can", "may", "must", "am", "every", "if", "under", "could",
)  # fmt: skip


def _fill(frame: str, text: str) -> Framed:
    starts = frame.endswith((". {}", "? {}", "! {}"))
    return frame, upper_first(text) if starts else lower_first(text, frozenset())
