"""The page of an audit in a browser: it asks nobody, and its rows, filter and sorting work."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stillhouse.auditing.audit import audit
from stillhouse.auditing.audit_page import render_audit
from tests.audit_project import EVIL, LEAVE, make_audited
from tests.browser import new_context, open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        make_audited(root)
        with audit(root, "first") as found:
            (root / "audit.html").write_text(render_audit(found))
    return root / "audit.html"


@pytest.fixture(scope="module")
def seen() -> list[str]:
    """What the browser asked for, and what went wrong in it."""
    return []


@pytest.fixture(scope="module")
def page(html: Path, seen: list[str]) -> Iterator["Page"]:
    with open_browser() as browser:
        shown = new_context(browser).new_page()
        shown.on("request", lambda one: seen.append(one.url))
        shown.on("console", lambda one: seen.append(f"{one.type}: {one.text}"))
        shown.on("pageerror", lambda one: seen.append(f"error: {one}"))
        shown.goto(html.as_uri())
        yield shown


def list_documents(page: "Page") -> list[str]:
    """Return the documents that the table shows, from the top."""
    return page.locator("#documents-table tbody tr:visible .toggle").all_inner_texts()


def test_the_page_asks_nobody_and_reports_no_error(
    page: "Page", html: Path, seen: list[str]
) -> None:
    asked = [one for one in seen if not one.startswith("data:")]
    assert asked == [html.as_uri()]
    assert "Verified" in page.title()


def test_a_filter_leaves_what_holds_its_words(page: "Page") -> None:
    field = page.get_by_label("Filter documents")
    field.fill("leave")
    assert list_documents(page) == [LEAVE]
    assert page.locator("#documents-table-shown").inner_text() == "1 of 3"
    field.fill("")
    assert len(list_documents(page)) == 3


def test_a_click_on_a_heading_sorts_by_its_column(page: "Page") -> None:
    heading = page.locator("#documents-table thead button", has_text="Rows")
    heading.click()
    assert list_documents(page)[0] == LEAVE
    heading.click()
    assert list_documents(page)[-1] == LEAVE
    heading.click()


def test_a_documents_rows_open_with_answer_and_marked_passage(page: "Page") -> None:
    toggle = page.locator("#documents-table .toggle", has_text=LEAVE)
    toggle.press("Enter")  # the keyboard will do
    opened = page.locator("tr.opened")
    assert opened.locator(".lede").inner_text() == "20 of its 26 rows, drawn by hash."
    assert opened.locator("details").count() == 20
    opened.locator("summary", has_text="How many days").first.click()
    assert opened.locator(".answer").first.inner_text() == "27.5 days of leave"
    assert opened.locator("mark").first.inner_text() == "27.5 days of leave"
    assert opened.locator(".passage").first.inner_text().endswith("<b>Ask</b> Ada.")
    toggle.press("Enter")
    assert page.locator("tr.opened").count() == 0


def test_what_an_answer_says_stays_text(page: "Page") -> None:
    toggle = page.locator("#documents-table .toggle", has_text="nasty")
    toggle.click()
    page.locator("tr.opened summary", has_text="What is nasty?").click()
    assert page.locator("tr.opened .answer").first.inner_text() == f"It says {EVIL}"
    assert page.evaluate("window.hacked") is None
    assert page.locator("tr.opened img").count() == 0
    toggle.click()


def test_a_hash_is_copied_whole(page: "Page") -> None:
    button = page.locator(".chain .copy").last
    button.click()
    page.locator("#said", has_text="Copied").wait_for(state="attached")
    assert page.locator("#said").inner_text() == f"Copied {button.get_attribute('data-copy')}"


def test_nothing_went_wrong_in_the_browser_meanwhile(
    html: Path, page: "Page", seen: list[str]
) -> None:
    assert page.title()
    assert [one for one in seen if not one.startswith("data:")] == [html.as_uri()]
