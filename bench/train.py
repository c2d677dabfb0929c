"""Training speed: our trainer against TRL's own, on the same batches, alternating in one run.

The peer is ``SFTTrainer`` with gradient checkpointing off, bf16, the same fused optimiser and the same
collated batches, once with the fused attention that it loads by default and once with the plain one that
``load_student`` chooses for short rows on a CPU; the ratio is to the faster of the two. Padding is not
counted as work done.

The losses are compared twice: in bf16, where rows that are grouped otherwise also round otherwise,
and in fp32, where equal mathematics must give equal losses.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from stillhouse.base.home import home
from stillhouse.base.records import Row
from stillhouse.base.runtime import load_runtime, use_threads
from stillhouse.base.tables import read_all
from stillhouse.distill.bases import open_base
from stillhouse.distill.batches import collate, plan_batches
from stillhouse.distill.encode import Encoded, encode_rows
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.params import BatchMix
from stillhouse.distill.train import load_student
from stillhouse.distill.trainer import Mix, StudentTrainer

STEPS, WARM, ROUNDS, WIDTH = 12, 2, 2, 12
FUSED, PLAIN, OURS = "SFTTrainer, fused", "SFTTrainer, plain", "StudentTrainer"
EXACT_STEPS = 6
TRAIN = Path("data/dataset/train.parquet")


@dataclass(frozen=True, slots=True)
class Measured:
    """Median seconds a step after the warm-up, and every step's loss."""

    seconds: float
    losses: tuple[float, ...]


class StepClock(TrainerCallback):
    """Time each optimiser step and keep its logged loss."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self._began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self._began)

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def measure(
    base: Path,
    rows: list[Encoded],
    batches: list[dict[str, torch.Tensor]],
    who: str,
    bf16: bool = True,
) -> Measured:
    """Train from the base over the given batches and return what it took."""
    clock, ours = StepClock(), who == OURS
    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch,
            per_device_train_batch_size=1,
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            learning_rate=1e-4,
            weight_decay=0.0,
            optim="adamw_torch_fused",
            bf16=bf16,
            use_cpu=not torch.cuda.is_available(),
            activation_checkpointing=False,
            dataset_kwargs={"skip_prepare_dataset": True},
            remove_unused_columns=False,
            max_length=None,
            logging_steps=1,
            dataloader_pin_memory=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        kind: Callable[..., SFTTrainer] = StudentTrainer if ours else SFTTrainer
        more = {"mix": Mix(0.0)} if ours else {}
        trainer = kind(
            model=load_model(base)
            if who == FUSED
            else load_student(base, rows, load_runtime(), freeze_embeddings=False),
            args=config,
            train_dataset=Dataset.from_dict({"index": list(range(len(batches)))}),
            data_collator=lambda examples: _strip(batches[examples[0]["index"]], ours),
            processing_class=load_tokenizer(base),
            callbacks=[clock],
            **more,
        )
        trainer.train()
    return Measured(statistics.median(clock.seconds[WARM:]), tuple(clock.losses))


def main() -> None:
    """Print tokens a second of both, their ratio, and the largest difference of a loss."""
    use_threads(load_runtime())
    base = open_base("smollm2-135m-instruct", home() / "bases").folder
    tokenizer = load_tokenizer(base)
    rows = encode_rows(read_all(TRAIN, Row), tokenizer, 512)
    batches = _batches(rows, tokenizer.pad_token_id)
    tokens = statistics.median(int(batch["attention_mask"].sum()) for batch in batches[WARM:])
    results: dict[str, list[Measured]] = {FUSED: [], PLAIN: [], OURS: []}
    for _ in range(ROUNDS):
        for who, measured in results.items():
            measured.append(measure(base, rows, batches, who))
    best = {who: min(one.seconds for one in measured) for who, measured in results.items()}
    for who, seconds in best.items():
        print(f"{who:<18}{seconds:6.2f} s a step  {tokens / seconds:7.0f} tokens/s without padding")
    ratio = min(best[FUSED], best[PLAIN]) / best[OURS]
    apart = max(
        _compare(one, other) for one, other in zip(results[PLAIN], results[OURS], strict=True)
    )
    print(f"ratio {ratio:.2f}, losses apart by at most {apart:.1e} over {STEPS} steps in bf16")
    exact = [measure(base, rows, batches[:EXACT_STEPS], who, bf16=False) for who in (PLAIN, OURS)]
    print(f"losses apart by at most {_compare(*exact):.1e} over {EXACT_STEPS} steps in fp32")


def _compare(one: Measured, other: Measured) -> float:
    """Return the largest difference between two runs' losses of a step."""
    return max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))


def _batches(rows: list[Encoded], pad: int) -> list[dict[str, torch.Tensor]]:
    mix = BatchMix(taught=WIDTH, abstain=0.0, replay=0)
    plan = plan_batches(rows, mix, epochs=1, seed=0)[:STEPS]
    return [collate([rows[index] for index in batch], pad) for batch in plan]


def _strip(batch: dict[str, torch.Tensor], ours: bool) -> dict[str, torch.Tensor]:
    return {
        name: value
        for name, value in batch.items()
        if ours or not name.endswith("_mask") or name == "attention_mask"
    }


if __name__ == "__main__":
    main()
