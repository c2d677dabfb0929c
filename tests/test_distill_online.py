"""Students that ask their teacher at every step, that match its layers, that have fewer of their own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from stillhouse.distill.bases import weights_sha256
from stillhouse.distill.batches import Targets, collate
from stillhouse.distill.encode import Encoded, Reading
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.params import Hidden, Soft, Student
from stillhouse.distill.students import save_student
from stillhouse.distill.train import Trained, train_student
from stillhouse.distill.trainer import PROJECTIONS
from tests.test_distill_train import (
    PARAMS,
    RUNTIME,
    SOFT,
    base,
    capture,
    capture_taught,
    distance,
    rows,
    teacher,
    train,
)
from tests.tiny import build_tiny_model

__all__ = ["base", "rows", "teacher"]  # fixtures

ONLINE = SOFT.model_copy(update={"alpha": 1.0, "temperature": (1.0,)})
ASKING = PARAMS.model_copy(
    update={"method": "logits_online", "soft": ONLINE, "epochs": 12, "patience": 99}
)


def read_plainly(rows: list[Encoded]) -> dict[str, Reading]:
    taught = (row for row in rows if row.task != "replay")
    return {r.row_id: Reading(r.row_id, r.tokens_id, r.input_ids, r.start) for r in taught}


def train_online(
    base: Path, teacher: Path, rows: list[Encoded], params: Student = ASKING
) -> Trained:
    return train_student(
        base, train=rows, validation=rows[:4], targets=Targets(live=read_plainly(rows)),
        params=params, runtime=RUNTIME, teachers=(load_model(teacher),),
    )  # fmt: skip


@pytest.mark.parametrize("divergence", ["forward", "reverse", "jensen_shannon"])
def test_a_student_that_asks_comes_as_near_as_one_of_captured_tokens(
    base: Path, teacher: Path, rows: list[Encoded], divergence: str
) -> None:
    soft = ONLINE.model_copy(update={"divergence": divergence, "top_k": 10_000})
    asking = ASKING.model_copy(update={"soft": soft})
    online = train_online(base, teacher, rows, asking)
    taught = [row for row in rows if row.task != "replay"]
    origin = replace(capture_taught(teacher, rows, soft).taught.origin, top_k=600)
    vocabulary = load_model(base).config.vocab_size
    captured = Targets(taught=capture(teacher, taught, replace(origin, top_k=vocabulary)))
    offline = train(base, rows, asking.model_copy(update={"method": "logits"}), captured)
    near, other = distance(online, teacher, rows), distance(offline, teacher, rows)
    assert near < 0.7 * distance(train(base, rows, PARAMS, Targets()), teacher, rows)
    assert near == pytest.approx(other, rel=0.1)  # one rounds to bfloat16, the other to float16


def test_asking_twice_gives_the_same_weights(
    base: Path, teacher: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        trained = train_online(base, teacher, rows)
        save_student(tmp_path / name, trained, load_tokenizer(base), "bfloat16")
    assert weights_sha256(tmp_path / "a") == weights_sha256(tmp_path / "b")


def test_what_a_teacher_reads_comes_back_in_the_order_of_the_student(rows: list[Encoded]) -> None:
    taught = sorted((r for r in rows if r.task != "replay"), key=lambda r: len(r.input_ids))
    readings = {  # the shortest row is the longest to read
        row.row_id: Reading(row.row_id, "", (7,) * (40 - 3 * place) + row.input_ids[row.start :], 40 - 3 * place)
        for place, row in enumerate(taught)
    }  # fmt: skip
    batch = collate(rows, 0, Targets(live=readings))
    lengths = batch["live_attention_mask"].sum(1)
    assert lengths.tolist() == sorted(lengths.tolist())
    said = batch["live_input_ids"][:, 1:][batch["live_wanted"]][batch["live_order"]]
    marked = batch["taught_mask"][:, 1:]
    assert torch.equal(said, batch["input_ids"][:, 1:][marked])


def match(loss: str, **changes: object) -> Soft:
    hidden = Hidden(layers=((1, 1), (2, 2)), loss=loss, weight=1.0)
    return ONLINE.model_copy(update={"hidden": hidden, "alpha": 0.0, **changes})


@pytest.mark.parametrize("loss", ["cosine", "mse"])
@pytest.mark.parametrize("method", ["logits", "logits_online"])
def test_matching_hidden_states_brings_them_together_and_leaves_no_trace(
    base: Path, teacher: Path, rows: list[Encoded], loss: str, method: str, tmp_path: Path
) -> None:
    params = ASKING.model_copy(update={"soft": match(loss), "method": method})
    if method == "logits":
        targets = capture_taught(teacher, rows)
        origin = replace(targets.taught.origin, layers=(1, 2), hidden=32, temperatures=(1.0,))
        taught = [row for row in rows if row.task != "replay"]
        trained = train(base, rows, params, Targets(taught=capture(teacher, taught, origin)))
    else:
        trained = train_online(base, teacher, rows, params)
    measured = [point.hidden for point in trained.curve if point.hidden is not None]
    assert measured[-1] < 0.8 * measured[0]
    assert not hasattr(trained.model, PROJECTIONS)
    save_student(tmp_path, trained, load_tokenizer(base), "float32")
    assert (
        AutoModelForCausalLM.from_pretrained(tmp_path).num_parameters()
        == load_model(base).num_parameters()
    )


def test_a_wider_teachers_states_are_met_through_a_projection(
    base: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    build_tiny_model(tmp_path, hidden_size=48)
    trained = train_online(base, tmp_path, rows, ASKING.model_copy(update={"soft": match("mse")}))
    measured = [point.hidden for point in trained.curve if point.hidden is not None]
    assert measured[-1] < measured[0]


def test_a_student_of_fewer_layers_learns_and_says_so_in_its_configuration(
    base: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    build_tiny_model(tmp_path / "deep", layers=6)
    params = PARAMS.model_copy(update={"keep_layers": 3})
    trained = train(tmp_path / "deep", rows, params, Targets())
    assert trained.model.config.num_hidden_layers == 3
    save_student(tmp_path / "student", trained, load_tokenizer(base), "float32")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "student").config.num_hidden_layers == 3
    losses = [p.validation_loss for p in trained.curve if p.validation_loss is not None]
    assert losses[-1] < losses[0]


def test_lower_layers_learn_slower_by_the_factor(base: Path, rows: list[Encoded]) -> None:
    slow = train(base, rows, PARAMS.model_copy(update={"layer_rate": 0.01, "max_grad_norm": 1e9}))
    even = train(base, rows, PARAMS.model_copy(update={"max_grad_norm": 1e9}))
    before = load_model(base).state_dict()

    def moved(trained: Trained, name: str) -> float:
        return (trained.model.state_dict()[name] - before[name]).abs().mean().item()

    low, high = (f"model.layers.{number}.mlp.up_proj.weight" for number in (0, 1))
    assert 0.3 < moved(even, low) / moved(even, high) < 3
    assert moved(slow, low) / moved(slow, high) < 0.05
    assert moved(slow, "model.embed_tokens.weight") < moved(slow, low)
    shown = [[point.learning_rate for point in one.curve] for one in (slow, even)]
    assert shown[0] == shown[1]  # the rate that is logged is the last layer's
