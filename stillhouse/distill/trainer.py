"""TRL's ``SFTTrainer`` with the losses of distillation, at the positions that are learned alone.

A batch may be spread over processes: what is a mean over tokens is one over those of all processes, so
that as many processes as one likes learn what one would, but for rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import PreTrainedModel
from trl.trainer.sft_trainer import SFTTrainer

from stillhouse.distill.batches import IGNORED
from stillhouse.distill.capture import average
from stillhouse.distill.layers import scale_rates
from stillhouse.distill.losses import (
    dense_divergence,
    hidden_distance,
    mix_losses,
    sparse_divergence,
    temper,
)
from stillhouse.distill.params import Soft
from stillhouse.distill.schedules import temperature_at, value_at
from stillhouse.distill.scoring import Scored, score

PROJECTIONS = "hidden_projections"  # the submodule that goes when training ends


@dataclass(frozen=True, slots=True)
class Mix:
    """How the losses of a step are weighed, and what is asked while training runs.

    ``replay_weight`` is that of the KL to the base on replay rows. ``soft`` says how much of the rest is
    the teacher's distribution, and at which temperature; ``None`` learns words alone. ``teachers`` are
    asked at every step; without any, what was captured stands in the batch.
    """

    replay_weight: float
    soft: Soft | None = None
    teachers: tuple[PreTrainedModel, ...] = ()
    layer_rate: float = 1.0


class StudentTrainer(SFTTrainer):
    """Cross-entropy on completions, mixed with the distance to what teachers say of them."""

    def __init__(self, *args: Any, mix: Mix, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mix = mix
        for teacher in mix.teachers:
            teacher.requires_grad_(False)
            teacher.train(mode=False)
            nn.Module.to(teacher, self.accelerator.device)

    @property
    def train_tokens(self) -> int:
        """How many tokens have been trained on, padding not counted."""
        return self._total_train_tokens

    @train_tokens.setter
    def train_tokens(self, count: int) -> None:
        self._total_train_tokens = count

    def get_train_dataloader(self) -> Any:
        """Return the planned batches, of which each process takes every so manieth row."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        if world == 1:
            return super().get_train_dataloader()
        size, count = int(self.args.per_device_train_batch_size), len(self.train_dataset)  # type: ignore[arg-type]
        own = [list(range(start + rank, start + size, world)) for start in range(0, count, size)]
        return DataLoader(self.train_dataset, batch_sampler=own, collate_fn=self.data_collator)  # type: ignore[arg-type]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the optimizer, with one group of parameters for each learning rate."""
        if self.mix.layer_rate == 1.0 or self.optimizer is not None:
            return super().create_optimizer() if model is None else super().create_optimizer(model)
        learner: Any = self.model if model is None else model
        decays = set(self.get_decay_parameter_names(learner))
        groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
        for name, weight, factor in scale_rates(learner, self.mix.layer_rate):
            groups.setdefault((factor, name in decays), []).append(weight)
        kind, options = self.get_optimizer_cls_and_kwargs(self.args, learner)
        described = [
            {"params": weights, "lr": self.args.learning_rate * factor,
             "weight_decay": self.args.weight_decay if decayed else 0.0}
            for (factor, decayed), weights in sorted(groups.items(), key=lambda one: one[0], reverse=True)
        ]  # fmt: skip
        self.optimizer = kind(described, **options)
        return self.optimizer

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the batch's loss; each part of it is a mean over its tokens of the optimiser step.

        ``cross_entropy``, ``distillation`` (without T²) and ``replay_kl`` are logged in nats a token.
        """
        mode = "train" if model.training else "eval"
        labels = inputs["labels"][:, 1:]
        replay, taught = (inputs[f"{kind}_mask"][:, 1:] for kind in ("replay", "taught"))
        hard = labels != IGNORED
        wanted = hard | replay
        counts = Counts(*self._sum(torch.stack([hard.sum(), replay.sum(), taught.sum()]), mode))
        layers = self._student_layers() if mode == "train" and counts.taught else ()
        with self.accelerator.autocast():  # the backbone is called past the wrapper that autocasts
            scored = score(model, inputs["input_ids"], inputs["attention_mask"], wanted, layers)
        words = hard[wanted]
        ce = functional.cross_entropy(scored.logits[words].float(), labels[hard], reduction="sum")
        items = counts.hard if num_items_in_batch is None else num_items_in_batch
        loss = ce = self._spread(ce, mode) / torch.as_tensor(items).clamp(min=1)
        self._log(mode, "cross_entropy", ce)
        if self.mix.soft is not None and mode == "train" and counts.taught:
            loss = self._mix_soft(self.mix.soft, ce, scored, taught[wanted], inputs, counts.taught)
        if counts.replay:
            apart = _measure(scored.logits[replay[wanted]], inputs, "replay", 0, 1.0, "forward")
            kl = self._spread(apart.sum(), mode) / counts.replay
            self._log(mode, "replay_kl", kl)
            loss = loss + self.mix.replay_weight * kl
        self._count_tokens(mode, inputs["attention_mask"])
        return (loss, {"loss": loss}) if return_outputs else loss

    def _mix_soft(
        self,
        soft: Soft,
        ce: torch.Tensor,
        scored: Scored,
        taught: torch.Tensor,
        inputs: dict[str, torch.Tensor],
        count: int,
    ) -> torch.Tensor:
        """Return α · T² · divergence + (1 − α) · cross-entropy + w · hidden, with this step's α and T."""
        progress = self.state.global_step / max(1, self.state.max_steps)
        temperature = temperature_at(soft.temperature, progress)
        alpha = value_at(soft.alpha, progress)
        own = scored.logits[taught]
        if self.mix.teachers:
            said = self._ask_teachers(inputs)
            apart = dense_divergence(
                own, said.logits, temperature=temperature, kind=soft.divergence
            )
            states: Sequence[torch.Tensor] = said.states
        else:
            place = soft.temperatures.index(temperature)
            apart = _measure(own, inputs, "taught", place, temperature, soft.divergence)
            states = inputs["taught_hidden"].unbind(1) if soft.hidden and len(apart) else ()
        kd = self._spread(apart.sum().float(), "train") / count
        if (self.state.global_step + 1) % int(self.args.logging_steps) == 0:  # as it will be logged
            for name, part in (("cross_entropy", ce), ("distillation", kd)):
                (slope,) = torch.autograd.grad(part, scored.logits, retain_graph=True)
                self._log("train", f"{name}_gradient", slope.norm())
        self._log("train", "distillation", kd)
        self._log("train", "alpha", torch.tensor(alpha, device=kd.device))
        self._log("train", "temperature", torch.tensor(temperature, device=kd.device))
        loss = mix_losses(ce, kd, alpha=alpha, temperature=temperature)
        if soft.hidden is not None:
            hidden = self._match_hidden(soft, [state[taught] for state in scored.states], states)
            hidden = self._spread(hidden, "train") / count
            self._log("train", "hidden", hidden)
            loss = loss + soft.hidden.weight * hidden
        return loss

    def _ask_teachers(self, inputs: dict[str, torch.Tensor]) -> Scored:
        """Return what the teachers say now, in the order of the student's taught positions."""
        if "live_input_ids" not in inputs:  # none of this process's rows is taught
            width = self.mix.teachers[0].config.get_text_config().vocab_size
            return Scored(torch.zeros(0, width, device=self.accelerator.device))
        ids, mask, wanted = (
            inputs[f"live_{name}"] for name in ("input_ids", "attention_mask", "wanted")
        )
        layers = self.mix.soft.teacher_layers if self.mix.soft else ()
        with torch.no_grad(), self.accelerator.autocast():
            each = [score(teacher, ids, mask, wanted, layers) for teacher in self.mix.teachers]
        order = inputs["live_order"]
        said = average([one.logits[order] for one in each])
        return Scored(said, tuple(state[order] for state in each[0].states))

    def _student_layers(self) -> list[int]:
        soft = self.mix.soft
        return [own for own, _ in soft.hidden.layers] if soft and soft.hidden else []

    def _match_hidden(
        self, soft: Soft, own: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the summed distance of hidden states over positions, a mean over the chosen layers."""
        assert soft.hidden is not None
        projections = getattr(self.accelerator.unwrap_model(self.model), PROJECTIONS)
        projected = [
            project(state.float()) for project, state in zip(projections, own, strict=True)
        ]
        theirs = theirs or [torch.zeros_like(state) for state in projected]  # of no position
        parts = [
            hidden_distance(state, other, soft.hidden.loss).sum()
            for state, other in zip(projected, theirs, strict=True)
        ]
        return torch.stack(parts).mean()

    def _sum(self, counts: torch.Tensor, mode: str) -> Iterator[int]:
        """Yield counts of this step, those of all processes where they train one batch together."""
        if mode == "train" and self.accelerator.num_processes > 1:
            counts = self.accelerator.reduce(counts, reduction="sum")
        return (int(count) for count in counts)

    def _spread(self, value: torch.Tensor, mode: str) -> torch.Tensor:
        """Return a process's share of a sum so that the mean over processes, of gradients, is the sum."""
        return value * self.accelerator.num_processes if mode == "train" else value

    def _log(self, mode: str, name: str, value: torch.Tensor) -> None:
        if self.accelerator.num_processes > 1:
            value = self.accelerator.gather(value.detach().float().reshape(1)).mean()
        self._metrics[mode][name].append(value.item())

    def _count_tokens(self, mode: str, attention_mask: torch.Tensor) -> None:
        if mode == "train":
            self._total_train_tokens += next(self._sum(attention_mask.sum().reshape(1), mode))
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["index"]  # type: ignore[assignment]  # Trainer starts it as None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tokens of a step are learned as words, held to the base, and learned from a teacher."""

    hard: int
    replay: int
    taught: int


def _measure(
    logits: torch.Tensor,
    inputs: dict[str, torch.Tensor],
    kind: str,
    place: int,
    temperature: float,
    divergence: Any,
) -> torch.Tensor:
    """Return the distance [positions] of the logits to the captured tokens of one kind, in float64.

    ``place`` is that of the temperature among those that were captured.
    """
    if not len(logits):
        return logits.sum(-1).double()  # none of this process's rows is of this kind
    tails = inputs[f"{kind}_tails"][:, place]
    teacher = temper(inputs[f"{kind}_log_probs"], tails, temperature)
    return sparse_divergence(
        logits, inputs[f"{kind}_ids"], teacher, temperature=temperature, kind=divergence
    )
