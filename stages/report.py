"""report: one page that shows the result, where it comes from, and how to check it."""

from pathlib import Path

from stillhouse.base.files import write_text
from stillhouse.base.params import list_keys, load_section
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.report.build import build_page
from stillhouse.report.params import Report
from stillhouse.report.render import render_page
from stillhouse.report.sources import read_sources

PAGE = Path("reports/index.html")


def main() -> None:
    """Write ``reports/index.html`` about the students that ``params.yaml`` names, and no others."""
    params = load_section("report", Report)
    sources = read_sources(Path(), list_keys("students"))
    page = render_page(build_page(sources, params))
    write_text(PAGE, page)
    say_counts("report", students=len(sources.students), bytes=len(page.encode()))


if __name__ == "__main__":
    run_stage(main)
