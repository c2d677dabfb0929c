"""Seed instructions: what may be asked of any passage, one line each in ``instructions.jsonl``."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.text import words
from stillhouse.prompts.passages import render_question
from stillhouse.prompts.plan import InstructionParams
from stillhouse.prompts.subject import Spread, Subject
from stillhouse.prompts.templates import CATEGORIES

_KEYS = {"id", "instruction", "category"}
_OPENING_WORDS = 6


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line: ``category`` is one of ``CATEGORIES``."""

    id: str
    instruction: str
    category: str


def load_instructions(path: Path) -> list[Instruction]:
    """Return the instructions of a JSONL file, ``{"id": …, "instruction": …, "category": …}`` a line.

    Raises:
        InputError: a key is missing, unknown or not a text, a category unknown, or an id used twice.
    """
    found: dict[str, Instruction] = {}
    for number, record in read_jsonl(path):
        place = f"{path}:{number}"
        if set(record) != _KEYS:
            names = ", ".join(sorted(record))
            expected = "`id`, `instruction` and `category`"
            raise InputError(f"keys are {names}", where=place, expected=expected)
        name, text, category = (record[key] for key in ("id", "instruction", "category"))
        if not (isinstance(name, str) and isinstance(text, str) and name and text.strip()):
            raise InputError("`id` or `instruction` is not a text, or empty", where=place)
        if category not in CATEGORIES:
            known = ", ".join(CATEGORIES)
            raise InputError(f"`category` is {category!r}", where=place, expected=f"one of {known}")
        if name in found:
            raise InputError(f"the id {name!r} is used twice", where=place)
        found[name] = Instruction(name, text.strip(), str(category))
    return list(found.values())


def spread_instructions(instructions: Sequence[Instruction], params: InstructionParams) -> Spread:
    """Return what makes of a passage one subject for each of the instructions drawn for it."""

    def spread(subject: Subject) -> Iterator[Subject]:
        for one in _draw(subject, instructions, params):
            yield replace(
                subject,
                mark=one.id,
                category=one.category,
                # Marked as a question is: an edit of the file is told from one of the prompt.
                values={"instruction": render_question(one.instruction)},
            )

    return spread


def _draw(
    subject: Subject, instructions: Iterable[Instruction], params: InstructionParams
) -> list[Instruction]:
    """Return the instructions of a passage, by the highest random weight of each beside its place.

    So a line that is added or goes takes its own share of the passages and moves no other. The place
    is what the plan's draw hangs on, too: headings and first words, not the file's name.
    """
    lead = subject.chunks[-1]
    place = [*words(" ".join(lead.headings)), *words(lead.text)[:_OPENING_WORDS]]

    def weigh(one: Instruction) -> tuple[bytes, str]:
        key = "\n".join([str(params.seed), one.id, *place]).encode()
        return hashlib.blake2b(key, digest_size=8).digest(), one.id

    return sorted(instructions, key=weigh, reverse=True)[: params.each]
