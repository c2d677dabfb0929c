"""The page as HTML: one file, no request to anywhere, equal bytes for equal contents."""

from pathlib import Path
from typing import Final

from stillhouse.base.files import read_text
from stillhouse.report.page import Page
from stillhouse.report.summary import interval, percent

FOLDER: Final = Path(__file__).parent


def render_page(page: Page) -> str:
    """Return the page as HTML text; whatever documents and models say is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "place": lambda share: f"{100 * share:.2f}%",
        "thousands": lambda count: f"{count:,}",
    }
    template = environment.get_template("page.html")
    css = Markup(read_text(FOLDER / "page.css"))  # noqa: S704 - our own file
    return template.render(page=page, css=css) + "\n"
