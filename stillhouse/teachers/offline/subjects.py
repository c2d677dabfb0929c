"""Questions for a value inside the subject of a clause."""

from typing import Final

from stillhouse.teachers.offline.asking import ask_for, unit_name
from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.lexicon import (
    RELATIVES,
)
from stillhouse.teachers.offline.spans import Value
from stillhouse.teachers.offline.turning import (
    invert,
)
from stillhouse.teachers.offline.wording import (
    content_words,
    finish,
    lower_first,
)

_LIMITS: Final = {"max": "maximum", "min": "minimum"}


def ask_subject(clause: Clause, value: Value, names: frozenset[str]) -> list[Question]:
    """Return questions for a value inside the subject (``At most 9 people may use …``)."""
    rest = " ".join([*clause.verb_words, clause.text(clause.verb_end, clause.end)])
    front = f" {lower_first(clause.front, names)}" if clause.front else ""
    after = clause.text(value.end, clause.verb_start)
    if value.outer == clause.subject_start and value.kind in ("count", "duration", "measure"):
        if "not" in clause.verb_words:
            return []
        lead = f"how many {unit_name(value.unit)} {after}".strip()
        found = [Question("full", finish(f"{lead} {rest}{front}"))]
        if value.bound in ("max", "min"):
            word = "maximum" if value.bound == "max" else "minimum"
            found.append(Question("noun", finish(
                f"What is the {word} number of {value.unit} {after} that {rest}{front}")))  # fmt: skip
        found.append(Question("indirect", finish(f"Can you tell me {lead} {rest}{front}")))
        keys = " ".join(
            content_words(f"{_LIMITS.get(value.bound, '')} {value.unit} {after} {rest}")
        )
        found.append(Question("keywords", keys, False))
        tail = clause.text(clause.verb_end, clause.end)
        found.append(Question("curt", finish(f"{tail}: {lead}"), False))
        return found
    if value.kind == "person" and value.start == clause.subject_start + 0:
        return [
            Question("full", finish(f"who {_third(clause)} {front}")),
            Question("indirect", finish(f"Do you know who {_third(clause)} {front}")),
        ]
    counted = value.kind in ("count", "duration", "measure", "money")
    if not counted or value.preposition not in ("with", "above", "over", "below", "under"):
        return []
    return _ask_threshold(clause, value, names, rest)


def _third(clause: Clause) -> str:
    return " ".join([*clause.verb_words, clause.text(clause.verb_end, clause.end)])


def _ask_threshold(
    clause: Clause, value: Value, names: frozenset[str], rest: str
) -> list[Question]:
    whs = ask_for(value, "", "")
    if not whs or not value.preposition or value.outer <= clause.subject_start:
        return []
    words = [token.low for token in clause.tokens[clause.subject_start : value.outer]]
    if RELATIVES & set(words):
        return []
    subject = lower_first(clause.text(clause.subject_start, value.outer), names)
    after = clause.text(value.end, clause.verb_start)
    tail = clause.text(clause.verb_end, clause.end)
    turned = f"{invert(clause, subject)} {tail}"
    situ = f"{subject} {whs[0].lead} {after} {rest}"
    keys = content_words(f"{subject} {value.unit} {after} {rest}")
    return [
        Question("full", finish(f"{whs[0].lead} {after} {turned}")),
        Question("in-situ", finish(situ)),
        Question("keywords", " ".join([*keys, "limit"]), False),
        Question("indirect", finish(f"Can you tell me {whs[0].lead} {after} {subject} {rest}")),
    ]
