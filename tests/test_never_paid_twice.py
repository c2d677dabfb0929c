"""What DVC, branches, clones, kills and faults make of a teacher that costs: nothing is bought twice.

The real stages up to `generate`, Claude's own SDK, and a stub server in a process of its own that counts
what it is asked. ``STILLHOUSE_KILLS=20`` kills 2,000 requests at twenty moments; the default is short.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from stillhouse.base.records import Rejection
from stillhouse.base.tables import read_all
from tests.claude_project import KEY, connect_to
from tests.small_project import (
    build_project,
    clean_environment,
    commit,
    count_of,
    count_task,
    edit,
    edit_params,
    fail,
    run,
    sent_in,
)
from tests.stub_teacher.process import StubProcess, start_stub

PROMPT = "prompts/simplified.md"
TASK = "simplified"
KILLS = int(os.environ.get("STILLHOUSE_KILLS", "3"))
IN_FLIGHT = 16

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stub() -> Iterator[StubProcess]:
    with start_stub(latency=0.01) as running, pytest.MonkeyPatch.context() as patch:
        connect_to(running, patch)
        yield running


@pytest.fixture(scope="module")
def original(stub: StubProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose answers were bought, committed, and pushed to a remote."""
    place = tmp_path_factory.mktemp("bought")
    folder = build_project(place / "project")
    edit_params(folder, choose_claude)
    run(folder, "dvc", "remote", "add", "--default", "store", str(place / "store"))
    run(folder, "dvc", "repro", "generate")
    commit(folder, "Bought")
    run(folder, "dvc", "push", "--all-commits")
    return folder


def choose_claude(params: dict[str, dict[str, object]]) -> None:
    params["teacher"]["provider"] = "anthropic"
    params["runtime"] |= {"concurrency": IN_FLIGHT, "retries": 2}
    everyday = params["render"]["plan"]["questions"]  # type: ignore[index]
    everyday["replay"]["fraction"] = 0.0  # which no server answers


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "project", symlinks=True))


class Bought:
    """How many answers a stub gave within a block."""

    def __init__(self, stub: StubProcess) -> None:
        self._stub, self._before = stub, stub.state()

    def count(self) -> int:
        return self._grown("answered")

    def asked(self) -> int:
        return self._grown("calls")

    def _grown(self, counter: str) -> int:
        return int(self._stub.state()[counter]) - int(self._before[counter])


def edit_prompt(folder: Path) -> None:
    edit(folder / PROMPT, "You ", "You do ")


def generate(folder: Path) -> int:
    """Run the pipeline up to `generate`; return how many requests it says that it sent."""
    return sent_in(run(folder, "dvc", "repro", "--force", "--single-item", "generate"))


def repro(folder: Path) -> str:
    return run(folder, "dvc", "repro", "generate")


def count_answers(folder: Path) -> int:
    with closing(sqlite3.connect(folder / ".stillhouse/journal.sqlite")) as base:
        (count,) = base.execute("SELECT count(*) FROM answers").fetchone()
    return int(count)


def test_nothing_changed_asks_nothing(project: Path, stub: StubProcess) -> None:
    bought = Bought(stub)
    repro(project)
    assert generate(project) == bought.count() == 0


def test_an_edit_of_some_prompts_buys_exactly_theirs_and_a_revert_nothing(
    project: Path, stub: StubProcess
) -> None:
    bought = Bought(stub)
    edit_prompt(project)
    assert sent_in(repro(project)) == bought.count() == count_task(project, TASK) > 0
    run(project, "git", "checkout", "--quiet", PROMPT)
    repro(project)
    assert generate(project) == 0
    assert bought.count() == count_task(project, TASK)


def test_half_of_the_prompts_edited_buys_exactly_that_half(
    project: Path, stub: StubProcess
) -> None:
    bought, tasks = Bought(stub), ("recall", "edge_cases", "simplified", "multi_step")
    for task in tasks:
        edit(project / f"prompts/{task}.md", "You ", "You do ")
    said = repro(project)
    assert sent_in(said) == bought.count() == sum(count_task(project, task) for task in tasks)
    assert 0 < bought.count() < count_of(said, "requests")


def test_a_price_or_a_pace_asks_nothing(project: Path, stub: StubProcess) -> None:
    bought = Bought(stub)

    def change(params: dict[str, dict[str, object]]) -> None:
        params["teachers"]["prices"]["claude-sonnet-5-5"]["input"] = 99  # type: ignore[index]
        params["runtime"] |= {"concurrency": 3, "batch": True, "budget_usd": 7}

    edit_params(project, change)
    assert "didn't change" in repro(project)
    assert bought.count() == 0


def test_a_clone_that_pulled_buys_only_what_was_edited(
    original: Path, tmp_path: Path, stub: StubProcess
) -> None:
    run(tmp_path, "git", "clone", "--quiet", str(original), "clone")
    clone, bought = tmp_path / "clone", Bought(stub)
    run(clone, "dvc", "pull", "generate")
    edit_prompt(clone)
    assert sent_in(repro(clone)) == bought.count() == count_task(clone, TASK)


def test_a_to_b_to_a_without_a_journal_and_a_merge_buy_nothing(
    project: Path, stub: StubProcess
) -> None:
    run(project, "git", "switch", "--quiet", "--create", "other")
    edit_prompt(project)
    repro(project)
    commit(project, "B")
    run(project, "git", "switch", "--quiet", "main")
    edit(project / "prompts/edge_cases.md", "You ", "You do ")
    repro(project)
    commit(project, "C")
    bought = Bought(stub)
    shutil.rmtree(project / ".stillhouse")
    for branch in ("other", "main", "other"):
        run(project, "git", "switch", "--quiet", branch)
        assert generate(project) == 0
        run(project, "git", "checkout", "--quiet", ".")
    run(project, "git", "merge", "--quiet", "--strategy-option", "theirs", "--no-edit", "main")
    repro(project)  # both edits together: every answer is known from one branch or the other
    assert bought.count() == 0


def test_a_shallow_clone_refuses_and_pays_only_when_told(
    original: Path, tmp_path: Path, stub: StubProcess
) -> None:
    bought = Bought(stub)
    edited = Path(shutil.copytree(original, tmp_path / "edited", symlinks=True))
    edit_prompt(edited)
    commit(edited, "Edited, and never run")
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", f"file://{edited}", "shallow")
    said = fail(tmp_path / "shallow", "dvc", "repro", "generate")
    assert "cost money are missing here" in said
    assert "dvc pull" in said
    assert bought.count() == 0
    assert not (tmp_path / "shallow/data/generated").exists()


def test_a_shallow_clone_with_the_journals_remote_asks_nothing(
    project: Path, tmp_path: Path, stub: StubProcess
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    edit_params(project, lambda params: params["journal"].update(remote=str(shelf)))
    edit_prompt(project)
    repro(project)  # what was answered before this remote was named goes there, too
    commit(project, "Shared")
    bought = Bought(stub)
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", f"file://{project}", "runner")
    assert sent_in(repro(tmp_path / "runner")) == bought.count() == 0


def test_two_temporary_workspaces_at_once_buy_nothing_twice(
    project: Path, tmp_path: Path, stub: StubProcess
) -> None:
    edit_prompt(project)
    bought, answers = Bought(stub), count_answers(project)
    logs = [tmp_path / f"w{seed}.log" for seed in (1, 2)]
    stub.set_plan({"hold": True})
    try:
        first = start_experiment(project, 1, logs[0])
        wait_until(lambda: bought.asked() > 0, first)
        second = start_experiment(project, 2, logs[1])
        wait_until(lambda: "Running stage" in logs[1].read_text(), second)
    finally:
        stub.set_plan({})
    codes = [process.wait(300) for process in (first, second)]
    assert codes == [0, 0], "\n".join(log.read_text() for log in logs)
    assert bought.count() == count_answers(project) - answers == count_task(project, TASK)


def start_experiment(folder: Path, seed: int, log: Path) -> "subprocess.Popen[bytes]":
    """Start an experiment in a workspace of its own.

    DVC (3.67) hands such experiments over through one stash without a lock, and who ends one looks there
    for another: of two, the later must have begun its stages before the earlier ends.
    """
    set_seed = ("--set-param", f"split.seed={seed}")
    command = ("dvc", "--wait-for-lock", "exp", "run", "--temp", "--name", f"w{seed}")
    return start(folder, *command, *set_seed, "split", log=log)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    while not condition():
        assert process.poll() is None, "ended before it came so far"
        time.sleep(0.05)


def start(folder: Path, *command: str, log: Path = Path(os.devnull)) -> "subprocess.Popen[bytes]":
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with log.open("wb") as said:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**clean_environment(), "PATH": path, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            stdout=said,
            stderr=subprocess.STDOUT,
        )


def test_faults_cost_no_row(project: Path, stub: StubProcess) -> None:
    stub.set_plan({"seed": 2, "shares": {"429": 0.02, "500": 0.01, "529": 0.01, "cut": 0.01}})
    try:
        edit_params(project, more_samples(2))
        said = repro(project)
    finally:
        stub.set_plan({})
    assert sent_in(said) == 153
    assert count_rejections(project, "refused") == 0


def more_samples(samples: int):  # type: ignore[no-untyped-def]
    def change(params: dict[str, dict[str, object]]) -> None:
        for group in params["render"]["plan"].values():  # type: ignore[attr-defined]
            for plan in group.values():
                plan["samples"] = samples

    return change


def count_rejections(folder: Path, reason: str) -> int:
    rejections = read_all(folder / "data/generated/rejections.parquet", Rejection)
    return sum(rejection.reason == reason for rejection in rejections)


def test_refusals_for_ever_are_asked_once_named_and_asked_again_only_after_retry(
    project: Path, stub: StubProcess
) -> None:
    edit_prompt(project)
    stub.set_plan({"forever_400_containing": "You do "})
    try:
        calls = stub.state()["calls"]
        said = fail(project, "dvc", "repro", "generate")
        assert "refused for good" in said
        assert "stillhouse retry" in said
        edit_params(project, lambda params: params["generate"].update(tolerate_refusals=999))
        repro(project)
        refused = count_task(project, TASK)
        assert stub.state()["calls"] - calls == refused > 0
        assert count_rejections(project, "refused") == refused
        assert generate(project) == 0
    finally:
        stub.set_plan({})
    assert stub.state()["calls"] - calls == refused
    run(project, "stillhouse", "retry")
    assert generate(project) == refused
    assert count_rejections(project, "refused") == 0


def test_a_server_that_dies_leaves_nothing_partial_and_the_next_run_asks_the_rest(
    project: Path, stub: StubProcess
) -> None:
    edit_params(project, more_samples(2))
    before, answered = count_answers(project), stub.state()["answered"]
    stub.set_plan({"die_after": 40})
    said = fail(project, "dvc", "repro", "generate")
    assert "requests failed" in said
    assert "are kept" in said
    kept = count_answers(project) - before
    assert 0 < kept <= 40
    stub.restart()
    again = repro(project)
    total = count_answers(project) - before
    assert sent_in(again) == total - kept
    assert stub.state()["answered"] - answered - total <= IN_FLIGHT


def test_a_fake_key_is_found_nowhere(project: Path, stub: StubProcess) -> None:
    with start_stub(key="the-right-one") as strict:
        environment = {"ANTHROPIC_BASE_URL": strict.url}
        edit_prompt(project)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["dvc", "repro", "generate"], cwd=project, capture_output=True, text=True, check=False,
            env={**clean_environment(), "PATH": path, **environment},
        )  # fmt: skip
    assert done.returncode != 0
    assert "refuses every request (401" in done.stderr
    repro(project)
    assert KEY not in done.stdout + done.stderr
    files = [path for path in project.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_kills_at_random_moments_lose_nothing(project: Path, stub: StubProcess) -> None:
    draw = random.Random(20)
    edit_params(project, more_samples(24 if KILLS > 10 else 3))
    run(project, "dvc", "repro", "render")
    before, answered = count_answers(project), stub.state()["answered"]
    kills = 0
    while kills < KILLS:
        process = start(project, "dvc", "repro", "generate")
        begun = count_answers(project)
        end = time.monotonic() + 180
        while process.poll() is None and count_answers(project) == begun:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        victims = draw.choice(("stage", "dvc", "both"))
        if victims in ("stage", "both"):
            for pid in find_stage(project):
                os.kill(pid, signal.SIGKILL)
        if victims in ("dvc", "both") and process.poll() is None:
            process.kill()
        process.wait()
        kills += 1
    mend(project)
    repro(project)
    bought = count_answers(project) - before
    paid = stub.state()["answered"] - answered
    print(f"{KILLS} kills: {bought} answers, {paid} paid")
    assert bought <= paid <= bought + KILLS * IN_FLIGHT
    assert generate(project) == 0
    requests = yaml.safe_load((project / "dvc.lock").read_text())["stages"]["generate"]
    assert requests["outs"]


def find_stage(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if b"stages.generate" in command and (process / "cwd").resolve() == folder.resolve():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def mend(folder: Path) -> None:
    """Take away what a killed DVC leaves behind, as `stillhouse doctor` says."""
    for lock in (folder / ".dvc/tmp").glob("*lock*"):
        if lock.is_file():
            lock.unlink()
