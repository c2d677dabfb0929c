"""An audit tells all that went into a model, and says "verified" only when every link was hashed."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from stillhouse.auditing import evidence, samples, subject
from stillhouse.auditing.audit import Audit, audit
from stillhouse.auditing.audit_page import render_audit
from stillhouse.auditing.audit_text import describe_audit, say_git
from stillhouse.auditing.signature import make_statement, sign
from stillhouse.base.files import read_text, write_json
from stillhouse.base.ids import md5_file
from stillhouse.base.records import Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.cli.main import app
from stillhouse.history.mlflow import Registered
from stillhouse.lineage.provenance import BaseModel, read_provenance
from stillhouse.quality.highlight import find_answer
from tests.audit_project import (
    BASE,
    GATE,
    LEAVE,
    NASTY,
    PROMPT,
    ROWS_OF_LEAVE,
    drop_object,
    list_tables,
    make_audited,
    record,
    train,
    write_gate,
    write_review,
)
from tests.lineage_project import TRAIN

CONTRACT = {
    "model", "weights_sha256", "verified", "problems", "dataset", "documents", "prompts", "teachers",
    "judges", "params", "git", "mlflow", "validation", "review",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audited")
    make_audited(root)
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of its own, as the working directory."""
    root = tmp_path / "project [1]"  # DuckDB would take brackets for a pattern
    shutil.copytree(made, root, symlinks=True)
    monkeypatch.setenv("STILLHOUSE_HOME", str(root))
    monkeypatch.chdir(root)
    return root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


def ask(*arguments: str) -> dict[str, object]:
    done = run(*arguments, "--json")
    assert done.exit_code in (0, 1), done.output
    told: dict[str, object] = json.loads(done.stdout)
    assert done.exit_code == (0 if told["verified"] else 1)
    return told


def list_problems(told: Mapping[str, object]) -> list[tuple[str, str]]:
    problems = told["problems"]
    assert isinstance(problems, list)
    return [(problem["kind"], problem["where"]) for problem in problems]


def list_unchecked(told: Mapping[str, object]) -> list[str]:
    unchecked = told["unchecked"]
    assert isinstance(unchecked, list)
    return [item["where"] for item in unchecked]


def lose(root: Path, *paths: str) -> None:
    """Take files out of the workspace and the cache."""
    for path in paths:
        drop_object(root, md5_file(root / path))
    for path in paths:
        (root / path).unlink()


def weights(root: Path, student: str = "first") -> str:
    return read_provenance(root / "models" / student).weights_sha256


def test_an_untouched_model_is_verified_and_everything_is_told(project: Path) -> None:
    told = ask("first")
    provenance = read_provenance(Path("models/first"))
    assert told.keys() >= CONTRACT
    assert told["verified"] is True
    assert (told["problems"], told["unchecked"]) == ([], [])
    assert told["weights_sha256"] == provenance.weights_sha256
    dataset = told["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["md5"], dataset["rows"]) == (md5_file(TRAIN), ROWS_OF_LEAVE + 3)
    assert dataset["merkle_root"] == provenance.dataset.merkle_root
    assert dataset["parts"] == {"train": ROWS_OF_LEAVE + 3, "validation": 1, "test": 1}
    assert dataset["tasks"] == {"recall": ROWS_OF_LEAVE + 1, "multi_step": 1, "replay": 1}
    assert dataset["without_document"] == 1
    documents = told["documents"]
    assert isinstance(documents, list)
    shown = [(one["source"], one["rows"], one["license"], one["state"]) for one in documents]
    assert shown == [
        (LEAVE, ROWS_OF_LEAVE + 1, "CC0-1.0", "as it was read"),
        (NASTY, 2, "CC0-1.0", "as it was read"),
    ]
    prompts = told["prompts"]
    assert isinstance(prompts, list)
    assert [(one["path"], one["rows"], one["state"]) for one in prompts] == [
        (PROMPT, ROWS_OF_LEAVE + 1, "as it was read"),
        ("prompts/multi_step.md", 1, "gone"),
        ("prompts/replay.md", 1, "gone"),
    ]
    assert told["validation"] == {
        "passed": True,
        "checks": 1,
        "failed": [],
        "md5": md5_file(Path(GATE)),
    }
    review = told["review"]
    assert isinstance(review, dict)
    assert (review["fix"], review["reviewers"]) == (1, {"Ada <i>": 1})
    git = told["git"]
    assert isinstance(git, dict)
    assert (git["subject"], git["refs"], git["commits"]) == ("Train first", ["main"], 1)


def test_teachers_and_judges_are_told_with_tokens_and_the_cost_at_todays_prices(
    project: Path,
) -> None:
    told = ask("first")
    teachers = told["teachers"]
    assert isinstance(teachers, list)
    # 1 M tokens read, half of them from the cache, and 0.2 M written: 0.5 + 0.05 + 1 dollars, twice.
    assert teachers == [
        {
            "teacher": "anthropic", "model": "claude-haiku-4-5", "rows": ROWS_OF_LEAVE + 1,
            "answers": 2, "input_tokens": 2_000_000, "output_tokens": 400_000,
            "cached_tokens": 1_000_000, "usd": pytest.approx(3.1),
        },
        {
            "teacher": "offline", "model": "offline/1", "rows": 2, "answers": 2,
            "input_tokens": 2_000_000, "output_tokens": 400_000, "cached_tokens": 1_000_000,
            "usd": 0.0,
        },
    ]  # fmt: skip
    assert told["judges"] == [
        {
            "judge": "offline/2", "criterion": name, "judgements": ROWS_OF_LEAVE + 3, "mean": 0.5,
            "rubric": "", "rubric_sha256": "",
        }
        for name in ("format", "length")
    ]  # fmt: skip
    waterfall = told["waterfall"]
    assert isinstance(waterfall, dict)
    assert waterfall["steps"]["judged"] == waterfall["steps"]["pairs"] == ROWS_OF_LEAVE + 3
    assert waterfall["rejections"] == [{"stage": "curate", "reason": "duplicate", "count": 1}]


def test_a_model_without_a_price_has_a_cost_that_is_not_known(project: Path) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("claude-haiku-4-5:", "claude-haiku-0:"))
    cost = ask("first")["cost"]
    assert isinstance(cost, dict)
    assert cost["usd"] is None


@pytest.mark.parametrize(
    "name",
    [
        "first",
        "models/first",
        "./models/first",
        "models/first/config.json",
        "HEAD",
        "main:first",
        "first@main",
        "models/first@HEAD",
        "copy",
    ],
)
def test_every_name_of_a_model_means_it(project: Path, tmp_path: Path, name: str) -> None:
    if name == "copy":
        name = str(shutil.copytree("models/first", tmp_path / "elsewhere" / "exported"))
    told = ask(name)
    assert (told["weights_sha256"], told["verified"]) == (weights(project), True)


def test_digits_of_the_weights_mean_the_model_and_too_few_do_not(project: Path) -> None:
    sha256 = weights(project)
    for name in (sha256, sha256[:12]):
        assert ask(name)["weights_sha256"] == sha256
    done = run(sha256[:11])
    assert (done.exit_code, "no model is called so" in done.stderr) == (2, True)


def register(monkeypatch: pytest.MonkeyPatch, project: Path, **changes: str) -> None:
    """Let MLflow know the student; its own look-ups are tested where they are."""
    known = {
        "name": "", "uri": "models:/stillhouse-first/2", "model_name": "stillhouse-first",
        "run_id": "a" * 32, "student": "first", "weights_sha256": weights(project),
        "provenance_sha256": "", "model_md5": "", "dataset_md5": "", "commit": "",
        "tracking_uri": "sqlite:///x.db", **changes,
    }  # fmt: skip
    found = Registered(**known, version=2, upstream={}, aliases=("champion",))  # type: ignore[arg-type]
    monkeypatch.setattr(subject, "find_registered", lambda _root, _name: found)


@pytest.mark.parametrize(
    "name", ["models:/stillhouse-first/2", "models:/stillhouse-first@champion", "a" * 32]
)
def test_what_mlflow_registered_means_the_folder_with_those_weights(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    register(monkeypatch, project)
    told = ask(name)
    assert (told["student"], told["verified"]) == ("first", True)
    if name.startswith("models:"):
        mlflow = told["mlflow"]
        assert isinstance(mlflow, dict)
        assert (mlflow["uri"], mlflow["aliases"]) == ("models:/stillhouse-first/2", ["champion"])


def test_a_registration_of_another_provenance_is_a_problem(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, project, provenance_sha256="0" * 64)
    assert list_problems(ask("models:/stillhouse-first/2")) == [
        ("MLflow", "models:/stillhouse-first/2")
    ]


def test_mlflow_is_asked_for_the_weights_and_may_know_nothing_of_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told = ask("first", "--mlflow")
    mlflow = told["mlflow"]
    assert isinstance(mlflow, dict)
    assert (told["verified"], mlflow["asked"]) == (True, True)
    assert "there is no MLflow store yet" in mlflow["problem"]


def test_a_student_goes_before_a_folder_of_its_name(project: Path) -> None:
    train(project, "second")
    shutil.move("models/second", "first")
    assert ask("first")["folder"] == "models/first"
    assert ask("./first")["folder"] == "first"


def test_a_registration_whose_files_are_nowhere_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, project, weights_sha256="e" * 64)
    done = run("models:/stillhouse-first/2")
    assert done.exit_code == 2
    assert "is the student `first` with weights of the sha256 eee" in done.stderr


def test_a_student_whose_folder_is_gone_is_read_from_the_cache(project: Path) -> None:
    sha256 = weights(project)
    shutil.rmtree("models/first")
    for name in ("first", "models/first", "HEAD:first", sha256[:16]):
        told = ask(name)
        assert (told["weights_sha256"], told["verified"]) == (sha256, True)


def test_a_student_of_an_earlier_commit_is_read_from_the_cache(project: Path) -> None:
    sha256 = weights(project)
    shutil.rmtree("models/first")
    Path("dvc.lock").unlink()
    told = ask("first")
    assert (told["weights_sha256"], told["verified"]) == (sha256, True)
    assert str(told["folder"]).startswith("models/first of ")


def test_a_student_that_is_nowhere_is_one_sentence_with_a_remedy(project: Path) -> None:
    drop_object(project, md5_file(Path("models/first/provenance.json")))
    shutil.rmtree("models/first")
    done = run("first")
    assert done.exit_code == 2
    assert "neither in the workspace nor in DVC's cache or remote" in done.stderr
    assert "dvc fetch --all-commits" in done.stderr
    assert done.stderr.count("\n") == 1


def test_weights_that_the_cache_has_lost_cannot_be_checked(project: Path) -> None:
    drop_object(project, md5_file(Path("models/first/model.safetensors")))
    shutil.rmtree("models/first")
    told = ask("first")
    where = "models/first/model.safetensors"
    assert (list_problems(told), list_unchecked(told)) == ([], [where])


def test_a_wrong_name_is_one_sentence_with_the_nearest(project: Path) -> None:
    done = run("firts")
    assert done.exit_code == 2
    assert "did you mean `first`?" in done.stderr


def test_a_folder_without_provenance_is_one_sentence(project: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(str(tmp_path / "empty"))
    assert (done.exit_code, "holds no provenance.json" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "rows.parquet"])
def test_a_changed_file_of_the_model_is_a_problem(project: Path, name: str) -> None:
    path = Path("models/first") / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    told = ask("first")
    problems = told["problems"]
    assert isinstance(problems, list)
    changed = next(one for one in problems if one["where"] == f"models/first/{name}")
    assert changed["kind"] == "changed file"
    assert "`dvc checkout models/first`" in changed["remedy"]
    assert ("unrecorded folder", "models/first") not in list_problems(told)


def test_a_forged_folder_that_fits_itself_is_not_what_dvc_lock_names(project: Path) -> None:
    shutil.rmtree("models/first")
    train(project, "first", BaseModel("other", "c" * 64, "invented"))
    assert list_problems(ask("first")) == [("unrecorded folder", "models/first")]


def test_a_damaged_provenance_ends_with_1_and_one_sentence(project: Path) -> None:
    Path("models/first/provenance.json").write_text("{")
    done = run("first")
    assert (done.exit_code, "NOT verified" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("student", 7),
        ("student", "../first"),
        ("weights_sha256", None),
        ("dataset", {"path": "", "md5": "", "sha256": "", "rows": "many", "merkle_root": ""}),
        ("files", {"model.safetensors": ["a"]}),
        ("upstream", {"data/requests.parquet": {}}),
        ("base", {"name": "x", "sha256": 1, "origin": "y"}),
        ("teachers", [{"name": "x", "sha256": "0", "origin": None}]),
    ],
)
def test_a_provenance_that_no_training_writes_is_one_sentence(
    project: Path, name: str, value: object
) -> None:
    path = Path("models/first/provenance.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    done = run("first")
    assert (done.exit_code, f"`{name}` holds what no training writes" in done.stderr) == (1, True)


@pytest.mark.parametrize("review", ['{"rows": "many"}', "[]", "{", '{"decisions": 3}'])
def test_a_report_of_reviews_that_is_none_is_told_as_not_found(project: Path, review: str) -> None:
    Path("reports/review.json").write_text(review)
    record(project, "first")
    assert ask("first")["review"] == {}


def test_a_changed_row_of_the_table_is_a_problem(project: Path) -> None:
    rows = read_all(TRAIN, Row)
    write_table(TRAIN, Row, rows[1:])
    assert list_problems(ask("first")) == [("rows", TRAIN.as_posix())]


def test_a_changed_table_in_the_workspace_is_a_problem_though_the_cache_has_the_true_one(
    project: Path,
) -> None:
    path = Path("data/generated/pairs.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"2")
    assert list_problems(ask("first")) == [("changed file", path.as_posix())]


def test_a_newer_table_that_dvc_lock_names_is_no_problem_of_an_older_model(project: Path) -> None:
    old = md5_file(TRAIN)
    write_table(TRAIN, Row, read_all(TRAIN, Row)[1:])
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    for out in lock["stages"]["tables"]["outs"]:
        if out["md5"] == old and out["path"] == TRAIN.as_posix():
            out["md5"] = md5_file(TRAIN)
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    told = ask("first")
    dataset = told["dataset"]
    assert isinstance(dataset, dict)
    assert (list_problems(told), dataset["md5"], dataset["found"]) == ([], old, True)


@pytest.mark.parametrize(
    "name", [TRAIN.as_posix(), "data/requests.parquet", "data/corpus/chunks.parquet"]
)
@pytest.mark.parametrize("place", [0.3, 0.6, 0.95])
def test_bytes_that_are_damaged_everywhere_never_verify_and_never_end_in_a_traceback(
    project: Path, name: str, place: float
) -> None:
    content = bytearray(Path(name).read_bytes())
    drop_object(project, md5_file(Path(name)))
    content[int(len(content) * place)] ^= 0xFF
    Path(name).write_bytes(content)
    assert name in list_unchecked(ask("first"))


def test_a_corrupt_object_of_the_cache_is_a_problem_once_the_file_is_gone(project: Path) -> None:
    md5 = md5_file(Path("data/requests.parquet"))
    Path("data/requests.parquet").unlink()
    (project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).write_bytes(b"other")
    assert list_problems(ask("first")) == [("corrupt object", "data/requests.parquet")]


def test_a_gate_that_did_not_pass_is_a_problem(project: Path) -> None:
    shutil.rmtree("models/first")
    write_gate(project, passed=False)
    train(project, "first")
    record(project, "first")
    told = ask("first")
    assert list_problems(told) == [("red gate", GATE)]
    validation = told["validation"]
    assert isinstance(validation, dict)
    assert (validation["passed"], validation["failed"]) == (False, ["schema.columns"])


def test_a_table_that_is_nowhere_is_not_verified_and_the_rest_is_told(project: Path) -> None:
    before = ask("first")
    lose(project, TRAIN.as_posix())
    told = ask("first")
    assert told["verified"] is False
    assert (list_problems(told), list_unchecked(told)) == ([], [TRAIN.as_posix()])
    dataset = told["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["rows"], dataset["found"]) == (ROWS_OF_LEAVE + 3, False)
    # Its rows stand in the table of the stage before, too, under the same ids.
    assert dataset["rows_told"] == ROWS_OF_LEAVE + 3
    assert (told["documents"], told["prompts"]) == (before["documents"], before["prompts"])
    for key in ("weights_sha256", "params", "packages", "upstream", "base", "git"):
        assert told[key] == before[key]
    text = run("first").stdout
    assert "NOT verified: 1 link cannot be checked" in text
    assert "other tables here tell, by their ids" in " ".join(text.split())


def test_without_any_table_all_that_the_manifest_holds_is_told(project: Path) -> None:
    shutil.rmtree(".dvc/cache")
    for path in (*list_tables(project), GATE, "reports/review.json"):
        Path(path).unlink()
    told = ask("first")
    assert told["verified"] is False
    assert list_problems(told) == []
    assert {TRAIN.as_posix(), GATE, "data/requests.parquet"} <= set(list_unchecked(told))
    assert (told["documents"], told["teachers"], told["validation"]) == ([], [], {})
    dataset, base = told["dataset"], told["base"]
    assert isinstance(dataset, dict)
    assert isinstance(base, dict)
    assert (dataset["rows"], base["name"]) == (ROWS_OF_LEAVE + 3, "tiny")
    page = run("first", "--html", "page.html")
    assert page.exit_code == 1
    assert "Cannot be checked" in read_text(Path("page.html"))


def test_an_exported_copy_that_no_lock_names_cannot_be_checked(
    project: Path, tmp_path: Path
) -> None:
    train(project, "second")
    shutil.move("models/second", tmp_path / "second")
    told = ask(str(tmp_path / "second"))
    assert (list_problems(told), list_unchecked(told)) == ([], [str(tmp_path / "second")])


def test_what_began_with_a_student_inherits_its_data_and_its_doubts(project: Path) -> None:
    first = read_provenance(Path("models/first"))
    base = BaseModel("bases/first", first.weights_sha256, "local folder")
    train(project, "second", base)
    record(project, "first", "second")
    told = ask("second")
    assert told["verified"] is True
    inherited = told["base"]
    assert isinstance(inherited, dict)
    assert inherited["student"]["student"] == "first"
    assert inherited["student"]["documents"] == ask("first")["documents"]
    Path("models/first/config.json").write_text("{ }")
    again = ask("second")
    assert ("changed file", "models/first/config.json") in list_problems(again)


def test_the_page_tells_what_was_inherited(project: Path) -> None:
    train(project, "second", BaseModel("bases/first", weights(project), "local folder"))
    record(project, "first", "second")
    with audit(project, "second") as found:
        page = render_audit(found)
    assert "Inherited with the weights of first: 2 documents, 28 rows, verified" in page


def test_whose_probabilities_were_learned_is_told_everywhere(project: Path) -> None:
    first = BaseModel("models/first", weights(project), "the student <first>")
    train(project, "second", teachers=[BASE, first])
    record(project, "first", "second")
    assert ask("second")["probabilities"] == [asdict(BASE), asdict(first)]
    told = " ".join(run("second").stdout.split())
    assert f"learned of models/first, sha256 {first.sha256[:16]}, the student <first>" in told
    with audit(project, "second") as found:
        page = render_audit(found)
    assert page.count("Learned the probabilities of") == 2
    assert first.sha256 in page
    assert "the student &lt;first&gt;" in page


def test_a_copy_of_a_student_outside_of_models_is_known_as_a_base(project: Path) -> None:
    shutil.copytree("models/first", "bases/old")
    weights_then = weights(project)
    train(project, "second", BaseModel("bases/old", weights_then, "local folder"))
    record(project, "first", "second")
    inherited = ask("second")["base"]
    assert isinstance(inherited, dict)
    assert inherited["student"]["folder"] == "bases/old"


def test_a_review_of_newer_data_is_not_told_of_a_model_that_was_not_trained_again(
    project: Path,
) -> None:
    before = ask("first")["review"]
    write_table(TRAIN, Row, read_all(TRAIN, Row)[1:])
    write_review(project, 27, [])
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    for out in lock["stages"]["tables"]["outs"]:
        out["md5"] = md5_file(Path(out["path"]))
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    subprocess.run(["git", "commit", "-qam", "Data again"], check=True)
    told = ask("first")
    assert (told["review"], before) == (before, told["review"])
    assert list_problems(told) == []
    git = told["git"]
    assert isinstance(git, dict)
    told_of_git = say_git({**git, "refs": []})
    assert told_of_git.endswith(" Train first")
    assert " Data again; the first of 2 commits that hold it is " in told_of_git


def test_no_reviews_are_told_as_none(project: Path) -> None:
    write_review(project, 28, [])
    record(project, "first")
    told = ask("first")
    review = told["review"]
    assert isinstance(review, dict)
    assert (review["reviewed"], review["reviewers"]) == (0, {})
    assert "nobody looked at any of its 28 rows" in run("first").stdout


def test_a_signature_of_the_very_model_is_told_and_an_edited_one_is_a_problem(
    project: Path,
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    statement = make_statement("first", Path("models/first"))
    path = sign(project, statement, "ada", Ed25519PrivateKey.generate())
    told = ask("first")
    signatures = told["signatures"]
    assert isinstance(signatures, list)
    assert (told["verified"], [one["key"] for one in signatures]) == (True, ["ada"])
    record_now = json.loads(path.read_text())
    record_now["statement"]["dataset_md5"] = "0" * 32
    write_json(path, record_now)
    again = ask("first")
    assert (list_problems(again), again["signatures"]) == (
        [("signature", f"signatures/{path.name}")],
        [],
    )


def test_a_changed_document_and_a_gone_prompt_are_told_and_are_no_problem(project: Path) -> None:
    (Path("data/seed/documents") / LEAVE).write_text("other")
    Path(PROMPT).unlink()
    told = ask("first")
    documents, prompts = told["documents"], told["prompts"]
    assert isinstance(documents, list)
    assert isinstance(prompts, list)
    assert told["verified"] is True
    assert (documents[0]["state"], prompts[0]["state"]) == ("changed since", "gone")


def test_a_second_audit_hashes_what_was_touched_since_and_full_everything(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_SETTLED", -1.0)
    for arguments, before in ((), False), ((), True), (("--full",), False), ((), True):
        checked = ask("first", *arguments)["checked"]
        assert isinstance(checked, dict)
        assert (checked["hashed_before"] is not None) is before
    path = Path("models/first/model.safetensors")
    seen = path.stat()
    path.write_bytes(b"W" + path.read_bytes()[1:])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert ("changed file", str(path)) in list_problems(ask("first"))


def test_a_memory_that_cannot_be_written_is_in_nobodys_way(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_SETTLED", -1.0)
    Path(".stillhouse").mkdir(exist_ok=True)
    Path(".stillhouse/audited").write_text("a file where a folder should be")
    assert ask("first")["verified"] is True


def test_what_was_wrong_is_never_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_SETTLED", -1.0)
    Path("models/first/config.json").write_text("[]")
    first, second = ask("first"), ask("first")
    assert first["problems"] == second["problems"] != []


def open_audit(project: Path) -> Audit:
    with audit(project, "first") as found:
        return found


def test_the_text_answers_first_and_keeps_to_80_columns(project: Path) -> None:
    lines = list(describe_audit(open_audit(project)))
    assert lines[0] == "first: verified: every link was hashed."
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for told in (
        "26 people/leave.md",
        "anthropic (claude-haiku-4-5)",
        "$3.10",
        "offline/2, format",
    ):
        assert told in text


def test_long_lists_are_cut_with_their_counts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.auditing import audit_text

    monkeypatch.setattr(audit_text, "_SHOWN", 1)
    text = " ".join(" ".join(describe_audit(open_audit(project))).split())
    assert "and 1 more documents of 2 rows (--json lists each)" in text


def test_nothing_that_a_document_or_teacher_says_becomes_markup(project: Path) -> None:
    with audit(project, "first") as found:
        page = render_audit(found)
    assert "window.hacked" in page
    assert page.count("<script") == 2  # the data and the page's own
    assert "<img" not in page
    assert "<b>nasty" not in page
    assert "Ada <i>" not in page


def test_a_page_names_no_address_and_holds_twenty_rows_of_a_document(project: Path) -> None:
    with audit(project, "first") as found:
        page = render_audit(found, now=0.0)
    assert "http://" not in page.replace("http-equiv", "")
    assert "https://" not in page
    assert "1970-01-01 00:00 UTC" in page
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert sorted(map(len, data["documents"].values())) == [1, 2, 20]


def test_a_page_has_room_for_so_much_and_says_what_it_left_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_BYTES", 0)
    with audit(project, "first") as found:
        page = render_audit(found)
    assert json.loads(page.split('id="data">')[1].split("</script>")[0])["documents"] == {}
    assert "of 3 documents there was no room for any" in page


@pytest.mark.parametrize("text", ["plain", "「休暇」", "<a href='x'>&"])
def test_a_text_takes_as_many_bytes_of_the_page_as_it_is_weighed(text: str) -> None:
    from jinja2.utils import htmlsafe_json_dumps

    assert samples._weigh(text) == len(htmlsafe_json_dumps(text).encode())


def test_a_page_is_not_written_onto_a_folder(project: Path) -> None:
    done = run("first", "--html", "models")
    assert (done.exit_code, "a folder stands there" in done.stderr) == (2, True)


def test_outside_a_project_an_exported_copy_is_told_by_its_manifest(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("models/first", tmp_path / "away/first")
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "away"))
    monkeypatch.chdir(tmp_path / "away")
    told = ask("first")
    assert told["verified"] is False
    assert "first" in list_unchecked(told)
    assert sorted(path.name for path in Path().iterdir()) == ["first"]
    assert "in the folder of its project alone: run this there" in run("second").stderr


def test_two_weights_with_the_same_first_digits_are_told_apart(project: Path) -> None:
    for student in ("second", "third"):
        path = Path(shutil.copytree("models/first", f"models/{student}")) / "provenance.json"
        value = json.loads(path.read_text())
        value["weights_sha256"] = "a" * 60 + student[:4].encode().hex()[:4]
        write_json(path, value)
    done = run("a" * 14)
    assert (done.exit_code, "2 models have weights that begin so" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("answer", "passage", "marked"),
    [
        ("27.5 days of leave", "Staff have 27.5 days of leave a year.", ["27.5 days of leave"]),
        ("Leave is 27.5 days.", "27.5 days. Later: leave.", ["27.5 days", "leave"]),
        ("of the", "one of the two", []),
        ("Nothing alike", "Quite other words", []),
        ("", "words", []),
        # A short run is taken where it stands nearest to the longest one.
        (
            "Ada has 3 days off",
            "Ada. x x x x x x Ada then has 3 days off",
            ["Ada", "has 3 days off"],
        ),
    ],
)
def test_the_words_of_an_answer_are_found_in_its_passage(
    answer: str, passage: str, marked: list[str]
) -> None:
    found = find_answer(answer, passage)
    assert [passage[start:end] for start, end in found.spans] == marked
    if marked == ["Ada", "has 3 days off"]:
        assert found.spans[0][0] == passage.rindex("Ada")


def make_remote(project: Path, folder: Path) -> None:
    """Move DVC's cache away into a remote: nothing but what lies in the workspace is left here."""
    shutil.move(project / ".dvc/cache", folder)
    config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {folder}\n"
    (project / ".dvc/config").write_text(config)


def test_what_only_the_remote_has_is_fetched_and_hashed(project: Path, tmp_path: Path) -> None:
    make_remote(project, tmp_path / "remote")
    sha256 = weights(project)
    for path in (*list_tables(project), GATE, "reports/review.json"):
        Path(path).unlink()
    shutil.rmtree("models/first")
    told = ask("first")
    assert (told["weights_sha256"], told["verified"]) == (sha256, True)


def test_a_remote_that_is_gone_is_not_verified(project: Path, tmp_path: Path) -> None:
    make_remote(project, tmp_path / "remote")
    shutil.rmtree(tmp_path / "remote")
    Path("data/requests.parquet").unlink()
    told = ask("first")
    assert (list_problems(told), list_unchecked(told)) == ([], ["data/requests.parquet"])


def test_a_damaged_table_that_is_not_the_models_own_is_in_nobodys_way(project: Path) -> None:
    lose(project, "data/requests.parquet")
    Path("data/requests.parquet").write_bytes(b"PAR1 and no more")
    told = ask("first")
    assert list_unchecked(told) == ["data/requests.parquet"]
    documents = told["documents"]
    assert isinstance(documents, list)
    assert len(documents) == 2


def test_tables_of_another_layout_are_told_and_end_with_1(project: Path) -> None:
    import pyarrow.parquet as pq

    shutil.rmtree("models/first")
    table = pq.read_table("data/requests.parquet").drop_columns("prompt_path")
    pq.write_table(table, "data/requests.parquet")
    write_gate(project)
    train(project, "first")
    record(project, "first")
    done = run("first", "--html", "page.html")
    assert done.exit_code == 1
    assert "the tables of models/first" in " ".join(done.stdout.split())
    assert "Cannot be checked" in read_text(Path("page.html"))
