"""Names in a sentence: people, places, and things with a name of their own."""

import re
from collections.abc import Sequence
from typing import Final

from stillhouse.teachers.offline.lexicon import (
    BE,
    HAVE,
    MODALS,
    MONTHS,
    PEOPLE,
    PLACE_NOUNS,
    PREPOSITIONS,
    STOP,
    SUBORDINATORS,
    WEEKDAYS,
    list_words,
)
from stillhouse.teachers.offline.morphology import is_participle
from stillhouse.teachers.offline.spans import CODE, UNIT_ENDS, Value, low_at, make_value
from stillhouse.teachers.offline.tagging import Token, lexicon


def find_name(tokens: Sequence[Token], at: int) -> Value | None:
    """Return the name that begins at a token, or None."""
    if at == 0 or not _is_name_word(tokens, at):
        return None
    end = at + 1
    while end < len(tokens) and _is_name_word(tokens, end):
        end += 1
    text = [token.text for token in tokens[at:end]]
    if text[-1].endswith(("'s", "’s")) or text[-1].lower() in STOP:
        return None
    if end - at == 1 and (tokens[at].low in lexicon() or (text[0].isupper() and len(text[0]) < 2)):
        return None
    kind = "name"
    if _has_noun_after(tokens, at, end) and text[-1].lower() not in PLACE_NOUNS:
        return make_value("name", tokens, at, end + 1, tokens[end].low)
    if text[-1].lower() in PLACE_NOUNS:
        kind = "place"
    elif _looks_like_person(tokens, at, end):
        kind = "person"
    return make_value(kind, tokens, at, end)


def _has_noun_after(tokens: Sequence[Token], at: int, end: int) -> bool:
    """Whether a common noun completes the name, as in ``the Aster card``."""
    if low_at(tokens, at - 1) not in ("the", "a", "an") or end >= len(tokens) or end - at > 2:
        return False
    noun = tokens[end]
    after = tokens[end + 1] if end + 1 < len(tokens) else None
    plain = noun.tag in ("NN", "NNS") and noun.low not in UNIT_ENDS | PREPOSITIONS
    return plain and (after is None or not after.low.isalpha() or after.low in _AFTER_NAME)


_AFTER_NAME: Final = (
    PREPOSITIONS | SUBORDINATORS | MODALS | BE | HAVE | {"and", "or", "but", "to", "only", "also"}
)


_ROLES: Final = PEOPLE | frozenset(
    list_words(
        "owner chair head lead founder president editor coordinator contact captain treasurer "
        "secretary ceo cfo cto coo chairman chairwoman chairperson principal caretaker headteacher "
        "trainer chef cook curator librarian accountant solicitor lawyer receptionist trustee mayor "
        "spokesperson representative bookkeeper auditor deputy steward warden foreman registrar "
        "archivist planner physician pharmacist dentist porter"
    )
)


_FIRMS: Final = frozenset(
    list_words(
        "limited ltd inc plc gmbh llc group company corporation trust bank union council team"
    )
)


def _is_name_word(tokens: Sequence[Token], at: int) -> bool:
    word = tokens[at].text
    if not re.match(r"^[A-Z][\w’'&-]*$", word) or tokens[at].low in MONTHS | WEEKDAYS:
        return False
    return not CODE.match(word)


def _looks_like_person(tokens: Sequence[Token], at: int, end: int) -> bool:
    if end - at not in (2, 3) or low_at(tokens, at - 1) in ("the", "a", "an", "our", "this"):
        return False
    if any(token.text.isupper() for token in tokens[at:end]):
        return False
    if low_at(tokens, at - 1) in ("to", "from", "in", "at") and tokens[at].low in lexicon():
        return False  # ``to Port Arran`` is a place
    known = [token.low in lexicon() for token in tokens[at:end]]
    told = any(token.low in _ROLES for token in tokens[:at])
    if told and low_at(tokens, at - 1) in BE | {","}:  # ``The treasurer is Mark Rose``
        return True
    told = told or (not known[0] and _stands_for_someone(tokens, at, end))
    return not all(known) if told else not any(known)


def _stands_for_someone(tokens: Sequence[Token], at: int, end: int) -> bool:
    """Whether a name is set off by commas, or says by whom something is done."""
    before, after = low_at(tokens, at - 1), low_at(tokens, end)
    last = tokens[end - 1].low
    if last in _FIRMS or lexicon().get(last) == "NNS":
        return False  # ``by Tessel Services``
    done = before == "by" and is_participle(low_at(tokens, at - 2))
    return done or before == after == ","
