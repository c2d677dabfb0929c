"""The gate: a sound dataset passes, damage is caught with its rows, bytes are stable."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import DriftError, GateError, InputError
from stillhouse.base.files import write_json
from stillhouse.base.ids import content_id
from stillhouse.base.personal import find_card, find_email, find_iban, find_phone
from stillhouse.base.records import Judgement, Message, Rejection, Response, Row
from stillhouse.base.tables import declared_columns
from stillhouse.quality.alarms import Quality
from stillhouse.quality.baseline import Moved
from stillhouse.quality.coverage import count_coverage
from stillhouse.quality.curate import CurateParams
from stillhouse.quality.expectations import expect_all
from stillhouse.quality.gate import (
    Check,
    Validation,
    refuse_drift,
    refuse_failed,
    report_validation,
)
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.remedies import remedy_for
from stillhouse.quality.review_errors import ReviewErrors, read_review_errors
from stillhouse.quality.tables import Tables
from stillhouse.quality.validate import Against, validate
from stillhouse.quality.validation_page import render_validation
from tests.making import make_chunk, make_document, make_gold, make_pair, make_request, make_row

DOCUMENT, CLOSED = make_document(), make_document("closed.md")
CHUNK = make_chunk()
REQUEST = make_request([CHUNK])
PAIRS = [
    make_pair(f"{opening} {number}?", "27.5 days.", [CHUNK], request=REQUEST, fact=f"f{number}")
    for number in range(4)
    for opening in ("How long is leave", "What leave is there in", "Name the leave of")
]
ROWS = [make_row(pair, [DOCUMENT]) for pair in PAIRS]
PARAMS = ValidateParams(
    train_rows_min=9, test_rows_min=2, rows_per_task_min=1, opening_share_max=0.5
)


def make_tables() -> Tables:
    chunks = {CHUNK.chunk_id: CHUNK}
    dropped = PAIRS[11]
    return Tables(
        documents=[DOCUMENT, CLOSED],
        chunks=[CHUNK],
        skipped=[],
        requests=[REQUEST],
        responses=[Response(REQUEST.request_id, "{}", "", "end", 9, 9, 0, "offline/1")],
        pairs=PAIRS,
        unused=[],
        judgements=list(judge_pairs(PAIRS, chunks, JudgeParams())),
        curated=ROWS[:11],
        dropped=[Rejection(dropped.pair_id, "pair", dropped.slot_id, (), "curate", "length", "")],
        reviewed=ROWS[:11],
        train=[ROWS[number] for number in (0, 1, 2, 6, 7, 8, 9, 10)],
        validation=[replace(ROWS[3], holdout="phrasing")],
        test=[replace(ROWS[4], holdout="fact"), replace(ROWS[5], holdout="phrasing")],
    )


TABLES = make_tables()
COLUMNS = {"data/dataset/train.parquet": declared_columns(Row)}
NOTHING_MEASURED = Quality(8, 0, None, None, {}, None, Moved(), None, {})
NOT_LIMITED = ReviewErrors(None, None, None)
AGAINST = Against(
    [make_gold("When may I go home?")],
    {CLOSED.document_id},
    COLUMNS,
    COLUMNS,
    (),
    NOTHING_MEASURED,
    NOT_LIMITED,
)
SOUND = PARAMS.model_copy(update={"train_rows_min": 8})


def run(tables: Tables = TABLES, against: Against = AGAINST, **params: object) -> Validation:
    limits = SOUND.model_copy(update=params)
    covered = count_coverage(tables, against.closed, limits)
    seen = replace(against, covered=covered)
    return validate({"data/dataset/train.parquet": "0" * 32}, tables, seen, limits, CurateParams())


def failures(validation: Validation) -> dict[str, tuple[str, ...]]:
    return {check.name: check.rows for check in validation.failed()}


def change_train(change: Callable[[Row], Row]) -> Tables:
    return replace(TABLES, train=[change(TABLES.train[0]), *TABLES.train[1:]])


def test_a_sound_dataset_passes_every_check() -> None:
    validation = run()
    assert failures(validation) == {}
    assert validation.passed
    assert [check.name for check in validation.checks] == [e.name for e in expect_all(SOUND)]


def asks(row: Row, question: str) -> Row:
    return replace(row, prompt=(Message("user", question),))


def says(row: Row, answer: str) -> Row:
    return replace(row, completion=(Message("assistant", answer),))


BROKEN: Sequence[tuple[str, Callable[[Row], Row]]] = [
    ("references.row_request", lambda row: replace(row, request_id="1" * 64)),
    ("references.row_chunk", lambda row: replace(row, chunk_ids=("1" * 64,))),
    ("references.row_document", lambda row: replace(row, document_ids=("1" * 64,))),
    ("references.row_pair", lambda row: replace(row, slot_id="elsewhere")),
    ("schema.hashes", lambda row: replace(row, judge_sha256="unknown")),
    ("schema.turns", lambda row: replace(row, completion=())),
    ("schema.held_out_says_why", lambda row: replace(row, holdout="phrasing")),
    ("leakage.fact", lambda row: replace(row, fact_id=content_id("fact", "f1"))),
    ("leakage.focus", lambda row: replace(row, document_ids=(CLOSED.document_id,))),
    ("leakage.gold", lambda row: asks(row, "When may I go home??")),
    ("lengths.question", lambda row: asks(row, "why " * 61)),
    ("lengths.answer", lambda row: says(row, "so " * 81)),
    ("personal.email", lambda row: says(row, "Write to ilse@example.org.")),
    ("personal.phone", lambda row: says(row, "Call +44 20 7946 0000.")),
    ("personal.card", lambda row: says(row, "Pay by 4111 1111 1111 1111.")),
    ("personal.iban", lambda row: says(row, "To GB82 WEST 1234 5698 7654 32.")),
]


@pytest.mark.parametrize(("name", "damage"), BROKEN, ids=[name for name, _ in BROKEN])
def test_damage_to_a_row_fails_its_check_and_names_the_row(
    name: str, damage: Callable[[Row], Row]
) -> None:
    tables = change_train(damage)
    assert failures(run(tables))[name] == (tables.train[0].row_id,)


def test_a_held_out_question_that_is_asked_in_train_is_caught() -> None:
    tables = change_train(lambda row: asks(row, "what  leave is there in 1?"))
    assert failures(run(tables)) == {"leakage.question": (ROWS[4].row_id,)}


def test_what_an_earlier_turn_of_a_conversation_asks_leaks_as_well() -> None:
    def add_turn(row: Row, asked: str) -> Row:
        return replace(row, prompt=(Message("user", asked), says_hello, *row.prompt))

    says_hello = Message("assistant", "Hello.")
    tables = change_train(lambda row: add_turn(row, "what  leave is there in 1?"))
    assert failures(run(tables)) == {"leakage.question": (ROWS[4].row_id,)}
    tables = change_train(lambda row: add_turn(row, "When may I go home??"))
    assert failures(run(tables)) == {"leakage.gold": (tables.train[0].row_id,)}


def test_one_order_for_data_about_two_passages_is_no_leak_and_about_one_is() -> None:
    ordered = [
        replace(asks(row, "Give it as JSON."), task="extraction", context=context)
        for row, context in ((ROWS[0], "The shop."), (ROWS[4], "The yard."))
    ]
    apart = replace(TABLES, train=[ordered[0], *TABLES.train[1:]], validation=ordered[1:])
    assert "leakage.question" not in failures(run(apart))
    same = replace(apart, validation=[replace(ordered[1], context="The shop.")])
    assert failures(run(same))["leakage.question"] == (ROWS[4].row_id,)


def test_a_row_in_two_parts_or_never_reviewed_is_caught() -> None:
    twice = replace(TABLES, validation=[replace(ROWS[0], holdout="phrasing")])
    assert failures(run(twice))["schema.unique"] == tuple(
        sorted([f"row slots: {ROWS[0].slot_id}", f"rows: {ROWS[0].row_id}"])
    )
    unseen = replace(TABLES, reviewed=ROWS[1:11])
    assert failures(run(unseen)) == {"references.row_reviewed": (ROWS[0].row_id,)}


def test_a_broken_reference_upstream_is_caught() -> None:
    lost_document = replace(TABLES, documents=[CLOSED])
    assert failures(run(lost_document))["references.chunk_document"] == (CHUNK.chunk_id,)
    lost_request = replace(TABLES, requests=[make_request(task="abstain")])
    assert {"references.response_request", "references.pair_request"} <= set(
        failures(run(lost_request))
    )
    stray = replace(TABLES.judgements[0], pair_id="1" * 64)
    stray_judgement = replace(TABLES, judgements=[*TABLES.judgements, stray])
    assert failures(run(stray_judgement)) == {"references.judgement_pair": ("1" * 64,)}


def test_a_request_that_develops_a_pair_which_is_not_there_is_caught() -> None:
    deeper = make_request([CHUNK], parent_id=PAIRS[0].pair_id, sample=1)
    assert failures(run(replace(TABLES, requests=[REQUEST, deeper]))) == {}
    lost = make_request([CHUNK], parent_id="1" * 64, sample=1)
    assert failures(run(replace(TABLES, requests=[REQUEST, lost]))) == {
        "references.request_parent": (lost.request_id,)
    }


def test_a_judgement_of_a_model_leads_to_what_it_was_asked() -> None:
    asked = make_request([CHUNK], task="judge")
    answer = Response(asked.request_id, "{}", "", "end", 9, 9, 0, "model/1")
    said = Judgement(PAIRS[0].pair_id, "model/1", "accuracy", 1.0, "", asked.request_id)
    useless = Rejection(
        PAIRS[1].pair_id, "judgement", "", (), "judge", "malformed_answer", "model/1 on accuracy"
    )
    judged = replace(
        TABLES,
        judgements=[*TABLES.judgements, said],
        judging_requests=[asked],
        judging_responses=[answer],
        judging_rejections=[useless],
    )
    assert failures(run(judged)) == {}
    assert failures(run(replace(judged, judging_requests=[]))) == {
        "references.judgement_request": (PAIRS[0].pair_id,),
        "references.judging_request": (asked.request_id,),
    }
    stray = replace(useless, rejected_id="1" * 64)
    assert failures(run(replace(judged, judging_rejections=[stray]))) == {
        "references.judging_pair": ("1" * 64,)
    }


def test_a_row_whose_answer_did_not_run_is_caught() -> None:
    def run_with(*scores: float) -> dict[str, tuple[str, ...]]:
        executed = [
            Judgement(ROWS[number].row_id, "verifier/1", "executes", score, "", "")
            for number, score in enumerate(scores)
        ]
        return failures(run(replace(TABLES, judgements=[*TABLES.judgements, *executed])))

    assert run_with(1, 1) == {}
    assert run_with(1, 0) == {"checked.executes": (ROWS[1].row_id,)}


def test_the_gate_holds_the_upper_end_of_the_reviewed_error_rate_against_its_limit() -> None:
    def run_with(*review: float | None) -> dict[str, tuple[str, ...]]:
        return failures(run(against=replace(AGAINST, review=ReviewErrors(*review))))

    assert run_with(0.3, 0.5, None) == {}
    assert run_with(0.02, 0.05, 0.05) == {}
    told = "error rate 0.020, up to 0.051; allowed 0.05"
    assert run_with(0.02, 0.051, 0.05) == {"checked.review": (told,)}
    assert run_with(None, None, 0.05) == {"checked.review": ("no row was reviewed",)}


def test_the_error_rate_is_read_from_the_review_and_nonsense_is_one_sentence(
    tmp_path: Path,
) -> None:
    path = tmp_path / "review.json"
    write_json(path, {"error_rate": 0.1, "high": 0.2, "max_error_rate": 0.3, "rows": 5})
    assert read_review_errors(path) == ReviewErrors(0.1, 0.2, 0.3)
    write_json(path, {"rows": 5})
    assert read_review_errors(path) == NOT_LIMITED
    for text in ("[]", "{", '{"error_rate": "much"}'):
        path.write_text(text)
        with pytest.raises(InputError, match="not a report of a review"):
            read_review_errors(path)


def test_a_pair_that_vanished_without_a_reason_is_caught() -> None:
    assert failures(run(replace(TABLES, dropped=[]))) == {
        "references.accounts": (PAIRS[11].pair_id,)
    }


def test_a_document_or_task_that_yields_nothing_is_caught() -> None:
    silent = make_document("silent.md")
    chunk = make_chunk("silent.md")
    tables = replace(
        TABLES,
        documents=[*TABLES.documents, silent],
        chunks=[CHUNK, chunk],
        requests=[REQUEST, make_request([chunk], task="exceptions")],
    )
    assert failures(run(tables)) == {
        "coverage.documents": ("silent.md",),
        "coverage.tasks": ("exceptions",),
    }
    asked = len({chunk.document_id for chunk in (CHUNK, chunk)})
    tolerated = run(tables, untaught_documents_max=1 / asked, rows_per_task_min=0)
    assert failures(tolerated) == {}
    assert "coverage.documents" in failures(run(tables, untaught_documents_max=0.99 / asked))


def test_too_few_rows_and_too_much_of_one_kind_are_caught() -> None:
    assert set(failures(run(train_rows_min=9, opening_share_max=0.1))) == {
        "coverage.train",
        "distribution.opening_share",
    }


def test_a_column_of_another_type_is_caught() -> None:
    stored = {path: {**columns, "task": "int64"} for path, columns in COLUMNS.items()}
    assert failures(run(against=replace(AGAINST, stored=stored))) == {
        "schema.columns": ("data/dataset/train.parquet: task",)
    }


def test_the_allowed_number_of_rows_is_exact() -> None:
    told = [says(row, "Write to ilse@example.org.") for row in TABLES.train[:3]]
    tables = replace(TABLES, train=[*told, *TABLES.train[3:]])
    assert failures(run(tables, email_rows_max=3)) == {}
    assert set(failures(run(tables, email_rows_max=2))) == {"personal.email"}


def test_at_most_twenty_rows_are_named_and_all_are_counted() -> None:
    rows = [replace(TABLES.train[0], row_id=content_id("row", n), holdout="?") for n in range(30)]
    check = next(
        check for check in run(replace(TABLES, train=rows)).checks if check.name == "schema.holdout"
    )
    assert len(check.rows) == 20
    assert check.observed == "30 of 33 break it"


def test_an_empty_dataset_fails_and_still_has_a_report() -> None:
    validation = run(replace(TABLES, train=[], validation=[], test=[]))
    assert {"coverage.train", "coverage.validation", "coverage.test"} <= set(failures(validation))
    assert "coverage.train" in render_validation(validation, {})


def test_the_report_has_the_md5_of_each_file_and_every_check() -> None:
    check = Check("a.b", "All is well.", False, "1 of 2 break it", ("x",))
    report = report_validation(Validation({"data/a.parquet": "0" * 32}, (check,)))
    assert report["passed"] is False
    assert report["tables"] == {"data/a.parquet": "0" * 32}
    assert report["checks"] == [
        {
            "name": "a.b",
            "meaning": "All is well.",
            "passed": False,
            "observed": "1 of 2 break it",
            "rows": ["x"],
        }
    ]


def test_the_page_needs_no_network_and_escapes_what_it_shows() -> None:
    check = Check("leakage.gold", "Nothing <b>leaks</b>.", False, "1 of 2", ("<script>",))
    page = render_validation(Validation({}, (check,)), {})
    assert "&lt;b&gt;leaks&lt;/b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert "<script" not in page


def test_the_page_shows_what_a_failing_row_says_and_what_to_do() -> None:
    row = replace(TABLES.train[0], completion=(Message("assistant", "<b>27.5</b> days."),))
    check = Check("leakage.gold", "Nothing leaks.", False, "1 of 2", (row.row_id, "elsewhere"))
    page = render_validation(Validation({}, (check,)), {"train": [row]})
    assert row.prompt[-1].content in page
    assert "&lt;b&gt;27.5&lt;/b&gt; days." in page
    assert f"train · recall · {row.slot_id}" in page
    assert "elsewhere" in page
    assert "Reword the gold question" in page


def test_every_check_has_a_remedy() -> None:
    told = {item.name: remedy_for(item.name) for item in expect_all(ValidateParams())}
    assert all(remedy.endswith(".") for remedy in told.values())
    with pytest.raises(KeyError):
        remedy_for("luck.good")


def test_report_and_page_are_the_same_bytes_in_another_process() -> None:
    script = (
        "from tests.test_validate import render, run\nprint(render(run(train_rows_min=9)), end='')"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == render(run(train_rows_min=9))


def render(validation: Validation) -> str:
    return json.dumps(report_validation(validation)) + render_validation(validation, TABLES.parts())


def test_a_failed_check_stops_the_pipeline_with_exit_code_one() -> None:
    with pytest.raises(GateError, match=r"1 of \d+ checks failed: coverage\.train") as failed:
        refuse_failed(run(train_rows_min=9))
    assert failed.value.exit_code == 1


def test_a_file_that_changes_while_it_is_checked_is_drift() -> None:
    refuse_drift({"a": "1"}, {"a": "1"})
    with pytest.raises(DriftError, match="changed while it was being validated"):
        refuse_drift({"a": "1"}, {"a": "2"})


@pytest.mark.parametrize(
    "text",
    [
        "The Kelda 110 weighs 4.6 kg and costs £2,845.",
        "By 08:40 on 2026-05-01, extension 4417, form HB-014.",
        "The serial number is 1234 5678 9012 3456.",
        "GB82 WEST 1234 5698 7654 33 has a wrong checksum.",
        "From 0.4 to 12.5 m, ±3 mm; 0.25, 0.5, 0.75.",
        "01.02.2024 10:30, from 2024-11-23 10-12-2024 on; 192.168.100.200; v1.234.567.890",
        "2024-01-15 2024-02-15, 2024/01/15 2024/02/15, 10/01/2024 09/02/2024; part 12-415-555-2671",
    ],
)
def test_ordinary_numbers_are_no_personal_data(text: str) -> None:
    assert [find(text) for find in (find_email, find_phone, find_card, find_iban)] == [""] * 4


def test_a_red_gate_writes_both_reports_and_prints_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from stages import validate as stage
    from stillhouse.base.tables import write_table

    monkeypatch.chdir(tmp_path)
    for name, (path, record) in stage.TABLES.items():
        write_table(Path(path), record, getattr(TABLES, name, []))  # nothing derived
    for name in ("gold", "general"):
        Path(f"data/seed/eval/{name}.jsonl").parent.mkdir(parents=True, exist_ok=True)
        Path(f"data/seed/eval/{name}.jsonl").write_text("", encoding="utf-8")
    Path("data/seed/focus.yaml").write_text("version: 1\nheld_out: [{source: people/leave.md}]\n")
    limits = "{train_rows_min: 8, test_rows_min: 2, rows_per_task_min: 1, opening_share_max: 0.5}"
    write_json(Path("reports/review.json"), {"rows": 11})
    for name in ("prompts", "review"):
        Path(f"data/seed/{name}.jsonl").write_text("")
    Path("data/seed/baseline.json").write_text("{}\n")
    Path("params.yaml").write_text(f"validate: {limits}\ncurate: {{}}\nruntime: {{}}\n")
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    with pytest.raises(GateError, match=r"leakage\.focus"):
        stage.main()
    report = json.loads(Path("reports/validation.json").read_text(encoding="utf-8"))
    assert report["passed"] is False
    judges = json.loads(Path("reports/judges.json").read_text(encoding="utf-8"))
    assert judges["criteria"]["format"]["judges"][0]["pairs"] == len(PAIRS)
    assert set(report["tables"]) == {path for path, _ in stage.TABLES.values()}
    assert "no student may be trained" in Path("reports/validation.html").read_text("utf-8")
    assert "FAILED leakage.focus" in caplog.text
    assert TABLES.train[0].row_id in caplog.text
