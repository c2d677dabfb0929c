"""Review: an empty file changes nothing; a verdict does what it says and is named."""

from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.quality.review import Verdict, apply_verdicts, read_verdicts, report_review
from tests.making import make_chunk, make_pair, make_row

ROWS = [
    make_row(make_pair("How many days of leave are there?", "27.5 days.", [make_chunk()])),
    make_row(make_pair("What is the leave calendar called?", "Leeward.", [make_chunk()])),
]


def test_without_verdicts_rows_stay_as_they_are() -> None:
    reviewed = apply_verdicts(ROWS, [])
    assert reviewed.rows == tuple(ROWS)
    assert report_review(reviewed) == {
        "rows": 2, "reviewed": 0, "accept": 0, "reject": 0, "fix": 0,
        "unknown": [], "decisions": [],
    }  # fmt: skip


def test_a_rejected_row_goes_and_is_named_with_its_reason() -> None:
    verdict = Verdict(ROWS[0].slot_id, "reject", "", "Ada", "outdated")
    reviewed = apply_verdicts(ROWS, [verdict])
    assert reviewed.rows == (ROWS[1],)
    assert report_review(reviewed)["decisions"] == [
        {
            "row_id": ROWS[0].row_id,
            "new_id": "",
            "slot_id": ROWS[0].slot_id,
            "verdict": "reject",
            "reviewer": "Ada",
            "reason": "outdated",
        }
    ]


def test_a_fixed_row_has_the_new_answer_and_a_new_id_in_the_old_place() -> None:
    reviewed = apply_verdicts(ROWS, [Verdict(ROWS[0].row_id, "fix", "28 days.", "Ada", "")])
    fixed = reviewed.rows[0]
    assert fixed.completion[0].content == "28 days."
    assert fixed.row_id != ROWS[0].row_id
    assert fixed.slot_id == ROWS[0].slot_id
    assert reviewed.decided[0].new_id == fixed.row_id


def test_the_last_verdict_on_a_row_holds_and_a_stale_one_is_reported() -> None:
    verdicts = [
        Verdict(ROWS[0].row_id, "reject", "", "Ada", ""),
        Verdict(ROWS[0].row_id, "accept", "", "Ada", "on second thoughts"),
        Verdict("0" * 64, "reject", "", "Ada", ""),
    ]
    reviewed = apply_verdicts(ROWS, verdicts)
    assert reviewed.rows == tuple(ROWS)
    assert reviewed.unknown == ("0" * 64,)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"verdict": "accept", "reviewer": "Ada"}', "neither `row_id` nor `slot_id`"),
        ('{"row_id": "a", "verdict": "ok", "reviewer": "Ada"}', "expected one of accept"),
        ('{"row_id": "a", "verdict": "accept"}', "`reviewer` is missing"),
        ('{"row_id": "a", "verdict": "fix", "reviewer": "Ada"}', "a fix without `response`"),
    ],
)
def test_a_line_that_decides_nothing_is_an_error(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "review.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=f":2: .*{message}"):
        read_verdicts(path)
