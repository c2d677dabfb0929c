"""More wordings of a fact than its natural constructions: other words, frames and situations."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from stillhouse.base.text import normalise
from stillhouse.teachers.offline import situations
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.swapping import swap_words
from stillhouse.teachers.offline.wording import pick, upper_first

VARIED: Final = "varied"

_Maker = Callable[[str, Fact, str], str]
_Ask = Callable[[str, Fact, str], tuple[str, ...]]
_CLUMSY: Final = frozenset(["in-situ", "keywords", "wh-drop", "exceed", "topic"])
_TERSE: Final = frozenset(["keywords", "curt"])
_LONGEST: Final = 30


def vary(questions: Sequence[Question], fact: Fact, count: int) -> list[Question]:
    """Return the questions and varied ones, ``count`` in all where there are so many."""
    found = list(questions)
    seen = {_key(question.text) for question in questions}
    plain = [question for question in questions if question.style not in _CLUMSY] or found
    offset = pick(range(len(_MAKERS)), fact.statement + fact.value)
    for turn in range(6 * len(_MAKERS)):
        if len(found) >= count:
            break
        maker = _MAKERS[(turn + offset) % len(_MAKERS)]
        varied = _first_new(*maker, plain, fact, turn, seen)
        if varied is not None:
            seen.add(_key(varied.text))
            found.append(varied)
    return found


def _first_new(
    name: str,
    maker: _Maker,
    bases: Sequence[Question],
    fact: Fact,
    turn: int,
    seen: set[str],
) -> Question | None:
    start = (turn // len(_MAKERS) + turn) % len(bases)
    for base in [*bases[start:], *bases[:start]]:
        text = maker(base.text, fact, f"{_letter(turn)} {base.text} {name}")
        if text and _key(text) not in seen and len(text.split()) <= _LONGEST:
            return Question(f"{VARIED}-{name}", text, base.exact)
    return None


def _letter(turn: int) -> str:
    # A choice ignores the digits of its key.
    return chr(ord("a") + turn % 26) * (1 + turn // 26)


def _key(text: str) -> str:
    return normalise(text).rstrip("?. ")


def _swapped(text: str, fact: Fact, key: str) -> str:
    if fact.kind in ("definition", "term"):
        return text
    return swap_words(text, key, pick((1, 2, 2, 3), key), fact.kind)


def _framed(*asks: _Ask) -> _Maker:
    def make(text: str, fact: Fact, key: str) -> str:
        framed: tuple[str, ...] = next(
            (found for ask in asks if (found := ask(text, fact, key))), ()
        )
        filling = [_swapped(part, fact, key) for part in framed[1:]]
        return upper_first(framed[0].format(*filling)) if framed else ""

    return make


def _terse(text: str, fact: Fact, key: str) -> str:
    """Drop articles, as hurried people do; the words that tell the fact apart stay."""
    if '"' in text or ". " in text or len(text.split()) < 5:
        return ""
    changed = re.sub(r" (?:the|a|an)(?= )(?! (?:year|month|week|day|night|time|lot|few)\b)", "",
                     _swapped(text, fact, key))  # fmt: skip
    return upper_first(changed.rstrip("?.")) + pick(("?", "", "??"), key)


_MAKERS: Final[tuple[tuple[str, _Maker], ...]] = (
    ("words", _swapped),
    ("frame", _framed(situations.ask_with_frame)),
    ("plan", _framed(situations.ask_with_plan, situations.ask_with_case, situations.ask_about)),
    ("indirect", _framed(situations.ask_indirectly, situations.ask_for_person)),
    ("words", _swapped),
    ("end", _framed(situations.ask_with_end)),
    ("about", _framed(situations.ask_about)),
    ("noun", _framed(situations.ask_for_noun, situations.ask_for_person)),
    ("terse", _terse),
)
