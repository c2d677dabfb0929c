"""A student that is verified: where its folder lies, and what recorded its training."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.lock import Lock


@dataclass(frozen=True, slots=True)
class Student:
    """A student to be verified.

    Attributes:
        name: its name in ``params.yaml``.
        folder: where its files lie.
        shown: the folder as people call it: ``models/tiny``, or where a copy lies.
        lock: what recorded its training; one without stages where none is known.
        here: whether what lies beside it in the working directory should be what it was made of.
    """

    name: str
    folder: Path
    shown: str
    lock: Lock
    here: bool

    @property
    def stage(self) -> str:
        """The stage that trained it."""
        return f"train@{self.name}"

    @property
    def recorded(self) -> str:
        """DVC's md5 of the folder that ``dvc.lock`` recorded; empty where it knows none."""
        return self.lock.outs_of(self.stage).get(f"models/{self.name}", "")

    @property
    def retrain(self) -> str:
        """The command that trains it again."""
        return f"`dvc repro --force {self.stage}`"

    @property
    def put_back(self) -> str:
        """How its folder becomes again what ``dvc.lock`` names.

        Removed first: DVC takes a file whose size and time are unchanged for the one it wrote.
        """
        if not self.here:
            return "take the folder again from where it was exported"
        return f"`rm -rf {self.shown}`, then `dvc checkout {self.shown}` or `dvc pull {self.shown}`"
