"""Whether two answers to one question say the same, by their values and words."""

from typing import Final

from stillhouse.base.questions import question_of
from stillhouse.base.records import Pair
from stillhouse.base.text import words
from stillhouse.quality.claims import extract_claims, gather_evidence, value_set
from stillhouse.quality.units import have_other_units, list_units

_DENIALS: Final = frozenset(
    {"no", "not", "never", "none", "nobody", "nothing", "cannot", "without"}
)
_ALIKE: Final = 0.5


def agrees(pair: Pair, answer: str) -> bool:
    """Say whether an answer given anew says what a pair's own answer says.

    Numbers, codes and names decide where both have some beside those of the question: one's have to be
    among the other's, and a number that both have has to be of the same unit where both tell one: "27 days"
    are not "27 weeks" (nor are "14 days" "2 weeks"). Else at least half of the words of the shorter one have to be in the other. One
    that denies what the other does not deny is another answer. An empty one never agrees.
    """
    if not answer.strip() or _denies(pair.response) != _denies(answer):
        return False
    asked = value_set(question_of(pair.messages, pair.context))
    mine, theirs = value_set(pair.response) - asked, value_set(answer) - asked
    if mine and theirs:
        units = list_units(pair.response), list_units(answer)
        return (mine <= theirs or theirs <= mine) and not have_other_units(*units, mine & theirs)
    return _overlap(pair.response, answer) >= _ALIKE


def _denies(text: str) -> bool:
    return any(word in _DENIALS or word.endswith("n't") for word in map(str.casefold, words(text)))


def _overlap(first: str, second: str) -> float:
    """Return the share of the shorter text's words of meaning that the other has."""
    texts = [
        (text, {*extract_claims(text).words, *extract_claims(text).values})
        for text in (first, second)
    ]
    (_, shorter), (longer, _) = sorted(texts, key=lambda one: len(one[1]))
    if not shorter:
        return float(first.strip().casefold() == second.strip().casefold())
    known = gather_evidence([longer])
    return sum(known.has_word(word) or known.has_value(word) for word in shorter) / len(shorter)
