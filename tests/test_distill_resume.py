"""A killed run of each way of distilling goes on where it stood: schedules, projections and all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stillhouse.distill.batches import Targets
from stillhouse.distill.checkpoints import Checkpoints
from stillhouse.distill.distributions import Distributions, Origin
from stillhouse.distill.encode import Encoded
from stillhouse.distill.loading import load_model
from stillhouse.distill.params import Hidden, Soft
from stillhouse.distill.schedules import Ramp
from stillhouse.distill.train import Trained, train_student
from tests.test_checkpoints import ALWAYS, Killed, kill_after
from tests.test_distill_online import read_plainly
from tests.test_distill_train import PARAMS, RUNTIME, base, capture, capture_replay, rows
from tests.tiny import build_tiny_model

__all__ = ("base", "rows")  # fixtures

SCHEDULED = Soft(
    teacher="teacher", top_k=16, temperature=(4.0, 2.0, 1.0), alpha=Ramp(start=0.9, end=0.1)
)
MATCHED = SCHEDULED.model_copy(update={"hidden": Hidden(layers=((1, 1), (2, 2)), loss="mse")})
WIDTH = 48
RECIPES = {
    "logits": {"method": "logits", "soft": SCHEDULED},
    "hidden": {"method": "logits", "soft": MATCHED, "layer_rate": 0.8},
    "online": {"method": "logits_online", "soft": MATCHED},
    "fewer-layers": {"method": "logits", "soft": SCHEDULED, "keep_layers": 2},
}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of which a student can leave a layer out."""
    folder = tmp_path_factory.mktemp("deep")
    build_tiny_model(folder, layers=3)
    return folder


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher whose hidden states only a learned projection reaches."""
    folder = tmp_path_factory.mktemp("wide")
    build_tiny_model(folder, seed=1, hidden_size=WIDTH)
    return folder


def capture_from(wide: Path, rows: list[Encoded], soft: Soft) -> Distributions:
    taught = [row for row in rows if row.task != "replay"]
    origin = Origin("wide", "", "", "", "", 0, "prompt", soft.top_k, soft.temperatures)
    if soft.hidden:
        origin = replace(origin, layers=soft.teacher_layers, hidden=WIDTH)
    return capture(wide, taught, origin)


def start(
    base: Path, wide: Path, rows: list[Encoded], recipe: str
) -> Callable[[Checkpoints | None], Trained]:
    """Return what trains a recipe of ``RECIPES``, asking for the same things each time."""
    params = PARAMS.model_copy(update={"eval_every": 5, "patience": 99, **RECIPES[recipe]})
    assert params.soft is not None
    replay = capture_replay(base, rows).replay
    online = params.method == "logits_online"
    taught = None if online else capture_from(wide, rows, params.soft)
    targets = Targets(replay, taught, read_plainly(rows) if online else {})
    return lambda checkpoints: train_student(
        base, train=rows, validation=rows[:4], targets=targets, params=params, runtime=RUNTIME,
        checkpoints=checkpoints, teachers=(load_model(wide),) if online else (),
    )  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_killed_distillation_ends_as_an_undisturbed_one(
    deep: Path,
    wide: Path,
    rows: list[Encoded],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
) -> None:
    train = start(deep, wide, rows, recipe)
    undisturbed = train(None)
    for steps in (13, 11):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_after(steps, patch)
            train(Checkpoints(tmp_path, ALWAYS))
    found = Checkpoints(tmp_path, ALWAYS).find()
    assert found is not None
    assert found.name == "checkpoint-20"
    resumed = train(Checkpoints(tmp_path, ALWAYS))
    assert resumed.curve == undisturbed.curve
    weights = resumed.model.state_dict()
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(weights[name], value), name
