"""TRL's ``DistillationTrainer`` on rows that are tokens already: the student answers, its teacher scores the answer.

At every step the student samples an answer to each prompt, and is drawn at each of its tokens to the
teacher's distribution there (Agarwal et al. 2024, arXiv:2306.13649, with λ = 1). What a row was answered
with is not learned. TRL samples and measures at one temperature, and has no factor T².
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from datasets import Dataset
from transformers import PreTrainedModel
from trl.trainer.distillation_config import DistillationConfig
from trl.trainer.distillation_trainer import DistillationTrainer

from stillhouse.distill.encode import Encoded
from stillhouse.distill.losses import Divergence
from stillhouse.distill.params import Soft

BETA: Final[Mapping[Divergence, float]] = {"forward": 0.0, "jensen_shannon": 0.5, "reverse": 1.0}


class OnPolicyTrainer(DistillationTrainer):
    """A student that answers ``rows`` itself; the column ``prompt`` of a dataset is a row's place in them."""

    def __init__(self, *args: Any, rows: Sequence[Encoded], **kwargs: Any) -> None:
        self.rows = rows
        super().__init__(*args, **kwargs)

    @property
    def train_tokens(self) -> int:
        """How many tokens of prompts and of the student's own answers have been trained on."""
        return int(self.state.num_input_tokens_seen)

    @train_tokens.setter
    def train_tokens(self, count: int) -> None:
        self.state.num_input_tokens_seen = count

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the divergence a token, which is logged as ``distillation``, in nats."""
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss = found[0] if return_outputs else found
        mode = "train" if self.model.training else "eval"  # type: ignore[union-attr]
        self._metrics[mode]["distillation"].append(loss.item())
        self._metrics[mode]["temperature"].append(self.temperature)
        return found

    def _tokenize_prompts(self, prompts: list[int]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Return the prompts as every other method reads them."""
        rows = (self.rows[place] for place in prompts)
        return [list(row.input_ids[: row.start]) for row in rows], None, {}


def index_prompts(places: Sequence[int]) -> Dataset:
    """Return a dataset of the rows at these places, in this order."""
    return Dataset.from_dict({"prompt": list(places)})


def configure(soft: Soft, shared: Mapping[str, Any]) -> DistillationConfig:
    """Return TRL's configuration of a student that answers itself.

    Args:
        soft: divergence, the one temperature, and how long an answer may get.
        shared: what all trainers are told.
    """
    (temperature,) = soft.temperature
    return DistillationConfig(
        **shared,
        beta=BETA[soft.divergence],
        temperature=temperature,
        max_completion_length=soft.max_new_tokens,
        shuffle_dataset=False,
        disable_dropout=False,
    )


def freeze(teacher: PreTrainedModel) -> PreTrainedModel:
    """Return a teacher that learns nothing."""
    teacher.requires_grad_(False)
    torch.nn.Module.train(teacher, mode=False)
    return teacher
