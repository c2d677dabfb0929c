"""Training with a tiny, randomly initialised student: what it learns, and what it leaves behind."""

import warnings
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

from stillhouse.base.runtime import Runtime
from stillhouse.distill.bases import weights_sha256
from stillhouse.distill.batches import collate
from stillhouse.distill.capture import capture_base, capture_distributions
from stillhouse.distill.distributions import Distributions, Origin
from stillhouse.distill.encode import Encoded, encode_rows
from stillhouse.distill.params import BatchMix, Lora, Student
from stillhouse.distill.students import save_student
from stillhouse.distill.train import (
    Trained,
    _arguments,
    load_model,
    load_student,
    load_tokenizer,
    train_student,
)
from stillhouse.distill.trainer import StudentTrainer
from tests.test_distill_batches import row_of
from tests.tiny import build_tiny_model

RUNTIME = Runtime(device="cpu", threads=1)
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


def capture(base: Path, rows: list[Encoded]) -> Distributions:
    replay = [row for row in rows if row.task == "replay"]
    ids, log_probs = capture_distributions(load_model(base), replay, 8, RUNTIME)
    spans, place = {}, 0
    for row in replay:
        end = place + len(row.input_ids) - row.start
        spans[row.row_id], place = (place, end), end
    return Distributions(Origin("tiny", "", "", 0, 8), ids, log_probs, spans)


def test_rows_that_are_captured_together_keep_their_order_and_their_numbers(base: Path) -> None:
    asked = [("Colour?", "Red or blue."), ("Colour of it?", "Red."), ("Colour or blue?", "Red.")]
    replay = encode_rows(
        [row_of("replay", question, said, f"r{n}") for n, (question, said) in enumerate(asked)],
        load_tokenizer(base),
        200,
    )
    first, _, last = replay
    assert len(first.input_ids) == len(last.input_ids)  # these two are scored in one pass ...
    assert first.start != last.start  # ... though their answers begin elsewhere
    model = load_model(base)
    alone = [capture_distributions(model, [row], 8, RUNTIME) for row in replay]
    ids, log_probs = capture_distributions(model, replay, 8, RUNTIME)
    assert torch.equal(ids, torch.cat([found for found, _ in alone]))
    assert torch.allclose(log_probs, torch.cat([kept for _, kept in alone]), atol=1e-5)


def train(base: Path, rows: list[Encoded], params: Student = PARAMS) -> Trained:
    return train_student(
        base, train=rows, validation=rows[:4], distributions=capture(base, rows),
        params=params, runtime=RUNTIME,
    )  # fmt: skip


def test_without_rows_nothing_is_loaded_to_capture_nothing(tmp_path: Path) -> None:
    ids, log_probs = capture_base(tmp_path / "no model", [], 8, RUNTIME)
    assert (ids.shape, log_probs.shape) == ((0, 8), (0, 8))


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
        arguments = _arguments(Path("x"), 3, True, PARAMS, RUNTIME)
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
        batch = collate([row for row in rows if row.task == "replay"], 0, None)
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            log_q = model(**inputs).logits.float().log_softmax(-1)
            log_p = load_model(base)(**inputs).logits.float().log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)[batch["labels"] >= 0].mean().item()

    assert drift(10.0) < 0.5 * drift(0.0)


def test_the_loss_equals_that_of_trl(base: Path, rows: list[Encoded], tmp_path: Path) -> None:
    from datasets import Dataset

    tokenizer = load_tokenizer(base)
    taught = [row for row in rows if row.task == "recall"]
    config = SFTConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=None,
        gradient_checkpointing=False, dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
    )  # fmt: skip
    batch = collate(taught, tokenizer.pad_token_id, None)
    losses = []
    for kind, more in ((SFTTrainer, {}), (StudentTrainer, {"replay_weight": 0.0})):
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
            inputs.pop("soft_mask")
        losses.append(trainer.compute_loss(trainer.model, inputs).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_shared_beginning_changes_neither_loss_nor_gradient(
    base: Path, rows: list[Encoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.distill import trainer

    batch = collate(rows, 0, None)
    wanted = batch["labels"][:, 1:] >= 0
    assert trainer.count_shared(batch["input_ids"], wanted) > 2

    def gradients() -> dict[str, torch.Tensor]:
        model = load_model(base)
        logits = trainer._score(model, batch, wanted)
        torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:][wanted]).backward()
        return {name: value.grad for name, value in model.named_parameters()}

    together = gradients()
    monkeypatch.setattr(trainer, "count_shared", lambda *_: 0)
    monkeypatch.setattr(trainer, "group_rows", lambda lengths: [slice(0, len(lengths))])
    for name, gradient in gradients().items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-4, atol=1e-6)


def test_rows_are_grouped_where_padding_would_cost_more_than_another_run() -> None:
    from stillhouse.distill.trainer import group_rows

    assert group_rows([30] * 10 + [220] * 2) == [slice(0, 10), slice(10, 12)]
    assert group_rows([20] * 8 + [35] * 4) == [slice(0, 12)]
    assert group_rows([20, 21, 22]) == [slice(0, 3)]
    assert group_rows([300]) == [slice(0, 1)]
