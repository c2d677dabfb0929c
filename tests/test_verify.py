"""Every tampering is found and named by its place, and what is untouched is never accused."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from stillhouse.auditing.problems import Outcome
from stillhouse.auditing.verify import Wanted, verify, verify_model
from stillhouse.base.errors import InputError
from stillhouse.base.ids import md5_file, merkle_root, sha256_file
from stillhouse.base.lock import read_lock
from stillhouse.base.records import Row
from stillhouse.base.tables import read_all, write_sorted
from stillhouse.cli.main import app
from stillhouse.history.resolve import open_workspace, resolve
from stillhouse.lineage.inputs import hash_path
from stillhouse.lineage.provenance import SeenRow
from tests.lineage_project import TRAIN
from tests.sealed_project import (
    STUDENT,
    commit,
    finish,
    lock_stage,
    object_of,
    read_raw,
    write,
    write_raw,
    write_run,
    write_sealed,
    write_validation,
)

RESPONSES = Path("data/generated/responses.parquet")
DOCUMENTS = Path("data/corpus/documents.parquet")
WEIGHTS = Path("models/tiny/model.safetensors")
PROVENANCE = Path("models/tiny/provenance.json")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_sealed(tmp_path_factory.mktemp("sealed") / "project")
    commit(root)
    return root


@pytest.fixture
def root(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project, which is the working directory."""
    copy = tmp_path / "project"
    shutil.copytree(sealed, copy)
    monkeypatch.setenv("STILLHOUSE_HOME", str(copy))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(copy)
    return copy


def look(root: Path, **wanted: bool) -> Outcome:
    return verify(open_workspace(root), Wanted(**wanted))


def find(root: Path, **wanted: bool) -> dict[tuple[str, str], str]:
    """Return (kind, where) of each problem with what was found there."""
    return {(one.kind, one.where): one.found for one in look(root, **wanted).problems}


def place(path: Path, root: Path) -> str:
    return object_of(root, md5_file(root / path)).relative_to(root).as_posix()


def flip(path: Path) -> None:
    """Change one byte of a file that may be protected, as DVC protects what it keeps."""
    mode = path.stat().st_mode
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


def edit_lock(root: Path, change: Callable[[dict], None]) -> None:
    lock = read_raw(root)
    change(lock["stages"])
    write_raw(root, lock)


def edit_provenance(root: Path, change: Callable[[dict], None]) -> None:
    value = json.loads((root / PROVENANCE).read_text())
    change(value)
    (root / PROVENANCE).write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def test_an_untouched_project_is_verified_and_nothing_is_left_out(root: Path) -> None:
    outcome = look(root, all_commits=True)
    assert outcome.problems == ()
    assert [one.where for one in outcome.unchecked] == ["MLflow"]
    counts = {name: count for name, count in outcome.checked.items() if name != "bytes"}
    assert counts == {
        "stages": 7,
        "dependencies": 9,
        "files": 19,
        "objects": 17,
        "runs": 7,
        "students": 1,
        "rows": 5,
        "gates": 1,
        "signatures": 0,
    }


def test_a_clone_without_its_data_accuses_nobody_and_says_what_it_lacks(
    sealed: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(sealed), str(clone)], check=True)
    assert (clone / "models/.gitignore").exists()
    outcome = look(clone, all_commits=True)
    assert outcome.problems == ()
    assert {"models/tiny", "data/dataset", DOCUMENTS.as_posix()} <= {
        one.where for one in outcome.unchecked
    }


def test_after_objects_of_older_runs_were_collected_nothing_is_wrong(root: Path) -> None:
    before = md5_file(root / RESPONSES)
    write(root / RESPONSES, "other answers of a teacher")
    lock_stage(root, "generate")
    finish(root)
    commit(root, "other answers")
    assert find(root, all_commits=True) == {}
    object_of(root, before).unlink()  # as `dvc gc -w` does
    outcome = look(root, all_commits=True)
    assert outcome.problems == ()
    lost = outcome.unchecked[0]
    assert (lost.where, lost.remedy) == (".dvc/cache", "`dvc fetch --all-commits`")
    assert find(root) == {}


def test_one_byte_in_the_weights(root: Path) -> None:
    flip(root / WEIGHTS)
    found = find(root)
    assert found.keys() == {("changed file", WEIGHTS.as_posix())}
    assert sha256_file(root / WEIGHTS) in next(iter(found.values()))


def test_an_edited_row_of_the_train_table_is_named_by_its_place(root: Path) -> None:
    rows = read_all(root / TRAIN, Row)
    other = Row(**{**{f: getattr(rows[1], f) for f in Row.__slots__}, "context": "x"})
    write_sorted(root / TRAIN, Row, [rows[0], other, *rows[2:]])
    found = find(root)
    assert found.keys() == {("changed file", TRAIN.as_posix()), ("rows", TRAIN.as_posix())}
    assert found["rows", TRAIN.as_posix()] == "row 2 (000000000000…) has other content"


def test_two_rows_that_changed_places(root: Path) -> None:
    rows = read_all(root / TRAIN, Row)
    write_sorted(root / TRAIN, Row, [rows[0], rows[2], rows[1], *rows[3:]])
    found = find(root)
    assert found["rows", TRAIN.as_posix()] == "rows 2 and 3 have changed places"


def test_a_deleted_row_with_a_patched_count(root: Path) -> None:
    rows = read_all(root / TRAIN, Row)
    write_sorted(root / TRAIN, Row, rows[:-1])
    edit_provenance(root, lambda value: value["dataset"].update(rows=4))
    found = find(root)
    assert found["rows", TRAIN.as_posix()] == "row 5 (000000000000…) is missing"
    assert found["rows", PROVENANCE.as_posix()] == "rows 4"
    assert ("changed file", PROVENANCE.as_posix()) in found


def test_a_row_deleted_from_the_students_list_with_count_and_root_patched(root: Path) -> None:
    path = root / "models/tiny/rows.parquet"
    rows = read_all(path, SeenRow)
    write_sorted(path, SeenRow, rows[:-1])
    left = merkle_root(row.row_sha256 for row in rows[:-1])
    edit_provenance(root, lambda value: value["dataset"].update(rows=4, merkle_root=left))
    edit_provenance(root, lambda value: value["files"].update({path.name: sha256_file(path)}))
    found = find(root)
    assert found.keys() == {
        ("changed file", "models/tiny/rows.parquet"),
        ("changed file", PROVENANCE.as_posix()),
        ("rows", "models/tiny/rows.parquet"),
    }
    assert found["rows", "models/tiny/rows.parquet"] == (
        "row 5 (000000000000…) is not among those listed"
    )


def test_an_answer_in_the_workspace_and_one_in_the_cache(root: Path) -> None:
    flip(root / RESPONSES)
    assert find(root).keys() == {("changed file", RESPONSES.as_posix())}
    flip(root / RESPONSES)
    kept = object_of(root, md5_file(root / RESPONSES))
    flip(kept)
    (problem,) = look(root).problems
    assert (problem.kind, problem.where) == ("corrupt object", kept.relative_to(root).as_posix())
    assert RESPONSES.as_posix() in problem.expected
    assert md5_file(kept) in problem.found
    assert "dvc commit --force generate" in problem.remedy


def test_an_object_of_an_earlier_commit_is_looked_at_only_when_asked_for(root: Path) -> None:
    kept = object_of(root, md5_file(root / DOCUMENTS))
    write(root / DOCUMENTS, "other documents")
    lock_stage(root, "ingest")
    lock_stage(root, "generate")
    finish(root)
    shutil.rmtree(root / ".dvc/cache/runs")
    commit(root, "other documents")
    flip(kept)
    assert find(root) == {}
    assert find(root, all_commits=True).keys() == {
        ("corrupt object", kept.relative_to(root).as_posix())
    }


def test_an_object_that_only_the_workspace_still_has(root: Path) -> None:
    object_of(root, md5_file(root / DOCUMENTS)).unlink()
    (problem,) = look(root).problems
    assert (problem.kind, problem.where) == ("not in the cache", DOCUMENTS.as_posix())


def test_a_hash_in_the_lock_that_was_edited_by_hand(root: Path) -> None:
    def change(stages: dict) -> None:
        stages["ingest"]["outs"][0]["md5"] = "a" * 32

    edit_lock(root, change)
    found = find(root)
    assert found == {
        ("contradiction in dvc.lock", DOCUMENTS.as_posix()): (
            f"md5 {md5_file(root / DOCUMENTS)}, which generate read"
        )
    }


def test_a_hash_of_a_seed_in_the_lock_that_was_edited_by_hand(root: Path) -> None:
    edit_lock(root, lambda stages: stages["ingest"]["deps"][0].update(md5="a" * 32 + ".dir"))
    (problem,) = look(root).problems
    assert (problem.kind, problem.where) == ("changed folder", "data/seed/documents")
    assert "or dvc.lock did" in problem.remedy


def test_a_command_a_parameter_and_a_stage_of_the_lock_that_were_edited(root: Path) -> None:
    def change(stages: dict) -> None:
        stages["ingest"]["cmd"] = "python -m stages.other"
        stages["ingest"]["params"]["params.yaml"]["ingest"]["max_tokens"] = 100
        stages["old"] = stages["ingest"] | {"outs": []}
        del stages["report"]

    edit_lock(root, change)
    assert find(root) == {
        ("command", "ingest"): "`python -m stages.ingest` (dvc.yaml)",
        ("parameter", "params.yaml: ingest.max_tokens"): "220",
        ("not declared", "old"): "an entry in dvc.lock",
        ("never ran", "report"): "dvc.lock knows no run of it",
    }


def test_an_edited_provenance(root: Path) -> None:
    edit_provenance(root, lambda value: value["base"].update(sha256="c" * 64))
    assert find(root).keys() == {("changed file", PROVENANCE.as_posix())}
    edit_provenance(root, lambda value: value["dataset"].update(merkle_root="d" * 64))
    assert ("Merkle root", PROVENANCE.as_posix()) in find(root)


@pytest.mark.parametrize("path", ["data/dataset/validation.parquet", "data/generated"])
def test_an_input_with_the_md5_but_not_the_sha256_that_training_opened(
    path: str, root: Path
) -> None:
    """As somebody could make one: md5 is broken."""
    edit_provenance(root, lambda value: value["inputs"][path].update(sha256="e" * 64))
    found = find(root)
    assert hash_path(root / path).sha256 in found["changed file", path]


@pytest.mark.parametrize("path", [DOCUMENTS, Path("data/seed/documents/leave.md")])
def test_an_edit_of_the_same_size_with_its_time_set_back(path: Path, root: Path) -> None:
    before = (root / path).stat()
    (root / path).write_text((root / path).read_text().swapcase())
    os.utime(root / path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (root / path).stat().st_size == before.st_size
    kind, where = next(iter(find(root)))
    if path == DOCUMENTS:
        assert (kind, where) == ("changed file", path.as_posix())
    else:
        assert (kind, where) == ("changed folder", "data/seed/documents")
        assert "leave.md" in find(root)[kind, where]


@pytest.mark.parametrize(
    "edit",
    [
        lambda value: value.update(files="x"),
        lambda value: value.update(files={"a": 1}),
        lambda value: value.update(weights_sha256=None),
        lambda value: value["dataset"].update(rows="5"),
        lambda value: value["dataset"].update(path=3),
        lambda value: value["inputs"].update(x={"md5": 1, "sha256": 2}),
        lambda value: value["base"].update(origin=[]),
        lambda value: value.update(version=9),
        lambda value: value.pop("base"),
    ],
)
def test_a_provenance_with_values_that_it_cannot_have_is_a_problem_and_no_traceback(
    edit: Callable[[dict], object], root: Path
) -> None:
    edit_provenance(root, edit)
    assert find(root).keys() == {
        ("changed file", PROVENANCE.as_posix()),
        ("provenance", PROVENANCE.as_posix()),
    }


def test_what_is_no_file_is_named_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "data/generated/pipe")
    (root / WEIGHTS).unlink()
    os.mkfifo(root / WEIGHTS)
    shutil.rmtree(root / "data/dataset")
    write(root / "data/dataset", "a file")
    found = find(root)
    assert found["changed file", WEIGHTS.as_posix()] == "cannot be read (not a regular file)"
    assert ("unexpected file", "data/generated/pipe") in found
    assert ("changed file", "data/dataset") in found


def test_a_file_that_no_listing_names(root: Path) -> None:
    write(root / "data/generated/extra.parquet", "x")
    assert find(root).keys() == {("unexpected file", "data/generated/extra.parquet")}


def test_an_input_that_was_edited_while_the_student_was_trained(root: Path) -> None:
    """Training opened the one file, and DVC, which hashes after the command, found another."""
    opened = md5_file(root / "data/dataset/validation.parquet")
    write(root / "data/dataset/validation.parquet", "edited after it was opened")
    lock_stage(root, "train@tiny")
    path = "data/dataset/validation.parquet"
    problems = {(one.kind, one.where): one for one in look(root).problems}
    problem = problems["edited during the run", path]
    assert opened in problem.expected
    assert md5_file(root / path) in problem.found
    assert "dvc repro --force train@tiny" in problem.remedy
    assert ("contradiction in dvc.lock", path) not in problems


def test_a_commit_over_a_red_gate(root: Path) -> None:
    write_validation(root, passed=False)
    lock_stage(root, "validate", run_cache=False)
    lock_stage(root, "train@tiny", run_cache=False)
    found = find(root)
    assert found.keys() == {("red gate", "reports/validation.json")}
    assert "did not" in found["red gate", "reports/validation.json"]


def test_a_validation_that_stopped_the_pipeline_is_no_edited_file(root: Path) -> None:
    write_validation(root, passed=False)
    found = find(root)
    assert found.keys() == {("red gate", "reports/validation.json")}
    assert "`dvc repro` stops there" in found["red gate", "reports/validation.json"]


def test_a_run_cache_that_puts_back_what_was_recorded_over_a_red_gate(root: Path) -> None:
    write_validation(root, passed=False)
    lock_stage(root, "validate")
    lock_stage(root, "train@tiny")
    subprocess.run(["git", "checkout", "-q", "dvc.lock"], check=True)
    write_validation(root, passed=True)
    found = find(root)
    assert {kind for kind, _ in found} == {"run cache"}
    assert sorted(text.partition("`")[2].partition("`")[0] for text in found.values()) == [
        "python -m stages.train tiny",
        "python -m stages.validate",
    ]


def test_a_poisoned_entry_of_the_run_cache(root: Path) -> None:
    entry = yaml.safe_load(yaml.safe_dump(read_raw(root)["stages"]["ingest"]))
    entry["outs"][0]["md5"] = md5_file(root / RESPONSES)  # whose bytes the cache has
    path = write_run(root, entry)
    os.utime(path, (2e9, 2e9))
    found = find(root)
    assert found == {
        ("run cache", path.relative_to(root).as_posix()): (
            f"md5 {md5_file(root / RESPONSES)} for {DOCUMENTS}"
        )
    }


def test_an_entry_of_the_run_cache_that_was_edited_in_place(root: Path) -> None:
    path = next(
        p for p in sorted((root / ".dvc/cache/runs").glob("*/*/*")) if "ingest" in p.read_text()
    )
    path.write_text(path.read_text().replace("max_tokens: 220", "max_tokens: 221"))
    assert find(root).keys() == {("run cache", path.relative_to(root).as_posix())}
    path.write_text("outs: [")
    assert find(root) == {("run cache", path.relative_to(root).as_posix()): "cannot be read"}


def test_a_second_run_with_another_clock_is_no_contradiction(root: Path) -> None:
    write(root / "reports/students/tiny/speed.json", '{"seconds": 9}')
    lock = (root / "dvc.lock").read_text()
    lock_stage(root, "evaluate@tiny")
    (root / "dvc.lock").write_text(lock)
    assert not any(kind == "run cache" for kind, _ in find(root))


def test_a_table_that_split_wrote_anew_is_told_by_the_lock_and_not_as_edited_rows(
    root: Path,
) -> None:
    write_sorted(root / TRAIN, Row, read_all(root / TRAIN, Row)[:-1])
    trained = read_raw(root)["stages"]["train@tiny"]
    lock_stage(root, "split")
    lock = read_raw(root)
    lock["stages"]["train@tiny"] = trained
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    kinds = {kind for kind, where in find(root) if where == TRAIN.as_posix()}
    assert kinds == {"contradiction in dvc.lock"}


def test_a_student_of_an_earlier_commit_is_verified_from_the_cache(root: Path) -> None:
    assert verify(resolve(root, "HEAD"), Wanted(STUDENT)).problems == ()
    shutil.rmtree(root / "models/tiny")
    outcome = verify(resolve(root, "HEAD"), Wanted(STUDENT))
    assert (outcome.problems, outcome.checked["rows"]) == ((), 5)
    flip(object_of(root, read_lock(root).outs_of("split")["data/dataset"]))
    assert verify(resolve(root, "HEAD"), Wanted(STUDENT)).problems[0].kind == "corrupt object"


@pytest.fixture
def remote(root: Path, tmp_path: Path) -> Path:
    """The default remote of the project, to which all was pushed."""
    folder = tmp_path / "remote"
    shutil.copytree(root / ".dvc/cache/files", folder / "files")
    with (root / ".dvc/config").open("a") as config:
        config.write(f"    remote = store\n['remote \"store\"']\n    url = {folder}\n")
    return folder


def test_what_the_remote_has_is_downloaded_and_hashed(root: Path, remote: Path) -> None:
    outcome = look(root, remote=True, all_commits=True)
    assert (outcome.problems, outcome.checked["remote objects"]) == ((), 17)
    shutil.rmtree(root / ".dvc/cache")  # then none of it is missing: the remote has it, whole
    outcome = look(root, remote=True)
    assert (outcome.problems, outcome.checked["remote objects"]) == ((), 17)
    assert ("not in the cache", DOCUMENTS.as_posix()) in find(root)


def test_what_the_remote_lacks_or_has_wrong_is_named(root: Path, remote: Path) -> None:
    kept = remote / object_of(root, md5_file(root / RESPONSES)).relative_to(root / ".dvc/cache")
    flip(kept)
    (remote / object_of(root, md5_file(root / DOCUMENTS)).relative_to(root / ".dvc/cache")).unlink()
    assert find(root) == {}
    assert find(root, remote=True) == {
        ("corrupt in the remote", kept.as_posix()): "other bytes",
        ("not in the remote", DOCUMENTS.as_posix()): (
            "no such object: only this machine's cache has it"
        ),
    }
    object_of(root, md5_file(root / DOCUMENTS)).unlink()
    assert "neither there" in find(root, remote=True)["not in the remote", DOCUMENTS.as_posix()]


def test_a_remote_that_is_not_there(root: Path, remote: Path) -> None:
    shutil.rmtree(remote)
    assert ("could not be checked", str(remote)) in find(root, remote=True)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    with pytest.raises(InputError, match="no default DVC remote"):
        look(root, remote=True)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", *arguments])


def test_the_command_ends_with_0_1_or_2(root: Path) -> None:
    good = run()
    assert (good.exit_code, good.stderr) == (0, "")
    assert good.stdout.splitlines()[:2] == [
        "Verified as far as it is here: no problem. What is named below was not looked",
        "at.",
    ]
    strict = run("--strict", "--json")
    told = json.loads(strict.stdout)
    assert (strict.exit_code, told["verified"]) == (1, False)
    assert [(one["kind"], one["where"]) for one in told["problems"]] == [("not checked", "MLflow")]
    for name in ("tiny", "models/tiny", "models/tiny/", "HEAD:tiny", "models/tiny@HEAD"):
        assert run(name).exit_code == 0
    flip(root / WEIGHTS)
    wrong = run("tiny", "--json")
    (problem,) = json.loads(wrong.stdout)["problems"]
    assert wrong.exit_code == 1
    assert problem.keys() == {"kind", "where", "expected", "found", "remedy"}
    assert problem["where"] == WEIGHTS.as_posix()


def test_what_cannot_be_verified_at_all_is_one_sentence(root: Path) -> None:
    nobody = run("huge")
    assert (nobody.exit_code, nobody.stdout) == (2, "")
    assert nobody.stderr.startswith("error: huge: nothing is called so; expected a student, ")
    assert "did you mean `tiny`?" in run("tny").stderr
    assert "has no student `huge`" in run("HEAD:huge").stderr
    shutil.rmtree(root / "models/tiny")
    shutil.rmtree(root / ".dvc/cache")
    absent = run("tiny")
    assert absent.exit_code == 2
    assert "neither in the working directory nor whole in DVC's cache" in absent.stderr
    (problem,) = verify_model(root, STUDENT, open_workspace(root))
    assert (problem.kind, problem.where) == ("not here", "models/tiny")
    (root / "dvc.lock").unlink()
    assert (run().exit_code, len(run().stderr.splitlines())) == (2, 1)
    write(root / "dvc.lock", "<<<<<<< HEAD\n")
    assert (run().exit_code, len(run().stderr.splitlines())) == (2, 1)


def test_commands_are_told_whole_so_that_they_can_be_copied(root: Path) -> None:
    flip(object_of(root, md5_file(root / RESPONSES)))
    flip(root / WEIGHTS)
    told = run().stdout
    for line in told.splitlines():
        assert line.count("`") % 2 == 0
        assert len(line) <= 80
    kept = place(RESPONSES, root)
    assert f"`rm -f {kept}`" in told
    assert "`dvc checkout models/tiny/model.safetensors`" in told


def test_an_exported_copy_is_verified_where_it_lies(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "exported"
    shutil.copytree(root / "models/tiny", copy)
    here = open_workspace(root)
    assert verify_model(root, STUDENT, here, copy) == []
    assert run(str(copy)).exit_code == 0
    flip(copy / "model.safetensors")
    (problem,) = verify_model(root, STUDENT, here, copy)
    assert (problem.kind, problem.where) == ("changed file", f"{copy}/model.safetensors")
