"""The doctor finds each trap, raises no false alarm, and changes nothing."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base.ids import md5_file
from stillhouse.cli.main import app
from stillhouse.lineage.doctor import Finding, examine
from stillhouse.lineage.doctor_environment import _find_cuda, _is_same
from stillhouse.lineage.doctor_repository import check_running
from stillhouse.lineage.doctor_yaml import Out, read_stages
from stillhouse.lineage.dvc_running import RWLOCK, release_abandoned
from stillhouse.scaffold.create import create_project
from stillhouse.scaffold.project import Choices
from stillhouse.teachers.journal import Journal

ROOT = Path(__file__).parent.parent
PARTS = (
    "stillhouse",
    "stages",
    "prompts",
    "data/seed/documents",
    ".dvc/config",
    ".dvcignore",
    "dvc.yaml",
    "dvc.lock",
    "params.yaml",
    "constraints.txt",
)
SEEDS = (
    "focus.yaml",
    "everyday.jsonl",
    "nothing.txt",
    "unanswered.jsonl",
    "prompts.jsonl",
    "instructions.jsonl",
    "baseline.json",
    "tables",
    "schemas",
    "review.jsonl",
    "sources.yaml",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed project of this repository's own files, in which nothing has run."""
    root = tmp_path_factory.mktemp("doctor")
    kept_empty = [
        path.relative_to(ROOT) for path in ROOT.glob("*/**/.gitignore") if ".venv" not in path.parts
    ]
    for name in (*PARTS, ".gitignore", *(f"data/seed/{seed}" for seed in SEEDS), *kept_empty):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, root / name)
    (root / "data/seed/eval").mkdir()
    (root / "data/seed/eval/gold.jsonl").write_text("")
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the working directory."""
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    for name in ("STILLHOUSE_HOME", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    return Path()


def git(root: Path, *command: str) -> None:
    name = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *name, *command], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A project")


def troubles(root: Path) -> list[tuple[str, str]]:
    """Return check and status of all that is not well; this machine's packages and disk apart."""
    ours = ("packages", "disk", "weights", "filesystem")
    return [(f.check, f.status) for f in examine(root) if f.status != "ok" and f.check not in ours]


def find(root: Path, check: str) -> Finding:
    return next(f for f in examine(root) if f.check == check and f.status != "ok")


def edit_yaml(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    value = yaml.safe_load(path.read_text())
    change(value)
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def test_a_fresh_clone_has_nothing_wrong(project: Path) -> None:
    assert troubles(project) == []


def test_after_a_run_only_the_missing_remote_is_a_warning(project: Path) -> None:
    for stage in read_stages(project):
        for out in stage.outs:
            Path(out.path).parent.mkdir(parents=True, exist_ok=True)
            Path(out.path).write_text("made") if "." in out.path else Path(out.path).mkdir()
    Path(".dvc/cache/files/md5").mkdir(parents=True)
    with Journal(Path(".stillhouse/journal.sqlite")):
        pass
    assert troubles(project) == [("remote", "warn")]
    store = "['remote \"store\"']\n    url = /mnt/store\n"
    Path(".dvc/config.local").write_text(store)
    assert find(project, "remote").found == (
        "`store` is there, but no default: a plain `dvc push` fails"
    )
    Path(".dvc/config.local").write_text(f"[core]\n    remote = stroe\n{store}")
    assert find(project, "remote").found == (
        "the default, `stroe`, is not there: a plain `dvc push` fails"
    )
    assert find(project, "remote").remedy == "run `dvc remote default store`"
    Path(".dvc/config.local").write_text(f"[core]\n    remote = store\n{store}")
    assert troubles(project) == []


def params(change: Callable[[dict[str, dict[str, object]]], object]) -> Callable[[], None]:
    return lambda: edit_yaml(Path("params.yaml"), change)  # type: ignore[arg-type]


def persist() -> None:
    text = Path("dvc.yaml").read_text()
    assert "      - data/dataset\n" in text
    before, _, after = text.rpartition("    outs:\n      - data/dataset\n")
    Path("dvc.yaml").write_text(
        f"{before}    outs:\n      - data/dataset:\n          persist: true\n{after}"
    )


def hold_lock(pid: int) -> None:
    Path(".dvc/tmp").mkdir(exist_ok=True)
    held = {"/x/data/dataset": {"write": {"pid": pid, "cmd": "dvc repro"}}}
    Path(".dvc/tmp/rwlock").write_text(json.dumps(held))


def test_a_running_dvc_is_waited_for(project: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"]
    with subprocess.Popen(command) as process:
        hold_lock(process.pid)
        (finding,) = check_running(project)
        process.kill()
        # It is a zombie now, which DVC counts as running; gone once it was waited for.
        (ended,) = wait_for_end(project, process.pid)
    (gone,) = check_running(project)
    assert [f.status for f in (finding, ended, gone)] == ["warn", "fail", "ok"]


def wait_for_end(project: Path, pid: int) -> list[Finding]:
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    return list(check_running(project))


def test_abandoned_locks_are_removed_and_those_of_a_running_dvc_stay(project: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"]
    with subprocess.Popen(command) as process:
        hold_lock(process.pid)
        release_abandoned(project, patience=0.2)
        assert Path(RWLOCK).exists()
        process.kill()
        release_abandoned(project)  # by now or soon a zombie, which DVC would wait for
        assert not Path(RWLOCK).exists()
    Path(RWLOCK).write_text("")
    release_abandoned(project, patience=0.2)
    assert not Path(RWLOCK).exists()


def fail_gate(*, locked: bool) -> None:
    path = Path("reports/validation.json")
    path.write_text('{"passed": false}')
    out = {"path": path.as_posix(), "md5": md5_file(path)}
    stages = {"validate": {"cmd": "x", "outs": [out]}} if locked else {}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    git(Path(), "commit", "--quiet", "--all", "--message", "committed")


def track_output() -> None:
    Path("data/judgements.parquet").write_text("x")
    git(Path(), "add", "--force", "data/judgements.parquet")
    git(Path(), "commit", "--quiet", "--message", "oops")


def expose_output() -> None:
    Path("data/.gitignore").write_text("")
    git(Path(), "commit", "--quiet", "--all", "--message", "oops")
    Path("data/judgements.parquet").write_text("x")


def link_to_nothing() -> None:
    Path("data/seed/documents/manual.html").symlink_to("/usr/share/doc/no-such-package/manual.html")
    git(Path(), "add", "data/seed/documents/manual.html")
    git(Path(), "commit", "--quiet", "--message", "oops")


def damage_journal() -> None:
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        journal._base.execute("CREATE TABLE filler AS SELECT randomblob(60000) AS x")
    data = bytearray(Path(".stillhouse/journal.sqlite").read_bytes())
    data[4096:8192] = b"\xff" * 4096
    Path(".stillhouse/journal.sqlite").write_bytes(data)


def age_journal() -> None:
    Path(".stillhouse").mkdir()
    with sqlite3.connect(".stillhouse/journal.sqlite") as base:
        base.execute("PRAGMA user_version = 99")
    base.close()


def test_a_journal_of_the_former_layout_is_no_finding(project: Path) -> None:
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        journal._base.execute("PRAGMA user_version = 1")
    assert ("journal", "fail") not in troubles(project)


def merge_lock() -> None:
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")


KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 4
TRAPS = {
    "a parameter called size": (
        params(lambda p: p["students"]["smollm2"].update(size=3)),  # type: ignore[attr-defined]
        ("parameter names", "fail"),
    ),
    "a nested parameter called nfiles": (
        params(lambda p: p["curate"]["thresholds"].update(nfiles=1)),  # type: ignore[attr-defined]
        ("parameter names", "fail"),
    ),
    "a format of other code": (
        params(lambda p: p["formats"].update(ids=7)),
        ("formats", "fail"),
    ),
    "a format that is not pinned": (
        params(lambda p: p["formats"].pop("judge")),
        ("formats", "fail"),
    ),
    "a persisted output": (persist, ("outputs", "fail")),
    "a file in a dependency that git does not know": (
        lambda: Path("prompts/new.md").write_text("x"),
        ("undeclared files", "warn"),
    ),
    "a link to nothing among the documents": (link_to_nothing, ("links", "fail")),
    "a missing dependency": (
        lambda: Path("data/seed/review.jsonl").unlink(),
        ("dependencies", "fail"),
    ),
    "an output in git": (track_output, ("outputs in git", "fail")),
    "an output that git does not ignore": (expose_output, ("outputs in git", "warn")),
    "a lock in conflict": (merge_lock, ("dvc.lock", "fail")),
    "a torn lock": (
        lambda: Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  a: [\n"),
        ("dvc.lock", "fail"),
    ),
    "a lock that is not committed": (
        lambda: Path("dvc.lock").write_text("schema: '2.0'\n"),
        ("dvc.lock", "warn"),
    ),
    "a killed DVC's number for another process": (
        lambda: hold_lock(os.getpid()),
        ("DVC's lock", "fail"),
    ),
    "a torn lock of DVC": (
        lambda: (hold_lock(1), Path(".dvc/tmp/rwlock").write_text('{"/x": {"wri')),
        ("DVC's lock", "fail"),
    ),
    "an emptied lock of DVC": (
        lambda: (hold_lock(1), Path(".dvc/tmp/rwlock").write_text("")),
        ("DVC's lock", "fail"),
    ),
    "a red gate": (lambda: fail_gate(locked=False), ("gate", "warn")),
    "a red gate that was committed": (lambda: fail_gate(locked=True), ("gate", "fail")),
    "a damaged journal": (damage_journal, ("journal", "fail")),
    "a journal of another version": (age_journal, ("journal", "fail")),
    "no bytecode ignored": (
        lambda: (Path(".dvcignore").write_text(""), git(Path(), "commit", "-qam", "x")),
        ("bytecode", "warn"),
    ),
    "a key in params.yaml": (
        params(lambda p: p["generate"].update(note=KEY)),
        ("secrets", "fail"),
    ),
    "a password in params.yaml": (
        params(lambda p: p["register"].update(password="Tr0ub4dor&3x!")),
        ("secrets", "warn"),
    ),
    "a student with a full stop": (
        params(lambda p: p["students"].update({"v1.5": p["students"].pop("smollm2")})),
        ("project", "fail"),
    ),
    "a broken dvc.yaml": (lambda: Path("dvc.yaml").write_text("stages: ["), ("project", "fail")),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_is_found_and_nothing_else(project: Path, trap: str) -> None:
    lay, expected = TRAPS[trap]
    lay()
    found = troubles(project)
    assert found == [expected]
    assert find(project, expected[0]).remedy


def test_links_to_nothing_in_a_folder_elsewhere_are_named_in_the_plural(
    project: Path, tmp_path: Path
) -> None:
    link_to_nothing()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").symlink_to(tmp_path / "gone")
    declared = yaml.safe_load(Path("dvc.yaml").read_text())
    declared["stages"]["ingest"]["deps"].append(str(elsewhere))
    Path("dvc.yaml").write_text(yaml.safe_dump(declared))
    found = find(project, "links")
    named = f"{elsewhere}/a.md, data/seed/documents/manual.html"
    assert found.found.startswith(f"{named} lead to nothing, so that")
    assert found.remedy == "remove the links, or put there what they lead to"


def test_a_secret_is_never_shown(project: Path) -> None:
    TRAPS["a key in params.yaml"][0]()
    printed = CliRunner().invoke(app, ["doctor"])
    assert "`generate.note` in params.yaml is a secret" in " ".join(printed.stdout.split())
    assert KEY not in printed.stdout
    assert KEY[:12] not in printed.stdout


@pytest.mark.parametrize("value", [512, "HF_TOKEN", "${ANTHROPIC_API_KEY}", "end of text", ""])
def test_what_only_sounds_like_a_secret_is_none(project: Path, value: object) -> None:
    params(lambda p: p["generate"].update(token=value, api_key=value, max_tokens=value))()
    assert troubles(project) == []


def test_a_size_that_no_stage_tracks_is_harmless(project: Path) -> None:
    params(lambda p: p["runtime"].update(size=3))()
    assert troubles(project) == []


def test_a_lock_whose_holder_is_gone_is_no_finding(project: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    hold_lock(done.pid)
    assert troubles(project) == []


def test_a_shallow_clone_and_a_folder_without_git_are_warned_of(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(project, "commit", "--quiet", "--allow-empty", "--message", "second")
    clone = tmp_path / "clone"
    source = f"file://{project.resolve()}"
    git(tmp_path, "clone", "--quiet", "--depth=1", source, str(clone))
    monkeypatch.chdir(clone)
    assert troubles(Path()) == [("git history", "warn")]
    shutil.rmtree(clone / ".git")
    assert troubles(Path()) == [("git history", "warn")]


def test_a_home_that_cannot_be_written_to_fails_and_a_relative_one_is_warned_of(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("STILLHOUSE_HOME", str(Path("file").resolve()))
    assert troubles(project) == [("home", "fail")]
    monkeypatch.setenv("STILLHOUSE_HOME", "elsewhere")
    assert troubles(project) == [("home", "warn")]
    assert not Path("elsewhere").exists()


BYTES = b"one\n\xff\n"


@pytest.mark.parametrize(
    ("name", "check", "said"),
    [
        (".dvcignore", "ignored", "not UTF-8 at byte 4"),
        (".dvc/config", "remote", "not UTF-8 at byte 4"),
        ("constraints.txt", "packages", "not UTF-8 at byte 4"),
        ("dvc.lock", "dvc.lock", "a folder stands where a file is expected"),
        ("reports/validation.json", "gate", "a folder stands where a file is expected"),
        ("library.yaml", "library", "not UTF-8 at byte 4"),
    ],
)
def test_what_cannot_be_read_fails_its_own_check_and_all_others_go_on(
    project: Path, name: str, check: str, said: str
) -> None:
    path = Path(name)
    before = {finding.check for finding in examine(project)} - {"bytecode"}
    path.unlink(missing_ok=True)
    path.mkdir(parents=True) if "folder" in said else path.write_bytes(BYTES)
    after = examine(project)
    (failed,) = [finding for finding in after if finding.check == check]
    assert (failed.status, said in failed.found, bool(failed.remedy)) == ("fail", True, True)
    assert before <= {finding.check for finding in after} | {check}


@pytest.mark.parametrize("text", [None, "a: [", "a: 1\na: 2\n"])
def test_of_parameters_that_cannot_be_read_nothing_is_called_well(
    project: Path, text: str | None
) -> None:
    Path("params.yaml").unlink() if text is None else Path("params.yaml").write_text(text)
    found = {finding.check: finding.status for finding in examine(project)}
    assert found["project"] == "fail"
    assert not found.keys() & {"secrets", "formats", "parameter names"}


def test_a_library_other_than_the_recorded_one_is_found_and_so_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STILLHOUSE_HOME", raising=False)
    create_project(tmp_path / "mine", Choices("mine"))
    monkeypatch.chdir(tmp_path / "mine")

    def look() -> tuple[str, str]:
        (found,) = [f for f in examine(Path()) if f.check == "library"]
        return found.status, found.found

    assert look() == ("ok", "the code that library.yaml records is installed")
    good = Path("library.yaml").read_text()
    recorded = yaml.safe_load(good)["stages"]["judge"]
    Path("library.yaml").write_text(good.replace(recorded, "f" * 64))
    assert look() == ("fail", "other code is installed for judge than library.yaml records")
    Path("library.yaml").write_text("version: 0.1.0\n")
    assert look() == ("fail", "library.yaml: `pipeline` is missing")
    Path("library.yaml").unlink()
    assert look() == ("fail", "library.yaml is not there, and dvc.yaml names it")


def test_a_base_that_is_not_there_fails(project: Path) -> None:
    params(lambda p: p["students"]["smollm2"].update(model="/no/such/folder"))()  # type: ignore[attr-defined]
    assert ("weights", "fail") in [(f.check, f.status) for f in examine(project)]


@pytest.mark.parametrize("name", ["models/first", "./models/first", "absolute"])
def test_a_base_that_is_a_student_fails_whether_it_is_trained_or_not(
    project: Path, name: str
) -> None:
    model = str(Path("models/first").resolve()) if name == "absolute" else name
    params(lambda p: p["students"]["smollm2"].update(model=model))()  # type: ignore[attr-defined]
    for _ in range(2):
        assert f"{model} is a student of this project" in find(project, "weights").found
        Path("models/first").mkdir(parents=True, exist_ok=True)
        Path("models/first/model.safetensors").write_text("weights")


def test_foreach_stages_are_read_one_by_one(project: Path) -> None:
    params(lambda p: p["students"].update(second={"model": "x"}))()
    stages = {stage.name: stage for stage in read_stages(project)}
    assert stages["train@second"].params == ("students.second",)
    assert "data/seed/nothing.txt" in stages["train@smollm2"].deps
    assert stages["train@second"].outs[0] == Out("models/second", cached=True, persisted=False)
    (registered,) = stages["register@smollm2"].outs
    assert not registered.cached


def test_the_builders_suffix_of_a_version_is_no_difference() -> None:
    assert _is_same("2.13.0+cpu", "2.13.0")
    assert not _is_same("2.13.1", "2.13.0")


@pytest.mark.parametrize(
    ("line", "cuda"),
    [("cuda: Optional[str] = '12.6'", "12.6"), ("cuda: Optional[str] = None", ""), ("", "")],
)
def test_the_build_of_torch_is_read_from_its_version_file(
    tmp_path: Path, line: str, cuda: str
) -> None:
    path = tmp_path / "version.py"
    path.write_text(f"__version__ = '2.13.0'\n{line}\nhip: Optional[str] = None\n")
    assert _find_cuda(path) == cuda


def test_the_exit_code_says_whether_something_failed_and_text_fits(project: Path) -> None:
    good = CliRunner().invoke(app, ["doctor"])
    assert good.exit_code == 0, good.output
    assert max(map(len, good.stdout.splitlines())) <= 80
    persist()
    bad = CliRunner().invoke(app, ["doctor", "--json"])
    assert bad.exit_code == 1
    told = json.loads(bad.stdout)
    assert told["good"] is False
    (failed,) = [check for check in told["checks"] if check["status"] == "fail"]
    assert failed == {
        "check": "outputs",
        "status": "fail",
        "found": "data/dataset of `split` is `persist: true`: a revert keeps what it held before",
        "remedy": "take `persist` out of dvc.yaml",
    }


def test_it_changes_nothing_and_imports_nothing_heavy(project: Path) -> None:
    with Journal(Path(".stillhouse/journal.sqlite")):
        pass

    def look() -> dict[str, tuple[int, bytes]]:
        files = (path for path in Path().rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = look()
    heavy = ("torch", "transformers", "mlflow", "dvc", "pyarrow", "pandas", "great_expectations")
    code = (
        "import sys; from pathlib import Path; from stillhouse.lineage.doctor import examine;"
        f"examine(Path()); print([name for name in {heavy} if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]"
    assert look() == before
