"""What is handed from the readers of structure to the tasks: one fact with its questions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """One wording; ``style`` names its construction; ``exact`` means nothing was left out."""

    style: str
    text: str
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement with one asked-for value.

    ``statement`` is the source's own words, ``quote`` what the reasoning quotes, ``answer`` the
    short sentence with only this value of its ``kind``; ``subject`` says briefly what the value
    belongs to; ``score`` orders facts, most askable first. ``trial`` asks whether some other value,
    put for ``{}``, keeps a limit, or is empty where no such question is certain.
    """

    statement: str
    quote: str
    questions: tuple[Question, ...]
    answer: str
    kind: str
    value: str
    subject: str
    confidence: float
    score: float
    unit: str = ""
    bound: str = ""
    preposition: str = ""
    trial: str = ""
