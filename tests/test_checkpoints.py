"""A killed training run goes on from its last whole checkpoint, and ends as if nothing had happened."""

import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from stillhouse.base.alone import hold, try_hold
from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import replace_file, write_text
from stillhouse.distill.checkpoints import MARK, Checkpoints, open_checkpoints
from stillhouse.distill.encode import Encoded
from stillhouse.distill.params import Lora, Student
from stillhouse.distill.train import Trained, train_student
from stillhouse.distill.trainer import StudentTrainer
from tests.test_distill_train import PARAMS, RUNTIME, base, capture_replay, rows

__all__ = ("base", "rows")  # fixtures

ALWAYS = 1e-9  # seconds between checkpoints: one at each logged step


class Killed(BaseException):
    """What no handler of the trainer catches."""


def train(
    base: Path, rows: list[Encoded], params: Student, checkpoints: Checkpoints | None
) -> Trained:
    return train_student(
        base, train=rows, validation=rows[:4], targets=capture_replay(base, rows),
        params=params, runtime=RUNTIME, checkpoints=checkpoints,
    )  # fmt: skip


def kill_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the training step after ``steps`` of them raise."""
    run = StudentTrainer.training_step
    done = iter(range(steps))

    def step(self: StudentTrainer, *args: object, **kwargs: object) -> torch.Tensor:
        if next(done, None) is None:
            raise Killed
        return run(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(StudentTrainer, "training_step", step)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"eval_every": 5, "patience": 100},  # best weights from before the kill
        {"lora": Lora(rank=4, alpha=8, dropout=0.2)},  # draws random numbers at each step
        {"freeze_embeddings": True},
    ],
    ids=["full", "best", "lora", "frozen"],
)
def test_a_killed_run_ends_as_an_undisturbed_one(
    base: Path,
    rows: list[Encoded],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
) -> None:
    params = PARAMS.model_copy(update=changes)
    undisturbed = train(base, rows, params, None)
    for steps in (13, 11):  # to step 13; from 10 on to 21; from 20 on to the end
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_after(steps, patch)
            train(base, rows, params, Checkpoints(tmp_path, ALWAYS))
    found = Checkpoints(tmp_path, ALWAYS).find()
    assert found is not None
    assert found.name == "checkpoint-20"
    resumed = train(base, rows, params, Checkpoints(tmp_path, ALWAYS))
    assert resumed.curve == undisturbed.curve
    assert (resumed.steps, resumed.best_step, resumed.tokens) == (
        undisturbed.steps, undisturbed.best_step, undisturbed.tokens,
    )  # fmt: skip
    weights = resumed.model.state_dict()
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(weights[name], value), name


def test_only_a_whole_checkpoint_is_believed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, ALWAYS)
    from stillhouse.distill.checkpoints import Progress

    for step in (10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
    assert checkpoints.find() is None
    checkpoints.mark(tmp_path / "checkpoint-20", Progress(20, 1, 0, None, 0), {})
    assert checkpoints.find() == tmp_path / "checkpoint-20"
    assert not (tmp_path / "checkpoint-10").exists()
    (tmp_path / "checkpoint-20/model.safetensors").write_bytes(b"weig")
    assert checkpoints.find() is None


def test_checkpoints_of_other_inputs_are_not_used_and_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(3):
        with open_checkpoints(tmp_path, f"key{number}" * 8, ALWAYS) as checkpoints:
            assert checkpoints is not None
            assert checkpoints.find() is None
            folder = checkpoints.folder / "checkpoint-10"
            folder.mkdir()
            (folder / MARK).write_text('{"files": {}, "progress": {}}')
            assert checkpoints.find() == folder
            time.sleep(0.01)  # the folders are told apart by age
    kept = sorted(path.name[:4] for path in tmp_path.iterdir() if path.is_dir())
    assert kept == ["key1", "key2"]


def _hold_for_a_while(lock: Path, ready: multiprocessing.synchronize.Event) -> None:
    with hold(lock, "train"):
        ready.set()
        time.sleep(60)


def test_the_same_run_elsewhere_keeps_its_checkpoints_to_itself(tmp_path: Path) -> None:
    with (
        open_checkpoints(tmp_path, "a" * 64, ALWAYS) as first,
        open_checkpoints(tmp_path, "a" * 64, ALWAYS) as second,
    ):
        assert first is not None
        assert second is None


def test_a_second_process_waits_and_then_says_who_is_there(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "stage.lock"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_hold_for_a_while, args=(lock, ready))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(StillhouseError, match=f"kill {other.pid}"), hold(lock, "train", 0.3):
            pytest.fail("two at once")
    finally:
        other.kill()
        other.join()
    with try_hold(lock) as held:  # the kernel let go of it
        assert held


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    target = tmp_path / "rows[1].parquet"
    abandoned = tmp_path / ".rows[1].parquet.abc.part"
    other = tmp_path / ".rows[2].parquet.abc.part"
    for path in (abandoned, other):
        path.write_text("half")
    (tmp_path / ".rows[1].parquet.folder.part" / "new").mkdir(parents=True)
    with replace_file(target) as slow:
        slow.write_text("first")
        write_text(target, "second")
        assert slow.exists()
    assert target.read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([target.name, other.name])


def test_a_stage_dies_with_its_parent(tmp_path: Path) -> None:
    child = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from stillhouse.base.parent import die_with_parent\n"
        "die_with_parent()\n"
        "Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    told = tmp_path / "pid"
    parent = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]])\n"
        "time.sleep(60)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", parent, child, str(told)])
    try:
        pid = _wait_for(told)
    finally:
        running.kill()
        running.wait()
    _wait_for_end(pid)


def test_a_stage_that_comes_too_late_to_see_its_parent_end_ends_too(tmp_path: Path) -> None:
    stage = (
        "import os, time\n"
        "from pathlib import Path\n"
        "from stillhouse.base.parent import die_with_parent\n"
        "while os.getppid() == int(os.environ['PARENT']):\n"
        "    time.sleep(0.01)\n"
        "die_with_parent()\n"
        f"Path({str(tmp_path / 'went on')!r}).touch()\n"
    )
    parent = (
        "import os, subprocess, sys\n"
        "environment = {**os.environ, 'PARENT': str(os.getpid()), 'DVC_STAGE': 'train'}\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], env=environment)\n"
        "print(child.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent, stage],
        check=True, capture_output=True, text=True, start_new_session=True,
    )  # fmt: skip
    pid = int(done.stdout)
    assert "has ended" in done.stderr
    _wait_for_end(pid)
    assert not (tmp_path / "went on").exists()


def _wait_for(told: Path) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if told.exists() and told.read_text():
            return int(told.read_text())
        time.sleep(0.05)
    raise AssertionError("the child never began")


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
        assert time.monotonic() < deadline, "the stage outlived its parent"
        time.sleep(0.05)


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
