"""Newer code asks nothing again before somebody has seen what it would ask, and has accepted it.

A small project under DVC, whose copy of ``versions.py`` is bumped; and one of ``stillhouse init``.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stillhouse.base.formats import list_installed
from stillhouse.base.tables import count_values
from tests.test_init import install
from tests.test_init import run as run_installed
from tests.trace_project import LEAVE, STUDY, TASK

ROOT = Path(__file__).parent.parent
CODE = ("stillhouse", "stages", "prompts", ".dvc/config", ".dvcignore", "dvc.yaml", "params.yaml")
SEEDS = ("everyday", "unanswered", "prompts", "instructions", "review", "eval/gold", "eval/general")
VERSIONS = "stillhouse/base/versions.py"
IDS = list_installed()["ids"]

pytestmark = pytest.mark.slow


def write_project(root: Path) -> None:
    """Write this repository's code, its own params with another plan, and two documents."""
    for name in CODE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, root / name)
    seed = root / "data/seed"
    for source in (LEAVE, STUDY):
        (seed / "documents" / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "data/seed/documents" / source, seed / "documents" / source)
    for folder in ("eval", "tables", "schemas"):
        (seed / folder).mkdir()
    for name in SEEDS:
        (seed / f"{name}.jsonl").write_text("")
    (seed / "sources.yaml").write_text("version: 1\n")
    (seed / "focus.yaml").write_text("version: 1\ncore: []\nheld_out: []\n")
    text = (root / "params.yaml").read_text()
    start, end = text.index("  plan:"), text.index("# Who answers")
    plan = {"plan": {"core": {"recall": TASK}, "other": {"recall": TASK}, "questions": {}}}
    indented = "".join(f"  {line}\n" for line in yaml.safe_dump(plan).splitlines())
    (root / "params.yaml").write_text(f"{text[:start]}{indented}\n{text[end:]}")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose requests were answered once."""
    root = tmp_path / "project"
    write_project(root)
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "repro", "generate")
    return root


def run(root: Path, *command: str, code: int = 0) -> str:
    return run_installed(root, root, *command, code=code)


def upgrade(root: Path, *options: str, code: int) -> str:
    run_app = "from stillhouse.cli.main import app; app()"
    return run(root, sys.executable, "-c", run_app, "upgrade", *options, code=code)


def bump(path: Path, name: str, number: int) -> None:
    text = path.read_text()
    assert f"{name}: Final = {number} " in text
    path.write_text(text.replace(f"{name}: Final = {number} ", f"{name}: Final = {number + 1} "))


def list_made(root: Path) -> dict[str, str]:
    """Return the md5 of everything that stages write, the journal and DVC's records among it."""
    names = ("data/corpus", "data/generated", "data/requests.parquet", ".stillhouse/journal.sqlite")
    paths = [root / name for name in (*names, "dvc.lock")]
    files = [f for path in paths for f in (path.rglob("*") if path.is_dir() else [path])]
    return {
        str(file.relative_to(root)): hashlib.md5(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def test_a_bump_stops_the_first_stage_and_runs_once_it_is_accepted(project: Path) -> None:
    made, params = list_made(project), (project / "params.yaml").read_text()
    total = sum(count_values(project / "data/requests.parquet", "teacher").values())
    assert total > 0
    assert "Nothing to accept" in upgrade(project, code=0)

    bump(project / VERSIONS, "IDS", IDS)
    refused = run(project, "dvc", "repro", "generate", code=255)
    (sentence,) = [line for line in refused.splitlines() if line.startswith("error: ")]
    assert sentence.startswith(
        f"error: params.yaml: `formats.ids` is {IDS} and the installed code has {IDS + 1}: every "
        "request gets another id, so all answers would be asked for again (and paid again, where"
    )
    assert "Running stage 'ingest'" in refused
    assert "Running stage 'render'" not in refused
    # DVC itself takes a stage's outputs away before it starts the stage; its cache has them.
    left = list_made(project)
    assert left == {
        name: md5 for name, md5 in made.items() if "corpus/" not in name or ".git" in name
    }
    run(project, "dvc", "checkout", "ingest")
    assert list_made(project) == made

    shown = upgrade(project, code=1)
    assert f"formats.ids: {IDS} -> {IDS + 1}\n" in shown
    assert (
        f"Of {total:,} requests here {total:,} are asked again: {total:,} of `offline`. "
        "All of that is free.\n"
    ) in shown
    told = json.loads(upgrade(project, "--json", code=1))
    assert told["requests"] == {
        "total": total,
        "asked_again": total,
        "exact": True,
        "by_teacher": {"offline": total},
        "may_cost": [],
    }
    assert [(f["name"], f["pinned"], f["installed"]) for f in told["formats"]] == [
        ("ids", IDS, IDS + 1)
    ]
    assert (list_made(project), (project / "params.yaml").read_text()) == (made, params)

    assert "Accepted: params.yaml rewritten" in upgrade(project, "--accept", code=0)
    wanted = params.replace(f"\n  ids: {IDS}\n", f"\n  ids: {IDS + 1}\n")
    assert (project / "params.yaml").read_text() == wanted != params
    ran = run(project, "dvc", "repro", "generate")
    assert f"generate: requests={total} answered=0 sent={total} " in ran
    assert "Nothing to accept" in upgrade(project, code=0)


def test_a_library_from_elsewhere_is_not_compared(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stillhouse", tmp_path / "stillhouse")
    shutil.copy2(ROOT / "params.yaml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from stillhouse.cli.main import app; app()", "upgrade"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: the library was imported from ")


def test_a_project_without_code_accepts_formats_and_library_at_once(tmp_path: Path) -> None:
    installed = install(tmp_path)
    project = tmp_path / "x"
    run_installed(installed, tmp_path, "stillhouse", "init", "x", "--anyway")
    shutil.copy2(ROOT / "data/seed/documents" / LEAVE, project / "data/seed/documents/a.md")
    run_installed(installed, project, "stillhouse", "stage", "ingest")
    before = {name: (project / name).read_text() for name in ("params.yaml", "library.yaml")}

    teacher = list_installed()["offline_teacher"]
    bump(installed / "site" / VERSIONS, "OFFLINE_TEACHER", teacher)
    for command in (["stage", "ingest"], ["register"]):
        refused = run_installed(installed, project, "stillhouse", *command, code=2)
        assert refused.startswith(
            f"error: params.yaml: `formats.offline_teacher` is {teacher} and the installed code has "
            f"{teacher + 1}: the offline teacher answers otherwise"
        )
        assert len(refused.splitlines()) == 1
    shown = run_installed(installed, project, "stillhouse", "upgrade", code=1)
    assert f"formats.offline_teacher: {teacher} -> {teacher + 1}\n" in shown
    assert (
        "How many requests that affects cannot be told: there is no data/requests.parquet here"
        in shown
    )
    assert "library.yaml: 0.1.0 -> 0.1.0, other code for capture, curate, evaluate" in shown
    assert {name: (project / name).read_text() for name in before} == before

    accepted = run_installed(installed, project, "stillhouse", "upgrade", "--accept")
    assert "Accepted: params.yaml and library.yaml rewritten; commit that" in accepted
    old, new = f"offline_teacher: {teacher}\n", f"offline_teacher: {teacher + 1}\n"
    assert (project / "params.yaml").read_text() == before["params.yaml"].replace(old, new)
    assert (project / "library.yaml").read_text() != before["library.yaml"]
    run_installed(installed, project, "stillhouse", "stage", "ingest")
    run_installed(installed, project, "stillhouse", "upgrade")
    # A colleague who pulls the accepted numbers has nothing left to accept.
    assert not (project / ".stillhouse/formats.json").exists()


def test_a_bump_that_was_merged_with_its_number_is_not_taken_for_accepted(project: Path) -> None:
    params = project / "params.yaml"
    bump(project / VERSIONS, "IDS", IDS)
    params.write_text(params.read_text().replace(f"  ids: {IDS}\n", f"  ids: {IDS + 1}\n"))
    merged = params.read_text()
    said = run(project, "dvc", "repro", "generate", code=255)
    assert f"`formats.ids` is {IDS} and the installed code has {IDS + 1}" in said
    assert "stillhouse upgrade" in said
    assert f"formats.ids: {IDS} -> {IDS + 1}" in upgrade(project, code=1)
    assert "Accepted" in upgrade(project, "--accept", code=0)
    assert params.read_text() == merged
    upgrade(project, code=0)
    run(project, "dvc", "repro", "generate")
    for number in (IDS, IDS + 1):  # back to what was accepted once, and forth again, is no upgrade
        now = IDS + 1 if number == IDS else IDS
        text = (project / VERSIONS).read_text()
        (project / VERSIONS).write_text(
            text.replace(f"IDS: Final = {now} ", f"IDS: Final = {number} ")
        )
        params.write_text(params.read_text().replace(f"  ids: {now}\n", f"  ids: {number}\n"))
        upgrade(project, code=0)
