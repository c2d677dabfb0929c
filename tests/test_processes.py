"""Several processes train one student through accelerate: same outputs, same provenance, same resume."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from stillhouse.base.errors import InputError
from stillhouse.base.runtime import Runtime
from stillhouse.distill.processes import run_processes
from tests.small_project import clean_environment, copy_shared, edit_params, run

STUDENT = "tiny"
MODEL = f"models/{STUDENT}"
WORKER = Path(__file__).parent / "fsdp_worker.py"
ON_CPU = {"ACCELERATE_USE_CPU": "true"}
FSDP = {
    "distributed_type": "FSDP",
    "use_cpu": True,
    "num_processes": 2,
    "mixed_precision": "no",
    "fsdp_config": {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_state_dict_type": "FULL_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": False,
    },
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that one process trained."""
    return copy_shared(tmp_path_factory, tmp_path_factory.mktemp("alone") / "project")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same one, trained by two processes."""
    folder = copy_shared(tmp_path_factory, tmp_path_factory.mktemp("together") / "project")
    set_runtime(folder, processes=2)
    train(folder)
    return folder


def set_runtime(folder: Path, **values: object) -> None:
    edit_params(folder, lambda params: params["runtime"].update(values))


def train(folder: Path) -> str:
    return run(folder, "dvc", "repro", "--force", "--single-item", f"train@{STUDENT}")


def hash_in(folder: Path) -> str:
    files = json.loads((folder / MODEL / "provenance.json").read_text())["files"]
    return str(files["model.safetensors"])


def read_provenance(folder: Path) -> dict[str, object]:
    """Return what a model says of its origin, without the hashes of its weights."""
    told = json.loads((folder / MODEL / "provenance.json").read_text())
    del told["files"]["model.safetensors"], told["weights_sha256"]
    return dict(told)


def test_two_processes_train_and_register_like_one(alone: Path, together: Path) -> None:
    one, two = (load_file(folder / MODEL / "model.safetensors") for folder in (alone, together))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        assert (weight - two[name]).abs().max() < 4e-3, name  # bfloat16 keeps eight bits
    assert read_provenance(alone) == read_provenance(together)
    assert len(read_curve(together)) == len(read_curve(alone))
    run(together, "dvc", "repro", f"register@{STUDENT}")
    assert "up to date" in run(together, "dvc", "status", f"register@{STUDENT}")


def read_curve(folder: Path) -> list[str]:
    path = folder / f"reports/students/{STUDENT}/training/curves.csv"
    return path.read_text().splitlines()


def test_two_processes_give_the_same_bytes_again_and_weights_spread_over_them_do(
    together: Path, tmp_path: Path
) -> None:
    again = Path(shutil.copytree(together, tmp_path / "again", symlinks=True))
    train(again)
    assert hash_in(again) == hash_in(together)
    shutil.rmtree(again / MODEL)
    (again / "fsdp.yaml").write_text(yaml.safe_dump(FSDP))
    launch = ("accelerate.commands.launch", "--config_file", "fsdp.yaml")
    run(again, sys.executable, "-m", *launch, str(WORKER), STUDENT, **ON_CPU)
    assert hash_in(again) == hash_in(together)


def test_two_processes_that_are_killed_go_on_and_end_with_the_same_bytes(
    together: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(together, tmp_path / "project", symlinks=True))
    edit_params(folder, lambda params: params["students"][STUDENT].update(epochs=0.6))
    train(folder)
    undisturbed = hash_in(folder)
    shutil.rmtree(folder / MODEL)
    shutil.rmtree(folder / ".stillhouse/checkpoints", ignore_errors=True)
    set_runtime(folder, checkpoint_minutes=1e-6)
    killed = start_training(folder)
    wait_for_checkpoint(folder, killed)
    killed.kill()  # the stage alone: its workers must go with it
    killed.wait(60)
    assert not (folder / MODEL).exists()
    assert "going on from step" in run(folder, sys.executable, "-m", "stages.train", STUDENT)
    assert hash_in(folder) == undisturbed


def start_training(folder: Path) -> "subprocess.Popen[bytes]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "stages.train", STUDENT],
        cwd=folder,
        env={**clean_environment(), "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_checkpoint(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    while not list((folder / ".stillhouse/checkpoints").glob("*/*/checkpoint-*/complete.json")):
        assert process.poll() is None, "training ended before a checkpoint was seen"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("- a\n", "no `distributed_type`"),
        ("distributed_type: [\n", "not YAML"),
        ("distributed_type: DEEPSPEED\n", "`distributed_type` is DEEPSPEED"),
        (yaml.safe_dump(FSDP), "over GPUs alone"),
    ],
    ids=["missing", "list", "torn", "untried", "fsdp"],
)
def test_a_configuration_that_would_not_do_what_it_says_is_refused(
    tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "how.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said):
        run_processes(Runtime(accelerate=str(path), device="cpu"), "stages.train", [STUDENT])
