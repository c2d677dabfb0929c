"""The page of a comparison: writing it, opening it and finding rows in it, in Chromium on this machine.

``python -m bench.diff_page 20000`` takes another number of rows than 100,000; each version of a row has about 100 words. It takes a
browser, so ``make bench`` leaves it out.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from stillhouse.diffing.page import write_page
from tests.browser import open_browser
from tests.difference_rows import make_head, make_rows

ROWS = 100_000
SEARCHES = ("manager", "helmet flight receipt", "nowhere-to-be-found", "case 777")
# From the click or key to the picture after it; the wait after the last key is in it.
FILTER = """async (value) => {
  const begun = performance.now();
  document.querySelector(`[data-facet=cause][data-value=${value}]`).click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""
SEARCH = """async (words) => {
  const begun = performance.now();
  const field = document.getElementById("search");
  field.value = words;
  field.dispatchEvent(new Event("input"));
  const shown = () => document.querySelector("#chosen .chip:last-child bdi")?.textContent;
  while (shown() !== `“${words}”`) await new Promise((done) => setTimeout(done));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""


def main() -> None:
    """Write the page of that many rows and print what it took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "diff.html"
        print(write(path, count))
        with open_browser() as browser:
            for line in read(browser, path):
                print(line)


def write(path: Path, count: int) -> str:
    """Write the page and say how long that took without making the rows, and how large all is."""
    begun = time.perf_counter()
    head = make_head(make_rows(count))
    making = time.perf_counter() - begun
    begun = time.perf_counter()
    write_page(path, head, make_rows(count))
    taken = time.perf_counter() - begun - making
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = path.stat().st_size / 1e6
    return f"{count:,} rows: written in {taken:.1f} s, peak {memory:.0f} MB, page {size:.1f} MB"


def read(browser, path: Path):
    """Open the page, filter and search; yield a line about each."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    begun = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    page.locator("html[data-ready]").wait_for(state="attached")
    shown = time.perf_counter() - begun
    page.locator("html[data-ready=all]").wait_for(state="attached")
    yield f"rows shown after {shown:.2f} s, all texts searchable after {time.perf_counter() - begun:.2f} s"
    for cause in ("prompt", "judge"):
        yield f"filter {cause}: {page.evaluate(FILTER, cause):.0f} ms"
    page.locator("#clear").click()
    for words in SEARCHES:
        taken = page.evaluate(SEARCH, words)
        yield f"search {words!r}: {taken:.0f} ms, {page.locator('#status').inner_text()}"


if __name__ == "__main__":
    main()
