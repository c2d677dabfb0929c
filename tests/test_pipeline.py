"""The whole pipeline under DVC, with the real stages, a few documents and a tiny student.

One project is run once for all tests here; a second clone runs apart, with another hash seed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_project import (
    clean_environment,
    copy_shared,
    count_of,
    count_task,
    edit,
    hashed_outs,
    run,
    stages_run,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_shared(tmp_path_factory, tmp_path_factory.mktemp("first") / "project")


def test_a_second_repro_runs_nothing(project: Path) -> None:
    assert stages_run(run(project, "dvc", "repro")) == []


def test_two_clones_with_different_hash_seeds_give_equal_hashes(
    project: Path, tmp_path: Path
) -> None:
    run(tmp_path, "git", "clone", "--quiet", str(project), "other")
    run(tmp_path / "other", "dvc", "repro", PYTHONHASHSEED="2")
    assert hashed_outs(tmp_path / "other") == hashed_outs(project)


def test_a_prompt_edit_sends_only_its_own_requests_and_a_revert_none(project: Path) -> None:
    prompt = project / "prompts/simplified.md"
    before = prompt.read_text()
    edit(prompt, "You ", "You do ")
    edited = run(project, "dvc", "repro", "generate")
    sent = count_of(edited, "sent")
    assert 0 < sent < count_of(edited, "requests")
    assert sent == count_task(project, "simplified")
    assert count_of(edited, "answered") == count_of(edited, "requests") - sent
    prompt.write_text(before)
    reverted = run(project, "dvc", "repro", "--force", "--single-item", "render", "generate")
    assert count_of(reverted, "sent") == 0
    run(project, "dvc", "repro")


def test_a_comment_in_an_unrelated_folder_reruns_nothing(project: Path) -> None:
    with (project / "stillhouse/cli/__init__.py").open("a") as file:
        file.write("# nothing depends on this\n")
    assert stages_run(run(project, "dvc", "repro")) == []


def test_the_registered_model_is_found_by_the_digest_of_its_dataset(project: Path) -> None:
    md5 = hashed_outs(project)["data/dataset"]
    script = (
        "from stillhouse.lineage.registry import *; import mlflow, sys; from pathlib import Path;"
        f"mlflow.set_tracking_uri('sqlite:///{project}/.stillhouse/mlflow.db');"
        "runs = mlflow.search_runs(search_all_experiments=True,"
        f" filter_string=\"dataset.digest = '{md5}'\", output_format='list');"
        "print('found', len(runs))"
    )
    assert "found 1" in run(project, sys.executable, "-c", script)


def test_training_refuses_a_dataset_that_did_not_pass_the_gate(project: Path) -> None:
    gate = project / "reports/validation.json"
    passed = gate.read_text()
    gate.unlink()  # DVC may have linked it to its cache
    gate.write_text(passed.replace('"passed": true', '"passed": false'))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "tiny"], cwd=project, capture_output=True, text=True,
        check=False, env={**clean_environment(), "PATH": path},
    )  # fmt: skip
    assert done.returncode == 1
    assert "did not pass" in done.stderr
    assert "Traceback" not in done.stderr
    gate.write_text(passed)


def test_the_model_folder_holds_weights_and_provenance_and_no_pickle(project: Path) -> None:
    names = {path.name for path in (project / "models/tiny").iterdir()}
    assert {"model.safetensors", "provenance.json", "rows.parquet"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)


def test_the_report_page_loads_nothing_from_elsewhere(project: Path) -> None:
    page = (project / "reports/index.html").read_text()
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
