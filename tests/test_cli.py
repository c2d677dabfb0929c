"""Commands say what they mean, fail in one sentence, and start in no time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stillhouse import __version__
from stillhouse.base.errors import InputError
from stillhouse.base.records import Request
from stillhouse.base.tables import write_table
from stillhouse.cli.ask import find_model
from stillhouse.cli.main import app
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.protocol import Failure
from tests.asking import make_request
from tests.report_project import write_project
from tests.tiny import build_tiny_model

COMMANDS = (
    "init",
    "plan",
    "pilot",
    "stage",
    "summary",
    "diff",
    "log",
    "trace",
    "audit",
    "verify",
    "sign",
    "ask",
    "register",
    "retry",
    "review",
    "doctor",
    "upgrade",
    "version",
)
HEAVY = ("torch", "transformers", "mlflow", "dvc", "great_expectations", "pyarrow", "pandas")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished project, which is the working directory."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_every_command_is_listed_with_help_and_an_example() -> None:
    listed = CliRunner().invoke(app, ["--help"]).stdout
    assert {
        command.callback.__name__ for command in app.registered_commands if command.callback
    } == {*COMMANDS}
    for name in COMMANDS:
        assert name in listed
        help_text = CliRunner().invoke(app, [name, "--help"])
        assert help_text.exit_code == 0
        assert f"Example: stillhouse {name}" in help_text.stdout


def test_the_list_of_commands_cuts_no_sentence_at_80_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = CliRunner().invoke(app, ["--help"]).stdout.partition("Commands:")[2]
    assert "version" in listed
    assert "..." not in listed


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from stillhouse.cli.main import app; app(['--help'], standalone_mode=False);"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_summary_prints_the_sentence_and_where_the_page_is(project: Path) -> None:
    (project / "reports/index.html").write_text("page")
    first, second = CliRunner().invoke(app, ["summary"]).stdout.splitlines()
    assert first.startswith("tiny answers 70% (95% interval 60–80%) of 100 questions")
    assert second == f"The page: {project}/reports/index.html"
    told = json.loads(CliRunner().invoke(app, ["summary", "--json"]).stdout)
    assert told["students"][0]["core_recall"] == {
        "n": 100,
        "accuracy": 0.7,
        "low": pytest.approx(0.6),
        "high": pytest.approx(0.8),
    }


def test_an_error_is_one_sentence_on_stderr_with_its_exit_code(project: Path) -> None:
    (project / "reports/students/tiny/metrics.json").unlink()
    missing = CliRunner().invoke(app, ["summary"])
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert missing.stderr == (
        "error: reports/students/tiny/metrics.json: file not found: nothing was evaluated here yet; "
        "run `dvc repro` in the project's folder\n"
    )
    (project / "models/tiny/model.safetensors").write_bytes(b"swapped")
    refused = CliRunner().invoke(app, ["register", "tiny"])
    assert refused.exit_code == 1  # the answer is no; 2 would mean that something is missing
    assert refused.stderr.startswith("error: models/tiny: `model.safetensors` is not the file")
    assert len(refused.stderr.splitlines()) == 1


def test_summary_prints_what_is_there_and_names_a_student_without_metrics(project: Path) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["students"] = {"new": params["students"]["tiny"], **params["students"]}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = CliRunner().invoke(app, ["summary"])
    first, second = done.stdout.splitlines()
    assert (done.exit_code, first[:14]) == (0, "tiny answers 7")
    assert second == "new was not evaluated here yet: run `dvc repro`."
    told = json.loads(CliRunner().invoke(app, ["summary", "--json"]).stdout)
    assert told["missing"] == ["new"]
    assert [student["student"] for student in told["students"]] == ["tiny"]


def test_a_terminal_without_a_character_gets_the_rest(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    stdout, stderr = start(project, "summary").communicate(timeout=180)
    assert stdout.startswith("tiny answers 70% (95% interval 60?80%) of 100 questions")
    assert stderr == ""
    stdout, _ = start(project, "summary", "--json").communicate(timeout=180)
    assert "60–80%" in json.loads(stdout)["students"][0]["sentence"]


@pytest.mark.parametrize(
    "command",
    [
        "summary",
        "trace x",
        "verify",
        "sign x",
        "ask tiny why",
        "register",
        "upgrade",
        "stage ingest",
        "baseline set",
        "baseline show",
    ],
)
def test_outside_of_a_project_every_command_says_the_same(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command.split())
    told = "error: params.yaml: file not found; run this in the folder of a project\n"
    assert (done.exit_code, done.stderr) == (2, told)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_student_is_no_model_that_could_be_asked(project: Path) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["students"]["b"] = None
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(InputError, match="no model called `b`"):
        find_model("b")


def test_a_torn_tokenizer_is_one_sentence(project: Path) -> None:
    build_tiny_model(project / "models/tiny")
    tokenizer = project / "models/tiny/tokenizer.json"
    tokenizer.write_text(tokenizer.read_text()[:100])
    asked = CliRunner().invoke(app, ["ask", "tiny", "How many days?"])
    assert asked.exit_code == 2
    assert asked.stderr.startswith("error: models/tiny/tokenizer.json: not JSON (")


def test_what_the_machine_refuses_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "file").write_text("")
    monkeypatch.setenv("STILLHOUSE_HOME", str(project / "file"))
    refused = CliRunner().invoke(app, ["register", "tiny"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"error: {project}/file/.stillhouse: a file stands where a folder is expected; "
        "move the file away\n"
    )


def test_retry_forgets_the_refusals_that_are_named(project: Path) -> None:
    missing = CliRunner().invoke(app, ["retry"])
    assert (missing.exit_code, "nothing was asked yet" in missing.stderr) == (2, True)
    kept = Failure("request-3", "529", permanent=False)
    with Journal(project / ".stillhouse/journal.sqlite") as journal:
        names = ("request-1", "request-2")
        journal.record([*(Failure(name, "400", permanent=True) for name in names), kept])
    unknown = CliRunner().invoke(app, ["retry", "request-11"])
    assert unknown.exit_code == 2
    assert (
        "no request `request-11` was refused for good; did you mean `request-1`?" in unknown.stderr
    )
    write_table(Path("data/requests.parquet"), Request, [make_request()])
    nobody = CliRunner().invoke(app, ["retry", "--teacher", "offlime"])
    assert "no request goes to a teacher called `offlime`; expected one of" in nobody.stderr
    told = CliRunner().invoke(app, ["retry", "request-1", "--json"])
    assert json.loads(told.stdout) == {"forgotten": ["request-1"]}
    assert CliRunner().invoke(app, ["retry"]).stdout.startswith("request-2\n1 refusals forgotten")
    with Journal(project / ".stillhouse/journal.sqlite") as journal:
        assert journal.read_failures() == [kept]


@pytest.mark.parametrize("arguments", [["version"], ["summary", "--help"]])
def test_a_full_disk_behind_the_results_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = start(Path(), *arguments, stdout=full)
        _, stderr = done.communicate(timeout=180)
    assert stderr.startswith("error: no space is left on the disk; free some")
    assert (done.returncode, len(stderr.splitlines())) == (2, 1)


def test_an_interrupted_command_ends_with_130_and_one_line(project: Path) -> None:
    (project / "params.yaml").unlink()
    os.mkfifo(project / "params.yaml")  # the command waits for somebody to write into it
    process = start(project, "summary")
    end = None
    while end is None:
        try:
            end = os.open(project / "params.yaml", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert process.poll() is None
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=180)
    os.close(end)
    assert (process.returncode, stdout) == (130, "")
    assert stderr == "interrupted: nothing was written half; run it again to go on\n"


def start(
    folder: Path, *arguments: str, stdout: object = subprocess.PIPE
) -> "subprocess.Popen[str]":
    code = "from stillhouse.cli.main import app; app()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=folder, text=True,
        stdout=stdout, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        # A shell that starts the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


def test_a_model_is_found_by_name_or_folder_and_an_unknown_one_is_explained(project: Path) -> None:
    assert find_model("tiny") == Path("models/tiny")
    assert find_model(str(project / "models/tiny")) == project / "models/tiny"
    asked = CliRunner().invoke(app, ["ask", "timy", "How many days?"])
    assert asked.exit_code == 2
    assert asked.stderr == (
        "error: no model called `timy`; expected a model folder or one of: tiny\n"
    )


def test_a_student_with_torn_weights_is_refused_in_one_sentence(project: Path) -> None:
    (project / "models/tiny/model.safetensors").write_bytes(b"torn")
    asked = CliRunner().invoke(app, ["ask", "tiny", "How many days?"])
    assert asked.exit_code == 2
    assert asked.stderr.startswith("error: models/tiny/model.safetensors: the weights are torn")


def test_a_student_answers_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_tiny_model(tmp_path / "models" / "tiny")
    monkeypatch.chdir(tmp_path)
    asked = CliRunner().invoke(app, ["ask", "tiny", "models/tiny", "Which code?", "--json"])
    assert asked.exit_code == 0, asked.output
    told = json.loads(asked.stdout)
    assert told["question"] == "Which code?"
    assert [answer["model"] for answer in told["answers"]] == ["tiny", "models/tiny"]
    assert told["answers"][0]["answer"] == told["answers"][1]["answer"]


def test_register_rebuilds_the_entry_from_files(project: Path) -> None:
    done = CliRunner().invoke(app, ["register", "--json"])
    assert done.exit_code == 0, done.output
    (entry,) = json.loads(done.stdout)
    assert (entry["student"], entry["uri"], entry["created"]) == (
        "tiny",
        "models:/test-tiny/1",
        True,
    )
    assert (project / ".stillhouse" / "mlflow.db").exists()
    again = CliRunner().invoke(app, ["register", "tiny"])
    assert again.stdout == f"tiny: up to date as models:/test-tiny/1, run {entry['run_id']}\n"


def test_version_says_which_formats_it_writes() -> None:
    assert CliRunner().invoke(app, ["version"]).stdout == f"{__version__}\n"
    assert CliRunner().invoke(app, ["--version"]).stdout == f"{__version__}\n"
    told = json.loads(CliRunner().invoke(app, ["version", "--json"]).stdout)
    assert told["stillhouse"] == __version__
    assert told["formats"]["provenance"] == 1


def test_a_reader_that_has_gone_is_not_the_answer_no() -> None:
    code = "from stillhouse.cli.main import app; app()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", code, "version"],
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
