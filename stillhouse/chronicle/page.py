"""A chronicle as a page: one file, no request to anywhere, equal bytes for equal contents."""

from pathlib import Path
from typing import Final

from stillhouse.base.files import read_text
from stillhouse.chronicle.chronicle import Chronicle, list_scores
from stillhouse.chronicle.plots import build_counts, build_scores
from stillhouse.chronicle.show import (
    name_version,
    say_limits,
    show_cost,
    show_count,
    show_date,
)
from stillhouse.report import render
from stillhouse.report.summary import interval, percent

_FOLDER: Final = Path(__file__).parent


def render_page(chronicle: Chronicle) -> str:
    """Return the page as HTML text; whatever commits, refs and names say is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "place": lambda number: f"{number:.2f}%",
        "count": show_count,
        "cost": show_cost,
        "version": name_version,
        "date": show_date,
        "scores": list_scores,
    }
    students = sorted({name for line in chronicle.lines for name in line.figures.scores})
    css = read_text(render.FOLDER / "page.css") + read_text(_FOLDER / "page.css")
    template = environment.from_string(read_text(_FOLDER / "page.html"))
    page = template.render(
        chronicle=chronicle,
        students=[(name, build_scores(chronicle, name)) for name in students],
        counts=build_counts(chronicle),
        limits=list(say_limits(chronicle)),
        css=Markup(css),  # noqa: S704 - our own files
    )
    return page + "\n"
