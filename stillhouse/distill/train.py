"""A student from a base and a dataset: plan the batches, train, keep the best weights."""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.tensor import DTensor
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig

from stillhouse.base.errors import InputError
from stillhouse.base.processes import count_processes, is_first, spreads_weights
from stillhouse.base.runtime import Runtime, choose_device
from stillhouse.distill.batches import Targets, collate, plan_batches
from stillhouse.distill.checkpoints import Checkpoints, SaveNow, read_progress
from stillhouse.distill.encode import Encoded
from stillhouse.distill.layers import choose_layers, drop_layers
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.on_policy import OnPolicyTrainer, configure, freeze, index_prompts
from stillhouse.distill.params import Lora, Student
from stillhouse.distill.processes import check_alone
from stillhouse.distill.trainer import PROJECTIONS, Mix, StudentTrainer

log = logging.getLogger(__name__)

_EVAL_BATCH = 16
# In tokens. On a CPU the backward pass of torch's fused attention took a fifth of a step of short rows; plain
# matrix products take a fraction of that, but hold [rows, heads, length, length] scores for each layer.
_SHORT = 384
_LOGGED = (  # by the names under which the trainer logs them
    "learning_rate", "cross_entropy", "distillation", "replay_kl", "alpha", "temperature",
    "cross_entropy_gradient", "distillation_gradient", "hidden", "grad_norm",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One logged step of training; what was not measured at that step is ``None``."""

    step: int
    learning_rate: float | None
    cross_entropy: float | None
    distillation: float | None
    replay_kl: float | None
    alpha: float | None
    temperature: float | None
    cross_entropy_gradient: float | None
    distillation_gradient: float | None
    hidden: float | None
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


def load_student(
    folder: Path,
    rows: Sequence[Encoded],
    runtime: Runtime,
    *,
    freeze_embeddings: bool,
    keep_layers: int | Sequence[int] | None = None,
) -> PreTrainedModel:
    """Return the base of a student, ready to learn ``rows``.

    With ``freeze_embeddings`` the matrix of the token embeddings keeps the base's values; where the
    model's head is the same matrix (tied weights), so does the head. ``keep_layers`` leaves it so many
    of its layers, or those.

    Raises:
        InputError: the base has not those layers.
    """
    model = load_model(folder)
    if keep_layers is not None:
        count = model.config.get_text_config().num_hidden_layers
        model = drop_layers(model, choose_layers(count, keep_layers))
    attend_plainly(model, [len(row.input_ids) for row in rows], runtime)
    if freeze_embeddings:
        model.get_input_embeddings().requires_grad_(False)
    return model


def attend_plainly(model: PreTrainedModel, lengths: Sequence[int], runtime: Runtime) -> None:
    """Let a model attend by plain matrix products where that is faster: on a CPU, with short rows."""
    if choose_device(runtime) == "cpu" and max(lengths) <= _SHORT:
        model.set_attn_implementation("eager")


def train_student(
    base: Path,
    *,
    train: Sequence[Encoded],
    validation: Sequence[Encoded],
    targets: Targets,
    params: Student,
    runtime: Runtime,
    checkpoints: Checkpoints | None = None,
    teachers: tuple[PreTrainedModel, ...] = (),
) -> Trained:
    """Train a student and return it with the weights of its lowest validation loss.

    Args:
        base: the Hugging Face folder to start from.
        train: rows to learn, of all kinds.
        validation: rows whose mean loss decides when to stop; without any, the last weights win.
        targets: what teachers were captured to say on some rows; without, words alone are learned.
        params: the student's section of ``params.yaml``.
        runtime: device and threads. Sums in bfloat16 round otherwise in another number of threads, and
            on another kind of machine: equal weights come of equal ones.
        checkpoints: where to begin again after a kill; ``None`` keeps none.
        teachers: asked at every step what ``targets.live`` reads, their probabilities averaged.

    Raises:
        InputError: nothing is left to learn, or it cannot be learned by so many processes.
    """
    batches = plan_batches(train, params.batch, params.epochs, params.seed)
    if not batches[0]:
        raise InputError("no rows to train on", where="data/dataset/train.parquet")
    if len(batches[0]) < count_processes():
        raise InputError(
            f"a step has {len(batches[0])} rows, and {count_processes()} processes are to share it",
            where="students.<name>.batch",
            expected="a row for each process at least",
        )
    check_alone(params.method, several=count_processes() > 1)
    tokenizer = load_tokenizer(base)

    def build() -> PreTrainedModel:
        student = load_student(
            base, train, runtime,
            freeze_embeddings=params.freeze_embeddings, keep_layers=params.keep_layers,
        )  # fmt: skip
        _add_projections(student, params, targets, teachers)
        return student

    keeper = BestWeights(params.patience)
    with tempfile.TemporaryDirectory(prefix="stillhouse-train-") as scratch:
        folder = checkpoints.folder if checkpoints else Path(scratch)
        shared = _describe(folder, len(batches[0]), bool(validation), params, runtime)
        order = [index for batch in batches for index in batch], _offsets(train, validation)
        rows: list[Encoded] = [*train, *validation]
        told = {
            "model": build(),
            "processing_class": tokenizer,
            "peft_config": _lora(params.lora),
            "callbacks": [keeper],
        }
        trainer: StudentTrainer | OnPolicyTrainer
        if params.method == "on_policy":
            trainer = _answer_first(order, rows, params, teachers, shared, told)
        else:
            learned, checked = (Dataset.from_dict({"index": places}) for places in order)
            trainer = StudentTrainer(
                **told,
                args=_arguments(shared),
                train_dataset=learned,
                eval_dataset=checked if validation else None,
                data_collator=_collator(rows, tokenizer, targets),
                mix=Mix(params.replay_weight, params.soft, teachers, params.layer_rate),
            )
        trainer.train(resume_from_checkpoint=_go_on(trainer, keeper, checkpoints))
    model = _collect(keeper.restore(trainer.model), build, params.lora)
    if hasattr(model, PROJECTIONS):
        delattr(model, PROJECTIONS)
    if params.lora is not None:
        model = model.merge_and_unload()
    return Trained(
        model=model,
        curve=_curve(trainer.state.log_history),
        steps=trainer.state.global_step,
        best_step=keeper.best_step or trainer.state.global_step,
        tokens=trainer.train_tokens,
    )


def _add_projections(
    student: PreTrainedModel,
    params: Student,
    targets: Targets,
    teachers: Sequence[PreTrainedModel],
) -> None:
    """Put what brings hidden states to the teacher's width under the student, where it learns with it.

    Of equal widths it begins as the identity, else as an orthogonal map.
    """
    if params.soft is None or params.soft.hidden is None:
        return
    if teachers:
        theirs = teachers[0].config.get_text_config().hidden_size
    else:
        assert targets.taught is not None
        theirs = targets.taught.origin.hidden
    own = student.config.get_text_config().hidden_size
    generator = torch.Generator().manual_seed(params.seed)
    projections = torch.nn.ModuleList()
    for _ in params.soft.hidden.layers:
        project = torch.nn.Linear(own, theirs, bias=False)
        if own == theirs:
            torch.nn.init.eye_(project.weight)
        else:
            torch.nn.init.orthogonal_(project.weight, generator=generator)
        projections.append(project)
    student.add_module(PROJECTIONS, projections)


def _collect(model: Any, build: Callable[[], PreTrainedModel], lora: Lora | None) -> Any:
    """Return the model, or where its weights are spread over processes one that holds all of them.

    Such a one is put together in the first process alone; the others keep their share.
    """
    if not spreads_weights():
        return model
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(model, options=whole)
    if not is_first():
        return model
    adapter = _lora(lora)
    clean: Any = build() if adapter is None else get_peft_model(build(), adapter)
    clean.load_state_dict(weights)
    return clean


def _go_on(
    trainer: StudentTrainer | OnPolicyTrainer,
    keeper: "BestWeights",
    checkpoints: Checkpoints | None,
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
        self.spread = spreads_weights()

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
                name: own_part(value).to("cpu", copy=True)
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
                own_part(parameters[name]).copy_(value)
        self.weights = {}
        return model


def own_part(weight: torch.Tensor) -> torch.Tensor:
    """Return the part of a weight that this process holds: all of it, or a share under FSDP."""
    return weight.to_local().detach() if isinstance(weight, DTensor) else weight.detach()


def _answer_first(
    order: tuple[Sequence[int], Sequence[int]],
    rows: Sequence[Encoded],
    params: Student,
    teachers: Sequence[PreTrainedModel],
    shared: Mapping[str, Any],
    told: Mapping[str, Any],
) -> OnPolicyTrainer:
    """Return the trainer of a student that learns from its own answers to ``order``, rows by their places."""
    assert params.soft is not None
    (teacher,) = teachers
    learned, checked = (index_prompts(places) for places in order)
    return OnPolicyTrainer(
        **told,
        teacher_model=freeze(teacher),
        args=configure(params.soft, shared),
        train_dataset=learned,
        eval_dataset=checked if len(checked) else None,
        rows=rows,
    )


def _arguments(shared: Mapping[str, Any]) -> SFTConfig:
    return SFTConfig(
        **shared,
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
    )


def _describe(
    scratch: Path, batch: int, validate: bool, params: Student, runtime: Runtime
) -> dict[str, Any]:
    """Return what every trainer is told."""
    return {
        "output_dir": str(scratch),
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": _EVAL_BATCH,
        "num_train_epochs": 1,  # the plan already holds every epoch
        "learning_rate": params.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": params.warmup_steps,
        "weight_decay": params.weight_decay,
        "max_grad_norm": params.max_grad_norm,
        "optim": "adamw_torch_fused",
        "bf16": True,
        "use_cpu": choose_device(runtime) == "cpu",
        "activation_checkpointing": params.gradient_checkpointing,
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,  # projections learn outside of the model's own forward pass
        "eval_strategy": "steps" if validate else "no",
        "eval_steps": params.eval_every,
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "seed": params.seed,
        "data_seed": params.seed,
    }


def _offsets(train: Sequence[Encoded], validation: Sequence[Encoded]) -> list[int]:
    """Return the places of validation rows behind the training rows, by length to save padding."""
    order = sorted(range(len(validation)), key=lambda index: len(validation[index].input_ids))
    return [len(train) + index for index in order]


def _collator(
    rows: Sequence[Encoded],
    tokenizer: PreTrainedTokenizerBase,
    targets: Targets,
) -> Any:
    def pick(examples: list[dict[str, int]]) -> dict[str, torch.Tensor]:
        return collate(
            [rows[example["index"]] for example in examples], tokenizer.pad_token_id, targets
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
                validation_loss=entry.get("eval_loss"),
                **{name: entry.get(name) for name in _LOGGED},
            )
        )
    return tuple(points)
