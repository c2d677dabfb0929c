"""Facts that name or explain a thing: ``a system called X``, ``X is the name for …``, ``X means …``."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from stillhouse.teachers.offline.copulas import head_noun
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.lexicon import (
    BE,
    DETERMINERS,
    MODALS,
    NUMBER_WORDS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    STOP,
    SUBORDINATORS,
)
from stillhouse.teachers.offline.markdown import Sentence
from stillhouse.teachers.offline.morphology import article, is_plural
from stillhouse.teachers.offline.tagging import Token, split_words, tag_words
from stillhouse.teachers.offline.wording import (
    content_words,
    drop_article,
    finish,
    lower_first,
    upper_first,
)
from stillhouse.teachers.offline.worth import is_coined, is_named, is_relative

_NAME: Final = (
    r"(?P<name>(?:the )?[\"“]?[A-Z][\w’'-]*(?: [A-Z][\w’'-]*| [a-z]+(?=[,.\"”]|$))*[\"”]?)"
)
_APPOSITIVE: Final = re.compile(
    r"\b(?P<thing>(?:the|The|our|a|A|an|An) [a-z][\w' -]{2,50}?), (?:an? (?P<sort>[\w -]{2,30}?) )?"
    r"(?:called|named|known as|which is called|which is known as) " + _NAME
)
_DIRECT: Final = re.compile(
    r"\b(?P<thing>(?:the|The|our|a|A|an|An) [a-z][\w' -]{2,50}?)"
    r"(?: (?:is|are))? (?:called|named|known as) " + _NAME
)
_NAME_FOR: Final = re.compile(
    r"^(?P<name>[\w’' -]{2,40}?) is (?:the|our|a) (?:name|term|word) (?:for|of|given to) (?P<thing>.+)$"
)
_CALLED: Final = re.compile(
    r"^(?P<thing>.{8,120}?) (?:is|are) (?:called|known as) (?P<name>(?:an? |the )?[\w’' -]{2,40})$"
)
_MEANS: Final = re.compile(
    r"^(?P<name>[\"“]?[\w’'/ -]{2,40}?[\"”]?) (?:means|refers to|denotes|stands for) (?P<thing>.+)$"
)
_IS_A: Final = re.compile(
    r"^(?P<name>(?:an? |the )?[\w’'/ -]{2,40}?) (?:is|are) (?P<thing>(?:an?|the part|the time|any|one|"
    r"[a-z]+ (?:that|who|which)) .+)$",
    re.IGNORECASE,
)
_LONGEST_MEANING: Final = 32


def ask_names(
    sentence: Sentence, text: str, _tokens: Sequence[Token], names: frozenset[str]
) -> Iterator[Fact]:
    """Yield the naming facts of a sentence: the name asked by the thing, the thing by the name."""
    body = re.sub(r"^The (?:term|word|phrase|expression) (?=[\w\"“])", "", text.rstrip(".;! "))
    defined = False
    for pattern in (_NAME_FOR, _CALLED):
        found = pattern.match(body)
        if (
            found
            and _is_thing(found["thing"])
            and _is_term(found["name"])
            and "," not in found["name"]
            and ";" not in found["thing"]
            and is_coined(found["name"], sentence.headings)
        ):
            yield from _both_ways(sentence, found["name"], found["thing"], names)
            defined = True
            break
    if not defined:
        yield from _ask_called(sentence, body, names)
        yield from _ask_meaning(sentence, body, names)


def _is_thing(thing: str) -> bool:
    first = thing.split(" ", maxsplit=1)[0].lower()
    if first.endswith("ly") or re.search(r", (?!which |who |that |such as )", thing):
        return False
    return first not in PRONOUNS | {"there", "what", "if", "when"} and len(thing.split()) <= 26


def _is_term(name: str) -> bool:
    words = name.split()
    first = words[0].lower()
    tags = [token.tag for token in tag_words(split_words(drop_article(name)))]
    return (
        len(words) <= 5
        and not any(tag in ("VBZ", "MD", "WDT", "TO") for tag in tags)
        and not any(len(word) == 1 and word.lower() != "a" for word in words)
        and not words[-1].isdigit()
        and words[-1].lower() not in STOP
        and first not in NUMBER_WORDS
        and first not in PREPOSITIONS
        and not SUBORDINATORS & {word.lower() for word in words}
        and not any(word.lower().endswith("ly") or word.lower() == "likewise" for word in words)
        and first not in PRONOUNS | {"there", "what", "our", "my", "not"}
        and (len(words) > 1 or first not in STOP)
    )


def _both_ways(sentence: Sentence, name: str, thing: str, names: frozenset[str]) -> Iterator[Fact]:
    term, meaning = name.strip('"“”'), lower_first(thing, names)
    short = meaning.split(", ")[0]
    questions = [
        Question("full", finish(f"What is the name for {short}")),
        Question("full", finish(f"What do we call {short}")),
        Question("curt", finish(f"{drop_article(short)}: what is it called")),
        Question("keywords", " ".join([*content_words(short), "name"]), False),
        Question("indirect", finish(f"Can you tell me the word for {short}")),
        Question("synonym", finish(f"Which term is used for {short}")),
        Question("topic", finish(f"What is {short} called")),
        Question("full", finish(f"What name is given to {short}")),
    ]
    shown = term
    be = "are" if re.match(r"(?:a few|some|several|those) ", meaning) else "is"
    answer = f"{upper_first(short)} {be} called {lower_first(shown, names)}."
    if len(answer.split()) > 24:
        answer = f"It is called {lower_first(shown, names)}."
    shown = drop_article(shown)
    if short.startswith("one "):
        yield _meaning_fact(sentence, term, names)
        return
    if not is_named(short):
        return
    yield _fact(sentence, questions, answer, kind="term", value=shown, subject=short, score=0.95)
    yield _meaning_fact(sentence, term, names)


def _ask_called(sentence: Sentence, body: str, names: frozenset[str]) -> Iterator[Fact]:
    for pattern in (_APPOSITIVE, _DIRECT):
        for found in pattern.finditer(body):
            thing, name = found["thing"], found["name"].strip('"“” ')
            if drop_article(thing).split(" ")[0].lower() in STOP | PRONOUNS:
                continue
            said = re.search(r" (?:is|are) (?:called|named|known as) ", found[0])
            if pattern is _DIRECT and not said and PREPOSITIONS & set(thing.split()):
                continue  # of which noun the name is, only sense can tell
            if (MODALS | BE | RELATIVES) & set(thing.lower().split()):
                continue
            sort = found.groupdict().get("sort") or ""
            used = _ask_used(body[: found.start()], drop_article(thing), sort, names)
            if not is_named(thing) and not any(used):
                continue
            yield _called_fact(
                sentence, thing, name, sort=sort, lead=body[: found.start()], names=names
            )
            return


def _called_fact(
    sentence: Sentence, thing: str, name: str, *, sort: str, lead: str, names: frozenset[str]
) -> Fact:
    thing = lower_first(thing.strip(), names)
    noun = drop_article(thing)
    held = re.sub(r"^(?:a|an) ", "the ", thing)
    be = "are" if is_plural(head_noun(noun)) else "is"
    questions = [
        Question("full", finish(f"What {be} {held} called")),
        Question("full", finish(f"What is the name of {held}")),
        Question("keywords", " ".join([*content_words(noun), "name"]), False),
        *_ask_used(lead, noun, sort, names),
        Question("indirect", finish(f"Can you tell me what {held} {be} called")),
        Question("synonym", finish(f"Which name does {held} have") if be == "is" else finish(
            f"Which name do {held} have")),
        Question("curt", finish(f"{noun}: what is it called"), True),
        Question("topic", finish(f"I am looking for {held}: what is it called")),
        Question("casual", finish(f"What do we call {held}")),
    ]  # fmt: skip
    answer = f"{upper_first(held)} {be} called {name}."
    return _fact(sentence, questions, answer, kind="name", value=name, subject=noun, score=0.95)


def _ask_used(lead: str, noun: str, sort: str, names: frozenset[str]) -> Iterator[Question]:
    """Ask by what is done with the thing: ``Where is a tent booked?``."""
    found = re.match(r"^(?P<who>[A-Z][\w' -]{2,50}?) (?P<be>is|are|must be) (?P<done>\w+(?:ed|en|ept|t))"
                     r"(?P<more>(?: [a-z]+){0,4}?) (?P<prep>in|with|on|through|by|via|into) $", lead)  # fmt: skip
    if not found:
        return
    who = lower_first(found["who"], names)
    be, tail = found["be"], f"{found['done']}{found['more']}"
    if be == "must be":
        be, tail = "must", f"be {tail}"
    what = sort or noun
    yield Question("full", finish(f"{found['prep']} which {what} {be} {who} {tail}"), True)
    yield Question("where", finish(f"which {what} {be} {who} {tail} {found['prep']}"), True)
    if found["prep"] in ("in", "on", "through", "via", "into"):
        yield Question("where", finish(f"where {be} {who} {tail}"), False)


def _ask_meaning(sentence: Sentence, body: str, names: frozenset[str]) -> Iterator[Fact]:
    found = _MEANS.match(body)
    if found is None:
        found = _IS_A.match(body)
        if found is None or not _is_definition(sentence, found["name"], found["thing"]):
            return
    if not _is_term(found["name"]) or len(body.split()) > _LONGEST_MEANING:
        return
    if not is_coined(found["name"], sentence.headings) or _says_doing(found):
        return
    if found.re is _IS_A and len(found["thing"].split()) > 5 and "," not in found["thing"]:
        yield from _both_ways(sentence, found["name"], found["thing"], names)
    else:
        yield _meaning_fact(sentence, found["name"], names)


def _says_doing(found: re.Match[str]) -> bool:
    """Whether a sentence says what follows from doing something: ``Joining means that …``."""
    first = found["name"].split(" ", maxsplit=1)[0].lower()
    if ";" in found["thing"] or is_relative(found["name"]):
        return True
    if " means " in found[0] and re.match(r"(?:a|an|the) ", found["name"], re.IGNORECASE):
        return found.re is _MEANS  # ``a value of 0 means no limit`` explains a value, not a term
    if found["thing"].startswith("that "):  # only of what has a name: ``Level Four means that …``
        return not any(word[0].isupper() for word in found["name"].split()[1:])
    return found.re is _MEANS and first.endswith("ing") and " " in found["name"]


def _is_definition(sentence: Sentence, name: str, thing: str) -> bool:
    bold = sentence.bold and drop_article(name).lower() == drop_article(sentence.bold).lower()
    words = name.split()
    if bold:
        return True
    general = words[0].lower() in ("a", "an") and thing.split(" ", maxsplit=1)[0].lower() in (
        "a",
        "an",
        "any",
    )
    mass = (
        "," not in thing
        and words[0].lower() not in STOP
        and len(words) <= 3
        and not is_plural(words[-1])
    )
    if mass and re.match(r"(?:the|an?) [a-z ]{2,24}? (?:that|who|which|in which|at which) ", thing):
        return True
    if "," in thing or set(words[1:]) & (PREPOSITIONS | DETERMINERS):
        return False
    told = re.search(r"\b(?:that|who|which|used|whose|for|in which)\b", thing)
    return bool(general and told and len(words) <= 5 and len(thing.split()) > 4)


def _meaning_fact(sentence: Sentence, name: str, names: frozenset[str]) -> Fact:
    term = lower_first(name.strip('"“”'), names)
    noun = drop_article(term)
    be = "are" if is_plural(noun.split(" ")[-1]) and noun == term else "is"
    held = term
    if (
        noun == term
        and be == "is"
        and noun[:1].islower()
        and sentence.bold == ""
        and (sentence.text.lower().startswith(f"{article(noun)} "))
    ):
        held = f"{article(noun)} {noun}"
    answer = sentence.text.rstrip(".; ") + "."
    questions = [
        Question("full", finish(f"What {be} {held}")),
        Question("full", finish(f'What does "{noun}" mean')),
        Question("keywords", f"{noun} meaning", False),
        Question("indirect", finish(f"Can you explain what {noun} means") if be == "is" else finish(
            f"Can you explain what {noun} are")),
        Question("reader", finish(f"What is meant by {noun}")),
        Question("synonym", finish(f'How is "{noun}" defined')),
        Question("curt", finish(f"{noun}: what is that"), True),
        Question("topic", finish(f'I keep hearing "{noun}". What {be} that')),
    ]  # fmt: skip
    return _fact(
        sentence, questions, answer, kind="definition", value=answer, subject=noun, score=0.8
    )


def _fact(
    sentence: Sentence, questions: list[Question], answer: str, *, kind: str, value: str,
    subject: str, score: float,
) -> Fact:  # fmt: skip
    return Fact(
        statement=sentence.text, quote=sentence.text, questions=tuple(questions), answer=answer,
        kind=kind, value=value, subject=subject, confidence=0.9, score=score,
    )  # fmt: skip
