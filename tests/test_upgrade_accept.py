"""What ``stillhouse upgrade`` says of a project without code, and which files ``--accept`` rewrites."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.formats import SECTION, list_installed
from stillhouse.base.formats import check_formats as check_pinned
from stillhouse.base.ids import sha256_text
from stillhouse.base.records import Request
from stillhouse.base.tables import write_table
from stillhouse.cli.main import app
from stillhouse.lineage.doctor_pipeline import check_formats
from stillhouse.scaffold.project import Choices, build_files
from stillhouse.scaffold.upgrade import COMMENT

OLD = "stages: {}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a new project; its folder is the working directory."""
    for name, text in build_files(Choices("x")).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return Path()


def invoke(*options: str, code: int) -> str:
    done = CliRunner().invoke(app, ["upgrade", *options])
    assert done.exit_code == code, done.output
    return done.output


def record(text: str) -> None:
    """Let library.yaml say that ``dvc.yaml`` was written with this text, as an older version did."""
    library = yaml.safe_load(Path("library.yaml").read_text())
    Path("library.yaml").write_text(yaml.safe_dump({**library, "pipeline": sha256_text(text)}))


def unpin() -> str:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text[: text.index(COMMENT)])
    return text


def test_another_pipeline_alone_is_to_be_accepted_and_named(project: Path) -> None:
    assert "Nothing to accept" in invoke(code=0)
    new = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(OLD)
    record(OLD)
    assert "dvc.yaml: the installed library comes with another one\n" in invoke(code=1)
    assert json.loads(invoke("--json", code=1))["library"]["pipeline"] is True
    assert Path("dvc.yaml").read_text() == OLD
    said = invoke("--accept", code=0)
    assert "Accepted: dvc.yaml and library.yaml rewritten; commit that" in said
    assert Path("dvc.yaml").read_text() == new
    assert "Nothing to accept" in invoke(code=0)


def test_an_edited_pipeline_stays_and_json_says_where_the_new_one_lies(project: Path) -> None:
    edited = Path("dvc.yaml").read_text() + "# mine\n"
    Path("dvc.yaml").write_text(edited)
    record(OLD)
    told = json.loads(invoke("--json", "--accept", code=0))
    assert told["accepted"]
    assert told["beside"]
    assert told["written"] == ["dvc.yaml.new", "library.yaml"]
    assert Path("dvc.yaml").read_text() == edited
    record(OLD)
    said = invoke("--accept", code=0)
    assert "Accepted: library.yaml rewritten;" in said
    assert "the new one is dvc.yaml.new" in said


def test_all_three_files_are_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dvc.yaml").write_text(OLD)
    record(OLD)
    monkeypatch.setattr(versions, "IDS", versions.IDS + 1)
    said = invoke("--accept", code=0)
    assert "Accepted: params.yaml, dvc.yaml and library.yaml rewritten;" in said
    assert said.encode("latin-1")


def test_formats_that_are_not_pinned_are_listed_and_appended(project: Path) -> None:
    text = unpin()
    (finding,) = check_formats(project)
    assert finding.status == "fail"
    assert "stillhouse upgrade" in finding.remedy
    with pytest.raises(InputError, match="`stillhouse upgrade --accept` appends it"):
        check_pinned()
    said = invoke(code=1)
    for name, number in list_installed().items():
        assert f"formats.{name}: not pinned, installed is {number}\n" in said
    assert "How many requests that affects cannot be told: params.yaml has no `formats`" in said
    assert json.loads(invoke("--json", code=1))["unpinned"] == list_installed()
    assert "Accepted: params.yaml rewritten;" in invoke("--accept", code=0)
    after = Path("params.yaml").read_text()
    assert yaml.safe_load(after) == yaml.safe_load(text)
    assert COMMENT + f"{SECTION}:\n" in after
    assert "Nothing to accept" in invoke(code=0)


def test_a_slip_in_the_sections_name_is_told_and_nothing_is_appended(project: Path) -> None:
    text = Path("params.yaml").read_text().replace("\nformats:", "\nformat:")
    Path("params.yaml").write_text(text)
    said = invoke("--accept", code=2)
    assert "section `formats` is missing; did you mean `format`?" in said
    assert Path("params.yaml").read_text() == text


def test_a_missing_pipeline_is_told_with_the_way_to_get_it_back(project: Path) -> None:
    record(OLD)
    Path("dvc.yaml").unlink()
    assert invoke("--accept", code=2) == (
        "error: dvc.yaml: file not found; `stillhouse init --anyway` writes it anew, or take it back "
        "from git\n"
    )


def test_outside_of_a_project_the_folder_is_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = invoke(code=2)
    assert said == "error: params.yaml: file not found; run this in the folder of a project\n"


def test_requests_are_told_of_only_where_a_format_asks_any(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "JUDGE", versions.JUDGE + 1)
    assert "How many requests" not in invoke(code=1)
    Path("data").mkdir(exist_ok=True)
    write_table(Path("data/requests.parquet"), Request, [])
    assert "Of 0 requests here, none is asked again.\n" in invoke(code=1)
    Path("data/requests.parquet").unlink()
    monkeypatch.setattr(versions, "IDS", versions.IDS + 1)
    assert (
        "How many requests that affects cannot be told: there is no data/requests.parquet here"
        in invoke(code=1)
    )
