"""The page of a comparison: one file, no network, every row to be found and read, whatever it says."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

import pytest

from stillhouse.base.records import Message
from stillhouse.diffing.embed import pack_rows
from stillhouse.diffing.page import (
    FOLDER,
    SCRIPTS,
    build_facets,
    show_figures,
    show_step,
    write_page,
)
from stillhouse.diffing.shown import Counts, Difference, Head, Side, Statistic
from stillhouse.diffing.words import diff_words
from tests.browser import new_context, open_browser
from tests.difference_rows import make_head, make_rows

ROWS = tuple(make_rows(700, words=30))
HOSTILE = '</script><img src=x onerror="window.broken=1"><!-- & \' {{ 7 * 7 }}'
RTL = "يجب تقديم الطلب قبل 19 يوم عمل"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _write(tmp_path_factory.mktemp("page") / "diff.html", make_head(iter(ROWS)), ROWS)


@pytest.fixture
def page(browser, address):
    yield from _open(browser, address)


def _write(path: Path, head: Head, rows) -> str:
    write_page(path, head, iter(rows))
    return path.as_uri()


def _open(browser, address: str, **options):
    """Yield the page of an address, all texts read; whatever it asks or complains about fails the test."""
    context = new_context(browser, viewport={"width": 1280, "height": 900}, **options)
    page = context.new_page()
    page.asked, said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    _follow(page, address)
    yield page
    context.close()
    assert said == []


def _follow(page, address: str) -> None:
    page.goto(address)
    page.locator("html[data-ready=all]").wait_for(state="attached")


def _press(page, facet: str, value: str) -> None:
    page.locator(f'button[data-facet="{facet}"][data-value="{value}"]').click()


def _status(page) -> str:
    return page.locator("#status").inner_text()


def _say_rows(count: int) -> str:
    return f"{count:,} of {len(ROWS):,} rows"


def _search(page, words: str) -> None:
    page.locator("#search").fill(words)
    page.get_by_label(f"Drop “{words}”", exact=True).wait_for()


def _count(**chosen: set[str]) -> int:
    return sum(
        all(
            set(getattr(row, name) if name in {"causes", "columns"} else [getattr(row, name)])
            & values
            for name, values in chosen.items()
        )
        for row in ROWS
    )


def test_the_page_asks_for_nothing_but_itself(page, address: str) -> None:
    assert page.asked == [address]
    assert page.title() == "train: HEAD~1 (3f2a9c1) → the workspace"
    assert _status(page) == f"{len(ROWS)} rows differ"
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_the_policy_lets_in_our_own_script_and_style_and_no_other(address: str) -> None:
    text = Path(address.removeprefix("file://")).read_text()
    for tag, opening in (("script", '<script type="module">'), ("style", "<style>")):
        inner = text.split(opening)[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text.replace("&#39;", "'")
    script = "".join((FOLDER / f"{name}.js").read_text() for name in SCRIPTS)
    assert re.search(r"</script|<!--|innerHTML|insertAdjacentHTML|fetch\(|https?:", script) is None
    assert sorted(path.stem for path in FOLDER.glob("*.js")) == sorted(SCRIPTS)


def test_the_figures_are_read_without_a_script(browser, address: str) -> None:
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    head = make_head(iter(ROWS))
    said = page.locator("main").inner_text()
    assert f"+{head.counts.added}" in said.replace("\n", "")
    assert "Statistics that moved" in said
    assert head.notes[0] in said
    bar = page.locator('button[data-facet="cause"][data-value="prompt"] b')
    assert bar.inner_text() == str(head.causes["prompt"])
    context.close()


def test_filters_add_up_within_a_facet_and_narrow_across_facets(page) -> None:
    _press(page, "cause", "prompt")
    assert _status(page) == _say_rows(_count(causes={"prompt"}))
    _press(page, "cause", "judge")
    assert _status(page) == _say_rows(_count(causes={"prompt", "judge"}))
    _press(page, "task", "recall")
    _press(page, "kind", "changed")
    chosen = {"causes": {"prompt", "judge"}, "task": {"recall"}, "kind": {"changed"}}
    assert _status(page) == _say_rows(_count(**chosen))
    # A facet says what choosing another of its values would show.
    other = page.locator('button[data-facet="task"][data-value="exceptions"] b')
    assert other.inner_text() == str(_count(**{**chosen, "task": {"exceptions"}}))
    pressed = page.locator("button[data-facet][aria-pressed=true]")
    assert pressed.count() == 4
    _press(page, "cause", "judge")
    assert _status(page) == _say_rows(_count(**{**chosen, "causes": {"prompt"}}))
    page.locator("#clear").click()
    page.locator("#chosen li").first.wait_for(state="detached")
    assert _status(page) == f"{len(ROWS)} rows differ"


@pytest.mark.parametrize("facet", ["document", "column", "filter", "name"])
def test_every_bar_shows_as_many_rows_as_it_says(page, facet: str) -> None:
    button = page.locator(f'button[data-facet="{facet}"]').first
    count = button.locator("b").inner_text()
    button.click()
    assert _status(page) == f"{count} of {len(ROWS)} rows"
    value = button.get_attribute("data-value")
    if facet == "name":
        cause, name = value.split(": ", 1)
        assert int(count) == sum(row.named.get(cause) == name for row in ROWS)
        return
    attribute = {"document": "source", "column": "columns", "filter": "left"}[facet]
    assert int(count) == _count(**{attribute: {value}})


def test_the_search_wants_all_words_in_any_case_in_both_versions(page) -> None:
    row = next(r for r in ROWS if r.kind == "changed" and r.old.response != r.new.response)
    for side in (row.old, row.new):
        number = side.response.split()[-5]
        _search(page, f"DAYS {number} cAse")
        words = ("days", number.lower(), "case")
        expected = sum(all(word in _read(r) for word in words) for r in ROWS)
        assert _status(page) == _say_rows(expected)
    _search(page, row.slot_id.upper())
    assert page.locator(".item").count() == 1
    for words in ("the", "the lea", "the leave", "leave", "le day", "day"):
        _search(page, words)
        expected = sum(all(word in _read(r) for word in words.split()) for r in ROWS)
        assert _status(page) == (_say_rows(expected))
    _search(page, "nowhere-to-be-found")
    assert _status(page) == _say_rows(0)


def _read(row: Difference) -> str:
    sides = [side for side in (row.old, row.new) if side]
    texts = [t for s in sides for t in (*(turn.content for turn in s.question), s.response)]
    return "\n".join((row.slot_id, *texts)).lower()


def test_keys_walk_open_search_and_filter(page) -> None:
    focused = "document.activeElement.querySelector('.question')?.textContent"
    page.keyboard.press("j")
    first = page.evaluate(focused)
    page.keyboard.press("j")
    second = page.evaluate(focused)
    assert first != second
    page.keyboard.press("k")
    assert page.evaluate(focused) == first
    page.keyboard.press("Enter")
    page.locator(".detail").wait_for()
    assert page.evaluate(focused) == first
    assert page.url.endswith(f"#row={quote_plus(ROWS[0].slot_id)}")
    page.keyboard.press("s")
    page.locator("#view[aria-pressed=true]").wait_for()
    page.keyboard.press("J")
    page.locator(f'.detail [aria-label="Copy {ROWS[1].slot_id}"]').wait_for()
    assert page.evaluate(focused) == second
    page.keyboard.press("o")
    assert page.locator(".detail").count() == 0
    page.keyboard.press("/")
    page.keyboard.type("case 5 jk")
    page.locator("#chosen bdi", has_text="case 5 jk").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.locator("#search").fill("case 12")
    page.keyboard.press("Enter")
    page.locator(".item .line:focus").wait_for()
    page.keyboard.press("x")
    page.locator("#chosen li").first.wait_for(state="detached")
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.dataset.facet") == "cause"
    page.keyboard.press("Enter")
    assert page.locator("#chosen li").count() == 1
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_a_link_shows_the_view_again(page, browser) -> None:
    _press(page, "kind", "changed")
    _press(page, "cause", "prompt")
    _search(page, "case")
    page.locator(".line").nth(2).click()
    page.locator(".detail").wait_for()
    slot = page.locator(".detail .copy").first.inner_text()
    status, link = _status(page), page.url
    assert "#kind=changed&cause=prompt&q=case&row=" in link
    for other in _open(browser, link):
        other.locator(".detail").wait_for()
        assert _status(other) == status
        assert other.locator(".detail .copy").first.inner_text() == slot
        assert other.locator("#search").input_value() == "case"
        other.evaluate("location.hash = '#kind=removed'")
        other.locator("#chosen bdi", has_text="removed").wait_for()
        assert _status(other) == _say_rows(_count(kind={"removed"}))


def test_an_open_row_says_why_and_marks_the_words(browser, tmp_path: Path) -> None:
    old = Side(
        (Message("user", "When?"),),
        "Within 4 working days.",
        "",
        "Page 1",
        "",
        {"row_id": "a" * 64},
    )
    new = replace(old, response="Within 6 working days.", holdout="fact", ids={"row_id": "b" * 64})
    row = Difference(
        "x.md|H:0|recall",
        "changed",
        "recall",
        "x.md",
        ("prompt",),
        "The prompt asks otherwise.",
        old,
        new,
        ("response", "holdout"),
        {"prompt": "prompts/recall.md"},
        old_slot_id="y.md|H:0|recall",
    )
    address = _write(tmp_path / "one.html", make_head(iter([row])), [row])
    for page in _open(browser, f"{address}#row={quote(row.slot_id)}"):
        detail = page.locator(".detail")
        detail.wait_for()
        marks = detail.locator("del, ins").all_inner_texts()
        assert marks == ["4", "6", "not held out", "fact"]
        for said in (
            "The prompt asks otherwise.",
            "prompts/recall.md",
            "aaaaaaaaaaaa",
            row.old_slot_id,
        ):
            assert said in detail.inner_text()
        page.keyboard.press("s")
        detail.locator(".sides").wait_for()
        texts = detail.locator(".sides .text").evaluate_all("all => all.map(e => e.textContent)")
        assert texts == ["Within 4 working days.", "Within 6 working days."]


def test_hostile_texts_stay_texts(browser, tmp_path: Path) -> None:
    old = Side((Message("user", HOSTILE),), HOSTILE, RTL, "w" * 5000, HOSTILE, {HOSTILE: HOSTILE})
    new = replace(old, response=f"{HOSTILE}\n\n{RTL}\u202e 🙂", reasoning=HOSTILE)
    sides = {"changed": (old, new), "added": (None, new), "removed": (old, None)}
    rows = [
        Difference(
            f"{HOSTILE}|{kind}",
            kind,
            HOSTILE,
            HOSTILE,
            (HOSTILE,),
            HOSTILE,
            *both,
            (HOSTILE,),
            {HOSTILE: HOSTILE},
            f"{HOSTILE}: x",
        )
        for kind, both in sides.items()
    ]
    one = Counts(1, 1, 1, 0)
    head = make_head(iter(ROWS))
    head = replace(
        head,
        a=replace(head.a, title=HOSTILE, commit=HOSTILE),
        columns={HOSTILE: 3},
        causes={HOSTILE: 3},
        by_task={HOSTILE: one},
        by_document={HOSTILE: one},
        table=HOSTILE,
        statistics=(Statistic(HOSTILE, 1, 2),),
        names={HOSTILE: {HOSTILE: 3}},
        notes=(HOSTILE,),
        left=(),
    )
    address = _write(tmp_path / "hostile.html", head, rows)
    for page in _open(browser, address):
        for n in range(3):
            page.locator(".line").nth(n).click()
            page.locator(f'.detail [aria-label="Copy {_quote_css(rows[n].slot_id)}"]').wait_for()
        page.locator('button[data-facet="task"]').click()
        assert page.locator("img").count() == 0
        assert page.evaluate("window.broken") is None
        assert page.asked == [address]
        assert HOSTILE in page.locator(".detail").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == 1280


def _quote_css(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def test_of_twenty_thousand_rows_only_those_in_view_are_in_the_document(
    browser, tmp_path: Path
) -> None:
    count = 20_000
    address = _write(
        tmp_path / "many.html", make_head(make_rows(count, words=12)), make_rows(count, words=12)
    )
    for page in _open(browser, address):
        assert _status(page) == "20,000 rows differ"
        assert page.locator(".item").count() < 40
        page.locator("#list").evaluate("list => scrollTo(0, list.offsetTop + list.offsetHeight)")
        last = page.locator(f'.item[aria-posinset="{count}"]')
        last.wait_for()
        assert page.locator(".item").count() < 40
        last.locator(".line").click()
        page.locator(".detail", has_text="Case 19999 is").wait_for()
        _search(page, "case 19999")
        assert _status(page) == "1 of 20,000 rows"
        assert page.locator(".detail").count() == 1


def test_the_pages_words_are_those_of_the_command_line(browser) -> None:
    rng = Random(1)
    words = [
        "the",
        "of",
        "a",
        "12.5",
        "don’t",
        "日",
        "本",
        "é",
        "🙂",
        ",",
        ".",
        "\n",
        " ",
        " ",
        "fee",
        "day",
    ]
    texts = [
        ["".join(rng.choices(words, k=rng.randint(0, size))) for _ in range(2)]
        for size in [3, 12, 40, 90] * 60
    ]
    texts += [[r.old.response, r.new.response] for r in ROWS if r.old and r.new]
    vast = "".join(f"Rule {n} gives {n * 7 % 1000} days.\n" for n in range(4000))
    texts.append([vast, vast.replace("7 days", "7 weeks")])
    page = new_context(browser).new_page()
    page.add_script_tag(content=(FOLDER / "words.js").read_text())
    found = page.evaluate("texts => texts.map(([old, now]) => diffWords(old, now))", texts)
    page.close()
    assert found == [
        [{"kind": p.kind, "text": p.text} for p in diff_words(*both)] for both in texts
    ]


def test_equal_comparisons_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _write(tmp_path / name, make_head(iter(ROWS)), ROWS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_rows_are_walked_once_and_written_as_they_come() -> None:
    walked = []

    def walk() -> Iterator[Difference]:
        for row in make_rows(1500, words=12):
            walked.append(row.slot_id)
            yield row

    blocks = pack_rows(walk())
    first = next(blocks)
    assert (first.role, first.rows, len(walked)) == ("texts", 512, 512)
    assert [(b.role, b.rows) for b in blocks] == [("texts", 512), ("texts", 476), ("index", 1500)]


def test_what_both_versions_have_alike_is_in_the_page_once() -> None:
    row = next(r for r in ROWS if r.old and r.new and r.old.question == r.new.question)
    texts = next(block for block in pack_rows([row]) if block.role == "texts")
    [read] = json.loads(gzip.decompress(base64.b64decode(texts.data)))
    assert "question" in read["old"]
    assert "question" not in read["new"]


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        (Statistic("rows", 212, 1310), ("212", "1,310", "+1,098")),
        (Statistic("length", 21.04, 20.96), ("21.04", "20.96", "−0.08")),
        (Statistic("score", 0.8812, 0.9134), ("0.881", "0.913", "+0.032")),
        (Statistic("share", 0.081, 0.124, share=True), ("8.1%", "12.4%", "+4.3 points")),
        (Statistic("new", None, 3.5), ("–", "3.5", "")),
        (Statistic("tiny", 0.5, 0.50000001), ("0.5000", "0.5000", "+0.0000")),
        (Statistic("none", None, None), ("–", "–", "")),
    ],
)
def test_a_statistic_shows_as_many_digits_as_tell_its_figures_apart(
    statistic: Statistic, said: tuple[str, str, str]
) -> None:
    assert (*show_figures(statistic), show_step(statistic)) == said


def test_bars_are_sorted_and_leave_out_what_did_not_change() -> None:
    head = make_head(iter(ROWS))
    head = replace(
        head,
        causes={"split": 2, "judge": 2, "prompt": 5, "code": 0},
        by_task={"recall": Counts(0, 0, 0, 9), "replay": Counts(1, 0, 2, 4)},
    )
    cause, _, column, task, *_ = build_facets(
        replace(head, columns={"row_id": 9, "prompt": 2, "code_sha256": 9})
    )
    assert [bar.value for bar in column.bars] == ["prompt", "code_sha256", "row_id"]
    assert [(bar.value, bar.count) for bar in cause.bars] == [
        ("prompt", 5),
        ("judge", 2),
        ("split", 2),
    ]
    assert [(bar.value, bar.count, bar.beside) for bar in task.bars] == [("replay", 3, "of 7")]


def test_of_thousands_of_documents_those_with_most_rows_are_bars() -> None:
    groups = {f"d{n}.md": Counts(0, 0, n, 1) for n in range(1, 1001)}
    document = build_facets(replace(make_head(iter(ROWS)), by_document=groups))[4]
    assert (document.bars[0].value, len(document.bars), document.more) == ("d1000.md", 400, 600)


def test_rows_are_read_in_their_order_wherever_one_scrolls(page) -> None:
    page.evaluate("scrollTo(0, 30000)")
    page.locator('.item[aria-posinset="350"]').wait_for()
    page.locator(".line").first.click()
    page.locator(".detail").wait_for()
    for top in (29000, 8000, 29000, 0):
        page.evaluate("top => scrollTo(0, top)", top)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        places = page.locator(".item").evaluate_all("all => all.map(e => +e.ariaPosInSet)")
        tops = page.locator(".item").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect().top)"
        )
        assert places == sorted(places)
        assert tops == sorted(tops)


def test_another_choice_is_shown_from_its_first_row(page) -> None:
    page.evaluate("scrollTo(0, 30000)")
    page.locator('.item[aria-posinset="350"]').wait_for()
    _press(page, "cause", "prompt")
    assert page.locator('.item[aria-posinset="1"]').is_visible()
    assert page.evaluate("document.getElementById('list').getBoundingClientRect().top > 0")


def test_a_link_to_a_row_that_is_not_there_says_so(browser, address: str) -> None:
    for page in _open(browser, f"{address}#row=nowhere"):
        assert _status(page) == f"{len(ROWS)} rows differ; the row of the link is not among them"


def test_a_comparison_without_differences_is_a_page_too(browser, tmp_path: Path) -> None:
    head = replace(make_head(iter(())), statistics=(Statistic("rows", 5, 5),))
    for page in _open(browser, _write(tmp_path / "same.html", head, ())):
        assert _status(page) == "0 rows differ"
        assert page.locator("#statistics").inner_text() == "No statistic moved"
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        assert page.locator(".item").count() == 0
