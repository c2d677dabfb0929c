"""Review: an empty file changes nothing; a verdict does what it says and is named."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.fixes import is_fix, name_fix
from stillhouse.base.questions import row_question
from stillhouse.base.records import list_ancestors
from stillhouse.quality.review import (
    Verdict,
    apply_verdicts,
    read_verdicts,
    report_review,
    settle_verdicts,
)
from tests.making import LEAVE, LEAVE_TEXT, make_chunk, make_pair, make_row

ROOT = Path(__file__).parent.parent
ROWS = [
    make_row(make_pair("How many days of leave are there?", "27.5 days.", [make_chunk()])),
    make_row(make_pair("What is the leave calendar called?", "Leeward.", [make_chunk()])),
]


def test_without_verdicts_rows_stay_as_they_are() -> None:
    reviewed = apply_verdicts(ROWS, [])
    assert reviewed.rows == tuple(ROWS)
    assert report_review(reviewed) == {
        "rows": 2, "reviewed": 0, "accept": 0, "reject": 0, "fix": 0,
        "unknown": [], "developed_from_rejected": [], "decisions": [],
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


def test_verdicts_on_a_rows_text_and_on_its_place_are_verdicts_on_one_row() -> None:
    placed = Verdict(ROWS[0].slot_id, "reject", "", "Ada", "")
    own = Verdict(ROWS[0].row_id, "accept", "", "Bob", "")
    for verdicts in ([placed, own], [own, placed]):
        assert apply_verdicts(ROWS, verdicts, "strictest").rows == (ROWS[1],)
    assert apply_verdicts(ROWS, [placed, own], "last").rows == tuple(ROWS)
    assert apply_verdicts(ROWS, [own, placed], "last").rows == (ROWS[1],)
    for combine in ("last", "strictest"):  # of one person the last holds
        again = [
            Verdict(ROWS[0].row_id, "reject", "", "Ada", ""),
            replace(placed, verdict="accept"),
        ]
        assert apply_verdicts(ROWS, again, combine).rows == tuple(ROWS)  # type: ignore[arg-type]
    assert apply_verdicts(ROWS, [placed, replace(placed, target="gone")]).unknown == ("gone",)


def test_what_was_developed_from_a_rejected_row_stays_and_is_named() -> None:
    parent = replace(ROWS[0], slot_id=f"{LEAVE}|Leave|recall|brief|staff|0|0|0")
    child = replace(ROWS[1], slot_id=f"{parent.slot_id}|deeper|0|0")
    assert [*list_ancestors(child.slot_id)] == [parent.slot_id]
    reject = Verdict(parent.row_id, "reject", "", "Ada", "")
    reviewed = apply_verdicts([parent, child], [reject])
    assert (reviewed.rows, reviewed.orphans) == ((child,), (child.row_id,))
    assert report_review(reviewed)["developed_from_rejected"] == [child.row_id]


OPEN = make_row(
    make_pair("How many days are there?", "27.5 days.", [make_chunk()], context=LEAVE_TEXT)
)


def test_a_fixed_question_stands_where_the_old_one_stood_and_keeps_the_answer() -> None:
    better = "How many days of leave have full-time staff?"
    for row in (ROWS[0], OPEN):
        fix = Verdict(row.row_id, "fix", "", "Ada", "", better)
        (fixed,) = apply_verdicts([row], [fix]).rows
        assert row_question(fixed) == better
        assert fixed.prompt[0].content == row.prompt[0].content.replace(row_question(row), better)
        assert (fixed.completion, fixed.context) == (row.completion, row.context)
        assert fixed.row_id == name_fix(row.row_id, "27.5 days.", better)
        assert is_fix(fixed.row_id, row.row_id, "27.5 days.", better)


def test_a_fix_of_the_answer_alone_has_the_id_that_it_always_had() -> None:
    same = row_question(ROWS[0])
    with_question = Verdict(ROWS[0].row_id, "fix", "28 days.", "Ada", "", same)
    without = Verdict(ROWS[0].row_id, "fix", "28 days.", "Ada", "")
    assert apply_verdicts(ROWS, [with_question]).rows == apply_verdicts(ROWS, [without]).rows
    assert name_fix("a", "b") != name_fix("a", "b", "c") != name_fix("a", "c", "b")


def test_a_fixed_question_of_two_lines_cannot_stand_beside_a_passage() -> None:
    fix = Verdict(OPEN.row_id, "fix", "", "Ada", "", "How many days\nare there?")
    with pytest.raises(InputError, match="several lines beside a passage"):
        apply_verdicts([OPEN], [fix])


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_withdrawal_takes_back_the_reviewers_last_verdict_and_no_other(tmp_path: Path) -> None:
    given = [
        '{"row_id": "a", "verdict": "reject", "reviewer": "Ada"}',
        '{"row_id": "a", "verdict": "accept", "reviewer": "Bob"}',
        '{"row_id": "a", "verdict": "accept", "reviewer": "Ada"}',
        '{"row_id": "b", "verdict": "accept", "reviewer": "Ada"}',
    ]
    back = '{"row_id": "a", "verdict": "withdraw", "reviewer": "Ada"}'
    left = [
        Verdict("a", "reject", "", "Ada", ""),
        Verdict("a", "accept", "", "Bob", ""),
        Verdict("b", "accept", "", "Ada", ""),
    ]
    assert read_verdicts(write(tmp_path / "once.jsonl", *given, back)) == left
    assert read_verdicts(write(tmp_path / "twice.jsonl", *given, back, back)) == left[1:]
    with pytest.raises(InputError, match=r"thrice\.jsonl:7: Ada takes back a verdict that no line"):
        read_verdicts(write(tmp_path / "thrice.jsonl", *given, back, back, back))


def test_two_branches_that_both_reviewed_merge_into_the_verdicts_of_both(tmp_path: Path) -> None:
    def git(*command: str) -> None:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True, capture_output=True)

    def add(verdict: str, row: str, who: str) -> None:
        line = json.dumps({"row_id": row, "verdict": verdict, "reviewer": who})
        path.write_text(path.read_text() + line + "\n")
        git("commit", "--all", "--message", who)

    path = tmp_path / "data/seed/review.jsonl"
    path.parent.mkdir(parents=True)
    shutil.copy2(ROOT / ".gitattributes", tmp_path)
    path.write_text("\n")
    git("init", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--message", "begin")
    git("checkout", "-b", "other")
    add("reject", "a", "Bob")
    add("withdraw", "a", "Bob")
    add("reject", "b", "Bob")
    git("checkout", "main")
    add("accept", "a", "Ada")
    git("merge", "other")
    assert {(one.target, one.verdict, one.reviewer) for one in read_verdicts(path)} == {
        ("a", "accept", "Ada"),
        ("b", "reject", "Bob"),
    }


def test_the_strictest_of_several_reviewers_decides_whatever_their_order() -> None:
    said = [Verdict("a", name, "x", who, "") for name, who in (("reject", "Ada"), ("fix", "Bob"))]
    said.append(Verdict("a", "accept", "", "Cy", ""))
    for verdicts in (said, said[::-1]):
        assert settle_verdicts(verdicts, "strictest")["a"].reviewer == "Ada"
        assert settle_verdicts(verdicts)["a"] == verdicts[-1]
    changed = [*said, Verdict("a", "accept", "", "Ada", "")]  # her own first one is gone
    assert settle_verdicts(changed, "strictest")["a"].reviewer == "Bob"


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
