"""Training with a tiny, randomly initialised student: what it learns, and what it leaves behind."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.runtime import Runtime
from stillhouse.distill.bases import weights_sha256
from stillhouse.distill.batches import Targets, collate
from stillhouse.distill.capture import Sources, capture_rows
from stillhouse.distill.distributions import Distributions, Origin
from stillhouse.distill.encode import Encoded, Reading, encode_rows
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.params import BatchMix, Lora, Soft, Student
from stillhouse.distill.schedules import Ramp
from stillhouse.distill.students import save_student
from stillhouse.distill.train import Trained, _arguments, _describe, load_student, train_student
from stillhouse.distill.trainer import Mix, StudentTrainer
from tests.test_distill_batches import row_of
from tests.tiny import build_tiny_model

RUNTIME = Runtime(device="cpu", threads=1)
REPLAY = Origin("tiny", "", "", "", "", 0, "prompt", 8, (1.0,))
PARAMS = Student(
    model="tiny",
    method="sft",
    epochs=8,
    batch=BatchMix(taught=2, abstain=0.25, replay=1),
    learning_rate=5e-3,
    warmup_steps=2,
    weight_decay=0.0,
    max_grad_norm=1.0,
    replay_weight=0.1,
    replay_top_k=8,
    max_tokens=200,
    freeze_embeddings=False,
    lora=None,
    gradient_checkpointing=False,
    eval_every=4,
    patience=3,
    save_dtype="float32",
    seed=0,
)
SOFT = Soft(teacher="teacher", top_k=16, temperature=(4.0, 1.0), alpha=0.9)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    build_tiny_model(folder)
    return folder


@pytest.fixture(scope="module")
def rows(base: Path) -> list[Encoded]:
    written = [row_of("recall", f"How long is thing {n}?", f"{n} days.", f"t{n}") for n in range(6)]
    written += [row_of("abstain", f"Why {n}?", "Not said.", f"a{n}") for n in range(2)]
    written += [row_of("replay", f"Colour {n}?", "Red or blue.", f"r{n}") for n in range(2)]
    return encode_rows(written, load_tokenizer(base), 200)


def capture(base: Path, rows: list[Encoded], origin: Origin = REPLAY) -> Distributions:
    """Capture the base's own words on rows, without a file but the store's."""
    readings = [Reading(row.row_id, row.tokens_id, row.input_ids, row.start) for row in rows]
    store = ByteStore(base / "captured.sqlite")
    vocabulary = load_model(base).config.vocab_size
    origin = replace(origin, vocabulary=vocabulary)
    read, _ = capture_rows(readings, origin, lambda: [load_model(base)], Sources(store), RUNTIME)
    found = Distributions(lambda _: None, origin, {row.row_id: None for row in rows})  # type: ignore[misc]
    found.of_row = lambda row_id: read([row_id])[0]  # type: ignore[method-assign]
    return found


def capture_replay(base: Path, rows: list[Encoded]) -> Targets:
    return Targets(replay=capture(base, [row for row in rows if row.task == "replay"]))


def train(
    base: Path, rows: list[Encoded], params: Student = PARAMS, targets: Targets | None = None
) -> Trained:
    return train_student(
        base, train=rows, validation=rows[:4], targets=targets or capture_replay(base, rows),
        params=params, runtime=RUNTIME,
    )  # fmt: skip


def test_training_lowers_the_loss_and_counts_its_tokens(base: Path, rows: list[Encoded]) -> None:
    trained = train(base, rows)
    losses = [p.validation_loss for p in trained.curve if p.validation_loss is not None]
    assert losses[-1] < 0.7 * losses[0]
    assert trained.steps == 32
    assert trained.tokens > 32 * 3 * 5


def test_the_same_inputs_give_the_same_weights(
    base: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        save_student(tmp_path / name, train(base, rows), load_tokenizer(base), "bfloat16")
    assert weights_sha256(tmp_path / "a") == weights_sha256(tmp_path / "b")


def test_a_saved_student_loads_and_holds_no_pickle(
    base: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    save_student(tmp_path, train(base, rows), load_tokenizer(base), "bfloat16")
    assert AutoModelForCausalLM.from_pretrained(tmp_path).num_parameters() > 0
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".jinja"}


def test_low_rank_training_is_merged_into_plain_weights(
    base: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    lora = PARAMS.model_copy(update={"lora": Lora(rank=4, alpha=8)})
    save_student(tmp_path, train(base, rows, lora), load_tokenizer(base), "float32")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    before = load_model(base).state_dict()
    assert merged.keys() == before.keys()
    assert any(not torch.equal(merged[name], before[name]) for name in before)


def test_frozen_embeddings_are_the_bases_own_and_all_else_learns(
    base: Path, rows: list[Encoded]
) -> None:
    frozen = PARAMS.model_copy(update={"freeze_embeddings": True})
    trained = train(base, rows, frozen).model.state_dict()
    before = load_model(base).state_dict()
    same = {name for name in before if torch.equal(trained[name], before[name])}
    assert same == {"model.embed_tokens.weight", "lm_head.weight"}


def test_only_short_rows_on_a_cpu_are_attended_to_by_plain_products(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    short = [row_of("recall", "How long?", "5 days.", "short")]
    long = [row_of("recall", "How long " * 300 + "?", "5 days.", "long")]
    chosen = [
        load_student(base, encode_rows(rows, tokenizer, 4000), RUNTIME, freeze_embeddings=False)
        for rows in (short, [*short, *long])
    ]
    assert [model.config._attn_implementation for model in chosen] == ["eager", "sdpa"]


def test_training_is_asked_for_in_no_deprecated_words() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        arguments = _arguments(_describe(Path("x"), 3, True, PARAMS, RUNTIME))
    assert arguments.gradient_checkpointing is False


@pytest.mark.parametrize("frozen", [False, True])
def test_gradient_checkpointing_learns_the_same(
    base: Path, rows: list[Encoded], frozen: bool
) -> None:
    curves = [
        train(base, rows, PARAMS.model_copy(update={
            "gradient_checkpointing": saving, "freeze_embeddings": frozen, "epochs": 1,
        })).curve
        for saving in (False, True)
    ]  # fmt: skip
    kept, saved = ([p.validation_loss for p in curve if p.validation_loss] for curve in curves)
    assert saved == pytest.approx(kept, rel=1e-3)


def test_early_stop_returns_the_weights_of_the_best_look(base: Path, rows: list[Encoded]) -> None:
    params = PARAMS.model_copy(
        update={"learning_rate": 0.5, "epochs": 40, "eval_every": 1, "patience": 2}
    )
    trained = train(base, rows, params)
    assert trained.best_step < trained.steps < 120


def test_replay_by_distribution_keeps_the_student_nearer_to_its_base(
    base: Path, rows: list[Encoded]
) -> None:
    def drift(weight: float) -> float:
        heavy = PARAMS.model_copy(update={"replay_weight": weight})
        model = train(base, rows, heavy).model
        batch = collate([row for row in rows if row.task == "replay"], 0)
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            log_q = model(**inputs).logits.float().log_softmax(-1)
            log_p = load_model(base)(**inputs).logits.float().log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)[batch["labels"] >= 0].mean().item()

    assert drift(10.0) < 0.5 * drift(0.0)


@pytest.fixture(scope="module")
def teacher(base: Path, rows: list[Encoded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that knows the rows well: the base, trained on them for long."""
    folder = tmp_path_factory.mktemp("soft") / "teacher"
    longer = PARAMS.model_copy(update={"epochs": 30, "learning_rate": 1e-2})
    save_student(folder, train(base, rows, longer), load_tokenizer(base), "float32")
    return folder


def capture_taught(teacher: Path, rows: list[Encoded], soft: Soft = SOFT) -> Targets:
    taught = [row for row in rows if row.task != "replay"]
    origin = Origin("tiny", "", "", "", "", 0, "prompt", soft.top_k, soft.temperatures)
    return Targets(taught=capture(teacher, taught, origin))


def distance(student: Trained, teacher: Path, rows: list[Encoded]) -> float:
    """Return KL(teacher ‖ student) over the taught tokens, in nats a token."""
    batch = collate([row for row in rows if row.task == "recall"], 0)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        log_q = student.model(**inputs).logits.double().log_softmax(-1)[:, :-1]
        log_p = load_model(teacher)(**inputs).logits.double().log_softmax(-1)[:, :-1]
    return (log_p.exp() * (log_p - log_q)).sum(-1)[batch["labels"][:, 1:] >= 0].mean().item()


@pytest.mark.parametrize("divergence", ["forward", "reverse", "jensen_shannon"])
def test_a_student_of_distributions_comes_nearer_to_its_teacher(
    base: Path, teacher: Path, rows: list[Encoded], divergence: str
) -> None:
    soft = SOFT.model_copy(update={"divergence": divergence, "alpha": 1.0, "temperature": (1.0,)})
    params = PARAMS.model_copy(
        update={"method": "logits", "soft": soft, "epochs": 12, "patience": 99}
    )
    words = train(base, rows, params.model_copy(update={"method": "sft", "soft": None}), Targets())
    learned = train(base, rows, params, capture_taught(teacher, rows, soft))
    assert distance(learned, teacher, rows) < 0.9 * distance(words, teacher, rows)


def test_the_mix_changes_as_its_schedules_say_and_is_logged_with_its_slopes(
    base: Path, teacher: Path, rows: list[Encoded]
) -> None:
    soft = SOFT.model_copy(update={"alpha": Ramp(start=0.8, end=0.0)})
    params = PARAMS.model_copy(
        update={"method": "logits", "soft": soft, "epochs": 10, "patience": 99}
    )
    curve = train(base, rows, params, capture_taught(teacher, rows, soft)).curve
    logged = [point for point in curve if point.distillation is not None]
    assert [point.step for point in logged] == [10, 20, 30, 40]
    assert [point.temperature for point in logged] == [4.0, 4.0, 1.0, 1.0]
    for point in logged:  # the mean over the ten steps before it
        assert point.alpha == pytest.approx(0.8 * (1 - (point.step - 5.5) / 40))
        assert point.cross_entropy_gradient > 0
        assert point.distillation_gradient > 0


def test_the_loss_of_a_step_is_the_formula(base: Path, teacher: Path, rows: list[Encoded]) -> None:
    from datasets import Dataset

    taught = [row for row in rows if row.task != "replay"]
    soft = SOFT.model_copy(update={"temperature": (4.0,)})
    trainer = StudentTrainer(
        model=load_model(base),
        args=SFTConfig(
            output_dir=str(base / "scratch"), use_cpu=True, bf16=False, report_to="none",
            gradient_checkpointing=False, dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=Dataset.from_dict({"index": [0]}),
        processing_class=load_tokenizer(base),
        mix=Mix(0.0, soft),
    )  # fmt: skip
    batch = collate(taught, 0, capture_taught(teacher, rows, soft))
    found = trainer.compute_loss(trainer.model.train(), batch).item()
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    hard = batch["labels"][:, 1:] >= 0
    with torch.no_grad():
        z = load_model(base)(**inputs).logits[:, :-1][hard].double()
        p = (load_model(teacher)(**inputs).logits[:, :-1][hard].double() / 4).softmax(-1)
    ids = batch["taught_ids"]

    def merge(probabilities: torch.Tensor) -> torch.Tensor:
        others = probabilities.scatter(-1, ids, 0.0).sum(-1, keepdim=True)
        return torch.cat([probabilities.gather(-1, ids), others], dim=-1)

    teachers, students = merge(p), merge((z / 4).softmax(-1))
    kl = (teachers * (teachers / students).log()).sum(-1).mean()
    ce = torch.nn.functional.cross_entropy(z, batch["labels"][:, 1:][hard])
    assert found == pytest.approx((0.9 * 16 * kl + 0.1 * ce).item(), rel=1e-3)  # float16 tokens


def test_the_same_captured_tokens_give_the_same_weights(
    base: Path, teacher: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    params = PARAMS.model_copy(update={"method": "logits", "soft": SOFT})
    for name in ("a", "b"):
        trained = train(base, rows, params, capture_taught(teacher, rows))
        save_student(tmp_path / name, trained, load_tokenizer(base), "bfloat16")
    assert weights_sha256(tmp_path / "a") == weights_sha256(tmp_path / "b")


def test_the_loss_equals_that_of_trl(base: Path, rows: list[Encoded], tmp_path: Path) -> None:
    from datasets import Dataset

    tokenizer = load_tokenizer(base)
    taught = [row for row in rows if row.task == "recall"]
    config = SFTConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=None,
        gradient_checkpointing=False, dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
    )  # fmt: skip
    batch = collate(taught, tokenizer.pad_token_id)
    losses = []
    for kind, more in ((SFTTrainer, {}), (StudentTrainer, {"mix": Mix(0.0)})):
        data = Dataset.from_dict({"input_ids": [[1]], "labels": [[1]]})
        trainer = kind(
            model=load_model(base),
            args=config,
            train_dataset=data,
            processing_class=tokenizer,
            **more,
        )
        inputs = dict(batch)
        if kind is SFTTrainer:
            inputs = {name: inputs[name] for name in ("input_ids", "attention_mask", "labels")}
        losses.append(trainer.compute_loss(trainer.model, inputs).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_shared_beginning_changes_neither_loss_nor_gradient(
    base: Path, rows: list[Encoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.distill import scoring

    batch = collate(rows, 0)
    wanted = batch["labels"][:, 1:] >= 0
    assert scoring.count_shared(batch["input_ids"], wanted) > 2

    def gradients() -> dict[str, torch.Tensor]:
        model = load_model(base)
        passed = (batch[name] for name in ("input_ids", "attention_mask"))
        logits = scoring.score(model, *passed, wanted).logits
        torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:][wanted]).backward()
        return {name: value.grad for name, value in model.named_parameters()}

    together = gradients()
    monkeypatch.setattr(scoring, "count_shared", lambda *_: 0)
    monkeypatch.setattr(scoring, "group_rows", lambda lengths: [slice(0, len(lengths))])
    for name, gradient in gradients().items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-4, atol=1e-6)


def test_rows_are_grouped_where_padding_would_cost_more_than_another_run() -> None:
    from stillhouse.distill.scoring import group_rows

    assert group_rows([30] * 10 + [220] * 2) == [slice(0, 10), slice(10, 12)]
    assert group_rows([20] * 8 + [35] * 4) == [slice(0, 12)]
    assert group_rows([20, 21, 22]) == [slice(0, 3)]
    assert group_rows([300]) == [slice(0, 1)]
