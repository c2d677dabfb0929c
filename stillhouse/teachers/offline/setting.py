"""What a sentence is read in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """What a sentence is read in: names of the passage, topic, and the subject spoken of before."""

    names: frozenset[str]
    topic: str
    previous: str = ""
    previous_plural: bool = False
