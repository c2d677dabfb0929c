"""Facts of running text: each value of a sentence that can be asked for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from stillhouse.teachers.offline.answers import write_answer
from stillhouse.teachers.offline.apart import set_apart
from stillhouse.teachers.offline.clauses import Clause, parse_clause
from stillhouse.teachers.offline.codas import AGREEING, derive_sentences
from stillhouse.teachers.offline.copulas import ask_thing
from stillhouse.teachers.offline.doubts import stands_alone
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.lexicon import (
    NUMBER_WORDS,
    PRONOUNS,
    RELATIVES,
    SUBORDINATORS,
    list_words,
)
from stillhouse.teachers.offline.markdown import Sentence
from stillhouse.teachers.offline.morphology import is_plural
from stillhouse.teachers.offline.naming import ask_names
from stillhouse.teachers.offline.questions import ask_clause
from stillhouse.teachers.offline.setting import Setting
from stillhouse.teachers.offline.spans import Value
from stillhouse.teachers.offline.subjects import ask_subject
from stillhouse.teachers.offline.tagging import Token, split_words, tag_words
from stillhouse.teachers.offline.trials import frame_trial
from stillhouse.teachers.offline.turning import split_parts
from stillhouse.teachers.offline.values import find_values
from stillhouse.teachers.offline.wording import drop_article, finish, lower_first, upper_first
from stillhouse.teachers.offline.worth import is_askable, is_news, is_single, is_specific

_LONGEST: Final = 45

_ASKED: Final = frozenset(
    list_words(
        "money percent time date duration count measure code identifier person place ordinal name"
    )
)

_VAGUE: Final = frozenset(list_words("some many several most few other more"))
_RESOLVED: Final = re.compile(r"^(It|They|This|These) (?=(?:is|are|must|may|can|has|have|should|"
                              r"begins?|ends?|lasts?|takes?|costs?|will|was|were)\b)")  # fmt: skip


def read_sentence(sentence: Sentence, setting: Setting) -> tuple[list[Fact], Setting]:
    """Return the facts of a sentence, and the setting for the next one."""
    text = resolve(sentence.text, setting)
    tokens = tag_words(split_words(text))
    if not tokens or len(tokens) > _LONGEST or text.endswith(("?", ":")):
        return [], replace(setting, previous="")
    if not stands_alone(text, tokens):
        return [], replace(setting, previous="")
    facts = list(ask_names(sentence, text, tokens, setting.names))
    for part, sure in derive_sentences(tokens):
        facts += _read_clause(sentence, part, setting, sure)
    return facts, _next_setting(tokens, setting)


def resolve(text: str, setting: Setting) -> str:
    """Return the sentence with a leading pronoun replaced by the subject spoken of before."""
    found = _RESOLVED.match(text)
    if not found or not setting.previous:
        return text
    plural = found[1] in ("They", "These")
    if plural != setting.previous_plural:
        return text
    return f"{upper_first(setting.previous)} {text[found.end() :]}"


def _next_setting(tokens: tuple[Token, ...], setting: Setting) -> Setting:
    clause = parse_clause(tokens)
    if clause is None or clause.imperative or clause.finite not in AGREEING:
        return replace(setting, previous="")
    subject = lower_first(clause.subject, setting.names)
    first = subject.split(" ")[0]
    if first in PRONOUNS | _VAGUE or len(subject.split()) > 8 or RELATIVES & set(subject.split()):
        return replace(setting, previous="")
    subject = re.sub(r"^(?:an?|every|each) ", "the ", subject)
    plural = clause.finite in ("are", "have", "were") or is_plural(subject.split(" ")[-1])
    return replace(setting, previous=subject, previous_plural=plural)


def _read_clause(
    sentence: Sentence, tokens: tuple[Token, ...], setting: Setting, sure: float
) -> Iterator[Fact]:
    values = [v for v in find_values(tokens) if v.kind in _ASKED]
    if not values:
        return
    clause = parse_clause(tokens)
    if clause is None or _is_vague(clause) or clause.finite in ("would", "could", "might"):
        return
    if not is_askable(clause):
        return
    offset = len(tokens) - len(clause.tokens) - _stripped_end(tokens)
    moved = [_shift(value, offset) for value in values]
    for value in moved:
        if (
            value.preposition == "between"
            or value.end > clause.end
            or value.outer < 0
            or _counts_from(value, moved)
            or _ends_range(value, moved)
            or not is_specific(clause, value)
            or not is_single(clause, value)
            or not is_news(clause, value, sentence.headings)
        ):
            continue
        alone = set_apart(_before_list(clause, value), value, moved)
        if alone is not None:
            fact = _make_fact(sentence, *alone, setting, sure)
            if fact is not None:
                yield fact


def _counts_from(value: Value, values: Sequence[Value]) -> bool:
    """Whether a date or day is only what another value counts from (``10 days before the …``)."""
    before = value.preposition in ("before", "after", "of", "from")
    return before and any(other.end == value.outer for other in values)


def _ends_range(value: Value, values: Sequence[Value]) -> bool:
    """Whether a value is an end of a range without ``from`` (``50% to 100%``)."""
    for other in values:
        first, second = (value, other) if value.start < other.start else (other, value)
        joined = first.end == second.outer and second.preposition in ("to", "until")
        if other != value and joined and first.kind == second.kind and first.preposition != "from":
            return True
    return False


def _before_list(clause: Clause, value: Value) -> Clause:
    """Return the clause without what only spells a counted number out: ``two rooms, A and B``."""
    tokens = clause.tokens
    if value.kind != "count" or value.outer < clause.verb_end:
        return clause
    for at in range(value.end, clause.end):
        after = tokens[at + 1].low if at + 1 < clause.end else ""
        spelt = value.text.split(" ")[0] in NUMBER_WORDS and after not in SUBORDINATORS
        if tokens[at].text == "," and (at == value.end or after in _SPELLING or spelt):
            return replace(clause, end=at)
    return clause


_SPELLING: Final = frozenset(["namely", "including", "such", "i.e.", "e.g.", "especially"])


def _stripped_end(tokens: Sequence[Token]) -> int:
    count = 0
    for token in reversed(tokens):
        if token.text not in ".;:!":
            break
        count += 1
    return count


def _shift(value: Value, offset: int) -> Value:
    return replace(
        value, start=value.start - offset, end=value.end - offset, outer=value.outer - offset
    )


def _is_vague(clause: Clause) -> bool:
    """Whether the clause speaks of something that only its neighbours explain."""
    words = [token.low for token in clause.tokens[: clause.end]]
    if set(words) & {"it", "them", "he", "she", "him", "these", "those", "they", "such"}:
        return _pronoun_unbound(clause, words)
    if words[0] in ("that", "this") or clause.subject.lower().startswith(("this ", "that ")):
        return True
    if re.match(r"(?:the )?(?:old|former|previous|same|following|latter) ", clause.subject.lower()):
        return True
    return "here" in words or "above" in words[-1:] or "below" in words[-1:]


def _pronoun_unbound(clause: Clause, words: list[str]) -> bool:
    """Whether a pronoun stands where no noun of the clause precedes it."""
    first = next(i for i, w in enumerate(words) if w in PRONOUNS | {"such"})
    return first <= clause.verb_start or clause.imperative


def _make_fact(
    sentence: Sentence, clause: Clause, value: Value, setting: Setting, sure: float
) -> Fact | None:
    questions = _questions(clause, value, setting)
    if not questions:
        return None
    answer = write_answer(clause, value)
    if not answer:
        return None
    best = {"date": 1.0, "time": 1.0, "money": 1.0}.get(value.kind, 0.9)
    length = clause.end - clause.subject_start
    return Fact(
        statement=sentence.text, quote=sentence.text, questions=tuple(questions), answer=answer,
        kind=value.kind, value=value.text, subject=drop_article(clause.subject),
        confidence=sure, score=best * sure - max(0, length - 14) * 0.02,
        unit=value.unit, bound=value.bound, preposition=value.preposition,
        trial=_trial(clause, value, setting),
    )  # fmt: skip


def _trial(clause: Clause, value: Value, setting: Setting) -> str:
    if value.outer < clause.verb_end or clause.imperative:
        return ""
    return frame_trial(split_parts(clause, value, setting.names))


def _questions(clause: Clause, value: Value, setting: Setting) -> list[Question]:
    if value.end <= clause.front_end:
        return []
    if value.end <= clause.verb_start and value.outer >= clause.subject_start:
        return ask_subject(clause, value, setting.names)
    if value.outer < clause.verb_end:
        return []
    named = value.kind in ("code", "identifier") and value.unit
    if clause.copular and value.outer == clause.verb_end and not value.preposition and not named:
        found = _ask_copular(clause, value, setting)
        if found:
            return found
    return ask_clause(clause, value, setting.names, setting.topic)


def _ask_copular(clause: Clause, value: Value, setting: Setting) -> list[Question]:
    if clause.imperative or clause.subject.lower() in ("there", "here"):
        return []
    if value.bound == "threshold":
        return []
    parts = split_parts(clause, value, setting.names)
    subject = parts.subject
    if any(word in RELATIVES for word in subject.split()):
        return []
    rest = " ".join(piece for piece in (parts.attached, parts.after) if piece)
    if rest and not re.match(r"^(?:a|an|per|each|every|for|in|from|of) ", rest):
        return []
    plural = clause.finite in ("are", "were")
    if rest.startswith("of "):
        return []
    if rest and parts.front:
        return []
    found = ask_thing(subject, value.kind, value.unit, plural, rest)
    if clause.finite in ("was", "were"):
        found = [question for question in found if re.search(r"\b(?:is|are)\b", question.text)]
        found = [_in_past(question) for question in found]
    if parts.front:
        found = [_with_front(question, parts.front) for question in found]
    if setting.topic:
        word = {"person": "who", "place": "where"}.get(value.kind, "what")
        text = f"{setting.topic}: {word} {clause.finite} {subject} {rest}"
        found.append(Question("topic", finish(text)))
    return found


def _in_past(question: Question) -> Question:
    text = re.sub(r"\bis\b", "was", re.sub(r"\bare\b", "were", question.text, count=1), count=1)
    return replace(question, text=text)


def _with_front(question: Question, front: str) -> Question:
    if question.style == "keywords":
        return Question("keywords", f"{front} {question.text}", False)
    if question.style in ("curt", "indirect"):
        text = question.text
        mark = text[-1] if text[-1:] in "?." else ""
        return replace(question, text=f"{text.rstrip('?.')} {front}{mark}")
    lowered = question.text[:1].lower() + question.text[1:]
    return replace(question, text=finish(f"{front}, {lowered}"))
