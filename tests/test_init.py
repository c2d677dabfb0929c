"""`stillhouse init`: a project of its own from the installed package, with nothing of the bundled firm.

The package is put together as the wheel is, from the same table of pyproject.toml, in a folder apart.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base.errors import StillhouseError
from stillhouse.base.library import LIBRARY, hash_stages
from stillhouse.base.stage import check_place
from stillhouse.cli.main import app
from stillhouse.scaffold.create import create_project
from stillhouse.scaffold.project import SETTINGS, Choices, build_files
from stillhouse.scaffold.update import Updated, update_project
from tests.tiny import build_tiny_model

ROOT = Path(__file__).parent.parent
SEED = ROOT / "data/seed"
FIVE = (
    "field/buoy-mooring-procedure.md",
    "it/information-classification.md",
    "people/training-and-study.md",
    "safety/works-safety.html",
    "quality/calibration-and-returns.txt",
)
SCRIPT = "#!{python}\nfrom stillhouse.cli.main import app\napp()\n"


def install(folder: Path) -> Path:
    """Write what the wheel holds to ``folder/site``, and its command to ``folder/bin``."""
    site = folder / "site"
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    for name, target in {**{p: p for p in wheel["packages"]}, **wheel["force-include"]}.items():
        (site / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, site / target, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / name, site / target)
    (folder / "bin").mkdir()
    command = folder / "bin/stillhouse"
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)
    return folder


def run(installed: Path, folder: Path, *command: str, code: int = 0) -> str:
    """Run a command of the installed package in ``folder`` and return what it printed."""
    own = ("DVC_ROOT", "STILLHOUSE_HOME", "MLFLOW_TRACKING_URI")
    path = (str(installed / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={
            **{name: value for name, value in os.environ.items() if name not in own},
            "PATH": os.pathsep.join(path), "PYTHONPATH": str(installed / "site"),
            "HF_HUB_OFFLINE": "1", "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1",
        },
    )  # fmt: skip
    assert done.returncode == code, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["init", *arguments])
    return done.exit_code, done.output


def list_files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory in no git repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_project_is_whole_and_under_git_and_dvc(outside: Path) -> None:
    code, said = invoke("x", "--device", "cpu")
    assert code == 0, said
    assert list_files(outside / "x") == set(build_files(Choices("x")))
    assert [path.name for path in outside.iterdir()] == ["x"]
    assert (outside / "x/.git/HEAD").read_text() == "ref: refs/heads/main\n"
    assert "put documents into x/data/seed/documents" in said
    assert yaml.safe_load((outside / "x/params.yaml").read_text())["runtime"]["device"] == "cpu"
    assert "https://download.pytorch.org/whl/cpu" in (outside / "x/README.md").read_text()
    mine = ("unanswered", "prompts", "review", "eval/gold", "eval/general", "eval/dev")
    for name in (f"{one}.jsonl" for one in mine):
        assert (outside / "x/data/seed" / name).read_text() == ""


def test_prompts_questions_and_parameters_are_the_repositorys_own() -> None:
    files = build_files(Choices("x", "cuda"))
    found = [path for path in (ROOT / "prompts").rglob("*") if path.is_file()]
    prompts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}
    assert {name: text for name, text in files.items() if name.startswith("prompts/")} == prompts
    for name in ("everyday.jsonl", "instructions.jsonl"):
        assert files[f"data/seed/{name}"] == (SEED / name).read_text()
    mine, theirs = (
        yaml.safe_load(files["params.yaml"]),
        yaml.safe_load((ROOT / "params.yaml").read_text()),
    )
    for key, value in {**SETTINGS, "runtime.device": "cuda"}.items():
        *parents, last = key.split(".")
        section, other = reduce(getitem, parents, mine), reduce(getitem, parents, theirs)
        assert section[last] == value != other[last], key
        other[last] = value
    assert mine == theirs
    assert "# fraction: part of the passages asked about;" in files["params.yaml"]


def test_nothing_of_the_bundled_firm_is_in_the_package_or_in_a_project(tmp_path: Path) -> None:
    site = install(tmp_path) / "site"
    packaged = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {name for name in packaged if "data/seed" in name} == {
        f"stillhouse/repository/data/seed/{name}"
        for name in ("everyday.jsonl", "instructions.jsonl", "nothing.txt")
    }
    assert not any(name.startswith("tests/") for name in packaged)
    files = build_files(Choices("x"))
    said = "\n".join(files.values())
    unanswered = (json.loads(line) for line in (SEED / "unanswered.jsonl").open())
    assert not [text for line in unanswered if (text := line.get("statement")) and text in said]
    focus = yaml.safe_load((SEED / "focus.yaml").read_text())
    assert not [item["source"] for item in focus["core"] if item["source"] in said]
    assert yaml.safe_load(files["data/seed/focus.yaml"]) == {
        "version": 1,
        "core": [],
        "held_out": [],
    }


def test_a_folder_with_a_space_can_be_entered_as_printed(outside: Path) -> None:
    _, said = invoke("my proj")
    assert "  2. cd 'my proj' && dvc repro && stillhouse summary\n" in said
    assert "DOCX, JSON Lines)" in said


def test_a_file_where_a_folder_belongs_is_named_and_nothing_is_written(outside: Path) -> None:
    Path("f").mkdir()
    Path("f/data").write_text("x")
    assert invoke("f", "--anyway") == (
        2,
        "error: f/data: a file stands where a folder is expected; move the file away\n",
    )
    assert list_files(outside) == {"f/data"}


def test_an_unknown_device_is_one_sentence(outside: Path) -> None:
    said = "error: --device: no `gpu`; expected one of auto, cpu, cuda\n"
    assert invoke("x", "--device", "gpu") == (2, said)
    assert list_files(outside) == set()


@pytest.mark.parametrize("stage", hash_stages())
def test_a_stage_differs_from_the_repositorys_only_in_its_code(stage: str) -> None:
    mine = yaml.safe_load(build_files(Choices("x"))["dvc.yaml"])["stages"][stage]
    theirs = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]
    assert mine.pop("foreach", None) == theirs.pop("foreach", None)
    mine, theirs = mine.get("do", mine), theirs.get("do", theirs)
    code = ("stages/", "stillhouse/")
    assert mine["cmd"] == theirs["cmd"].replace("python -m stages.", "stillhouse stage ")
    assert mine["deps"] == [dep for dep in theirs["deps"] if not dep.startswith(code)]
    assert mine["params"] == [*theirs.get("params", []), {"library.yaml": [f"stages.{stage}"]}]
    rest = {"cmd", "deps", "params"}
    assert {k: v for k, v in mine.items() if k not in rest} == {
        k: v for k, v in theirs.items() if k not in rest
    }


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
def test_the_templates_for_ci_are_yaml_and_run_and_comment(device: str) -> None:
    files = build_files(Choices("x", device))
    for name in (".github/workflows/stillhouse.yml", ".gitlab-ci.yml"):
        assert isinstance(yaml.safe_load(files[name]), dict)
        for needed in ("dvc repro", "stillhouse summary", "dvc metrics diff --md"):
            assert needed in files[name]
    assert not re.search(r"\[\[|\]\]|\[%", "".join(files[n] for n in files if "prompts" not in n))


def test_a_folder_with_files_is_refused_and_stays_as_it_was(outside: Path) -> None:
    (outside / "x").mkdir()
    (outside / "x/params.yaml").write_text("mine: 1\n")
    code, said = invoke("x")
    assert (code, len(said.splitlines())) == (2, 1)
    assert said.startswith("error: x: the folder holds files; expected a new or an empty one")
    assert list_files(outside) == {"x/params.yaml"}
    code, said = invoke("x", "--anyway")
    assert code == 0
    assert "Kept as they were: params.yaml\n" in said
    assert (outside / "x/params.yaml").read_text() == "mine: 1\n"
    assert (outside / "x/dvc.yaml").is_file()


def test_another_git_repository_is_refused_and_not_touched(outside: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "around"], check=True)
    code, said = invoke("around/deep/x")
    assert (code, len(said.splitlines())) == (2, 1)
    assert f"lies inside the git repository {outside / 'around'}" in said
    assert not (outside / "around/deep").exists()
    assert invoke("around/deep/x", "--anyway")[0] == 0
    assert not (outside / "around/deep/x/.git").exists()


def test_a_failure_half_way_leaves_nothing_behind(outside: Path) -> None:
    (outside / "x").mkdir()
    (outside / "x/prompts").write_text("a file where a folder should be")
    code, said = invoke("x", "--anyway")
    assert (code, len(said.splitlines())) == (2, 1)
    assert said.startswith("error: x")
    assert [path.name for path in (outside / "x").iterdir()] == ["prompts"]
    (outside / "file").write_text("")
    code, said = invoke("file/x")
    assert (code, len(said.splitlines())) == (2, 1)


def test_a_second_run_says_what_is_there_and_changes_nothing(outside: Path) -> None:
    create_project(Path("x"), Choices("x"))
    (outside / "x/data/seed/documents/a.md").write_text("A text.")
    (outside / "x/data/seed/eval/general.jsonl").unlink()
    before = {name: (outside / "x" / name).read_bytes() for name in list_files(outside / "x")}
    code, said = invoke("x")
    assert code == 0
    assert "with 1 documents is here already; nothing was changed" in said
    assert "missing: data/seed/eval/general.jsonl" in said
    assert {n: (outside / "x" / n).read_bytes() for n in list_files(outside / "x")} == before


def test_a_stage_runs_with_the_recorded_library_alone(outside: Path) -> None:
    with pytest.raises(StillhouseError, match="the library was imported from"):
        check_place()  # neither a copy of the code here nor a record of the installed one
    create_project(outside / "x", Choices("x"))
    os.chdir(outside / "x")
    check_place()
    recorded = yaml.safe_load(LIBRARY.read_text())
    recorded["stages"]["split"] = "0" * 64
    LIBRARY.write_text(yaml.safe_dump(recorded))
    with pytest.raises(StillhouseError) as caught:
        check_place()
    assert str(caught.value) == (
        "library.yaml: the installed library (0.1.0) has other code for split than the recorded one "
        "(0.1.0); `stillhouse upgrade` shows what that reruns and goes on with the installed one, or "
        "install stillhouse==0.1.0 again"
    )
    LIBRARY.unlink()
    (outside / "x/.venv").mkdir()
    with pytest.raises(StillhouseError, match="the library was imported from"):
        check_place()


def test_the_wheel_has_the_checkouts_hashes_and_an_edit_changes_only_its_stages(
    tmp_path: Path,
) -> None:
    installed = install(tmp_path)
    script = "import json; from stillhouse.base.library import *; print(json.dumps(hash_stages()))"
    command = (sys.executable, "-c", script)
    assert json.loads(run(installed, tmp_path, *command)) == hash_stages()
    with (installed / "site/stillhouse/report/page.html").open("a") as file:
        file.write("<!-- another page -->")
    after = json.loads(run(installed, tmp_path, *command))
    assert {stage for stage, digest in hash_stages().items() if after[stage] != digest} == {
        "report"
    }


def test_an_upgrade_stops_the_stages_until_it_is_recorded(tmp_path: Path) -> None:
    installed = install(tmp_path)
    project = tmp_path / "x"
    run(installed, tmp_path, "stillhouse", "init", "x", "--anyway")
    empty = run(installed, project, "stillhouse", "stage", "ingest", code=2)
    assert empty.startswith("error: data/seed/documents: no document that can be read")
    assert not (project / "data/corpus").exists()
    shutil.copy2(SEED / "documents" / FIVE[0], project / "data/seed/documents/a.md")
    assert "documents=1" in run(installed, project, "stillhouse", "stage", "ingest")
    with (installed / "site/stillhouse/corpus/chunker.py").open("a") as file:
        file.write("# another version\n")
    refused = run(installed, project, "stillhouse", "stage", "ingest", code=2)
    assert refused.startswith("error: library.yaml: the installed library (0.1.0) has other code")
    assert len(refused.splitlines()) == 1
    shown = run(installed, project, "stillhouse", "upgrade", "--accept")
    assert "other code for ingest" in shown
    assert "documents=1" in run(installed, project, "stillhouse", "stage", "ingest")
    unknown = run(installed, project, "stillhouse", "stage", "distil", code=2)
    assert unknown.startswith("error: no stage called `distil`; expected one of ingest, render")


def test_an_update_follows_the_stages_unless_they_were_edited(outside: Path) -> None:
    create_project(outside, Choices("x"))
    pipeline = outside / "dvc.yaml"
    new = pipeline.read_text()
    edited = new + "# mine\n"

    def record(text: str) -> None:
        import hashlib

        library = yaml.safe_load(LIBRARY.read_text())
        library["pipeline"] = hashlib.sha256(text.encode()).hexdigest()
        LIBRARY.write_text(yaml.safe_dump(library))

    pipeline.write_text(edited)
    # The library's own is as before: nothing to take over.
    assert update_project(outside) == Updated((), beside=False)
    assert (pipeline.read_text(), (outside / "dvc.yaml.new").exists()) == (edited, False)
    pipeline.write_text("stages: {}\n")
    record("stages: {}\n")  # as an older version wrote it
    assert update_project(outside) == Updated(("dvc.yaml", "library.yaml"), beside=False)
    assert pipeline.read_text() == new
    pipeline.write_text(edited)
    record("stages: {}\n")
    assert update_project(outside) == Updated(("dvc.yaml.new", "library.yaml"), beside=True)
    assert pipeline.read_text() == edited
    assert (outside / "dvc.yaml.new").read_text() == new


@pytest.mark.slow
def test_five_documents_become_a_registered_student_without_an_edit(tmp_path: Path) -> None:
    installed = install(tmp_path)
    project = tmp_path / "x"
    run(installed, tmp_path, "stillhouse", "init", "x", "--anyway")
    for name in FIVE:
        shutil.copy2(SEED / "documents" / name, project / "data/seed/documents")
    # Only the base is another, so that it ends within minutes: a tiny one at the name's place.
    build_tiny_model(project / "smollm2-135m-instruct")
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(
        params.replace("smollm2-135m-instruct", "./smollm2-135m-instruct")
    )
    run(installed, project, "git", "init", "--quiet")
    run(installed, project, "dvc", "repro")
    told = json.loads((project / "reports/students/smollm2/registration.json").read_text())
    assert told["uri"] == "models:/stillhouse-smollm2/1"
    page = (project / "reports/index.html").read_text()
    assert "Synthetic test only: no verdict" in page
    assert "Synthetic test only, no verdict" in run(installed, project, "stillhouse", "summary")
    metrics = json.loads((project / "reports/students/smollm2/metrics.json").read_text())
    assert metrics["verdict"] == "synthetic test only: no verdict"
    assert "Running stage" not in run(installed, project, "dvc", "repro")


def test_an_upgrade_writes_what_stages_read_since_and_touches_nothing_that_is_there(
    outside: Path,
) -> None:
    create_project(outside, Choices("x"))
    files = {name: (outside / name).read_text() for name in build_files(Choices("x"))}
    gone = [name for name in files if name.startswith("prompts/evolve/")]
    for name in (*gone, "data/seed/review.jsonl"):
        (outside / name).unlink()
    (outside / "prompts/evolve").rmdir()
    (outside / "prompts/recall.md").write_text("mine")
    written = update_project(outside).written
    assert written == ("data/seed/review.jsonl", *sorted(gone))
    expected = {**files, "prompts/recall.md": "mine"}
    assert {name: (outside / name).read_text() for name in files} == expected
