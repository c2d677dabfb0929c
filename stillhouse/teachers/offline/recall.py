"""A passage's facts, each with questions that ask for nothing else in that passage."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from stillhouse.base.text import normalise, words
from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline.doubts import is_sample, reads_english
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.lexicon import STOP
from stillhouse.teachers.offline.markdown import KeyValue, Row, Sentence, read_statements
from stillhouse.teachers.offline.memory import Memory
from stillhouse.teachers.offline.pairs import read_pair
from stillhouse.teachers.offline.rows import read_row
from stillhouse.teachers.offline.sentences import read_sentence
from stillhouse.teachers.offline.setting import Setting
from stillhouse.teachers.offline.tagging import lexicon, split_words, tag_words
from stillhouse.teachers.offline.variety import VARIED, vary
from stillhouse.teachers.offline.wording import content_words, pick
from stillhouse.teachers.offline.worth import is_told_apart

_FIRST_STYLES: Final = ("full", "reader")
_TURNING_STYLES: Final = (
    "indirect", "we", "noun", "synonym", "latest", "wh-full", "inverse", "exceed", "size", "limit",
    "fronted", "keywords", "where", "topic", "curt",
)  # fmt: skip
# One of them must be left, or the fact cannot be asked in a whole sentence.
_WHOLE_STYLES: Final = frozenset(["full", "reader", "fronted"])
_LAST_STYLES: Final = ("casual", "wh-drop", "in-situ")
_BROKEN: Final = re.compile(
    r"\b(\w+) \1\b(?<!that that)|[|*_`<>]| [,.;:?]|[a-z]\. \w+\?$|\(\s|\b(?:a|an|the|of|is|are) ?[?.]$",
    re.IGNORECASE,
)
_LONGEST_QUESTION: Final = 34
_MEMORY: Final = Memory(limit=50_000_000)
_SPARE: Final = 3  # varied wordings that may turn out to fit another fact too


def read_facts(passage: Passage) -> list[Fact]:
    """Return the facts of a passage, most askable first, with questions unique in the passage."""
    return _MEMORY.recall(passage, _read_facts)


def _read_facts(passage: Passage) -> list[Fact]:
    if is_sample(passage.text) or not reads_english(passage.text):
        return []
    headings = tuple(part for part in passage.section.split(" > ") if part)
    names = find_names(passage.text)
    title = headings[0] if headings else ""
    facts: list[Fact] = []
    setting, paragraph, spoken = Setting(names, ""), -1, headings
    for statement in read_statements(passage.text, headings):
        if isinstance(statement, Row):
            facts += read_row(statement, names, title)
        elif isinstance(statement, KeyValue):
            facts += read_pair(statement, names, title)
        else:
            if (statement.paragraph, statement.headings) != (paragraph, spoken):
                setting = Setting(names, _topic(statement))
            paragraph, spoken = statement.paragraph, statement.headings
            found, setting = read_sentence(statement, setting)
            facts += found
    return order_facts(keep_unambiguous(facts))


def find_names(text: str) -> frozenset[str]:
    """Return the words that a text writes with a capital inside a sentence."""
    return frozenset(re.findall(r"(?<=[a-z,] )[A-Z][\w’'-]*", text))


def _topic(sentence: Sentence) -> str:
    """Return ``On <heading>`` where the heading is a plain noun phrase, else ""."""
    for heading in reversed(sentence.headings):
        tokens = tag_words(split_words(heading))
        tags = [token.tag for token in tokens]
        plain = all(tag.startswith(("NN", "JJ", "CC", "VBN")) for tag in tags)
        if 1 < len(tokens) <= 4 and plain and tags[-1].startswith("NN"):
            small = " ".join(t.low if t.low in lexicon() else t.text for t in tokens)
            return pick(("On {}", "About {}", "Regarding {}", "{}"), sentence.text).format(small)
    return ""


def keep_unambiguous(facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts without questions that are broken, give the value away or fit two facts."""
    counts = Counter(
        key for fact in facts for key in {normalise(question.text) for question in fact.questions}
    )
    kept = []
    for at, fact in enumerate(facts):
        questions = [q for q in _unique(fact.questions) if _is_sound(q, fact)]
        questions = [q for q in questions if _only_here(q, fact, facts, counts)]
        bags = [_bag(other) for other in facts[max(0, at - 30) : at + 30] if _rivals(other, fact)]
        questions = [q for q in questions if q.exact or not _fits(q, bags)]
        if any(q.style in _WHOLE_STYLES and is_told_apart(q.text, fact) for q in questions):
            kept.append(replace(fact, questions=tuple(questions)))
    return kept


def _unique(questions: Iterable[Question]) -> list[Question]:
    found: dict[str, Question] = {}
    for question in questions:
        found.setdefault(normalise(question.text).rstrip("?. "), question)
    return list(found.values())


def _is_sound(question: Question, fact: Fact) -> bool:
    text = question.text
    length = len(text.split())
    if not 2 <= length <= _LONGEST_QUESTION or _BROKEN.search(text):
        return False
    bare = question.style == "keywords" and fact.kind != "definition"
    if bare and (length < 3 or "%" in fact.questions[0].text):
        return False
    if fact.kind == "definition":
        return True
    return not set(words(fact.value)) - STOP <= set(words(text))


def _only_here(question: Question, fact: Fact, facts: Sequence[Fact], counts: Counter[str]) -> bool:
    key = normalise(question.text)
    if counts[key] < 2:
        return True
    same = [other for other in facts if any(normalise(q.text) == key for q in other.questions)]
    return (
        all(normalise(other.value) == normalise(fact.value) for other in same) and same[0] is fact
    )


def _rivals(other: Fact, fact: Fact) -> bool:
    return other.kind == fact.kind and other.value != fact.value


def _bag(fact: Fact) -> frozenset[str]:
    return frozenset(content_words(fact.statement + " " + fact.questions[0].text))


def _fits(question: Question, bags: Sequence[frozenset[str]]) -> bool:
    asked = set(content_words(question.text))
    return any(asked <= bag for bag in bags)


def order_facts(facts: Sequence[Fact]) -> list[Fact]:
    """Return one fact for each statement and value, by score, then by place in the passage."""
    seen: dict[tuple[str, str, str], Fact] = {}
    for fact in facts:
        seen.setdefault((fact.statement, fact.value, fact.kind), fact)
    return sorted(seen.values(), key=lambda fact: -round(fact.score, 4))


def _ripe(style: str, by_style: dict[str, list[str]]) -> bool:
    """Whether a style may be drawn: the clumsy ones only when all others are used up."""
    if style not in _LAST_STYLES:
        return True
    return not any(texts for name, texts in by_style.items() if name not in _LAST_STYLES)


def choose_questions(fact: Fact, count: int) -> list[str]:
    """Return ``count`` wordings whose constructions differ as much as they can.

    The plainest and the reader's own come first, then natural and varied ones in turn.
    """
    natural = _order_natural(fact)
    varied = [question.text for question in fact.questions if _is_varied(question)]
    chosen = natural[: len(_FIRST_STYLES)]
    rest = natural[len(_FIRST_STYLES) :]
    while len(chosen) < count and (rest or varied):
        source = varied if varied and (len(chosen) % 2 == 0 or not rest) else rest
        chosen.append(source.pop(0))
    return chosen[:count]


def choose_one(fact: Fact) -> list[str]:
    """Return one of all wordings, another construction for another fact."""
    return [pick(fact.questions, f"{fact.statement}{fact.value}").text]


def widen_facts(facts: Sequence[Fact], phrasings: int) -> list[Fact]:
    """Return the facts with as many varied wordings as a request for ``phrasings`` can use."""
    return keep_unambiguous([_widen(fact, facts, phrasings) for fact in facts])


def _widen(fact: Fact, facts: Sequence[Fact], phrasings: int) -> Fact:
    rivals = [other.statement for other in facts if _rivals(other, fact)]
    return replace(
        fact, questions=tuple(vary(fact.questions, fact, _wanted(fact, phrasings), rivals))
    )


def _wanted(fact: Fact, phrasings: int) -> int:
    return max(phrasings + _SPARE, len(fact.questions) + phrasings // 2)


def _is_varied(question: Question) -> bool:
    return question.style.startswith(VARIED)


def _order_natural(fact: Fact) -> list[str]:
    by_style: dict[str, list[str]] = {}
    for question in fact.questions:
        if not _is_varied(question):
            by_style.setdefault(question.style, []).append(question.text)
    order = _order_styles(by_style, fact)
    chosen: list[str] = []
    while any(by_style.values()):
        ripe = (style for style in order if by_style[style] and _ripe(style, by_style))
        chosen.extend(by_style[style].pop(0) for style in ripe)
    return chosen


def _order_styles(by_style: dict[str, list[str]], fact: Fact) -> list[str]:
    turning = [style for style in _TURNING_STYLES if style in by_style]
    turn = pick(range(len(turning)), fact.statement + fact.value) if turning else 0
    turning = [*turning[turn:], *turning[:turn]]
    known = (*_FIRST_STYLES, *turning, *_LAST_STYLES)
    order = [style for style in known if style in by_style]
    order += [style for style in by_style if style not in order]
    return sorted(order, key=lambda style: style in _LAST_STYLES)
