"""The page's part about how good the data is: what other stages reported, and what they did not."""

import re
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json
from stillhouse.report.made import Bin, Reports, Share, Thin, build_made
from stillhouse.report.sources import read_sources
from tests.report_project import NASTY, write_project
from tests.test_report import _render

NOTHING = Reports(coverage={}, quality={}, judges={}, review={}, curated={})


def read_text_of(root: Path) -> str:
    """Return the section's text without its tags."""
    section = _render(root).partition('<section id="quality">')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_what_stages_reported_stands_on_the_page(tmp_path: Path) -> None:
    write_project(tmp_path)
    told = read_text_of(tmp_path)
    for said in (
        "thin 2 of 12 planned",
        "The thinnest documents (1 of 1)",
        "Of 400 rows of train drawn by hash",
        "Seen: 0.01.",
        "Distinct words 0.159 0.295 0.2",
        "Training questions are 0.040 from 50 production prompts",
        "44% of the prompts are unlike every training question",
        "how many 20% 50%",
        "accuracy offline/2 50 0.90 90%",
        "accuracy: Krippendorff’s α 0.71 over 40 pairs",
        "accuracy: offline/2 and people agree on 80% (58% to 92%, 20 pairs)",
        "5% (95% interval 2% to 11%), 80 rows looked at. Allowed: 12%.",
        "Reviewers among each other: α 0.66.",
        "In colour: from 0.6 to 0.85. 3 pairs tell none.",
        "300 of 900 rows, by k centre.",
        "fact 290 400",
        "700 rows teach what 96 of 120 measuring questions ask for",
    ):
        assert said in told
    assert NASTY not in told


def test_where_nothing_was_reported_the_page_says_so(tmp_path: Path) -> None:
    write_project(tmp_path)
    for name in ("coverage", "quality", "judges", "review"):
        write_json(tmp_path / f"reports/{name}.json", {})
    write_json(tmp_path / "data/curated/report.json", {})
    told = read_text_of(tmp_path)
    for said in (
        "Too few rows to measure.",
        "Too few production prompts",
        "Nothing was judged.",
        "Nobody has reviewed rows of the sample",
        "No pair tells how sure its teacher was.",
        "No target is set: every row that passed is kept.",
    ):
        assert said in told
    assert "Alarm" not in told


def test_the_parts_are_those_of_the_reports(tmp_path: Path) -> None:
    write_project(tmp_path)
    made = build_made(read_sources(tmp_path, ("tiny",)).reports)
    assert made.coverage["document"] == (Thin("leave.md", 12, 9, 2, 9 / 12, 2 / 12, thin=True),)
    assert made.review == Share(
        "Rows that reviewers rejected or mended", 0.05, 0.02, 0.11, "80 rows looked at"
    )
    assert made.boundary is not None
    assert made.boundary.bins == (
        Bin(0.5, 10, 0, 0.25, 0.0, inside=False),
        Bin(0.6, 40, 40, 1.0, 1.0, inside=True),
    )


def test_pairs_that_tell_no_confidence_give_no_histogram() -> None:
    bins = [{"from": 0.0, "to": 1.0, "pairs": 0, "rows": 0}]
    confidence = {"low": 0.6, "high": 0.85, "bins": bins, "unknown": {"pairs": 5}}
    curated = {"confidence": confidence}
    assert build_made(Reports({}, {}, {}, {}, curated)).boundary is None
    assert build_made(NOTHING).measures == ()


@pytest.mark.parametrize("text", ["", "[1]"])
def test_a_report_that_cannot_be_read_is_one_sentence(text: str, tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "reports/quality.json").write_text(text)
    with pytest.raises(InputError, match=r"reports/quality\.json: not"):
        read_sources(tmp_path, ("tiny",))
