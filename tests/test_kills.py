"""SIGKILL on a stage, on DVC, or on both, at random moments: nothing lost, nothing half-written.

A project is run undisturbed; another is killed again and again and must come to the same bytes.
``STILLHOUSE_KILLS=32`` for the whole campaign; the default keeps the suite short.
"""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import mlflow
import pytest
import yaml

from tests.test_pipeline import build_project, clean_environment, hashed_outs, run

KILLS = int(os.environ.get("STILLHOUSE_KILLS", "8"))
SEED = 20
STAGES = ("ingest", "generate", "train@tiny", "register@tiny")
VICTIMS = ("stage", "dvc", "both")
PATIENCE = 20.0  # seconds in which a stage must have followed its DVC

pytestmark = pytest.mark.slow


class Repro:
    """One ``dvc repro`` under way, with the moment at which each of its stages began."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.folder = folder
        self.began: dict[str, float] = {}
        self.output: list[str] = []
        self.process = subprocess.Popen(
            ["dvc", "repro"], cwd=folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**clean_environment(), "PATH": path, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if found := re.match(r"Running stage '([^']+)'", line):
                self.began[found[1]] = time.monotonic()

    def end(self) -> int:
        code = self.process.wait()
        self.reader.join(PATIENCE)
        return code

    def wait_for(self, stage: str) -> bool:
        """Return whether the stage began before the run ended."""
        while stage not in self.began:
            if self.process.poll() is not None:
                return stage in self.began
            time.sleep(0.02)
        return True


def stages_alive(folder: Path) -> list[int]:
    """Return the processes that run a stage in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            place = (entry / "cwd").readlink()
            state = (entry / "stat").read_text().rpartition(") ")[2][:1]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if place == folder and state != "Z" and any(arg.startswith(b"stages.") for arg in command):
            found.append(int(entry.name))
    return found


def kill(repro: Repro, victim: str) -> None:
    """SIGKILL the stage, DVC, or DVC and then the stage; then see that no stage stays behind."""
    if victim in ("dvc", "both"):
        repro.process.kill()
    if victim in ("stage", "both"):
        for pid in stages_alive(repro.folder):
            with suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(pid, signal.SIGKILL)
    code = repro.end()
    assert code != 0 or victim == "stage"  # a stage that had just ended was not hit
    deadline = time.monotonic() + PATIENCE
    while stages_alive(repro.folder):
        assert time.monotonic() < deadline, f"a stage outlived its DVC ({victim})"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, str], dict[str, float]]:
    """Return the hash of each out, and the seconds that each stage took."""
    folder = build(tmp_path_factory.mktemp("whole") / "project")
    repro = Repro(folder)
    assert repro.end() == 0, "".join(repro.output)
    ended = [*list(repro.began.values())[1:], time.monotonic()]
    took = {
        name: end - began for (name, began), end in zip(repro.began.items(), ended, strict=True)
    }
    return hashed_outs(folder), took


def build(folder: Path) -> Path:
    build_project(folder)
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["runtime"]["checkpoint_minutes"] = 1e-6  # at every logged step
    params["students"]["tiny"]["epochs"] = 2
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def plan_kills(took: dict[str, float]) -> Iterator[tuple[str, str, float]]:
    """Yield stage, victim and delay in seconds, in the pipeline's order."""
    draw = random.Random(SEED)
    for stage in STAGES:
        for number in range(KILLS // len(STAGES)):
            yield stage, VICTIMS[number % len(VICTIMS)], draw.uniform(0, 0.9) * took[stage]


def test_a_pipeline_that_is_killed_again_and_again_ends_with_the_same_bytes(
    undisturbed: tuple[dict[str, str], dict[str, float]], tmp_path: Path
) -> None:
    hashes, took = undisturbed
    folder = build(tmp_path / "project")
    hits = 0
    met = []
    for stage, victim, delay in plan_kills(took):
        repro = Repro(folder)
        if repro.wait_for(stage):
            time.sleep(delay)
            alive = stages_alive(folder)
            hits += bool(alive)
            met.append((stage, victim, round(delay, 2), alive, repro.process.poll()))
            kill(repro, victim)
        else:
            assert repro.end() == 0, "".join(repro.output)
    assert hits >= 0.7 * KILLS, met  # the rest came too late: the stage had ended
    run(folder, "dvc", "repro")
    assert hashed_outs(folder) == hashes
    assert list(folder.rglob("*.part")) == []
    mlflow.set_tracking_uri(f"sqlite:///{folder}/.stillhouse/mlflow.db")
    (model,) = mlflow.search_registered_models()
    assert [version.version for version in model.latest_versions] == [1]
