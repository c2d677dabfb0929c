"""A student from a base and a dataset: plan the batches, train, keep the best weights."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig

from stillhouse.base.errors import InputError
from stillhouse.base.runtime import Runtime, choose_device
from stillhouse.distill.batches import collate, plan_batches
from stillhouse.distill.checkpoints import Checkpoints, SaveNow, read_progress
from stillhouse.distill.distributions import Distributions
from stillhouse.distill.encode import Encoded
from stillhouse.distill.params import Lora, Student
from stillhouse.distill.trainer import StudentTrainer

log = logging.getLogger(__name__)

_EVAL_BATCH = 16
# In tokens. On a CPU the backward pass of torch's fused attention took a fifth of a step of short rows; plain
# matrix products take a fraction of that, but hold [rows, heads, length, length] scores for each layer.
_SHORT = 384


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One logged step of training; what was not measured at that step is ``None``."""

    step: int
    learning_rate: float | None
    cross_entropy: float | None
    replay_kl: float | None
    grad_norm: float | None
    validation_loss: float | None


@dataclass(frozen=True, slots=True)
class Trained:
    """The student's best weights, how they came about, and what training them took in tokens."""

    model: PreTrainedModel
    curve: tuple[CurvePoint, ...]
    steps: int
    best_step: int
    tokens: int


def load_model(folder: Path) -> PreTrainedModel:
    """Return the model of a Hugging Face folder in float32: optimiser steps are lost in less."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def load_student(
    folder: Path, rows: Sequence[Encoded], runtime: Runtime, *, freeze_embeddings: bool
) -> PreTrainedModel:
    """Return the base of a student, ready to learn ``rows``.

    With ``freeze_embeddings`` the matrix of the token embeddings keeps the base's values; where the
    model's head is the same matrix (tied weights), so does the head.
    """
    model = load_model(folder)
    if choose_device(runtime) == "cpu" and max(len(row.input_ids) for row in rows) <= _SHORT:
        model.set_attn_implementation("eager")
    if freeze_embeddings:
        model.get_input_embeddings().requires_grad_(False)
    return model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a Hugging Face folder, with a padding token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def train_student(
    base: Path,
    *,
    train: Sequence[Encoded],
    validation: Sequence[Encoded],
    distributions: Distributions | None,
    params: Student,
    runtime: Runtime,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train a student and return it with the weights of its lowest validation loss.

    Args:
        base: the Hugging Face folder to start from.
        train: rows to learn, of all kinds.
        validation: rows whose mean loss decides when to stop; without any, the last weights win.
        distributions: what the base would have said on the replay rows; ``None`` learns their words.
        params: the student's section of ``params.yaml``.
        runtime: device and threads; they change no result on one kind of machine.
        checkpoints: where to begin again after a kill; ``None`` keeps none.

    Raises:
        InputError: nothing is left to learn.
    """
    batches = plan_batches(train, params.batch, params.epochs, params.seed)
    if not batches[0]:
        raise InputError("no rows to train on", where="data/dataset/train.parquet")
    tokenizer = load_tokenizer(base)
    keeper = BestWeights(params.patience)
    with tempfile.TemporaryDirectory(prefix="stillhouse-train-") as scratch:
        folder = checkpoints.folder if checkpoints else Path(scratch)
        trainer = StudentTrainer(
            model=load_student(base, train, runtime, freeze_embeddings=params.freeze_embeddings),
            args=_arguments(folder, len(batches[0]), bool(validation), params, runtime),
            train_dataset=_index_dataset([index for batch in batches for index in batch]),
            eval_dataset=_index_dataset(_offsets(train, validation)) if validation else None,
            data_collator=_collator([*train, *validation], tokenizer, distributions),
            processing_class=tokenizer,
            peft_config=_lora(params.lora),
            callbacks=[keeper],
            replay_weight=params.replay_weight,
        )
        trainer.train(resume_from_checkpoint=_go_on(trainer, keeper, checkpoints))
    model = keeper.restore(trainer.model)
    if params.lora is not None:
        model = model.merge_and_unload()
    return Trained(
        model=model,
        curve=_curve(trainer.state.log_history),
        steps=trainer.state.global_step,
        best_step=keeper.best_step or trainer.state.global_step,
        tokens=trainer.train_tokens,
    )


def _go_on(
    trainer: StudentTrainer, keeper: "BestWeights", checkpoints: Checkpoints | None
) -> str | None:
    """Return the checkpoint to go on from, with what the trainer's own state does not hold put back."""
    if checkpoints is None:
        return None
    if checkpoints.every:
        trainer.add_callback(SaveNow(checkpoints, keeper, lambda: trainer.train_tokens))
    found = checkpoints.find()
    if found is None:
        return None
    progress, keeper.weights = read_progress(found)
    keeper.best_step, keeper.worse = progress.best_step, progress.worse
    keeper.best_loss = float("inf") if progress.best_loss is None else progress.best_loss
    trainer.train_tokens = progress.tokens
    log.info("going on from step %d, where the last run was stopped", progress.step)
    return str(found)


class BestWeights(TrainerCallback):
    """Keep the trainable weights of the lowest validation loss; stop after ``patience`` worse looks."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best_loss = float("inf")
        self.best_step = 0
        self.worse = 0
        self.weights: dict[str, torch.Tensor] = {}

    def on_evaluate(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the signature is the base class's
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Compare the loss that was just measured with the best so far."""
        loss = state.log_history[-1]["eval_loss"]
        if loss < self.best_loss:
            self.best_loss, self.best_step, self.worse = loss, state.global_step, 0
            self.weights = {
                name: value.detach().to("cpu", copy=True)
                for name, value in kwargs["model"].named_parameters()
                if value.requires_grad
            }
            return
        self.worse += 1
        if self.worse >= self.patience:
            log.info("early stop at step %d: best was step %d", state.global_step, self.best_step)
            control.should_training_stop = True

    def restore(self, model: Any) -> Any:
        """Return the model with the best weights put back, or as it is when none were measured."""
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in self.weights.items():
                parameters[name].copy_(value)
        self.weights = {}
        return model


def _arguments(
    scratch: Path, batch: int, validate: bool, params: Student, runtime: Runtime
) -> SFTConfig:
    return SFTConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=_EVAL_BATCH,
        num_train_epochs=1,  # the plan already holds every epoch
        train_sampling_strategy="sequential",
        learning_rate=params.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=params.warmup_steps,
        weight_decay=params.weight_decay,
        max_grad_norm=params.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=True,
        use_cpu=choose_device(runtime) == "cpu",
        activation_checkpointing=params.gradient_checkpointing,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        dataloader_pin_memory=False,
        eval_strategy="steps" if validate else "no",
        eval_steps=params.eval_every,
        logging_steps=10,
        save_strategy="no",
        report_to="none",
        seed=params.seed,
        data_seed=params.seed,
    )


def _index_dataset(indices: Sequence[int]) -> Dataset:
    return Dataset.from_dict({"index": list(indices)})


def _offsets(train: Sequence[Encoded], validation: Sequence[Encoded]) -> list[int]:
    """Return the places of validation rows behind the training rows, by length to save padding."""
    order = sorted(range(len(validation)), key=lambda index: len(validation[index].input_ids))
    return [len(train) + index for index in order]


def _collator(
    rows: Sequence[Encoded],
    tokenizer: PreTrainedTokenizerBase,
    distributions: Distributions | None,
) -> Any:
    def pick(examples: list[dict[str, int]]) -> dict[str, torch.Tensor]:
        return collate(
            [rows[example["index"]] for example in examples], tokenizer.pad_token_id, distributions
        )

    return pick


def _lora(lora: Lora | None) -> LoraConfig | None:
    if lora is None:
        return None
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _curve(history: list[dict[str, float]]) -> tuple[CurvePoint, ...]:
    points = []
    for entry in history:
        if "eval_loss" not in entry and "learning_rate" not in entry:
            continue  # the closing summary: run times, which no hashed output may hold
        points.append(
            CurvePoint(
                step=int(entry["step"]),
                learning_rate=entry.get("learning_rate"),
                cross_entropy=entry.get("cross_entropy"),
                replay_kl=entry.get("replay_kl"),
                grad_norm=entry.get("grad_norm"),
                validation_loss=entry.get("eval_loss"),
            )
        )
    return tuple(points)
