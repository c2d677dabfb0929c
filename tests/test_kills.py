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
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import pytest

from stillhouse.lineage.doctor_repository import check_lock, check_running
from tests.small_project import (
    build_project,
    clean_environment,
    copy_shared,
    edit_params,
    hashed_outs,
    run,
)

KILLS = int(os.environ.get("STILLHOUSE_KILLS", "4"))
SEED = 20
STAGES = ("ingest", "generate", "train@tiny", "register@tiny")
VICTIMS = ("stage", "dvc", "both")
GUESS = 2.0  # seconds for which a stage lives that the undisturbed run had no need of
PATIENCE = 60.0  # seconds in which a stage must have followed its DVC

pytestmark = pytest.mark.slow


class Repro:
    """One ``dvc repro`` under way; which of its stages lived, and which it found done."""

    def __init__(self, folder: Path, *options: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.folder = folder
        self.done: set[str] = set()
        self.output: list[str] = []
        self.process = subprocess.Popen(
            ["dvc", "repro", *options], cwd=folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**clean_environment(), "PATH": path, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if found := re.match(r"Stage '([^']+)' (didn't change|is cached)", line):
                self.done.add(found[1])

    def end(self) -> int:
        code = self.process.wait()
        self.reader.join(PATIENCE)
        return code

    def wait_for(self, stage: str) -> bool:
        """Return True once the stage's process lives, False where it was done or the run ended.

        A run that fails before that is a defect: all that earlier kills left must be mended by now.
        """
        while self.process.poll() is None and stage not in self.done:
            if stage_of(stage) in stages_alive(self.folder).values():
                return True
            time.sleep(0.02)
        if self.process.poll() is not None:
            assert self.end() == 0, "".join(self.output)
        return False

    def lifetimes(self) -> dict[str, float]:
        """Watch the run to its end; return the seconds for which each stage's process lived."""
        seen: dict[str, tuple[float, float]] = {}
        while self.process.poll() is None:
            now = time.monotonic()
            for stage in stages_alive(self.folder).values():
                seen[stage] = (seen.get(stage, (now, now))[0], now)
            time.sleep(0.02)
        return {stage: last - first for stage, (first, last) in seen.items()}


def stage_of(name: str) -> str:
    """Return the module's name of a stage: ``train`` for ``train@tiny``."""
    return name.partition("@")[0]


def stages_alive(folder: Path) -> dict[int, str]:
    """Return the processes that run a stage in the folder, with the stage's name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            place = (entry / "cwd").readlink()
            state = (entry / "stat").read_text().rpartition(") ")[2][:1]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        stages = [part.removeprefix("stages.") for part in command if part.startswith("stages.")]
        if place == folder and state != "Z" and stages:
            found[int(entry.name)] = stages[0]
    return found


def kill(repro: Repro, victim: str) -> list[str]:
    """SIGKILL the stage, DVC, or DVC and then the stage; then see that no stage stays behind.

    Returns the stages that were alive. Where none is, DVC is killed whoever was meant: a run that
    went on would leave nothing for the kills to come.
    """
    alive = stages_alive(repro.folder)
    if victim in ("dvc", "both") or not alive:
        repro.process.kill()
    if victim in ("stage", "both"):
        for pid in alive:
            with suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(pid, signal.SIGKILL)
    repro.end()
    deadline = time.monotonic() + PATIENCE
    while stages_alive(repro.folder):
        assert time.monotonic() < deadline, f"a stage outlived its DVC ({victim})"
        time.sleep(0.05)
    mend(repro.folder)
    return list(alive.values())


def mend(folder: Path) -> None:
    """Type what ``stillhouse doctor`` says where the kill tore a file of DVC, which writes in place."""
    for finding in (*check_lock(folder), *check_running(folder)):
        if finding.status == "fail":
            assert "torn" in finding.found, finding
            command, *_ = re.findall("`([^`]+)`", finding.remedy)
            assert command in {"rm dvc.lock", "rm .dvc/tmp/rwlock"}, finding
            run(folder, *command.split())


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, str], dict[str, float]]:
    """Return the hash of each out, and the seconds for which the process of each stage that ran lived.

    Only training and what follows it run: what goes before is that of the shared project.
    """
    folder = copy_shared(tmp_path_factory, tmp_path_factory.mktemp("whole") / "project")
    edit_params(folder, train_longer)
    repro = Repro(folder)
    lived = repro.lifetimes()
    assert repro.end() == 0, "".join(repro.output)
    return hashed_outs(folder), lived


def train_longer(params: dict[str, dict[str, Any]]) -> None:
    params["runtime"]["checkpoint_minutes"] = 1e-6  # at every logged step
    params["students"]["tiny"]["epochs"] = 2


def kill_often(folder: Path, stage: str, lived: float, draw: random.Random) -> list[str]:
    """Kill runs of the project while the stage lives; return who was killed each time.

    A stage that resumes lives shorter than one that begins, so a kill that came too late halves
    the time that is waited; a stage that got through is made to run again.
    """
    victims: list[str] = []
    options: tuple[str, ...] = ()
    for number in range(3 * KILLS):
        if len(victims) == KILLS // len(STAGES):
            break
        repro = Repro(folder, *options)
        if not repro.wait_for(stage):
            kill(repro, "dvc")
            options = ("--force", "--single-item", stage)
            continue
        time.sleep(draw.uniform(0, 0.9) * lived)
        victim = VICTIMS[(STAGES.index(stage) + number) % len(VICTIMS)]
        if stage_of(stage) in kill(repro, victim):
            victims.append(victim)
        else:
            lived /= 2
    return victims


def test_a_pipeline_that_is_killed_again_and_again_ends_with_the_same_bytes(
    undisturbed: tuple[dict[str, str], dict[str, float]], tmp_path: Path
) -> None:
    assert len(STAGES) <= KILLS
    hashes, lived = undisturbed
    folder = build_project(tmp_path / "project")
    edit_params(folder, train_longer)
    draw = random.Random(SEED)
    killed = {
        stage: kill_often(folder, stage, lived.get(stage_of(stage), GUESS), draw)
        for stage in STAGES
    }
    assert {stage: len(victims) for stage, victims in killed.items()} == dict.fromkeys(
        STAGES, KILLS // len(STAGES)
    ), killed
    run(folder, "dvc", "repro")
    assert hashed_outs(folder) == hashes
    # Beside a file that DVC put back from its cache a hidden part stays until that file is written again.
    run(folder, "dvc", "repro", "--force", "--single-item", "ingest")
    left = list(folder.rglob("*.part"))
    assert [path for path in left if not path.name.startswith(".")] == []
    assert [path for path in left if path.parent == folder / "data/corpus"] == []
    assert hashed_outs(folder) == hashes
    mlflow.set_tracking_uri(f"sqlite:///{folder}/.stillhouse/mlflow.db")
    (model,) = mlflow.search_registered_models()
    assert [version.version for version in model.latest_versions] == [1]
