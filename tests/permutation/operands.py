"""The sum or difference of document values that answers a multi-step question, found again.

Computed answers must be computed anew from the new values, so the operands are looked for: of all
expressions over values of the sources that give the old answer, the one whose sentences share most
words with the question.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.permutation.formats import read_csv_rows, read_texts
from tests.permutation.found import Found, Key
from tests.permutation.words import NUMBERS
from tests.permutation.world import World

# Kind of the answer -> kinds of the operands; a duration comes from two times of day.
_FROM: Final = {"pence": ("pound",), "day": ("day", "day of month"), "hour": ("time",)}
_COUNTS: Final = re.compile(rf"(?i)\b({'|'.join(w for w, n in NUMBERS.items() if n < 10)})\b")
_DIFFERENCE: Final = re.compile(r"\b(?:more|longer|gap|between|go up|from .* to)\b")
_SUM: Final = re.compile(r"\b(?:total|together|altogether|add up|pair)\b|after how many")


@dataclass(frozen=True, slots=True)
class Operand:
    """A value of a source with the words of its sentence or table row."""

    key: Key
    source: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expression:
    """``sum(factor * value)``; the result is in the answer's own unit."""

    factors: tuple[int, ...]
    keys: tuple[Key, ...]
    scale: int

    def compute(self, world: World | None = None) -> Decimal:
        """Return the result, with the new values of ``world`` or with the old ones."""
        values = [world.mapping[k][v] if world else v for k, v in self.keys]
        return self.scale * sum(
            (f * to_number(v) for f, v in zip(self.factors, values, strict=True)), Decimal(0)
        )


def to_number(value: str) -> Decimal:
    """Return a value as a number; a time of day counts its minutes."""
    hours, colon, minutes = value.partition(":")
    return Decimal(hours) * 60 + Decimal(minutes) if colon else Decimal(value)


def find_expression(
    question: str, answer: Sequence[Key], sources: Sequence[Path], world: World
) -> Expression | None:
    """Return the most fitting expression over values of ``sources`` that gives the answer."""
    kind = answer[0][0]
    result = to_number(answer[0][1])
    if kind == "hour":
        result = result * 60 + sum((to_number(value) for _, value in answer[1:]), Decimal(0))
    operands = [
        o
        for path in sources
        for o in _read_operands(path, world)
        if o.key[0] in _FROM.get(kind, (kind,))
    ]
    scale = 100 if kind == "pence" else 1
    weights = _weigh(operands)
    found = [
        (_fit(question, chosen, factors, weights), i, Expression(factors, _keys(chosen), scale))
        for i, (factors, chosen) in enumerate(_combine(operands, question))
        if scale * sum(f * to_number(o.key[1]) for f, o in zip(factors, chosen, strict=True))
        == result
        and len({o.key[0] for o in chosen}) == 1
    ]
    return max(found, key=lambda item: (item[0], -item[1]))[2] if found else None


def _keys(operands: Sequence[Operand]) -> tuple[Key, ...]:
    return tuple(operand.key for operand in operands)


def _combine(
    operands: Sequence[Operand], question: str
) -> Iterator[tuple[tuple[int, ...], tuple[Operand, ...]]]:
    counts = [NUMBERS[w.lower()] for w in _COUNTS.findall(question)]
    pairs: set[tuple[int, ...]] = {(1, 1), (1, -1)}
    if len(counts) == 2:
        pairs |= {(counts[0], counts[1])}
    for chosen in itertools.permutations(operands, 2):
        yield from ((factors, chosen) for factors in sorted(pairs))
    if re.search(r"\bgap\b", question) and len(operands) < 60:
        yield from (((1, -1, -1), chosen) for chosen in itertools.permutations(operands, 3))


def _fit(
    question: str, chosen: Sequence[Operand], factors: tuple[int, ...], weights: dict[str, float]
) -> float:
    asked = _stems(question)
    shared = sum(sum(weights[w] for w in asked & operand.words) for operand in chosen)
    covered = sum(weights[w] for w in asked & frozenset().union(*(o.words for o in chosen)))
    cue = _DIFFERENCE if min(factors) < 0 else _SUM
    return (
        shared / len(chosen)
        + covered
        + 6 * bool(cue.search(question))
        + 3 * len({operand.source for operand in chosen})
        + 2 * (max(factors) > 1)
    )


def _weigh(operands: Sequence[Operand]) -> dict[str, float]:
    """Weigh a stem by its rarity among the operands' sentences."""
    counts = Counter(word for operand in operands for word in operand.words)
    return {w: math.log(1 + len(operands) / n) for w, n in counts.items()}


def _read_operands(path: Path, world: World) -> list[Operand]:
    return [
        Operand(found.keys[0], path.name, _stems(sentence))
        for sentence in read_sentences(path)
        for found in world.scan(sentence)
        if _is_number(found)
    ]


def _is_number(found: Found) -> bool:
    return len(found.keys) == 1 and bool(re.fullmatch(r"[\d.]+|\d\d:\d\d", found.keys[0][1]))


def read_sentences(path: Path) -> list[str]:
    """Return a document's sentences and table rows."""
    if path.suffix == ".csv":
        return read_csv_rows(path)
    if path.suffix == ".html":
        text = re.sub(r"</(?:tr|p|li|h\d|dd|caption|title)>", "\n", path.read_text("utf-8"))
        lines = re.sub(r"<[^>]+>", " ", text.replace("</td><td>", " | ")).split("\n")
    elif path.suffix in (".md", ".txt"):
        joined = re.sub(r"(?<![.:|\n-])\n(?=[a-z0-9£(]|\s+[a-z])", " ", path.read_text("utf-8"))
        lines = joined.split("\n")
    else:
        lines = read_texts(path)
    return [s for line in lines for s in re.split(r"(?<=[.!?;])\s+", line) if s.strip()]


def _stems(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z]+|\d+", text.lower())
    return frozenset(w[:5] for w in words if len(w) > 2 or w.isdigit())
