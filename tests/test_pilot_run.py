"""``stillhouse pilot`` itself, under DVC with a tiny student: one project, run once for all tests here."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml

from stillhouse.base.ids import sha256_file
from stillhouse.base.records import Request, Response, split_slot
from stillhouse.base.tables import read_table
from stillhouse.pilot.pilot import prepare_pilot
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.params import load_journal
from stillhouse.teachers.remote import open_journal_remote
from tests.small_project import build_project, clean_environment, count_of, run
from tests.tiny import build_tiny_model

PILOT = (sys.executable, "-c", "from stillhouse.cli.main import app; app()", "pilot")
TREE = ".stillhouse/pilot/tree"
FREE = ("--fraction", "0.2", "--json", "--keep")

pytestmark = pytest.mark.slow


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [*PILOT, *options], cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**clean_environment(), "PATH": path},
    )  # fmt: skip


def pilot(folder: Path, *options: str, code: int = 0) -> tuple[str, str]:
    """Run a pilot to its end; return what it printed on stdout and on stderr."""
    process = start(folder, *options)
    out, err = process.communicate()
    assert process.returncode == code, f"{out}\n{err}"
    return out, err


def hash_project(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file of the project but for what git and DVC keep for themselves."""
    return {
        name: sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(folder).as_posix()).startswith(
            (".stillhouse/", ".dvc/cache/", ".dvc/tmp/", ".git/")
        )
        and "__pycache__" not in name
    }


def set_params(folder: Path, section: str, **values: object) -> None:
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params[section] |= values
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def read_ids(path: Path) -> set[str]:
    return {request.request_id for request in read_table(path, Request)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on which nothing was run, with a document that git does not know yet."""
    folder = build_project(tmp_path_factory.mktemp("pilot") / "project")
    untracked = folder / "data/seed/documents/new.md"
    untracked.write_text("# Gates\n\nThe north gate opens at 6:15. The south gate opens at 7:45.\n")
    return folder


@pytest.fixture(scope="module")
def before(project: Path) -> dict[str, str]:
    return hash_project(project)


@pytest.fixture(scope="module")
def done(project: Path, before: dict[str, str]) -> tuple[str, str]:
    assert before
    return pilot(project, *FREE)


def test_nothing_of_the_project_changes(
    project: Path, before: dict[str, str], done: tuple[str, str]
) -> None:
    assert hash_project(project) == before
    assert " M " not in run(project, "git", "status", "--porcelain")
    assert not (project / ".stillhouse/mlflow.db").exists()


def test_the_verdict_is_one_json_document_and_dvcs_words_go_to_stderr(
    done: tuple[str, str],
) -> None:
    value, said = json.loads(done[0]), done[1]
    assert value["passed"]
    assert value["gain"]["general"]["probe"]["n"] == 6
    assert value["whole"]["rows"]["low"] <= value["whole"]["rows"]["value"]
    assert value["whole"]["seconds"]["value"] > 0
    assert sum(task["rows"] for task in value["tasks"]) > 0
    assert value["spent_usd"] == 0.0
    assert "Running stage 'train@probe'" in said
    assert "Running stage 'register" not in said


def test_the_document_that_git_does_not_know_is_asked_about(
    project: Path, done: tuple[str, str]
) -> None:
    asked = read_table(project / TREE / "data/requests.parquet", Request)
    assert any(split_slot(request.slot_id)[0] == "new.md" for request in asked)


def test_a_second_pilot_asks_nothing_and_says_the_same(
    project: Path, done: tuple[str, str]
) -> None:
    again, said = pilot(project, *FREE)
    assert ", 0 new; nothing to pay" in said
    assert "Running stage" not in said
    first, second = json.loads(done[0]), json.loads(again)
    assert first["whole"].pop("not_in_seconds") == second["whole"].pop("not_in_seconds")
    assert first == second


def test_the_whole_asks_only_what_the_pilot_has_not_asked(
    project: Path, done: tuple[str, str], tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(project, whole, symlinks=True)
    output = run(whole, "dvc", "repro", "generate")
    asked = read_ids(project / TREE / "data/requests.parquet")
    assert asked < read_ids(whole / "data/requests.parquet")
    assert count_of(output, "answered") == len(asked)
    value = json.loads(done[0])
    assert count_of(output, "requests") == value["whole"]["requests"]
    assert count_of(output, "answered") == value["whole"]["answered"]


def test_a_probe_learns_from_the_teacher_of_its_recipe_and_a_chain_is_not_followed(
    project: Path, done: tuple[str, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "distilled", symlinks=True))
    build_tiny_model(folder / "bases/teacher", seed=3, layers=3)
    tiny = yaml.safe_load((folder / "params.yaml").read_text())["students"]["tiny"]
    soft = {"teacher": "bases/teacher", "temperature": [2.0, 1.0], "top_k": 16}
    chained = {
        **tiny,
        "method": "logits",
        "needs": "models/tiny",
        "soft": {"teacher": "models/tiny"},
    }
    taught = {**tiny, "method": "logits", "soft": soft}
    set_params(folder, "students", chained=chained, tiny=taught)
    value = json.loads(pilot(folder, *FREE)[0])
    assert value["passed"]
    assert value["whole"]["not_in_seconds"] == ["student chained (another teacher)"]
    captured = json.loads(
        (folder / TREE / "data/distributions/probe/teacher/manifest.json").read_text()
    )
    assert captured["origin"]["teacher"] == "bases/teacher"
    assert captured["rows"] > 0


def test_a_failed_gate_is_a_verdict_with_its_rows(
    project: Path, done: tuple[str, str], tmp_path: Path
) -> None:
    red = tmp_path / "red"
    shutil.copytree(project, red, symlinks=True)
    set_params(red, "validate", answer_words_max=1)
    out, said = pilot(red, "--fraction", "0.2", code=1)
    assert "The gate said no, so nothing was trained: 1 of" in " ".join(out.split())
    assert "lengths.answer" in out
    assert "Rows: " in out
    assert "Traceback" not in said
    assert not json.loads((red / TREE / "reports/validation.json").read_text())["passed"]


def test_a_stage_that_fails_ends_it_in_one_sentence(
    project: Path, done: tuple[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(project, broken, symlinks=True)
    set_params(broken, "ingest", max_tokens="many")
    out, said = pilot(broken, "--fraction", "0.2", code=2)
    assert not out
    (last,) = [line for line in said.splitlines() if line.startswith("error: stage `ingest` of")]
    assert said.splitlines()[-1] == last
    assert "`ingest.max_tokens` is 'many'" in last


def test_a_teacher_that_costs_is_foreseen_and_never_asked_without_a_word(
    project: Path, done: tuple[str, str], tmp_path: Path
) -> None:
    paid = tmp_path / "paid"
    shutil.copytree(project, paid, symlinks=True)
    set_params(paid, "teacher", provider="anthropic")
    _, said = pilot(paid, "--fraction", "0.2", code=2)
    assert "; about $" in said
    assert said.splitlines()[-1].endswith("say `--yes` to pay for them")
    set_params(paid, "runtime", budget_usd=0.0001)
    _, said = pilot(paid, "--fraction", "0.2", "--yes", code=2)
    assert "of $0.0001 are spent; nothing was asked" in said.splitlines()[-1]
    assert "Running stage 'generate'" not in said


def test_answers_in_the_journals_remote_are_not_to_be_paid_for(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path(shutil.copytree(project, tmp_path / "shared", symlinks=True))
    remote = tmp_path / "remote"
    remote.mkdir()
    set_params(shared, "teacher", provider="anthropic")
    set_params(shared, "journal", remote=str(remote))
    monkeypatch.chdir(shared)
    monkeypatch.delenv("STILLHOUSE_HOME", raising=False)
    places = prepare_pilot(0.2).foresight.places
    names = [name for place in places for name in place.requests]
    with Journal(tmp_path / "elsewhere.sqlite") as journal:
        journal.record(
            [Response(n, "[]", "", "end_turn", 0, 0, 0, "m") for n in names], teacher="anthropic"
        )
        opened = open_journal_remote(load_journal(), journal, shared)
        assert opened is not None
        assert opened.upload() == len(names)
    foresight = prepare_pilot(0.2).foresight
    assert (foresight.pilot.new, foresight.pilot.cost.paid) == (0, 0)
    assert foresight.whole.new > 0


@pytest.fixture
def unwaited() -> Iterator[None]:
    """Let orphans come to this process, which does not wait for them: so it is in many a container.

    They stay zombies, which DVC takes for processes that run.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux lets a process take in orphans")
    prctl, set_subreaper = ctypes.CDLL(None).prctl, 36  # linux/prctl.h
    prctl(set_subreaper, 1)
    yield
    prctl(set_subreaper, 0)
    for child in psutil.Process().children():
        if child.status() == psutil.STATUS_ZOMBIE:
            child.wait()


@pytest.mark.usefixtures("unwaited")
def test_a_killed_pilot_leaves_nobody_behind_and_the_next_goes_on(
    project: Path, done: tuple[str, str], tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(project, killed, symlinks=True)
    shutil.rmtree(killed / ".stillhouse")
    shutil.rmtree(killed / ".dvc/cache")
    process = start(killed, *FREE)
    assert process.stderr is not None
    for line in process.stderr:
        if "Running stage 'curate'" in line:
            break
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 60
    while any(is_alive(one) for one in family) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [one for one in family if is_alive(one)]
    assert any(one.is_running() for one in family), "no zombie to be mistaken for a DVC"
    out, said = pilot(killed, *FREE)
    assert ", 0 new; nothing to pay" in said
    assert "Running stage 'ingest'" not in said
    assert json.loads(out)["tasks"] == json.loads(done[0])["tasks"]


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
