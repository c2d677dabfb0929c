"""What one request is about: its place, its passages, its question or conversation if it has one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stillhouse.base.ids import Json
from stillhouse.base.records import Chunk, Message


@dataclass(frozen=True, slots=True)
class Subject:
    """The material of one request.

    Attributes:
        source: first part of the slot: the document's path, or the seed file's name.
        anchor: second part of the slot: the place within it.
        chunks: the chunks that the request shows.
        passages: their text, or what stands in their place (a table), as the prompt shows it.
        question: what is asked, where the seed file says it.
        statement: a sentence that no document holds, where there is one.
        turns: the turns of a conversation before ``question``.
        mark: tells several requests about one place apart: the schema's or the instruction's name.
        values: further names for the template: ``schema``, ``instruction``.
        category: the kind of task, where it is another one than the prompt file's.
        settings: what is written into the request's parameters beside the plan's.
    """

    source: str
    anchor: str
    chunks: tuple[Chunk, ...] = ()
    passages: str = ""
    question: str = ""
    statement: str = ""
    turns: tuple[Message, ...] = ()
    mark: str = ""
    category: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)


# One subject into those that a prompt with `each` makes of it; none where nothing goes with it.
Spread: TypeAlias = Callable[[Subject], Iterable[Subject]]
