"""What stands in a journal, out of it into a file, and from a file into it."""

import gzip
import json
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from stillhouse.base.records import Request, Response
from stillhouse.base.tables import write_table
from stillhouse.cli.main import app
from stillhouse.teachers.exchange import Exported, Imported, import_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Bill, Reservation
from stillhouse.teachers.outbox import mark_shared
from stillhouse.teachers.protocol import Failure, Usage
from tests.asking import make_request, make_response

REQUESTS = [make_request(number) for number in range(4)]
FIRST, SECOND, THIRD, LAST = REQUESTS
ANSWERS = [
    replace(make_response(FIRST, "Straße – “quoted”\n\u2028"), confidences=(0.5, 1.0)),
    make_response(SECOND),
    replace(make_response(THIRD), model="model-2"),
]
PARAMS = "runtime:\n  budget_usd: 20\njournal:\n  remote: null\n"
FORMATS = ("a.jsonl", "a.jsonl.gz", "a.parquet")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLHOUSE_HOME", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    with Journal(find_journal(tmp_path)) as journal:
        bill = Bill(FIRST.request_id, 0.25, "anthropic", "claude-sonnet-5-5", "recall", 80)
        bills = [replace(bill, usage=Usage(1000, 20, 500, 0)), replace(bill, usd=1.0)]
        journal.record(ANSWERS[:2], bills, "anthropic")
        journal.record(ANSWERS[2:], teacher="openai")
    return tmp_path


def find_journal(project: Path) -> Path:
    return project / ".stillhouse/journal.sqlite"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["journal", *arguments])


def read_all_answers(path: Path) -> dict[str, Response]:
    with Journal(path) as journal:
        return journal.read([request.request_id for request in REQUESTS])


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_exported_is_imported_as_it_was(project: Path, name: str) -> None:
    before = read_all_answers(find_journal(project))
    assert call("export", name).stdout == f"3 answers written to {name}\n"
    find_journal(project).unlink()
    assert json.loads(call("import", name, "--json").stdout) == {
        "new": 3,
        "equal": 0,
        "different": 0,
    }
    assert read_all_answers(find_journal(project)) == before
    first = (project / name).read_bytes()
    call("export", name)
    assert (project / name).read_bytes() == first


def test_an_answer_that_is_here_stays(project: Path) -> None:
    call("export", "a.jsonl")
    find_journal(project).unlink()
    mine = make_response(FIRST, "mine")
    with Journal(find_journal(project)) as journal:
        journal.record([mine, ANSWERS[1]], teacher="anthropic")
    assert call("import", "a.jsonl").stdout == (
        "1 new answers, 1 known already, 1 different from those that are here, which stay\n"
    )
    assert read_all_answers(find_journal(project))[FIRST.request_id] == mine


def test_an_imported_answer_ends_a_failure(project: Path) -> None:
    call("export", "a.jsonl")
    find_journal(project).unlink()
    with Journal(find_journal(project)) as journal:
        journal.record([Failure(FIRST.request_id, "400", permanent=True)])
    call("import", "a.jsonl")
    with Journal(find_journal(project)) as journal:
        assert journal.read_failures() == []


@pytest.mark.parametrize(
    ("option", "ids"),
    [
        (("--teacher", "anthropic"), [FIRST, SECOND]),
        (("--teacher", "openai"), [THIRD]),
        (("--model", "model-2"), [THIRD]),
    ],
)
def test_an_export_may_be_of_one_teacher_or_model(
    project: Path, option: tuple[str, str], ids: list[Request]
) -> None:
    call("export", "a.parquet", *option)
    found = pq.read_table(project / "a.parquet").column("request_id").to_pylist()
    assert found == sorted(request.request_id for request in ids)


def test_an_unknown_teacher_is_named_with_the_near_one(project: Path) -> None:
    result = call("export", "a.jsonl", "--teacher", "antropic")
    assert result.exit_code == 2
    assert "one of anthropic, openai; did you mean `anthropic`?" in result.stderr
    assert not (project / "a.jsonl").exists()


def test_a_name_without_a_format_is_refused(project: Path) -> None:
    for command in ("export", "import"):
        result = call(command, "answers.csv")
        assert result.exit_code == 2
        assert "answers.csv: the file's name says no known format" in result.stderr


GOOD = json.dumps(
    {
        "kind": "answer",
        "teacher": "paid",
        "request_id": "r",
        "text": "t",
        "reasoning": "",
        "stop_reason": "end_turn",
        "input_tokens": 1,
        "output_tokens": 2,
        "cached_tokens": 0,
        "model": "m",
    }
)
BAD_LINES = {
    "{": "eof",
    "[]": "object",
    "{}": "kind",
    '{"kind": "judge"}': "judge",
    '{"kind": "judge\\n\\u001b[31m again"}': "judge [31m again",
    json.dumps({"kind": "x" * 5000}): f"{'x' * 250}",
    GOOD.replace('"input_tokens": 1', '"input_tokens": "1"'): "`input_tokens`",
    GOOD.replace('"input_tokens": 1', '"input_tokens": 1e99'): "`input_tokens`",
    GOOD.replace('"input_tokens": 1', '"input_tokens": 99999999999999999999'): "`input_tokens`",
    GOOD.replace('"text": "t"', '"text": null'): "`text`",
    GOOD.replace('"text": "t"', '"text": "\\ud83d"'): "hex escape",
    GOOD.replace('"request_id": "r"', '"request_id": ""'): "`request_id`",
    GOOD[:-1] + ', "confidences": [2.0]}': "`confidences.0`",
}


@pytest.mark.parametrize(("line", "said"), BAD_LINES.items())
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_one_wrong_line_refuses_the_whole_file(
    project: Path, line: str, said: str, name: str
) -> None:
    content = f"{GOOD}\n\n{line}\n".encode()
    (project / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    result = call("import", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {name}:3: ")
    assert said in result.stderr.lower()
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 500
    with sqlite3.connect(find_journal(project)) as base:
        assert base.execute("SELECT count(*) FROM answers").fetchone() == (3,)


def test_a_wrong_row_refuses_the_whole_table(project: Path) -> None:
    row = Exported("r", "t", "", "end_turn", 1, 2, 0, "m", (), "paid")
    write_table(
        project / "a.parquet", Exported, [row, replace(row, request_id="s", input_tokens=-1)]
    )
    result = call("import", "a.parquet")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: a.parquet, row 2: `input_tokens` is -1; expected")
    with sqlite3.connect(find_journal(project)) as base:
        assert base.execute("SELECT count(*) FROM answers").fetchone() == (3,)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl.gz", b"hello", "damaged or no gzip file"),
        ("a.jsonl.gz", gzip.compress(f"{GOOD}\n".encode() * 50)[:-12], "damaged or no gzip file"),
        ("a.jsonl", b"x" * (17 << 20), "the line is longer than 16 MiB"),
        ("a.parquet", b"PAR1", "not a readable Parquet file; expected a file that `stillhouse"),
        ("a.jsonl", None, "file not found"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    project: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (project / name).write_bytes(content)
    result = call("import", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(read_all_answers(find_journal(project))) == 3


def test_answers_of_the_same_request_count_as_what_they_are(project: Path) -> None:
    (project / "a.jsonl").write_text(f"{GOOD}\n{GOOD}\n{GOOD.replace('end_turn', 'stop')}\n")
    assert import_answers(find_journal(project), Path("a.jsonl")) == Imported(1, 1, 1)


def test_an_import_outside_of_a_project_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(GOOD)
    result = call("import", "a.jsonl")
    assert result.exit_code == 2
    assert "run this in the folder of a project" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def fill(project: Path) -> None:
    """Leave failures, requests in flight, a lost call, a batch, and a remote that knows one answer."""
    path = find_journal(project)
    with Journal(path) as journal:
        journal.record([Failure("x", "400", permanent=True), Failure("y", "529", permanent=False)])
        journal.claim(["lost"], 1)
        journal.reserve([Reservation("lost", 0.125, 2.0)], None)
        journal.write_off(["lost"])
    with sqlite3.connect(path) as base:
        base.execute(
            "INSERT INTO batches (batch, teacher, name, submitted, requests, ended)"
            " VALUES (1, 'anthropic', 'msgbatch_1', 1.0, 2, 0)"
        )
        base.execute(
            "INSERT INTO batched (request_id, batch, expected, reserved) VALUES ('z', 1, 0.5, 1.5)"
        )
        base.execute(
            "INSERT INTO leases VALUES ('w', 'elsewhere', 1, '1', ?, 0.5, 3)", (time.time() + 600,)
        )
        base.execute("UPDATE spending SET at = 1 WHERE usd = 1.0")
        base.commit()
        base.isolation_level = None
        (project / "store").mkdir()
        mark_shared(base, str(project / "store"), "segment", [FIRST.request_id, "batch b ended"])
    (project / "params.yaml").write_text(PARAMS.replace("null", "./store"))


def test_the_figures_are_those_of_the_journal(project: Path) -> None:
    fill(project)
    found = json.loads(call("stats", "--json").stdout)
    assert found.pop("size") >= 4096
    assert found == {
        "answers": {"anthropic": 2, "openai": 1},
        "budget_usd": 20.0,
        "budget_window": "30d",
        "in_flight": {"abandoned": 0, "batched": 1, "batches": 1, "leased": 1, "reserved": 4.5},
        "journal": str(find_journal(project)),
        "lost": 1,
        "lost_usd": 0.125,
        "passing": 1,
        "permanent": 1,
        "shared": {
            "there": 1,
            "only_here": 2,
            "place": str(project / "store"),
            "segments": 1,
        },
        "spent": 1.375,
        "spent_in_window": 0.375,
        "uses": [
            {
                "cached_tokens": 500,
                "calls": 2,
                "input_tokens": 1500,
                "model": "claude-sonnet-5-5",
                "output_tokens": 20,
                "task": "recall",
                "teacher": "anthropic",
                "usd": 1.25,
            }
        ],
    }


def test_the_figures_are_readable_at_eighty_columns(project: Path) -> None:
    fill(project)
    with Journal(find_journal(project)) as journal:
        bill = Bill(LAST.request_id, 123456.789, "huggingface", "m" * 60, "exceptions", 1)
        journal.record(
            [make_response(LAST)],
            [replace(bill, usage=Usage(987_654_321_000, 12_345))],
            "huggingface",
        )
    lines = call("stats").stdout.splitlines()
    place = str(project)
    assert all(len(line) < 80 for line in lines if place not in line)
    said = " ".join(" ".join(lines).split())
    for words in (
        "answers 4: anthropic 2, huggingface 1, openai 1",
        "failures 1 passing, 1 for good (`stillhouse retry` has these asked again)",
        "in flight 1 requests, 1 in 1 batches, $4.5000 reserved",
        "spent $123,457.1640 within 30d (the budget is $20.00), $123,458.1640 in all",
        "lost 1 calls whose answers nobody read, about $0.1250",
        "1 answers there in 1 files, 3 only here",
    ):
        assert words in said
    assert [line.split() for line in lines[-3:]] == [
        ["teacher", "model", "task", "calls", "read", "written", "dollars"],
        ["anthropic", "claude-sonnet-5-5", "recall", "2", "1.5", "k", "20", "1.2500"],
        ["huggingface", "m" * 21 + "…", "exceptions", "1", "988", "G", "12.3", "k", "123,457"],
    ]


@pytest.mark.parametrize("seconds", ["0", "1.0e+10", ".inf"])
def test_an_upload_that_is_never_due_is_refused(project: Path, seconds: str) -> None:
    # A thread that waits for so long ends at once, in a traceback, and nothing is uploaded.
    (project / "params.yaml").write_text(f"{PARAMS}  upload_seconds: {seconds}\n")
    result = call("stats")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: params.yaml: `journal.upload_seconds` is ")
    assert result.stderr.count("\n") == 1


def test_without_a_journal_there_are_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLHOUSE_HOME", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    for command in (("stats",), ("export", "a.jsonl")):
        result = call(*command)
        assert result.exit_code == 2
        assert "nothing was asked yet" in result.stderr
    assert not (tmp_path / ".stillhouse").exists()


def test_every_command_has_an_example_in_its_help() -> None:
    for name in ("stats", "export", "import"):
        help_text = call(name, "--help")
        assert help_text.exit_code == 0
        assert f"Example: stillhouse journal {name}" in help_text.stdout
        assert len(max(help_text.stdout.splitlines(), key=len)) <= 80


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from stillhouse.cli.main import app\n"
        "try: app(['journal', 'stats', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pyarrow', 'sqlite3', 'dvc', 'torch') if name in sys.modules])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def retry(project: Path, *arguments: str) -> Result:
    write_table(project / "data/requests.parquet", Request, REQUESTS)
    return CliRunner().invoke(app, ["retry", *arguments])


def test_a_retry_may_be_of_one_teacher(project: Path) -> None:
    with Journal(find_journal(project)) as journal:
        refused = [LAST.request_id, "of another prompt"]
        journal.record([Failure(name, "400", permanent=True) for name in refused])
    near = retry(project, "--teacher", "piad")
    assert near.exit_code == 2
    assert "expected one of paid; did you mean `paid`?" in near.stderr
    assert retry(project, "--teacher", "paid").stdout.splitlines() == [
        LAST.request_id,
        "1 refusals forgotten: the next `dvc repro` asks again",
        "(where they were tolerated: `dvc repro --force --single-item generate`, or `judge`)",
    ]
    assert retry(project, "--teacher", "paid").stdout == (
        "nothing was refused for good by `paid`: there is nothing to forget\n"
    )
    with Journal(find_journal(project)) as journal:
        assert [failure.request_id for failure in journal.read_failures()] == ["of another prompt"]


def test_a_retry_of_one_teacher_knows_what_develops_pairs_and_what_judges(project: Path) -> None:
    found = [replace(LAST, request_id=name * 64, teacher="judge") for name in ("a", "b")]
    with Journal(find_journal(project)) as journal:
        journal.record([Failure(one.request_id, "400", permanent=True) for one in found])
    paths = ("data/generated/derived.parquet", "data/judging/requests.parquet")
    for path, one in zip(paths, found, strict=True):
        write_table(project / path, Request, [one])
    told = retry(project, "--teacher", "judge").stdout.splitlines()
    assert told[:2] == [one.request_id for one in found]
