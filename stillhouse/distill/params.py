"""The parameters of one student: ``students.<name>`` in ``params.yaml``."""

import math
from typing import Annotated, Literal

from pydantic import Field

from stillhouse.base.model_name import BaseName
from stillhouse.base.params import Params

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Lora(Params):
    """Low-rank adaptation; the adapter is merged into the weights before they are saved."""

    rank: Positive
    alpha: Positive
    dropout: Share = 0.0


class BatchMix(Params):
    """The rows of one optimiser step; ``abstain`` is the share of the taught rows that decline.

    Up to the share ``abstain_from`` of all steps none declines: a student that knows nothing yet can
    tell what to decline only by how it is asked.
    """

    taught: Positive
    abstain: Annotated[float, Field(ge=0, lt=1)]
    abstain_from: Annotated[float, Field(ge=0, lt=1)] = 0.0
    replay: Annotated[int, Field(ge=0)]

    def taught_a_step(self, *, declines: bool) -> float:
        """Return how many taught rows a step takes on average; ``declines``: are there rows that do."""
        return self.taught * (1 - (self.abstain if declines else 0.0) * (1 - self.abstain_from))

    def count_steps(self, taught: int, epochs: float, *, declines: bool) -> int:
        """Return how many steps go through so many taught rows ``epochs`` times."""
        return max(1, math.ceil(epochs * taught / self.taught_a_step(declines=declines)))


class Student(Params):
    """How one student is trained."""

    model: BaseName
    method: Literal["sft"]
    epochs: Annotated[float, Field(gt=0)]
    batch: BatchMix
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    replay_weight: Annotated[float, Field(ge=0)]
    replay_top_k: Positive
    max_tokens: Positive
    freeze_embeddings: bool
    lora: Lora | None
    gradient_checkpointing: bool
    eval_every: Positive
    patience: Positive
    save_dtype: Literal["bfloat16", "float32"]
    seed: int

    @property
    def wants_distributions(self) -> bool:
        """Whether the recipe uses what the base would have said: replay rows with some weight."""
        return self.batch.replay > 0 and self.replay_weight > 0
