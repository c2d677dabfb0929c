"""The parameters of one student: ``students.<name>`` in ``params.yaml``."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from stillhouse.base.model_name import NOTHING, BaseName, is_student
from stillhouse.base.params import Params
from stillhouse.distill.encode import Reasoning
from stillhouse.distill.schedules import Ramp

Method = Literal["sft", "logits", "logits_online", "on_policy"]
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


class Hidden(Params):
    """Hidden states that the student is drawn to: pairs of its own layer and the teacher's.

    Layer 0 is the embeddings, the last one what stands before the head. A projection to the teacher's
    width is learned beside the student and goes when training ends.
    """

    layers: Annotated[
        tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], ...],
        Field(min_length=1),
    ]
    loss: Literal["cosine", "mse"] = "cosine"
    weight: Annotated[float, Field(gt=0)] = 1.0


class Soft(Params):
    """The teacher of a student's token probabilities, and how they are mixed with the words.

    ``teacher`` names a base, or several of one vocabulary whose probabilities are averaged; one of
    them may be another student, ``models/<its name>``, that ``needs`` names, too. With
    ``reads: passage`` it sees the passages that a row rests on, which the student does not (context
    distillation). ``temperature`` may be a list: each in turn for an equal share of the steps.
    ``max_new_tokens`` is how long the student's own answers get with ``method: on_policy``.

    With ``served`` the teacher is a model of that name on a vLLM server (``teachers.vllm``). Nobody can
    hash its weights: ``revision`` is what the user says of them, and part of what the teacher is.
    """

    teacher: Annotated[tuple[str, ...], Field(min_length=1)]
    served: bool = False
    revision: Annotated[str, Field(min_length=1)] | None = None
    reads: Literal["prompt", "passage"] = "prompt"
    top_k: Positive = 64
    temperature: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (2.0,)
    alpha: Share | Ramp = 0.7
    divergence: Literal["forward", "reverse", "jensen_shannon"] = "forward"
    hidden: Hidden | None = None
    max_new_tokens: Positive = 64

    @property
    def teacher_layers(self) -> tuple[int, ...]:
        """The teacher's layers of each pair, in the order of the pairs."""
        return tuple(theirs for _, theirs in self.hidden.layers) if self.hidden else ()

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperatures to capture, each once, in order."""
        return tuple(sorted(set(self.temperature)))

    @field_validator("teacher", "temperature", mode="before")
    @classmethod
    def _take_one_as_a_list(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else (value,)

    @model_validator(mode="after")
    def _check_served(self) -> "Soft":
        if not self.served:
            if self.revision is not None:
                raise ValueError(
                    "`revision` is for `served: true`; weights at hand are known by their hash"
                )
            return self
        if len(self.teacher) != 1:
            raise ValueError(f"`served: true` takes one teacher, and {len(self.teacher)} are named")
        if self.temperatures != (1.0,):
            raise ValueError(
                "`served: true` needs `temperature: 1`: a server gives its k likeliest tokens, and what "
                "the others come to at another temperature takes the whole vocabulary"
            )
        if self.hidden is not None:
            raise ValueError("`served: true` gives no hidden states: take out `hidden`")
        return self


class Student(Params):
    """How one student is trained."""

    model: BaseName
    needs: str = NOTHING
    method: Method
    reasoning: Reasoning = "none"
    soft: Soft | None = None
    epochs: Annotated[float, Field(gt=0)]
    batch: BatchMix
    learning_rate: Annotated[float, Field(gt=0)]
    layer_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    keep_layers: Annotated[int, Field(ge=2)] | tuple[Annotated[int, Field(ge=0)], ...] | None = None
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
    def wants_replay(self) -> bool:
        """Whether the recipe uses what the base would have said: replay rows with some weight."""
        return self.batch.replay > 0 and self.replay_weight > 0

    @model_validator(mode="after")
    def _check_soft(self) -> "Student":
        if self.method == "sft" and self.soft is not None:
            raise ValueError(
                "`soft` is for `method: logits`, `logits_online` or `on_policy`; `method: sft` learns from "
                "words alone"
            )
        if self.method != "sft" and self.soft is None:
            raise ValueError(
                f"`method: {self.method}` needs `soft`: {{teacher: <model>}}, whose token probabilities "
                "are learned"
            )
        if self.soft and self.soft.served and self.method != "logits":
            raise ValueError(
                f"`method: {self.method}` asks its teacher while it trains, and one on a server is asked "
                "before: `method: logits`, or a teacher whose weights are at hand"
            )
        named = self.soft.teacher if self.soft and not self.soft.served else ()
        students = [name for name in named if is_student(name)]
        if students and students != [self.needs]:
            raise ValueError(
                f"the teacher {students[-1]} is a student of this project, and DVC would not know that it "
                f"must be trained first: set `needs: {students[-1]}`; there can be one such teacher"
            )
        if not students and self.needs != NOTHING:
            raise ValueError(
                f"`needs` names {self.needs}, which is not this student's teacher: set `soft: {{teacher: "
                f"{self.needs}}}`, or `needs: {NOTHING}`"
            )
        if self.method == "on_policy":
            self._check_on_policy()
        if self.soft and self.soft.hidden and self.lora:
            raise ValueError(
                "`soft.hidden` draws all weights, and `lora` leaves them as they are: take out one"
            )
        return self

    def _check_on_policy(self) -> None:
        """Refuse what a student cannot have that learns from its own answers alone."""
        assert self.soft is not None
        soft = self.soft
        wrong = {
            "`soft.teacher` names several": len(soft.teacher) > 1,
            "`soft.reads` is `passage`; the teacher reads what the student answered": soft.reads != "prompt",
            "`soft.alpha` is not 1; no words are learned": soft.alpha != 1.0,
            "`soft.temperature` is a list; there is one, of sampling and of learning": len(soft.temperature) > 1,
            "`soft.hidden` is set": soft.hidden is not None,
            "`batch.replay` is not 0; there is no replay": self.batch.replay > 0,
            "`layer_rate` is not 1": self.layer_rate != 1.0,
            "`reasoning` is `before_answer`; no words are learned": self.reasoning != "none",
        }  # fmt: skip
        if found := next((what for what, true in wrong.items() if true), None):
            raise ValueError(
                f"`method: on_policy` learns from the student's own answers, and {found}; set it back, or "
                "choose `method: logits_online`"
            )
