"""How much is asked of which documents: ``render:`` in params.yaml."""

import hashlib
import math
from collections import Counter
from dataclasses import dataclass

from pydantic import Field

from stillhouse.base.model_name import BaseName
from stillhouse.base.params import Params
from stillhouse.base.records import Chunk
from stillhouse.base.text import words
from stillhouse.prompts.focus import Group

_OPENING_WORDS = 6


@dataclass(frozen=True, slots=True)
class Draw:
    """A place that a task of the plan asks about: ``group`` is ``core``, ``other`` or ``questions``.

    It was drawn because its ``number`` is less than the plan's fraction: a hash in [0, 1), divided by
    the weight that ``focus.yaml`` gives the place.
    """

    group: str
    task: str
    number: float


class TaskPlan(Params):
    """What is asked in one task of one group; None leaves what the prompt file says.

    ``fraction`` of the passages are asked about; ``pairs`` is the most facts of a request,
    ``phrasings`` the questions for each; each combination of variation, persona and sample is a
    request of its own.
    """

    fraction: float = Field(default=0.0, ge=0, le=1)
    pairs: int | None = Field(default=None, ge=1)
    phrasings: int | None = Field(default=None, ge=1)
    variations: tuple[str, ...] | None = Field(default=None, min_length=1)
    personas: tuple[str, ...] | None = Field(default=None, min_length=1)
    samples: int = Field(default=1, ge=1)

    def weigh(self, weight: float, phrasings: int) -> "TaskPlan":
        """Return the plan with ``weight`` times the fraction; what exceeds 1 multiplies the phrasings.

        ``phrasings`` is what the prompt file says, where the plan says nothing.
        """
        share = self.fraction * weight
        if weight == 1 or share <= 1:
            return self.model_copy(update={"fraction": share}) if weight != 1 else self
        more = math.floor((self.phrasings or phrasings) * share + 0.5)
        return self.model_copy(update={"fraction": 1.0, "phrasings": more})


class LogParams(Params):
    """Which conversations of ``prompts.jsonl`` are answered, and by how many passages.

    ``similarity``: cosine of two embeddings from which on the conversations are one, of which the
    first is kept (None: all are kept). ``most``: at most so many, as far apart as can be (None: all).
    ``words``: a longer conversation is left out.
    """

    similarity: float | None = Field(default=0.9, gt=0, le=1)
    most: int | None = Field(default=None, ge=1)
    passages: int = Field(default=3, ge=1)
    words: int = Field(default=250, ge=1)
    seed: int = 0


class InstructionParams(Params):
    """How many instructions of ``instructions.jsonl`` go with a passage, drawn by hash with ``seed``."""

    each: int = Field(default=1, ge=1)
    seed: int = 0


class Plan(Params):
    """A task plan for each task of each group, by name; a task that is not named is not asked.

    Held-out documents have no place here, so that no parameter can train on them.
    """

    core: dict[str, TaskPlan] = Field(default_factory=dict)
    other: dict[str, TaskPlan] = Field(default_factory=dict)
    questions: dict[str, TaskPlan] = Field(default_factory=dict)

    def asks(self, task: str) -> bool:
        """Say whether a task is asked of any group of documents."""
        return any(plans.get(task, TaskPlan()).fraction > 0 for plans in (self.core, self.other))

    def for_group(self, group: Group) -> dict[str, TaskPlan]:
        """Return the tasks of a group of documents; none for held-out ones."""
        return {"core": self.core, "other": self.other}.get(group, {})


class RenderParams(Params):
    """``render:`` in params.yaml; ``base`` names the student that answers everyday questions."""

    seed: int = 17
    base: BaseName = "smollm2-135m-instruct"
    logs: LogParams = LogParams()
    instructions: InstructionParams = InstructionParams()
    plan: Plan


class Places:
    """Says of each chunk what its draw hangs on: the words of its headings, and its own first words.

    Neither its file's name nor its place among others nor a heading's number: whoever renames a
    file, moves a section, renumbers headings or writes another passage beside it goes on being
    asked about the same passages. An edit further on in the chunk moves nothing either. Chunks of
    one form (a hundred contracts) are told apart by their order, or a draw would take all or none.
    """

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def name_place(self, chunk: Chunk) -> list[str]:
        """Return the place of a chunk; to be called once for each, in the order of the documents."""
        titles = [word for title in chunk.headings for word in words(title) if not _is_number(word)]
        place = [*titles, *words(chunk.text)[:_OPENING_WORDS]]
        key = hashlib.blake2b("\n".join(place).encode(), digest_size=8).digest()
        number = self._seen[key]
        self._seen[key] += 1
        return [*place, str(number)] if number else place


def draw_chunk(place: list[str], task: str, fraction: float, seed: int) -> bool:
    """Say whether the chunk at a place is among the ``fraction`` that a task asks about."""
    return number_place(place, task, seed) < fraction


def number_place(place: list[str], task: str, seed: int) -> float:
    """Return the number in [0, 1) by which a place is drawn: it is asked about where that is less.

    So what a smaller fraction asks about, a larger one asks about, too.
    """
    key = "\n".join([str(seed), task, *place]).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=6).digest()) / 2**48


def _is_number(word: str) -> bool:
    return not any(letter.isalpha() for letter in word)
