"""What distillation costs: a step from captured distributions against words alone, a live teacher and TRL.

Every recipe trains the same rows in the same batches from the same base, its embeddings frozen as those of
the shipped student (``--embeddings`` trains them, too); the teacher is that base, so both are of equal size,
and reads what the student reads. Each measurement is a process of its own, set up as the stage ``train`` is,
for its peak memory, and the recipes take turns. The peer is TRL's ``GKDTrainer`` with ``lmbda=0``: fixed
rows and a live teacher. A step is the time from the end of one to the end of the next, the making of its
batch included; padding is not counted as work done. Of each step the fastest of all turns counts, since
what else a machine does makes one only slower; what is printed is the median of those over the steps.

``python -m bench.distill``; ``--rounds 6`` for more turns.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import stages  # noqa: F401 - how threads wait is set before torch is imported
from bench.processes import ROOT, describe_machine, run

TRAIN: Final = Path("data/dataset/train.parquet")
BASE: Final = "smollm2-135m-instruct"
RECIPES: Final = ("sft", "offline", "online", "offline-10", "online-10", "gkd")
LAYERS: Final = 10  # of thirty
STEPS, WARM, WIDTH, TOP_K = 12, 2, 12, 64
SHOWN: Final = {
    "sft": "words alone",
    "offline": "captured, k = 64",
    "online": "live teacher",
    "offline-10": "captured, 10 layers",
    "online-10": "live teacher, 10 layers",
    "gkd": "TRL GKDTrainer",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each step after the warm-up, tokens in such a step (median), and the peak in megabytes."""

    steps: list[float]
    tokens: float
    memory: float = 0.0

    @property
    def seconds(self) -> float:
        """The median of the steps."""
        return statistics.median(self.steps)


def main() -> None:
    """Print seconds, tokens a second and memory of each recipe, and the ratios that matter."""
    args = _read_arguments()
    if args.measure:
        print(
            json.dumps(
                asdict(measure(args.measure, args.captured, train_embeddings=args.embeddings))
            )
        )
        return
    print(describe_machine())
    found: dict[str, list[Measured]] = {name: [] for name in RECIPES}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        capture(folder)
        for _ in range(args.rounds):
            for name, measured in found.items():
                measured.append(_measure_apart(name, folder, train_embeddings=args.embeddings))
    report({name: _best(measured) for name, measured in found.items()})


def report(found: dict[str, Measured]) -> None:
    """Print a line for each recipe, then the ratios."""
    for name, one in found.items():
        print(f"{SHOWN[name]:<24}{one.seconds:6.2f} s a step {one.tokens / one.seconds:7.0f} tokens/s "
              f"{one.memory:6.0f} MB")  # fmt: skip
    seconds = {name: one.seconds for name, one in found.items()}
    print(f"captured against words alone: {seconds['sft'] / seconds['offline']:.2f} of its speed, "
          f"{found['offline'].memory / found['sft'].memory:.2f} of its memory")  # fmt: skip
    for name, what in (("", "equal size"), ("-10", "10 of 30 layers")):
        ratio = seconds[f"online{name}"] / seconds[f"offline{name}"]
        print(f"captured against a live teacher, {what}: {ratio:.2f} times as fast")
    print(f"live teacher against TRL's: {seconds['gkd'] / seconds['online']:.2f} times as fast")


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.distill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="turns of each recipe (default 4)")
    parser.add_argument("--embeddings", action="store_true", help="train the embeddings, too")
    parser.add_argument("--measure", choices=RECIPES, help=argparse.SUPPRESS)
    parser.add_argument("--captured", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure_apart(name: str, folder: Path, *, train_embeddings: bool) -> Measured:
    command = [sys.executable, "-m", "bench.distill", "--measure", name, "--captured", str(folder)]
    done = run((*command, *(["--embeddings"] if train_embeddings else [])), ROOT)
    told = json.loads(done.printed.splitlines()[-1])
    return Measured(told["steps"], told["tokens"], done.memory)


def _best(measured: list[Measured]) -> Measured:
    """Return each step at its fastest turn, with the greatest peak of all."""
    steps = [min(turns) for turns in zip(*(one.steps for one in measured), strict=True)]
    return Measured(steps, measured[0].tokens, max(one.memory for one in measured))


def capture(folder: Path) -> None:
    """Write what the base says on the rows of the batches."""
    from stillhouse.base.runtime import load_runtime
    from stillhouse.distill.capture import Sources, capture_rows, open_store
    from stillhouse.distill.distributions import write_distributions
    from stillhouse.distill.encode import Reading
    from stillhouse.distill.loading import load_model

    base, origin = _open_base()
    rows = [
        Reading(row.row_id, row.tokens_id, row.input_ids, row.start)
        for row in {row.row_id: row for batch in _plan() for row in batch}.values()
    ]
    store = open_store(folder / "store", origin)
    read, _ = capture_rows(rows, origin, lambda: [load_model(base)], Sources(store), load_runtime())
    write_distributions(folder / "captured", origin, rows, read)


def measure(name: str, folder: Path, *, train_embeddings: bool) -> Measured:
    """Train a few steps by one recipe and return what they took."""
    from stillhouse.base.runtime import load_runtime, use_threads

    use_threads(load_runtime())
    batches, build = _plan(), _build_peer if name == "gkd" else _build_ours
    clock = _clock()
    with tempfile.TemporaryDirectory() as scratch:
        trainer = build(name, folder, batches, scratch, freeze_embeddings=not train_embeddings)
        trainer.add_callback(clock)
        trainer.train()
    sizes = [sum(len(row.input_ids) for row in batch) for batch in batches[WARM:]]
    return Measured(clock.seconds[WARM - 1 :], statistics.median(sizes))


def _clock() -> Any:
    from transformers import TrainerCallback

    class StepClock(TrainerCallback):
        """Keep the seconds from the end of one optimiser step to the end of the next."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self._last: float | None = None

        def on_step_end(self, *_: Any, **__: Any) -> None:
            now = time.perf_counter()
            if self._last is not None:
                self.seconds.append(now - self._last)
            self._last = now

    return StepClock()


def _open_base() -> tuple[Path, Any]:
    from stillhouse.base.home import home
    from stillhouse.distill.bases import open_base
    from stillhouse.distill.parts import describe_origin

    base = open_base(BASE, home() / "bases")
    return base.folder, describe_origin(base, (base,), TOP_K, (2.0,))


def _plan() -> list[list[Any]]:
    """Return the rows of each step."""
    from stillhouse.base.records import Row
    from stillhouse.base.tables import read_all
    from stillhouse.distill.batches import plan_batches
    from stillhouse.distill.encode import encode_rows
    from stillhouse.distill.loading import load_tokenizer
    from stillhouse.distill.params import BatchMix

    rows = encode_rows(read_all(TRAIN, Row), load_tokenizer(_open_base()[0]), 640)
    mix = BatchMix(taught=WIDTH, abstain=0.0, replay=0)
    plan = plan_batches(rows, mix, epochs=1, seed=0)[:STEPS]
    return [[rows[index] for index in batch] for batch in plan]


def _build_ours(
    name: str, folder: Path, batches: list[list[Any]], scratch: str, *, freeze_embeddings: bool
) -> Any:
    from stillhouse.base.runtime import load_runtime
    from stillhouse.distill.batches import Targets, collate
    from stillhouse.distill.distributions import read_distributions
    from stillhouse.distill.encode import Reading
    from stillhouse.distill.loading import load_model, load_tokenizer
    from stillhouse.distill.params import Soft
    from stillhouse.distill.train import attend_plainly, load_student
    from stillhouse.distill.trainer import Mix, StudentTrainer

    base, origin = _open_base()
    tokenizer, rows = load_tokenizer(base), [row for batch in batches for row in batch]
    targets, soft, teachers = Targets(), None, []
    if name != "sft":
        soft = Soft(teacher=(BASE,), top_k=TOP_K)
    if name.startswith("offline"):
        wanted = {row.row_id: row.tokens_id for row in rows}
        targets = Targets(taught=read_distributions(folder / "captured", origin, wanted))
    elif name.startswith("online"):
        live = {
            row.row_id: Reading(row.row_id, row.tokens_id, row.input_ids, row.start) for row in rows
        }
        targets, teachers = Targets(live=live), [load_model(base)]
        attend_plainly(teachers[0], [len(row.input_ids) for row in rows], load_runtime())
    return StudentTrainer(
        model=load_student(
            base, rows, load_runtime(), freeze_embeddings=freeze_embeddings,
            keep_layers=LAYERS if name.endswith("-10") else None,
        ),
        data_collator=lambda found: collate(
            batches[found[0]["index"]], tokenizer.pad_token_id, targets
        ),
        processing_class=tokenizer,
        mix=Mix(0.0, soft, tuple(teachers)),
        **_arguments(batches, scratch),
    )  # fmt: skip


def _build_peer(
    _: str, __: Path, batches: list[list[Any]], scratch: str, *, freeze_embeddings: bool
) -> Any:
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    from stillhouse.base.runtime import load_runtime
    from stillhouse.distill.batches import collate
    from stillhouse.distill.loading import load_model, load_tokenizer
    from stillhouse.distill.train import attend_plainly, load_student

    base, _origin = _open_base()
    tokenizer, rows = load_tokenizer(base), [row for batch in batches for row in batch]
    teacher = load_model(base)
    attend_plainly(teacher, [len(row.input_ids) for row in rows], load_runtime())

    def pick(found: list[dict[str, int]]) -> dict[str, Any]:
        batch = collate(batches[found[0]["index"]], tokenizer.pad_token_id)
        return {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}

    return GKDTrainer(
        model=load_student(base, rows, load_runtime(), freeze_embeddings=freeze_embeddings),
        teacher_model=teacher,
        data_collator=pick,
        processing_class=tokenizer,
        **_arguments(batches, scratch, GKDConfig, lmbda=0.0, beta=0.0),
    )


def _arguments(
    batches: list[list[Any]], scratch: str, kind: Any = None, **more: Any
) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from trl import SFTConfig

    config = (kind or SFTConfig)(
        output_dir=scratch, per_device_train_batch_size=1, num_train_epochs=1,
        train_sampling_strategy="sequential", learning_rate=1e-4, weight_decay=0.0,
        optim="adamw_torch_fused", bf16=True, use_cpu=not torch.cuda.is_available(),
        activation_checkpointing=False, dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False, max_length=None, logging_steps=5, dataloader_pin_memory=False,
        save_strategy="no", report_to="none", disable_tqdm=True, **more,
    )  # fmt: skip
    return {
        "args": config,
        "train_dataset": Dataset.from_dict({"index": list(range(len(batches)))}),
    }


if __name__ == "__main__":
    main()
