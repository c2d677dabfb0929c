"""Questions with new values: answers mapped in every notation, computed ones computed anew."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.permutation.amount_notations import canonical, like_number
from tests.permutation.found import Found, Key, match_case
from tests.permutation.operands import Expression, find_expression, to_number
from tests.permutation.words import NUMBERS, ORDINALS, add_ending, spell_number, spell_ordinal
from tests.permutation.world import NAMES, World, apply_edits

_TOKEN: Final = re.compile(
    r"(?i)(?<![\w.,])(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<tail>½| [13]/[24]| and a half|(?:st|nd|rd|th)\b)?"
    rf"|\b(?P<word>{'|'.join(sorted({*NUMBERS, *ORDINALS}, key=len, reverse=True))})\b"
)
_PARTS: Final = {"½": ".5", " 1/2": ".5", " and a half": ".5", " 1/4": ".25", " 3/4": ".75"}
_LOOKED_UP: Final = frozenset(
    ("name", "phrase", "grade name", "term", "colour", "code", "extension", "phone", "date", "time")
)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of ``gold.jsonl``: what is asked, the kinds of its first answer, its operands."""

    data: Mapping[str, Any]
    first: tuple[Key, ...]
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The new lines of ``gold.jsonl``, its computed answers (old to new ones), what was dropped, why."""

    records: tuple[dict[str, Any], ...]
    computed: Mapping[str, str]
    dropped: tuple[str, ...]
    variants_dropped: int


def read_records(path: Path, documents: Path, world: World) -> list[Record]:
    """Return the gold questions with the kinds of their answers, read in the old world."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_read_record(json.loads(line), documents, world) for line in lines if line]


def _read_record(data: Mapping[str, Any], documents: Path, world: World) -> Record:
    if not data["answers"]:
        return Record(data, (), None)
    sources = [documents / source for source in data["sources"]]
    first = resolve_kinds(data["answers"], _source_keys(sources, world), world)
    expression = None
    if data["kind"] == "multi_step" and not {kind for kind, _ in first} & _LOOKED_UP:
        expression = find_expression(data["question"], first, sources, world)
    return Record(data, first, expression)


def _source_keys(sources: Sequence[Path], world: World) -> set[Key]:
    from tests.permutation.formats import read_texts

    pieces = [piece for source in sources for piece in read_texts(source)]
    return {key for piece in pieces for found in world.scan(piece) for key in found.keys}


def resolve_kinds(answers: Sequence[str], known: set[Key], world: World) -> tuple[Key, ...]:
    """Return the keys of the first answer; a bare number takes its unit from where it stands."""
    hints = {key for answer in answers for found in world.scan(answer) for key in found.keys}
    keys: list[Key] = []
    for found in world.scan(answers[0]):
        for kind, value in found.keys:
            bare = kind == "count" and (kind, value) not in known
            fits = sorted(k for k, v in known | hints if v == value and k != "count")
            preferred = [k for k in fits if (k, value) in known & hints] or fits
            keys.append((preferred[0] if bare and preferred else kind, value))
    return tuple(keys)


def permute_gold(records: Sequence[Record], world: World) -> Asked:
    """Return the questions with new values; what cannot be mapped safely is left out, with why."""
    new: list[dict[str, Any]] = []
    dropped: list[str] = []
    computed: dict[str, str] = {}
    lost = 0
    for record in records:
        answers = _new_answers(record, world)
        if record.data["answers"] and not answers:
            dropped.append(f"{record.data['id']}: no operands give its answer a positive new one")
            continue
        lost += len(record.data["answers"]) - len(answers)
        if record.expression:
            computed[record.data["answers"][0]] = " | ".join(answers)
        question = permute_question(record.data["question"], world, record.expression is not None)
        new.append({**record.data, "question": question, "answers": answers})
    return Asked(tuple(new), computed, tuple(dropped), lost)


def permute_question(question: str, world: World, computed: bool = False) -> str:
    """Return a question with new values; counts in words stay where the answer is computed."""
    edits = [
        (start, end, new)
        for start, end, new in world.edits(question)
        if not (computed and question[start:end].lower() in NUMBERS)
    ]
    return apply_edits(question, edits)


def _new_answers(record: Record, world: World) -> list[str]:
    answers: Sequence[str] = record.data["answers"]
    if not answers:
        return []
    computed = record.data["kind"] == "multi_step" and not (
        {kind for kind, _ in record.first} & _LOOKED_UP
    )
    if computed:
        return _computed_answers(record, world)
    if not all(value in world.mapping.get(kind, {}) for kind, value in record.first):
        return []
    new = [map_variant(answer, record.first, world) for answer in answers]
    return list(dict.fromkeys(answer for answer in new if answer))


def map_variant(variant: str, first: Sequence[Key], world: World) -> str | None:
    """Return one notation of an answer with the new values, or None if it is another's number."""
    dotted = re.sub(r"(?<![\d.£])(\d{1,2})\.(\d\d)(?!\d)", r"\1:\2", variant)
    for text, link in ((variant, ""), (dotted, ".")):
        found = world.scan(text)
        if _is_covered(text, found) and all(_belongs(f, first, world) for f in found):
            new = world.apply(text)
            return re.sub(r"(\d):(\d\d)", rf"\1{link}\2", new) if link else new
    numbers = {v: world.mapping[k][v] for k, v in first if re.fullmatch(r"[\d.]+", v)}
    return replace_numbers(variant, numbers)


def _belongs(found: Found, first: Sequence[Key], world: World) -> bool:
    if any(kind in NAMES for kind, _ in found.keys):
        return world.knows(found)
    return world.knows(found) and all(key in first for key in found.keys)


def _is_covered(text: str, found: Sequence[Found]) -> bool:
    """Say whether no number stands outside the found values."""
    return all(
        any(f.start <= m.start() and m.end() <= f.end for f in found)
        for m in _TOKEN.finditer(text)
        if m.group().lower() not in ("one", "first")
    )


def replace_numbers(text: str, numbers: Mapping[str, str]) -> str | None:
    """Replace every number of a text, however written; None if one of them has no new value."""
    edits: list[tuple[int, int, str]] = []
    for match in _TOKEN.finditer(text):
        new = _replace_token(match, numbers)
        if new is None:
            return None
        edits.append((match.start(), match.end(), new))
    return _agree(apply_edits(text, edits)) if edits else text


def _replace_token(match: re.Match[str], numbers: Mapping[str, str]) -> str | None:
    tail = match["tail"] or ""
    old = canonical(match["word"] or match["number"] + _PARTS.get(tail, ""))
    new = numbers.get(old)
    if new is None:
        return None
    if tail in _PARTS:
        whole, _, rest = new.partition(".")
        return whole + tail if f".{rest}" == _PARTS[tail] else None
    if tail:
        return add_ending(int(new)) if "." not in new else None
    if match["word"]:
        spell = spell_number if match["word"].lower() in NUMBERS else spell_ordinal
        return match_case(match["word"], spell(int(new))) if "." not in new else None
    whole_now = Decimal(new) % 1 == 0 and not match["number"].endswith("0")
    plain = match["number"].partition(".")[0] if whole_now or "." in new else match["number"]
    if "." in new and "." in match["number"]:
        plain = match["number"]
    return like_number(plain, new) if "." not in new or "." in plain else new


def _agree(text: str) -> str:
    """Set ``1 weeks`` and ``3 week`` right."""
    unit = "(?: working| calendar)? (?:day|week|month|year|hour|minute)"
    text = re.sub(rf"\b(1|one)({unit})s\b", r"\1\2", text)
    many = rf"\d[\d.,]*|{'|'.join(sorted(NUMBERS, key=len, reverse=True))}"
    return re.sub(rf"^(?!(?:1|one)\b)({many})({unit})$", r"\1\2s", text)


def _computed_answers(record: Record, world: World) -> list[str]:
    if record.expression is None or record.expression.compute(world) <= 0:
        return []
    result = record.expression.compute(world)
    kind, old = record.first[0]
    if kind == "hour":
        return _durations(int(result))
    if kind == "pence":
        pounds = f"{result / 100:.2f}"
        small = [f"{result:f}".partition(".")[0] + " pence"] if result < 100 else []
        return [*small, f"£{pounds}", f"{pounds} pounds", pounds]
    if old == "1":
        stem = record.data["answers"][0].split()[-1].removesuffix("s")
        count = f"{result.normalize():f}"
        words = spell_number(int(result)) if "." not in count else count
        return list(dict.fromkeys(_agree(f"{n} {stem}") for n in (count, words)))
    numbers = {canonical(str(to_number(old))): f"{result.normalize():f}"}
    new = [_fit_price(replace_numbers(a, numbers), result) for a in record.data["answers"]]
    return list(dict.fromkeys(answer for answer in new if answer))


def _fit_price(answer: str | None, result: Decimal) -> str | None:
    """Write ``£39.60``, not ``£39.6``."""
    if answer is None or result % 1 == 0:
        return answer
    return re.sub(r"(?<=£)(\d[\d,]*\.\d)(?!\d)", r"\g<1>0", answer)


def _durations(minutes: int) -> list[str]:
    hours, rest = divmod(minutes, 60)
    if not rest:
        return [f"{hours} hours", f"{spell_number(hours)} hours", f"{minutes} minutes"]
    long, small = f"{hours} hours", f"{rest} minutes"
    spelled = f"{spell_number(hours)} hours and {spell_number(rest)} minutes"
    return [
        f"{long} {small}",
        f"{long} and {small}",
        spelled,
        spelled.replace(" and ", " "),
        f"{hours} h {rest} min",
        f"{hours}h {rest}m",
        f"{minutes} minutes",
        f"{long}, {small}",
        f"{hours}:{rest:02}",
    ]
