"""The same question with another verb or noun."""

import re
from collections.abc import Iterator
from typing import Final

from stillhouse.teachers.offline.asking import Wh
from stillhouse.teachers.offline.clauses import Clause
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.frames import ask_core, ask_whole
from stillhouse.teachers.offline.lexicon import (
    NOUN_SYNONYMS,
    VERB_SYNONYMS,
)
from stillhouse.teachers.offline.morphology import base_of, past_participle
from stillhouse.teachers.offline.turning import (
    Parts,
    main_verb,
    subject_is_plural,
)
from stillhouse.teachers.offline.wording import (
    finish,
)


def ask_with_synonyms(parts: Parts, wh: Wh) -> Iterator[Question]:
    """Ask with another verb or noun for the same thing."""
    clause = parts.clause
    if clause.imperative:
        return
    text = ask_whole(parts, wh)
    base = main_verb(clause)
    synonyms = VERB_SYNONYMS.get(base, ()) if clause.passive or base != "keep" else ()
    for synonym in synonyms[:1]:
        replaced = _replace_verb(text, clause, synonym)
        if replaced != text:
            yield Question("synonym", replaced)
            break
    for word, other in NOUN_SYNONYMS.items():
        pattern = rf"\b{word}\b" + (_PEOPLE_END if word in ("staff", "employees") else "")
        if re.search(pattern, text) and other not in text:
            changed = re.sub(pattern, other, text)
            yield Question("synonym", finish(_mend_article(changed)))
            break
    if " must " in f" {text} " and not clause.passive:
        pass
    if clause.finite == "must":
        yield Question("synonym", finish(_have_to(parts, wh)))


# ``staff`` is replaced only where it is not part of a compound (``the staff car park``).
_PEOPLE_END: Final = r"(?= (?:may|must|can|get|have|buy|who|in|with|on|of|a|per|to|should|is|are|without|for)\b|\?|$)"


def _have_to(parts: Parts, wh: Wh) -> str:
    helper = "do" if subject_is_plural(parts.clause) else "does"
    rest = " ".join(parts.clause.verb_words[1:])
    if "not" in parts.clause.verb_words:
        return ask_core(parts, wh)
    pieces = (wh.lead, helper, parts.subject, "have to", rest, parts.before, parts.after, wh.tail)
    return " ".join(piece for piece in (*pieces, parts.front) if piece)


def _mend_article(text: str) -> str:
    text = re.sub(r"\ba (?=(?:additional|extra|ID)\b)", "an ", text)
    return re.sub(r"\ban (?=(?:yearly|biggest|maximum|minimum|highest|lowest)\b)", "a ", text)


def _replace_verb(text: str, clause: Clause, synonym: str) -> str:
    words = clause.verb_words
    form = words[-1]
    head, _, particle = synonym.partition(" ")
    if clause.passive:
        new = past_participle(head) + (f" {particle}" if particle else "")
    elif base_of(form) == form or form in ("has", "have") or len(words) == 1:
        form, new = base_of(form), synonym
    else:
        return text
    return re.sub(rf"\b{re.escape(form)}\b", new, text, count=1) if form else text
