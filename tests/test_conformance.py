"""The rules of execution hold wherever DVC runs the pipeline.

The real stages, a few documents and a tiny student: in the workspace, in temporary workspaces, in
the queue with two jobs at once, in clones, across branches, after a revert, and past a gate that
somebody overruled. One project is run once; each test changes a copy of it.
"""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.small_project import (
    ROOT,
    clean_environment,
    commit,
    copy_shared,
    count_of,
    count_task,
    edit,
    edit_params,
    fail,
    find_shared,
    hashed_outs,
    run,
    sent_in,
    stages_run,
)

PROMPT = "prompts/simplified.md"
TASK = "simplified"
UNKEPT = {"register@tiny", "report"}  # their files are in no cache, so they run after a checkout

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that ran, is committed, and was pushed to a remote; its teacher counts as paid."""
    place = tmp_path_factory.mktemp("original")
    folder = copy_shared(tmp_path_factory, place / "project")
    reader = folder / "stillhouse/teachers/reader.py"
    edit(reader, "costs: Final = False", "costs: Final = True")
    run(folder, "dvc", "remote", "add", "--default", "store", str(place / "store"))
    run(folder, "dvc", "repro")
    commit(folder, "Its teacher counts as paid")
    run(folder, "dvc", "push", "--all-commits")
    return folder


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    """A copy of the project with its cache and journal, in another folder."""
    return Path(shutil.copytree(original, tmp_path / "project", symlinks=True))


@pytest.fixture
def clone(original: Path, tmp_path: Path) -> Path:
    """A clone of the project: nothing but what git holds."""
    run(tmp_path, "git", "clone", "--quiet", str(original), "clone")
    return tmp_path / "clone"


def edit_prompt(folder: Path) -> None:
    edit(folder / PROMPT, "You ", "You do ")


def count_answers(folder: Path) -> int:
    with closing(sqlite3.connect(folder / ".stillhouse/journal.sqlite")) as base:
        (count,) = base.execute("SELECT count(*) FROM answers").fetchone()
    return int(count)


def count_models(folder: Path) -> int:
    with closing(sqlite3.connect(folder / ".stillhouse/mlflow.db")) as base:
        (count,) = base.execute("SELECT count(*) FROM model_versions").fetchone()
    return int(count)


def read_plain(path: Path) -> bytes:
    """Return a file's bytes, those of a Parquet file as its decompressed values."""
    if path.suffix == ".parquet":
        return repr(pq.read_table(path).to_pylist()).encode()
    return path.read_bytes()


def test_the_workspace_runs_nothing_that_did_not_change(project: Path) -> None:
    assert stages_run(run(project, "dvc", "repro")) == []
    edit_params(project, lambda params: params["runtime"].update(checkpoint_minutes=7))
    run(project, "git", "commit", "--quiet", "--all", "--message", "Another pace")
    assert stages_run(run(project, "dvc", "repro")) == []


def test_no_output_knows_where_it_was_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    original = find_shared(tmp_path_factory)
    place = str(original).encode()
    outs = [original / out for out in hashed_outs(original)]
    files = [path for out in outs for path in ([out] if out.is_file() else out.rglob("*"))]
    assert len([path for path in files if path.is_file()]) > 20
    assert [path for path in files if path.is_file() and place in read_plain(path)] == []


def test_a_temporary_workspace_uses_its_own_code_and_the_parents_journal(project: Path) -> None:
    edit_prompt(project)
    edit(project / "stillhouse/teachers/generate.py", '"""', '"""Edited. ')
    answers, models = count_answers(project), count_models(project)
    said = run(project, "dvc", "exp", "run", "--temp", "--name", "elsewhere")
    new = sent_in(said)
    assert 0 < new == count_answers(project) - answers
    assert count_of(said, "answered") == count_of(said, "requests") - new
    assert count_models(project) == models + 1
    run(project, "git", "stash", "--quiet")
    run(project, "dvc", "exp", "apply", "elsewhere")
    assert new == count_task(project, TASK)
    assert set(stages_run(run(project, "dvc", "repro"))) <= UNKEPT


def test_two_jobs_of_the_queue_buy_no_answer_twice(project: Path) -> None:
    edit_prompt(project)
    answers, models = count_answers(project), count_models(project)
    for rate in ("1e-4", "3e-4"):
        run(
            project, "dvc", "exp", "run", "--queue", "--name", f"rate-{rate}",
            "--set-param", f"students.tiny.learning_rate={rate}",
        )  # fmt: skip
    run(project, "dvc", "queue", "start", "--jobs", "2")
    logs = [run(project, "dvc", "queue", "logs", "--follow", f"rate-{r}") for r in ("1e-4", "3e-4")]
    run(project, "git", "stash", "--quiet")
    weights = set()
    for rate in ("1e-4", "3e-4"):
        run(project, "dvc", "exp", "apply", f"rate-{rate}")
        weights.add(hashed_outs(project)["models/tiny"])
    new = count_task(project, TASK)
    assert sum(sent_in(log) for log in logs) == count_answers(project) - answers == new
    assert len(weights) == 2
    assert count_models(project) == models + 2


def test_a_clone_that_pulled_runs_what_is_not_kept_and_asks_for_nothing(
    original: Path, clone: Path
) -> None:
    run(clone, "dvc", "pull")
    assert set(stages_run(run(clone, "dvc", "repro"))) <= UNKEPT
    assert hashed_outs(clone) == hashed_outs(original)
    edit_prompt(clone)
    said = run(clone, "dvc", "repro", "generate")  # no journal here: answers come out of the cache
    assert sent_in(said) == count_task(clone, TASK)


def test_a_clone_without_pull_finds_what_was_paid_for_in_the_remote(
    clone: Path, original: Path
) -> None:
    assert sent_in(run(clone, "dvc", "repro", "generate")) == count_free(original)
    assert hashed_outs(clone)["data/generated"] == hashed_outs(original)["data/generated"]


def count_free(folder: Path) -> int:
    return count_task(folder, "replay")


def test_a_clone_without_pull_and_remote_pays_for_nothing(clone: Path, original: Path) -> None:
    run(clone, "dvc", "remote", "remove", "store")
    said = fail(clone, "dvc", "repro", "generate")
    run(clone, "git", "checkout", "--quiet", ".dvc/config")
    assert "dvc pull" in said
    assert not (clone / "data/generated").exists()
    run(clone, "dvc", "pull", "generate")
    assert stages_run(run(clone, "dvc", "repro", "generate")) == []  # what went before it ran above
    assert hashed_outs(clone) == hashed_outs(original)


def test_a_clone_without_pull_makes_the_same_bytes_with_a_free_teacher(
    clone: Path, original: Path
) -> None:
    reader = clone / "stillhouse/teachers/reader.py"
    edit(reader, "costs: Final = True", "costs: Final = False")
    run(clone, "dvc", "repro", "validate")
    assert hashed_outs(clone) == hashed_outs(original)


def test_branches_and_reverts_ask_for_nothing(project: Path) -> None:
    before = hashed_outs(project)
    run(project, "git", "switch", "--quiet", "--create", "other")
    edit_prompt(project)
    run(project, "dvc", "repro")
    commit(project, "Another prompt")
    there, answers = hashed_outs(project), count_answers(project)
    assert there["data/generated"] != before["data/generated"]
    for branch, outs in (("main", before), ("other", there)):
        run(project, "git", "switch", "--quiet", branch)
        run(project, "dvc", "checkout")
        assert set(stages_run(run(project, "dvc", "repro"))) <= UNKEPT
        assert hashed_outs(project) == outs
        run(project, "git", "checkout", "--quiet", ".")
    run(project, "git", "revert", "--no-edit", "HEAD")
    assert set(stages_run(run(project, "dvc", "repro"))) <= UNKEPT  # out of the run cache
    assert hashed_outs(project) == before
    assert count_answers(project) == answers
    shutil.rmtree(project / ".stillhouse")  # the edit's answers are found in the commit before
    edit_prompt(project)
    said = run(project, "dvc", "repro", "--force", "generate")
    assert sent_in(said) == 0


def test_a_red_gate_that_was_overruled_by_commit_trains_nothing(project: Path) -> None:
    before, models = hashed_outs(project), count_models(project)
    edit_params(project, lambda params: params["validate"].update(train_rows_min=100_000))
    assert "train set has enough rows: 100000 or more" in fail(project, "dvc", "repro")
    run(project, "dvc", "commit", "--force", "validate")
    said = fail(project, "dvc", "repro")
    assert "the validation did not pass" in said
    assert stages_run(said)[-1] == "train@tiny"
    run(project, "git", "checkout", "--quiet", "dvc.lock")
    run(project, "dvc", "checkout", "train@tiny")
    run(project, "dvc", "commit", "--force")  # now also the student is taken for one of that gate
    assert "dvc repro --force validate" in fail(project, "stillhouse", "doctor")
    assert count_models(project) == models
    run(project, "git", "checkout", "--quiet", ".")
    assert set(stages_run(run(project, "dvc", "repro"))) <= UNKEPT
    assert hashed_outs(project) == before


def test_training_alone_refuses_rows_that_the_gate_has_not_seen(project: Path) -> None:
    weights = (project / "models/tiny/model.safetensors").read_bytes()
    edit_params(project, lambda params: params["split"].update(seed=99))
    run(project, "dvc", "repro", "split")
    said = fail(project, "dvc", "repro", "--single-item", "train@tiny")
    assert "is not the file that passed" in said
    model = project / "models/tiny/model.safetensors"
    assert not model.exists() or model.read_bytes() == weights


def test_a_stage_refuses_another_checkouts_library(project: Path) -> None:
    path = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv.pop()); sys.path.remove('');"
         "import stillhouse; sys.path.insert(0, '.'); import runpy;"
         "runpy.run_module('stages.ingest', run_name='__main__')", path],
        cwd=project, capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(f"error: the library was imported from {ROOT}")
