"""More wordings of a fact than its natural constructions: other words, frames and situations."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.text import normalise
from stillhouse.teachers.offline import situations
from stillhouse.teachers.offline.asks import ask_otherwise
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.shortening import shorten
from stillhouse.teachers.offline.swapping import swap_words
from stillhouse.teachers.offline.wording import content_words, pick, upper_first

VARIED: Final = "varied"

_Maker = Callable[[str, Fact, str], tuple[str, str]]
_Ask = Callable[[str, Fact, str], tuple[str, ...]]
_CLUMSY: Final = frozenset(["in-situ", "keywords", "wh-drop", "exceed", "topic"])
_NAMING: Final = frozenset(["definition", "term", "name"])
_LONGEST: Final = 30
_SPARE: Final = 4  # candidates for each wording that is wanted
_ROUNDS: Final = 14  # of all makers, at most
_FRAMED_SHARE: Final = 3  # at most one wording of so many differs in its frame only


@dataclass(frozen=True, slots=True)
class _Candidate:
    question: Question
    core: frozenset[str]


def vary(
    questions: Sequence[Question],
    fact: Fact,
    count: int,
    rivals: Sequence[str] = (),
) -> list[Question]:
    """Return the questions and varied ones, ``count`` in all where there are so many.

    Wordings whose content words differ from those before them come first. ``rivals`` are texts that
    a shortened name must not fit.
    """
    wanted = count - len(questions)
    if wanted <= 0:
        return list(questions)
    bases = _find_bases(questions, fact, rivals)
    seen = {_key(question.text) for question in questions}
    pool = _make_candidates(bases, fact, wanted * _SPARE, seen)
    return [*questions, *_choose(pool, questions, wanted, count)]


def _find_bases(questions: Sequence[Question], fact: Fact, rivals: Sequence[str]) -> list[Question]:
    plain = [question for question in questions if question.style not in _CLUMSY]
    plain = plain or list(questions)
    if fact.kind in _NAMING:
        return plain
    words = [frozenset(content_words(rival)) for rival in rivals]
    short = [other for question in plain for other in shorten(question)]
    plain += [other for other in short if not _fits(other, fact, words)]
    asks = [ask for question in plain for ask in ask_otherwise(question, fact)]
    return list({_key(question.text): question for question in _weave(asks, plain)}.values())


def _fits(question: Question, fact: Fact, rivals: Sequence[frozenset[str]]) -> bool:
    """Whether the fact's own words that a shortened question keeps are a rival's too."""
    own = frozenset(content_words(fact.statement))
    kept = own & frozenset(content_words(question.text))
    return any(kept <= rival for rival in rivals)


def _weave(first: Sequence[Question], second: Sequence[Question]) -> Iterator[Question]:
    for at in range(max(len(first), len(second))):
        yield from first[at : at + 1]
        yield from second[at : at + 1]


def _make_candidates(
    bases: Sequence[Question], fact: Fact, most: int, seen: set[str]
) -> list[_Candidate]:
    found: list[_Candidate] = []
    for base in bases:
        if _key(base.text) not in seen:
            seen.add(_key(base.text))
            question = Question(f"{VARIED}-{base.style}", base.text, base.exact)
            found.append(_Candidate(question, frozenset(content_words(base.text))))
    offset = pick(range(len(_MAKERS)), fact.statement + fact.value)
    for turn in range(_ROUNDS * len(_MAKERS)):
        if len(found) >= most:
            break
        name, maker = _MAKERS[(turn + offset) % len(_MAKERS)]
        made = _first_new(name, maker, bases, fact, turn, seen)
        if made is not None:
            seen.add(_key(made.question.text))
            found.append(made)
    return found


def _first_new(
    name: str, maker: _Maker, bases: Sequence[Question], fact: Fact, turn: int, seen: set[str]
) -> _Candidate | None:
    start = (turn // len(_MAKERS) + turn) % len(bases)
    for base in [*bases[start:], *bases[:start]]:
        text, core = maker(base.text, fact, f"{_letter(turn)} {base.text} {name}")
        if text and _key(text) not in seen and len(text.split()) <= _LONGEST:
            question = Question(f"{VARIED}-{name}", text, base.exact)
            return _Candidate(question, frozenset(content_words(core)))
    return None


def _choose(
    pool: list[_Candidate], questions: Sequence[Question], wanted: int, count: int
) -> list[Question]:
    """Return candidates, always the one whose content words are the least used so far."""
    used: Counter[str] = Counter()
    cores: set[frozenset[str]] = set()
    for question in questions:
        _use(frozenset(content_words(question.text)), used, cores)
    left, framed = list(pool), 0
    chosen: list[Question] = []
    while left and len(chosen) < wanted:
        fresh = [one for one in left if one.core not in cores]
        bound = fresh and framed >= count // _FRAMED_SHARE
        best = min(fresh if bound else left, key=lambda one: _worn(one, used, cores))
        framed += best.core in cores
        left.remove(best)
        chosen.append(best.question)
        _use(best.core, used, cores)
    return chosen


def _use(core: frozenset[str], used: Counter[str], cores: set[frozenset[str]]) -> None:
    used.update(core)
    cores.add(core)


def _worn(one: _Candidate, used: Counter[str], cores: set[frozenset[str]]) -> tuple[bool, float]:
    worn = sum(used[word] for word in one.core) / max(1, len(one.core))
    return one.core in cores, worn


def _letter(turn: int) -> str:
    # A choice ignores the digits of its key.
    return chr(ord("a") + turn % 26) * (1 + turn // 26)


def _key(text: str) -> str:
    return normalise(text).rstrip("?. ")


def _swapped(text: str, fact: Fact, key: str) -> str:
    if fact.kind in ("definition", "term"):
        return text
    return swap_words(text, key, pick((1, 2, 2, 3), key), fact.kind)


def _reworded(text: str, fact: Fact, key: str) -> tuple[str, str]:
    text = _swapped(text, fact, key)
    return text, text


def _framed(*asks: _Ask) -> _Maker:
    def make(text: str, fact: Fact, key: str) -> tuple[str, str]:
        framed: tuple[str, ...] = next(
            (found for ask in asks if (found := ask(text, fact, key))), ()
        )
        if not framed:
            return "", ""
        filling = [_swapped(part, fact, key) for part in framed[1:]]
        return upper_first(framed[0].format(*filling)), " ".join(filling)

    return make


def _terse(text: str, fact: Fact, key: str) -> tuple[str, str]:
    """Drop articles, as hurried people do; the words that tell the fact apart stay."""
    if '"' in text or ". " in text or len(text.split()) < 5:
        return "", ""
    changed = re.sub(r" (?:the|a|an)(?= )(?! (?:year|month|week|day|night|time|lot|few)\b)", "",
                     _swapped(text, fact, key))  # fmt: skip
    return upper_first(changed.rstrip("?.")) + pick(("?", "", "??"), key), changed


_MAKERS: Final[tuple[tuple[str, _Maker], ...]] = (
    ("words", _reworded),
    ("frame", _framed(situations.ask_with_frame)),
    ("plan", _framed(situations.ask_with_plan, situations.ask_with_case, situations.ask_about)),
    ("indirect", _framed(situations.ask_indirectly, situations.ask_for_person)),
    ("words", _reworded),
    ("end", _framed(situations.ask_with_end)),
    ("about", _framed(situations.ask_about)),
    ("noun", _framed(situations.ask_for_noun, situations.ask_for_person)),
    ("terse", _terse),
)
