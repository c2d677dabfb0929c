"""Students that learn from their own answers: TRL's losses are ours, and they come nearer to their teacher."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from pydantic import ValidationError
from trl.trainer.distillation_trainer import _chunked_divergence_loss

import stages.train as stage
import stillhouse.distill.train as module
from stillhouse.base.errors import InputError
from stillhouse.base.runtime import Runtime
from stillhouse.distill.bases import open_base, read_positions, weights_sha256
from stillhouse.distill.batches import Targets
from stillhouse.distill.checkpoints import Checkpoints
from stillhouse.distill.encode import Encoded, Reading
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.losses import Divergence, dense_divergence
from stillhouse.distill.on_policy import BETA, OnPolicyTrainer
from stillhouse.distill.params import BatchMix, Lora, Soft, Student
from stillhouse.distill.parts import choose_rows, list_parts
from stillhouse.distill.students import save_student
from stillhouse.distill.train import Trained, train_student
from tests.test_checkpoints import ALWAYS, Killed
from tests.test_distill_batches import row_of
from tests.test_distill_train import PARAMS, RUNTIME, base, distance, rows, teacher

__all__ = ["base", "rows", "teacher"]  # fixtures

SOFT = Soft(teacher="teacher", alpha=1.0, temperature=1.0, max_new_tokens=8)
ASKED = PARAMS.model_copy(
    update={
        "method": "on_policy", "soft": SOFT, "batch": BatchMix(taught=2, abstain=0.0, replay=0),
        "epochs": 10, "eval_every": 10, "patience": 99,
    }
)  # fmt: skip


def train(
    base: Path,
    teacher: Path,
    rows: list[Encoded],
    params: Student = ASKED,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    return train_student(
        base, train=rows, validation=rows[:2], targets=Targets(), params=params, runtime=RUNTIME,
        checkpoints=checkpoints, teachers=(load_model(teacher),),
    )  # fmt: skip


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("divergence", BETA)
def test_trl_measures_what_we_do(divergence: Divergence, temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    own, theirs = (torch.randn(2, 5, 40, generator=generator) * 3 for _ in range(2))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    head = torch.eye(40)
    found, _, count = _chunked_divergence_loss(
        own, theirs, head, head, mask, BETA[divergence], temperature=temperature
    )
    learned = mask.bool()
    wanted = dense_divergence(
        own[learned], theirs[learned], temperature=temperature, kind=divergence
    )
    assert int(count) == 7
    assert found.item() == pytest.approx(wanted.mean().item(), rel=1e-5)


@pytest.mark.parametrize("divergence", BETA)
def test_a_student_comes_nearer_to_its_teacher_by_its_own_answers(
    base: Path, teacher: Path, rows: list[Encoded], divergence: Divergence
) -> None:
    params = ASKED.model_copy(update={"soft": SOFT.model_copy(update={"divergence": divergence})})
    trained = train(base, teacher, rows, params)
    measured = [point.distillation for point in trained.curve if point.distillation is not None]
    assert measured[-1] < 0.85 * measured[0]
    still = train(base, teacher, rows, params.model_copy(update={"learning_rate": 1e-9}))
    assert distance(trained, teacher, rows) < 0.9 * distance(still, teacher, rows)
    assert trained.tokens > trained.steps * 2 * 8
    assert {point.cross_entropy for point in trained.curve} == {None}
    assert [p.step for p in trained.curve if p.validation_loss is not None] == [10, 20, 30]


def test_answering_twice_gives_the_same_weights(
    base: Path, teacher: Path, rows: list[Encoded], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        trained = train(base, teacher, rows)
        save_student(tmp_path / name, trained, load_tokenizer(base), "bfloat16")
    assert weights_sha256(tmp_path / "a") == weights_sha256(tmp_path / "b")


def test_a_killed_run_answers_on_where_it_stood(
    base: Path,
    teacher: Path,
    rows: list[Encoded],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = train(base, teacher, rows)
    step, left = OnPolicyTrainer.training_step, iter(range(13))

    def die(self: OnPolicyTrainer, *args: object, **kwargs: object) -> torch.Tensor:
        if next(left, None) is None:
            raise Killed
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(OnPolicyTrainer, "training_step", die)
        train(base, teacher, rows, checkpoints=Checkpoints(tmp_path, ALWAYS))
    found = Checkpoints(tmp_path, ALWAYS).find()
    assert found is not None
    assert found.name == "checkpoint-10"
    resumed = train(base, teacher, rows, checkpoints=Checkpoints(tmp_path, ALWAYS))
    assert resumed.curve == undisturbed.curve
    assert (resumed.steps, resumed.best_step, resumed.tokens) == (
        undisturbed.steps, undisturbed.best_step, undisturbed.tokens,
    )  # fmt: skip
    weights = resumed.model.state_dict()
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(weights[name], value), name


def test_a_merged_adapter_and_frozen_embeddings_come_out_as_plain_weights(
    base: Path, teacher: Path, rows: list[Encoded]
) -> None:
    before = load_model(base).state_dict()
    for changes in ({"lora": Lora(rank=4, alpha=8)}, {"freeze_embeddings": True}):
        after = train(base, teacher, rows, ASKED.model_copy(update=changes)).model.state_dict()
        assert after.keys() == before.keys()
        assert torch.equal(after["model.embed_tokens.weight"], before["model.embed_tokens.weight"])
        assert any(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("changes", "soft", "said"),
    [
        ({}, {"teacher": ["a", "b"]}, "names several"),
        ({}, {"reads": "passage"}, "the teacher reads what the student answered"),
        ({}, {"alpha": 0.7}, "no words are learned"),
        ({}, {"temperature": [2.0, 1.0]}, "there is one, of sampling and of learning"),
        ({}, {"hidden": {"layers": [[1, 1]]}}, "`soft.hidden` is set"),
        ({"batch": {"taught": 2, "abstain": 0.0, "replay": 1}}, {}, "there is no replay"),
        ({"layer_rate": 0.9}, {}, "`layer_rate` is not 1"),
        ({"reasoning": "before_answer"}, {}, "no words are learned"),
        ({"soft": None}, {}, "needs `soft`"),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_runs(
    changes: dict[str, object], soft: dict[str, object], said: str
) -> None:
    settings = ASKED.model_dump(mode="json")
    settings["soft"] |= soft
    with pytest.raises(ValidationError, match=said):
        Student.model_validate({**settings, **changes})
    assert Student.model_validate(ASKED.model_dump(mode="json")) == ASKED


def test_several_processes_are_refused_before_any_is_started(
    base: Path, teacher: Path, rows: list[Encoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "`method: on_policy` trains in one process, and several are asked for"
    with monkeypatch.context() as patch:
        patch.setattr(stage, "load_section", lambda *_: ASKED)
        patch.setattr(stage, "load_runtime", lambda: Runtime(processes=2))
        patch.setattr(stage, "choose_student", lambda _: "tiny")
        patch.setattr(stage, "run_processes", pytest.fail)
        with pytest.raises(InputError, match=said):
            stage.main()
    monkeypatch.setattr(module, "count_processes", lambda: 2)  # of whom this one is begun by hand
    with pytest.raises(InputError, match=said):
        train(base, teacher, rows)


def test_the_longest_prompt_may_be_one_of_the_validation_rows(
    base: Path,
    teacher: Path,
    rows: list[Encoded],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = read_positions(base)
    assert most is not None
    soft = SOFT.model_copy(
        update={"teacher": (str(teacher),), "max_new_tokens": most - max(row.start for row in rows)}
    )
    params = ASKED.model_copy(update={"model": str(base), "soft": soft})
    longer = replace(rows[0], start=most - soft.max_new_tokens + 1)

    def run(validation: list[Encoded]) -> None:
        encoded = iter([rows, validation])
        monkeypatch.setattr(stage, "encode_rows", lambda *_: next(encoded))
        stage.main()

    for name in ("read_all", "read_gate", "check_reasoning", "training_key", "InputGuard"):
        monkeypatch.setattr(stage, name, mock.MagicMock())
    monkeypatch.setattr(stage, "home", lambda: tmp_path)
    monkeypatch.setattr(stage, "choose_student", lambda _: "tiny")
    monkeypatch.setattr(stage, "load_section", lambda *_: params)
    monkeypatch.setattr(stage, "load_runtime", lambda: RUNTIME)
    monkeypatch.setattr(stage, "open_teaching", mock.Mock(side_effect=Killed))
    with pytest.raises(Killed):  # beyond all checks
        run(rows[:1])
    with pytest.raises(InputError, match=f"a prompt of {longer.start} tokens"):
        run([longer])


@pytest.mark.parametrize("shorter", ["student", "teacher"])
def test_an_answer_that_would_be_longer_than_a_model_reads_is_refused_before_it_is_given(
    base: Path, teacher: Path, rows: list[Encoded], tmp_path: Path, shorter: str
) -> None:
    folders = {"student": base, "teacher": teacher}
    short = folders[shorter] = Path(shutil.copytree(folders[shorter], tmp_path / "short"))
    longest = max(row.start for row in rows)
    config = json.loads((short / "config.json").read_text())

    def choose(positions: int) -> list[Reading]:
        told = json.dumps({**config, "max_position_embeddings": positions})
        (short / "config.json").write_text(told)
        student = open_base(str(folders["student"]), tmp_path)
        params = ASKED.model_copy(update={"model": str(folders["student"])})
        (part,) = list_parts(
            params, student, lambda _: open_base(str(folders["teacher"]), tmp_path)
        )
        return choose_rows(
            part, [row_of("recall", "?", "", row.row_id) for row in rows], rows, dict
        )

    assert choose(longest + 8) == []
    with pytest.raises(InputError) as told:
        choose(longest + 7)
    assert str(told.value) == (
        f"students.<name>.soft.max_new_tokens: row {max(rows, key=lambda row: row.start).row_id[:12]} has "
        f"a prompt of {longest} tokens, the student answers with 8 at most, and {short} reads no more than "
        f"{longest + 7}; expected at most 7; shorten the answers, choose models that read more, or lower "
        "`ingest.max_tokens`"
    )
