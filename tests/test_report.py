"""The page says what was measured, the unwelcome part too, and asks the network for nothing."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.report.build import build_page
from stillhouse.report.panels import build_panels
from stillhouse.report.params import Report
from stillhouse.report.render import render_page
from stillhouse.report.scores import parse_metrics, read_metrics
from stillhouse.report.sources import read_sources
from stillhouse.report.summary import percent, summary_sentence
from tests.lineage_project import score
from tests.report_project import make_metrics, make_prediction, write_project

PARAMS = Report(title="Test report", samples=4, failures=3, seed=1)
VOID = {"meta", "link", "line", "circle", "polyline", "br"}


def _render(root: Path) -> str:
    return render_page(build_page(read_sources(root, ["tiny"]), PARAMS))


def test_the_sentence_says_recall_open_book_general_and_abstention() -> None:
    assert summary_sentence(parse_metrics(make_metrics())) == (
        "tiny answers 70% (95% interval 60–80%) of 100 questions about core facts, closed book "
        "(base 1%); with the passage on documents it never saw it answers 70% (base 50%); "
        "everyday questions 72% (base 75%); it declines 70% of the unanswerable questions and 3% "
        "of those that it could answer."
    )


def test_without_gold_there_is_no_verdict() -> None:
    metrics = make_metrics()
    sets = metrics["sets"]
    assert isinstance(sets, dict)
    del sets["gold"], sets["gold_open"], sets["general"]
    del metrics["abstention"]
    assert summary_sentence(parse_metrics(metrics)) == (
        "Synthetic test only, no verdict: tiny answers 82% (95% interval 72–92%) of 50 held-out "
        "rows of the teacher’s own wording (base 2%)."
    )
    nothing = parse_metrics({"student": "tiny", "sets": {}})
    assert summary_sentence(nothing) == "Nothing was measured of tiny."


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0%"), (0.001, "<1%"), (0.584, "58%"), (0.999, ">99%"), (1, "100%")]
)
def test_a_few_never_read_as_none_nor_many_as_all(share: float, text: str) -> None:
    assert percent(share) == text


def test_equal_files_give_equal_bytes_in_any_process(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from tests.test_report import _render;"
        "sys.stdout.write(_render(pathlib.Path(sys.argv[1])))"
    )
    pages = set()
    for name, seed in (("a", "0"), ("b", "77")):
        write_project(tmp_path / name)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        pages.add(subprocess.run(command, check=True, env=environment, capture_output=True).stdout)
    assert len(pages) == 1


def test_the_page_asks_the_network_for_nothing_and_escapes_what_models_say(tmp_path: Path) -> None:
    write_project(tmp_path)
    page = _render(tmp_path)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:,)|url\(|@import|https?:""", page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_word_longer_than_a_telephone_is_wide_may_break(tmp_path: Path) -> None:
    write_project(tmp_path)
    (body,) = re.findall(r"\nbody \{(.*?)\}", _render(tmp_path), re.DOTALL)[:1]
    assert "overflow-wrap: break-word" in body


def test_the_page_is_well_formed_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    write_project(tmp_path)
    page = _render(tmp_path)
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                open_tags.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Checker().feed(page)
    assert open_tags == []
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_a_set_of_one_group_is_shown_once(tmp_path: Path) -> None:
    write_project(tmp_path)
    path = tmp_path / "reports/students/tiny/metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))

    def titles() -> list[str]:
        path.write_text(json.dumps(metrics), encoding="utf-8")
        (part,) = build_page(read_sources(tmp_path, ["tiny"]), PARAMS).students
        return [panel.title for panel in part.panels if panel.title.startswith("With the passage")]

    held_out, whole = "With the passage, held-out documents", "With the passage, all gold questions"
    assert titles() == [held_out, whole]
    for found in metrics["sets"]["gold_open"].values():
        found["by_scope"]["held_out"] = {
            key: found[key] for key in ("n", "accuracy", "low", "high")
        }
    assert titles() == [held_out]


def test_a_plot_compares_only_those_who_were_asked_the_same_questions() -> None:
    metrics = make_metrics()
    gold = metrics["sets"]["gold"]  # type: ignore[call-overload, index]
    # 4 of 8 for the student, and of the 4 that the passage was asked for 3 against its 2
    gold["student"] = {**score(8, 4), "by_kind_scope": {"recall/core": score(8, 4)}}
    gold["passage"] = {**score(4, 2), "by_kind_scope": {"recall/core": score(4, 2)}}
    gold["guess"] = {**score(8, 1), "by_kind_scope": {"recall/core": score(8, 1)}}
    own = [make_prediction("student", f"q{i}", i in (0, 1, 2, 4)) for i in range(8)]
    passage = [make_prediction("passage", f"q{i}", i < 2) for i in range(4)]
    core = next(build_panels(parse_metrics(metrics), own, passage))
    assert core.note == "n = 8"
    assert [(line.reference, line.score.n) for line in core.lines] == [("guess", 8), ("student", 8)]
    assert core.partly[-1] == (
        "Base + right passage, asked 4 of these 8: 50%; the student on those 75%"
    )


def test_every_line_of_a_plot_says_how_many_questions_it_is_about(tmp_path: Path) -> None:
    write_project(tmp_path)
    page = _render(tmp_path)
    lines = re.findall(r'<div class="dot.*?</span>', page, re.DOTALL)
    assert len(lines) > 10
    assert all(re.search(r"n&nbsp;=&nbsp;\d+", line) for line in lines)


def test_a_base_that_was_asked_only_a_sample_is_said_to_be_in_the_sentence() -> None:
    metrics = make_metrics()
    sets = metrics["sets"]
    assert isinstance(sets, dict)
    sets["general"]["base"] = score(16, 12)  # type: ignore[call-overload, index]
    said = summary_sentence(parse_metrics(metrics))
    assert "everyday questions 72% (base 75% of 16 of them)" in said


def test_search_that_beats_the_student_stands_on_the_page(tmp_path: Path) -> None:
    write_project(tmp_path)
    part = build_page(read_sources(tmp_path, ["tiny"]), PARAMS).students[0]
    core = part.panels[0]
    assert [line.reference for line in core.lines] == [
        "guess",
        "lookup",
        "base",
        "retrieval",
        "passage",
        "student",
    ]
    assert part.notes == (
        "The lower bound of the student on core facts (60%) lies above the upper bounds of the "
        "base and of a guess.",
        "A plain look-up reaches 95% there: searching beats this student.",
        "Retrieval with the base reaches 72% there, which the student’s interval does not tell "
        "apart.",
        "90% of the core answers stand in a training row; of those the student learned 77%.",
        "Student minus base, in points: everyday questions -3 (95% interval -11 to +4).",
        "Retention: not defined: the teacher is not a model.",
    )


def test_the_page_accounts_for_rows_rejections_and_replies(tmp_path: Path) -> None:
    write_project(tmp_path)
    page = build_page(read_sources(tmp_path, ["tiny"]), PARAMS)
    making = page.making
    assert [(bar.label, bar.count) for bar in making.waterfall] == [
        ("Requests", 0),
        ("Pairs", 0),
        ("Judged", 0),
        ("Curated", 6),
        ("Reviewed", 6),
        ("Train", 5),
    ]
    assert [(bar.label, bar.count) for bar in making.rejections] == [("curate: exact duplicate", 1)]
    assert [(bar.label, bar.count) for bar in making.documents] == [("people/leave.md", 5)]
    examples = page.students[0].examples
    assert [answer.base for answer in examples.right] == ["4 days"]
    assert [(group.source, group.wrong, group.asked) for group in examples.failures] == [
        ("people/leave.md", 1, 2)
    ]
    assert [answer.student for answer in examples.declined] == ["The handbook does not say."]
    assert len(making.samples) == 4


def test_a_student_that_params_do_not_name_is_not_read(tmp_path: Path) -> None:
    write_project(tmp_path)
    stray = tmp_path / "reports/students/old/metrics.json"
    stray.parent.mkdir()
    stray.write_text("not even JSON")
    assert "old" not in [item.name for item in read_sources(tmp_path, ["tiny"]).students]
    with pytest.raises(InputError, match=r"old/metrics\.json: not a metrics file"):
        read_metrics(stray)


def test_the_stage_writes_the_page_where_the_summary_says(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "stillhouse").symlink_to(Path("stillhouse").resolve())
    code = "import os, sys; os.chdir(sys.argv[1]); from stages.report import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=environment)
    assert (tmp_path / "reports/index.html").read_text() == _render(tmp_path)
