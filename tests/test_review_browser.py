"""The review page in a browser: rows by keyboard, each saved at once; nobody else gets in."""

import http.server
import json
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stages import review
from stillhouse.base.records import Row
from stillhouse.base.tables import read_all
from stillhouse.quality.review import read_verdicts
from tests.browser import new_context, open_browser
from tests.review_project import REVIEW, Served, make_review_project, read_lines, start_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVIL = '<img src=x onerror="window.hacked = 1"></textarea><script>window.hacked = 1</script>'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        return make_review_project(root, rows=30, double=0.0)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with open_browser("--host-resolver-rules=MAP evil.test 127.0.0.1") as found:
        yield found


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "p"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("STILLHOUSE_HOME", str(root))
    return root


@contextmanager
def serve(project: Path, *arguments: str) -> Iterator[Served]:
    served = start_review(project, "--reviewer", "Ada", *arguments)
    try:
        yield served
    finally:
        served.process.kill()
        served.process.wait(20)


def open_page(browser: "Browser", served: Served) -> "Page":
    """Open the link in a browser of its own; whatever goes wrong in it ends the test."""
    page = new_context(browser).new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(served.url)
    page.locator("#count", has_text=" of ").wait_for()
    return page


def wait_for_count(page: "Page", count: int) -> None:
    page.locator("#count", has_text=re.compile(rf"^{count} of ")).wait_for()


def judge(page: "Page", number: int) -> str:
    """Judge the row that is shown, by keys alone: accept, reject or fix by turns; return which."""
    if number % 4 == 1:
        page.keyboard.press("r")
        page.keyboard.press("2")
        return "reject"
    if number % 4 == 3:
        page.keyboard.press("f")
        page.keyboard.press("Control+a")
        page.keyboard.type(f"Better answer {number}.")
        page.keyboard.press("Control+Enter")
        return "fix"
    page.keyboard.press("a")
    return "accept"


def test_twenty_rows_by_keyboard_are_each_saved_and_outlive_a_kill(
    browser: "Browser", project: Path
) -> None:
    said = []
    with serve(project) as served:
        page = open_page(browser, served)
        for number in range(20):
            said.append(judge(page, number))
            wait_for_count(page, number + 1)
            assert [one["verdict"] for one in read_lines(project)] == said
        assert served.end(signal.SIGKILL) == -signal.SIGKILL
        page.keyboard.press("a")
        page.get_by_role("alert").wait_for()
        assert "this was not saved" in page.get_by_role("alert").inner_text()
        assert page.locator("#count").inner_text() == "20 of 33"
        page.context.close()
    with serve(project) as served:
        page = open_page(browser, served)
        assert page.locator("#count").inner_text() == "20 of 33"
        assert page.locator("#row-title").inner_text().startswith("Row 21 of 33")
        page.keyboard.press("k")
        assert page.locator("#state").inner_text() == "Fixed"
        assert page.locator("#better .answer").inner_text() == "Better answer 19."
        page.keyboard.press("u")  # also what was saved before the kill
        wait_for_count(page, 19)
        assert page.locator("#state").inner_text() == ""
        page.context.close()
    assert [one["verdict"] for one in read_lines(project)] == [*said, "withdraw"]
    review.main()
    report = json.loads(Path("reports/review.json").read_text())
    assert (report["accept"], report["reject"], report["fix"]) == (10, 5, 4)
    assert report["sample"]["reviewed"] == 19
    fixed = {one["new_id"] for one in report["decisions"] if one["new_id"]}
    rows = read_all(Path("data/reviewed.parquet"), Row)
    assert sorted(row.completion[0].content for row in rows if row.row_id in fixed) == [
        f"Better answer {number}." for number in (11, 15, 3, 7)
    ]


def test_a_held_key_decides_about_one_row_and_keys_in_a_form_are_letters(
    browser: "Browser", project: Path
) -> None:
    with serve(project) as served:
        page = open_page(browser, served)
        page.keyboard.down("a")
        for _ in range(5):
            page.keyboard.down("a")  # as a key that stays down repeats
        page.keyboard.up("a")
        wait_for_count(page, 1)
        page.keyboard.press("f")
        page.locator("#fix-note").press_sequentially("a rough jaffa")
        page.keyboard.press("Escape")
        assert page.locator("#fix").is_hidden()
        page.keyboard.press("r")
        page.keyboard.press("Escape")
        assert page.locator("#count").inner_text().startswith("1 of")
        page.context.close()
    assert len(read_lines(project)) == 1


def test_what_people_and_rows_say_stays_text(browser: "Browser", project: Path) -> None:
    with serve(project) as served:
        page = open_page(browser, served)
        page.keyboard.press("f")
        page.locator("#fix-answer").fill(EVIL)
        page.locator("#fix-note").fill(EVIL)
        page.keyboard.press("Control+Enter")
        wait_for_count(page, 1)
        page.keyboard.press("k")
        assert page.locator("#better .answer").inner_text() == EVIL
        assert EVIL in page.locator("#state").inner_text()
        page.keyboard.press("f")
        assert page.locator("#fix-answer").input_value() == EVIL
        assert page.evaluate("window.hacked") is None
        assert page.locator("img").count() == 0
        page.context.close()
    (verdict,) = read_verdicts(REVIEW)
    assert (verdict.response, verdict.reason) == (EVIL, EVIL)


def test_the_token_leaves_the_address_and_the_page_can_be_loaded_again(
    browser: "Browser", project: Path
) -> None:
    with serve(project) as served:
        page = open_page(browser, served)
        assert page.url == f"{served.origin}/"
        assert page.evaluate("document.cookie") == ""
        page.reload()
        wait_for_count(page, 0)
        page.context.close()


def test_a_second_browser_without_the_token_gets_nothing(browser: "Browser", project: Path) -> None:
    with serve(project) as served:
        first = open_page(browser, served)
        second = new_context(browser).new_page()
        for address in (served.origin, f"{served.origin}/?token=x", f"{served.origin}/rows"):
            answer = second.goto(address)
            assert answer is not None
            assert answer.status == 403
            assert second.inner_text("body").startswith("Refused.")
        # Whoever has the cookie, which all ports of a host share, has a page without rows.
        second.context.add_cookies(first.context.cookies())  # type: ignore[arg-type]
        second.goto(served.origin)
        second.get_by_role("alert").wait_for()
        assert second.locator("#row").is_hidden()
        assert second.evaluate("fetch('/rows').then(answer => answer.status)") == 403
        first.context.close()
        second.context.close()


@contextmanager
def serve_elsewhere(folder: Path) -> Iterator[int]:
    """Serve a folder on another port: the same site for cookies, another origin."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


ATTACK = """async ([origin, token, body]) => {
  const tried = [];
  const fetched = async (path, more) => {
    try {
      const answer = await fetch(origin + path, { credentials: "include", ...more });
      tried.push(`${answer.type} ${answer.status} ${(await answer.text()).length}`);
    } catch (error) { tried.push("blocked"); }
  };
  await fetched("/rows", {});
  await fetched("/rows", { headers: { "X-Stillhouse-Token": token } });
  await fetched("/save", { method: "POST", mode: "no-cors", body });
  await fetched("/save", { method: "POST", headers: { "Content-Type": "application/json", "X-Stillhouse-Token": token }, body });
  await fetched("/undo", { method: "POST", mode: "no-cors", body: "{}" });
  return tried;
}"""
FORM = """([origin, body]) => {
  const form = document.createElement("form");
  form.method = "POST"; form.action = origin + "/save"; form.enctype = "text/plain";
  const field = document.createElement("input");
  field.name = body.slice(0, -1) + ', "x": "'; field.value = '"}';
  form.append(field); document.body.append(form); form.submit();
}"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.test"])
def test_another_page_of_the_same_browser_changes_and_reads_nothing(
    browser: "Browser", project: Path, tmp_path: Path, host: str
) -> None:
    """Even one that knows the token and lies on the same host, where the cookie goes along."""
    (tmp_path / "index.html").write_text("<!doctype html><title>other</title>")
    with serve(project) as served, serve_elsewhere(tmp_path) as port:
        page = open_page(browser, served)
        page.keyboard.press("a")
        wait_for_count(page, 1)
        before = read_lines(project)
        body = json.dumps({"row_id": before[0]["row_id"], "verdict": "reject"})
        other = page.context.new_page()
        other.goto(f"http://{host}:{port}/")
        tried = other.evaluate(ATTACK, [served.origin, served.token, body])
        assert tried == ["blocked"] * 5
        with other.expect_navigation():
            other.evaluate(FORM, [served.origin, body])
        assert other.inner_text("body").startswith("Refused.")
        assert read_lines(project) == before
        page.keyboard.press("a")  # the page itself goes on
        wait_for_count(page, 2)
        page.context.close()


def test_a_name_that_leads_to_this_machine_is_refused(browser: "Browser", project: Path) -> None:
    with serve(project) as served:
        page = new_context(browser).new_page()
        answer = page.goto(served.url.replace("127.0.0.1", "evil.test"))
        assert answer is not None
        assert answer.status == 403
        assert page.context.cookies() == []
        page.context.close()


def test_no_page_can_frame_the_review(browser: "Browser", project: Path, tmp_path: Path) -> None:
    with serve(project) as served, serve_elsewhere(tmp_path) as port:
        (tmp_path / "index.html").write_text(f'<iframe src="{served.url}"></iframe>')
        page = new_context(browser).new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_timeout(500)
        assert all(frame.locator("#keys button").count() == 0 for frame in page.frames)
        page.context.close()


def test_a_gold_question_is_reworded_saved_and_taken_back(
    browser: "Browser", project: Path
) -> None:
    gold = project / "data/seed/eval/gold.jsonl"
    with serve(project, "--gold") as served:
        page = open_page(browser, served)
        asked = page.locator("#question").inner_text()
        page.keyboard.press("f")
        page.keyboard.type(asked)
        page.keyboard.press("Control+Enter")
        page.get_by_role("alert").wait_for()
        assert "a row is worded like that" in page.get_by_role("alert").inner_text()
        assert gold.read_text() == ""
        page.keyboard.press("Control+a")
        page.keyboard.type("Put another way altogether, what would it be?")
        page.keyboard.press("Control+Enter")
        wait_for_count(page, 1)
        (record,) = [json.loads(line) for line in gold.read_text().splitlines()]
        assert record["question"] == "Put another way altogether, what would it be?"
        test = {row.row_id: row for row in read_all(Path("data/dataset/test.parquet"), Row)}
        assert test[record["row_id"]].prompt[-1].content == asked
        page.keyboard.press("Escape")
        page.keyboard.press("u")
        wait_for_count(page, 0)
        assert gold.read_text() == ""
        page.context.close()


def test_a_question_that_was_typed_is_there_when_one_comes_back_to_its_row(
    browser: "Browser", project: Path
) -> None:
    with serve(project, "--gold") as served:
        page = open_page(browser, served)
        page.keyboard.press("f")
        page.keyboard.type("Where is it that boats are moored?")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        assert page.locator("#gold-question").input_value() == ""
        page.keyboard.press("k")
        assert page.locator("#gold-question").input_value() == "Where is it that boats are moored?"
        page.keyboard.press("f")
        page.keyboard.press("Control+Enter")
        wait_for_count(page, 1)
        page.keyboard.press("u")
        wait_for_count(page, 0)
        assert page.locator("#gold-question").input_value() == ""
        page.context.close()
