"""How the mix of soft and hard targets changes over a training run, as pure functions of progress."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from stillhouse.base.params import Params

Share = Annotated[float, Field(ge=0, le=1)]


class Ramp(Params):
    """A value that goes from ``start`` to ``end`` in even steps over a run."""

    start: Share
    end: Share


def value_at(value: float | Ramp, progress: float) -> float:
    """Return a constant, or where its ramp is; ``progress`` is the share of the steps that are done."""
    if isinstance(value, Ramp):
        return value.start + (value.end - value.start) * progress
    return value


def temperature_at(temperatures: Sequence[float], progress: float) -> float:
    """Return the temperature of a step: each one in turn has an equal share of the run."""
    return temperatures[min(int(progress * len(temperatures)), len(temperatures) - 1)]
