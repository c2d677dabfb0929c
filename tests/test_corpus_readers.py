"""Every format becomes the same Markdown; what cannot be read is named with its reason."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from docx import Document as WordDocument
from fpdf import FPDF

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.ids import sha256_text
from stillhouse.base.records import Document
from stillhouse.corpus.blocks import Code, Heading, Item, Paragraph, Table, write_blocks
from stillhouse.corpus.html import read_html
from stillhouse.corpus.ingest import Sources, load_sources
from stillhouse.corpus.readers import SourceFile, read_document
from stillhouse.corpus.unreadable import UnreadableError
from tests.making import ingest_folder

HARBOUR = """# Harbour rules

Boats leave by the north gate.

## Fees

| Boat | Fee |
| --- | --- |
| Dinghy | £4 |
| Ketch | £11 |

- Fees are due on Mondays.
- Late boats pay double.
"""


def read(name: str, data: bytes | str, title: str = "") -> Document:
    raw = data.encode() if isinstance(data, str) else data
    return read_document(SourceFile(name, raw, "0" * 64, "CC0-1.0", title))


def write_word() -> bytes:
    word = WordDocument()
    word.add_heading("Harbour rules", 0)
    word.add_paragraph("Boats leave by the north gate.")
    word.add_heading("Fees", 1)
    table = word.add_table(rows=0, cols=2)
    for row in (("Boat", "Fee"), ("Dinghy", "£4"), ("Ketch", "£11")):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = row
    word.add_paragraph("Fees are due on Mondays.", style="List Bullet")
    word.add_paragraph("Late boats pay double.", style="List Bullet")
    file = io.BytesIO()
    word.save(file)
    return file.getvalue()


def write_pdf(pages: list[list[tuple[str, int, str]]]) -> bytes:
    """Write lines (text, size, style) with a running head and a page number."""
    pdf = FPDF()
    for number, lines in enumerate(pages, start=1):
        pdf.add_page()
        pdf.set_font("helvetica", "I", 8)
        pdf.cell(0, 10, "Harbour rules, issue 3", new_x="LMARGIN", new_y="NEXT")
        for text, size, style in lines:
            pdf.set_font("helvetica", style, size)
            pdf.cell(0, 6 if size < 14 else 14, text, new_x="LMARGIN", new_y="NEXT")
        pdf.set_y(-25)
        pdf.set_font("helvetica", "", 8)
        pdf.cell(0, 10, f"Page {number} of {len(pages)}")
    return bytes(pdf.output())


HTML = """<html><head><title>x</title><script>var a = "no";</script></head><body><nav>Home</nav>
<h1>Harbour <em>rules</em></h1><p>Boats leave
by the <a href="/gate">north gate</a>.<!-- not this --></p><h2>Fees</h2>
<table><tr><th>Boat</th><th>Fee</th></tr><tr><td>Dinghy</td><td>£4</td></tr>
<tr><td>Ketch</td><td>£11</td></tr></table>
<ul><li>Fees are due on <b>Mondays</b>.</li><li>Late boats pay double.</li></ul></body></html>"""

SITE = """<html><body><div class="related" role="navigation"><h3>Go to</h3><ul><li>index</li>
<li>next</li></ul></div><h1>Harbour rules<a href="#here">¶</a></h1><p>Boats leave early.</p>
<div role="search"><p>Quick search</p></div><div role="main"><p>Boats pay.</p></div>
<div class="sidebar" role="Navigation"><h3>Table of Contents</h3><p>Fees</p></div></body></html>"""

MARKDOWN = """---
owner: nobody
---
Harbour rules
=============

Boats leave by
the **north gate**.

## Fees

Boat | Fee
-----|----
Dinghy | £4
Ketch | £11

* Fees are due on Mondays.
* [ ] Late boats pay double.
"""

PLAIN = """HARBOUR RULES

Boats leave by the north gate.

2. Fees

   Boat        Fee
   ----------------
   Dinghy      £4
   Ketch       £11

- Fees are due on
  Mondays.
- Late boats pay double.
"""


@pytest.mark.parametrize(
    ("name", "data"), [("a.md", MARKDOWN), ("a.html", HTML), ("a.docx", write_word())]
)
def test_markup_of_every_kind_becomes_the_same_markdown(name: str, data: bytes | str) -> None:
    document = read(name, data)
    assert (document.text, document.title) == (HARBOUR, "Harbour rules")


@pytest.mark.parametrize(
    "page",
    [
        "<ul><li>Pump<ul role='menu'><li>Home</li></ul></li></ul>",
        "<ul><li>Pump<dl role='toolbar'><dt>Home</dt><dd>Up</dd></dl></li></ul>",
        "<ul><li>Pump<pre role='search'>Home</pre></li></ul>",
        "<ul><li role='navigation'>Home</li><li>Pump</li></ul>",
        "<div role='navigation menubar'>Home</div><ul><li>Pump</li></ul>",
        "<div role=' Menu\tlist '>Home</div><ul><li>Pump</li></ul>",
    ],
)
def test_the_way_around_a_site_is_left_out_of_lists_and_by_its_first_role(page: str) -> None:
    assert read_html(page) == [Item("Pump", None, 0)]


def test_a_list_whose_second_role_is_a_menu_is_a_list() -> None:
    page = "<ul role='list menu'><li>Pump<ul><li>Valve</li></ul></li></ul>"
    assert read_html(page) == [Item("Pump", None, 0), Item("Valve", None, 1)]


def test_what_a_page_marks_as_the_way_around_the_site_is_no_text() -> None:
    assert read("a.html", SITE).text == "# Harbour rules\n\nBoats leave early.\n\nBoats pay.\n"


def test_plain_text_headings_tables_and_wrapped_items_are_found() -> None:
    expected = HARBOUR.replace("# Harbour rules", "# HARBOUR RULES").replace(
        "Fees\n", "2. Fees\n", 1
    )
    assert read("a.txt", PLAIN).text == expected


def test_plain_text_letterhead_is_one_title() -> None:
    text = "ACME BOATS\nNOTICE FOUR          7 April 2026\nOwner: the yard\n\nREASON\n\nA chain broke.\n"
    assert read("a.txt", text).text == (
        "# ACME BOATS: NOTICE FOUR\n\n7 April 2026\n\nOwner: the yard\n\n## REASON\n\nA chain broke.\n"
    )


def test_plain_text_clauses_keep_their_labels_and_aligned_lists_become_items() -> None:
    text = (
        "Rules of the yard\n\n2.1  A boat is anything that floats and that is\n     longer than a man.\n"
        "2.2  A raft is not a boat.\n\nGate          north\nCrane         south\n"
    )
    assert read("a.txt", text).text == (
        "# Rules of the yard\n\n- 2.1 A boat is anything that floats and that is longer than a man.\n"
        "- 2.2 A raft is not a boat.\n- Gate: north\n- Crane: south\n"
    )


def test_plain_text_numbered_lines_in_a_row_are_a_list_not_headings() -> None:
    text = "Shopping\n\n1. Bread\n\n2. Milk\n\n3. Eggs\n"
    assert read("a.txt", text).text == "# Shopping\n\n1. Bread\n2. Milk\n3. Eggs\n"


def test_plain_text_broken_words_are_made_whole_and_hyphens_of_their_own_stay() -> None:
    text = "A near-miss is told. The har-\nbour is told of every near-\nmiss, and so is the yard.\n"
    assert read("a.txt", text).text == (
        "A near-miss is told. The harbour is told of every near-miss, and so is the yard.\n"
    )


def test_csv_rows_become_sections() -> None:
    data = 'model;price_eur;note\nKelda;"1;5";\n\nTarn;9;"two\nlines"\n'
    assert read("price-list.csv", data).text == (
        "# Price list\n\n## Kelda\n\n- price eur: 1;5\n\n## Tarn\n\n- price eur: 9\n- note: two lines\n"
    )


def test_pdf_furniture_goes_and_paragraphs_cross_pages() -> None:
    first = [
        ("Harbour rules", 20, "B"),
        ("Fees", 14, "B"),
        ("A boat that lies in the har-", 11, ""),
    ]
    second = [
        ("bour pays four pounds.", 11, ""),
        ("Gates", 14, "B"),
        ("The gate is north.", 11, ""),
    ]
    assert read("a.pdf", write_pdf([first, second])).text == (
        "# Harbour rules\n\n## Fees\n\nA boat that lies in the harbour pays four pounds.\n\n"
        "## Gates\n\nThe gate is north.\n"
    )


def test_text_that_looks_like_markup_stays_text() -> None:
    blocks = [Paragraph("# no heading"), Paragraph("1. no item"), Paragraph("| no | row")]
    assert write_blocks(blocks) == "\\# no heading\n\n1\\. no item\n\n\\| no | row\n"


def test_every_block_is_written_in_one_way() -> None:
    blocks = [
        Heading(2, "A\u00a0 title"),
        Item("one", 1),
        Item("inner", None, 1),
        Table((("a", "b|c"), ("d",))),
        Code("x = 1\n# no heading\n"),
    ]
    assert write_blocks(blocks) == (
        "## A title\n\n1. one\n  - inner\n\n| a | b\\|c |\n| --- | --- |\n| d |  |\n\n"
        "```\nx = 1\n# no heading\n```\n"
    )


def test_a_glossary_keeps_term_and_meaning_together() -> None:
    assert read("a.html", "<dl><dt>Heave</dt><dd>A movement up.</dd></dl>").text == (
        "- Heave: A movement up.\n"
    )


def test_the_furniture_of_documentation_pages_is_not_text() -> None:
    page = (
        '<h1>Gates<a class="headerlink" href="#gates">¶</a></h1>'
        "<p>See <a href='/x'>§ 4</a>.</p><ol><li>Shut it:<pre>shut\n  gate</pre></li></ol>"
        "<pre><code>open  gate<br>wait</code><button>copy</button></pre>"
    )
    assert read("a.html", page).text == (
        "# Gates\n\nSee § 4.\n\n1. Shut it:\n\n```\nshut\n  gate\n```\n\n"
        "```\nopen  gate\nwait\n```\n"
    )


def test_a_table_that_lays_out_a_page_is_read_as_the_page() -> None:
    page = (
        "<table><tr><td><a href='/'>Home</a></td><td><h1>Gates</h1><p>Two of them.</p>"
        "<table><tr><td><b>North.</b></td></tr><tr><td><ul><li>Shut at 6.</li></ul></td></tr></table>"
        "</td></tr></table>"
    )
    assert read("a.html", page).text == (
        "Home\n\n# Gates\n\nTwo of them.\n\nNorth.\n\n- Shut at 6.\n"
    )


def rows(*written: str) -> str:
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in written)}</table>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (  # a value for two rows
            rows(
                "<th>Item<th>Deposit<th>Fee",
                "<td>Ropes<td rowspan=2>£50<td>£3",
                "<td>Ladders<td>£4",
            ),
            [["Item", "Deposit", "Fee"], ["Ropes", "£50", "£3"], ["Ladders", "£50", "£4"]],
        ),
        (  # a name for two columns, above their own
            rows(
                "<th rowspan=2>Item<th colspan=2>Fee",
                "<th>Summer<th>Winter",
                "<td>Ropes<td>£3<td>£4",
                "<td>Ladders<td colspan=2>£6",
            ),
            [
                ["Item", "Fee: Summer", "Fee: Winter"],
                ["Ropes", "£3", "£4"],
                ["Ladders", "£6", "£6"],
            ],
        ),
        (  # both ways at once; a row of one cell is said once
            rows(
                "<th>A<th>B<th>C",
                "<td colspan=2 rowspan=2>x<td>1",
                "<td>2",
                "<td colspan=3>below",
                "<td>y<td>3<td>4",
            ),
            [["A", "B", "C"], ["x", "x", "1"], ["x", "x", "2"], ["below"], ["y", "3", "4"]],
        ),
        (  # one name alone is that of the rows below it and of no column
            rows("<th>Item<th>Fee", "<th colspan=2>Heavy", "<td>Ropes<td>£3"),
            [["Item", "Fee"], ["Heavy"], ["Ropes", "£3"]],
        ),
        (  # names below a row without a name at its corner, and values below it
            rows("<td><td colspan=2>Fee", "<td>Item<td>Summer<td>Winter", "<td>Ropes<td>£3<td>£4"),
            [["Item", "Fee: Summer", "Fee: Winter"], ["Ropes", "£3", "£4"]],
        ),
        (
            rows("<th><th colspan=2>Fee", "<td>Ropes<td>£3<td>£4", "<td>Ladders<td>£5<td>£6"),
            [["", "Fee", "Fee"], ["Ropes", "£3", "£4"], ["Ladders", "£5", "£6"]],
        ),
        (  # a section ends what reaches beyond it, and 0 reaches to its end
            "<table><thead><tr><th rowspan=9>A<th>B</thead><tbody><tr><td rowspan=0>x<td>1"
            "<tr><td>2</tbody><tbody><tr><td>y<td>3</tbody></table>",
            [["A", "B"], ["x", "1"], ["x", "2"], ["y", "3"]],
        ),
        (  # what is no number is 1, and columns in which no cell begins are none
            rows(
                "<th colspan=1000>A<th colspan=x>B<th rowspan=-2>C",
                "<td colspan=1000>x<td colspan=0>y<td>z",
            ),
            [["A", "B", "C"], ["x", "y", "z"]],
        ),
    ],
)
def test_merged_cells_are_said_in_every_row_and_column_they_cover(
    page: str, expected: list[list[str]]
) -> None:
    assert read_html(page) == [Table(tuple(map(tuple, expected)))]


def test_a_row_of_one_cell_above_a_table_is_its_title() -> None:
    table = rows("<td colspan=99>Fees", "<td>Item<td>Fee", "<td>Ropes<td>£3")
    assert read_html(table) == [Paragraph("Fees"), Table((("Item", "Fee"), ("Ropes", "£3")))]


def test_a_name_beside_two_rows_of_values_has_both() -> None:
    table = rows(
        "<th colspan=2>Gate", "<th rowspan=2>Open<td>9-10", "<td>12-13", "<th>Width<td>4 m"
    )
    assert read_html(table) == [Paragraph("Gate"), Item("Open: 9-10, 12-13"), Item("Width: 4 m")]


def test_merged_cells_of_a_word_document_are_read_as_those_of_a_page() -> None:
    word = WordDocument()
    table = word.add_table(rows=3, cols=3)
    for at, row in enumerate(
        (("Item", "Deposit", "Fee"), ("Ropes", "", "£3"), ("Ladders", "", "£4"))
    ):
        for cell, text in zip(table.rows[at].cells, row, strict=True):
            cell.text = text
    table.cell(1, 1).merge(table.cell(2, 1)).text = "£50"
    file = io.BytesIO()
    word.save(file)
    assert read("a.docx", file.getvalue()).text == (
        "| Item | Deposit | Fee |\n| --- | --- | --- |\n| Ropes | £50 | £3 |\n| Ladders | £50 | £4 |\n"
    )


@pytest.mark.parametrize(
    "table",
    [
        rows(f"<td colspan=1000 rowspan=65534>{'x' * 9000}<td>1", *["<td>a"] * 500),
        rows("<td rowspan=0>a" * 1000, *["<td>b"] * 1000),
        rows("<td>a" * 1000, *["<td>b"] * 1000),
    ],
)
def test_a_table_that_would_swell_is_named_and_not_written(table: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read("a.html", table)
    assert caught.value.reason == "too_large"


def test_a_page_inside_a_form_is_read_without_its_fields() -> None:
    page = (
        "<form action='/x'><h1>Gates</h1><p>The gate is shut at 6.</p><label>Search</label>"
        "<input value='north'><select><option>South</option></select><button>Go</button>"
        "<textarea>Write here</textarea><table><tr><th>Gate<th>Key<tr><td>North<td>K-4</table></form>"
        "<p>Before <span><form>and within</form></span> after.</p><form role='search'>Find</form>"
    )
    assert read("a.html", page).text == (
        "# Gates\n\nThe gate is shut at 6.\n\nSearch\n\n| Gate | Key |\n| --- | --- |\n"
        "| North | K-4 |\n\nBefore\n\nand within\n\nafter.\n"
    )


@pytest.mark.parametrize(
    ("between", "kept"),
    [
        ("Boats leave by the north gate.\n", "## Boats leave by the north gate.\n\n"),
        ("- one\n- two\n", "- one\n- two\n\n"),
        ("\nOwner: the yard, which is: open\n\n", "Owner: the yard, which is: open\n\n"),
        ("\nOwner: x\n\nBoats pay.\n\n", "Owner: x\n\nBoats pay.\n\n"),
        ("owner: the yard\ntags:\n  - a\n# a remark\n", ""),
        ("", ""),
    ],
)
def test_what_stands_between_rules_at_the_top_is_text_unless_it_is_yaml_with_keys(
    between: str, kept: str
) -> None:
    assert read("a.md", f"---\n{between}---\n\nThe end.\n").text == f"{kept}The end.\n"


def test_the_title_is_given_or_the_first_heading_or_the_name() -> None:
    assert read("a/b.md", "text").title == "b"
    assert read("a/b.md", "# T\n\ntext").title == "T"
    assert read("a/b.md", "# T\n\ntext", title="Given").title == "Given"


def test_old_encodings_are_read() -> None:
    text = "The fee is £4 for every boat. " * 20
    assert "£4" in read("a.txt", text.encode("cp1252")).text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xyz", b"x", "unsupported"),
        ("a", b"x", "unsupported"),
        ("a.md", b" \n", "empty"),
        ("a.md", b"<!-- nothing -->", "no_text"),
        ("a.csv", b"only,a,head\n", "no_text"),
        ("a.pdf", b"%PDF-1.4 broken", "corrupt"),
        ("a.docx", b"PK\x03\x04 broken", "corrupt"),
        ("a.txt", b"one\x00two", "binary"),
    ],
)
def test_what_cannot_be_read_has_a_named_reason(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read(name, data)
    assert caught.value.reason == reason


def test_a_locked_pdf_is_named_as_such() -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_encryption(owner_password="a", user_password="b")
    with pytest.raises(UnreadableError) as caught:
        read("a.pdf", bytes(pdf.output()))
    assert caught.value.reason == "encrypted"


def fill_folder(root: Path) -> None:
    (root / "in" / "deep").mkdir(parents=True)
    (root / "in" / "deep" / "b.md").write_text("# B\n\nText.")
    (root / "a.txt").write_text("Some text.")
    (root / "z.bin").write_bytes(b"\x01")
    (root / "draft.md").write_text("Draft.")
    (root / ".keep").write_text("")
    outside = root.parent / "outside.md"
    outside.write_text("secret")
    (root / "link.md").symlink_to(outside)
    (root / "round").symlink_to(root / "in")
    (root / "gone.md").symlink_to(root / "nowhere.md")


def test_a_folder_is_read_in_order_and_everything_left_out_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "documents"
    fill_folder(root)
    sources = Sources.model_validate(
        {
            "defaults": {"license": "CC0-1.0"},
            "exclude": ["**/draft*"],
            "sources": {"in/deep/b.md": {"license": "MIT", "title": "Bee"}},
        }
    )
    result = ingest_folder(root, sources)
    found = [(d.source, d.license, d.title) for d in result.documents]
    assert found == [("a.txt", "CC0-1.0", "a"), ("in/deep/b.md", "MIT", "Bee")]
    assert [(s.rejected_id, s.reason) for s in result.skipped] == [
        (".keep", "hidden"),
        ("draft.md", "excluded"),
        ("gone.md", "unreadable"),
        ("link.md", "outside"),
        ("round", "linked_folder"),
        ("z.bin", "unsupported"),
    ]


def test_a_source_entry_without_its_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'b\.md' is not a file"):
        ingest_folder(tmp_path, Sources.model_validate({"sources": {"b.md": {}}}))


def test_an_unknown_key_in_sources_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text("version: 1\nlicence: CC0\n")
    with pytest.raises(InputError, match="licence"):
        load_sources(path)


def test_the_document_id_changes_with_source_and_text_and_with_nothing_else() -> None:
    base = read("a.md", "Text.").document_id
    assert base == read("a.md", "Text.", title="Other").document_id
    assert base == read("a.md", "*Text.*\n\n").document_id
    assert len({base, read("b.md", "Text.").document_id, read("a.md", "Text!").document_id}) == 3


def test_the_normaliser_writes_what_its_version_says() -> None:
    """Pins versions.NORMALISER: if this changes on purpose, bump the version with it."""
    samples = {
        "a.md": MARKDOWN, "a.html": HTML, "a.txt": PLAIN, "a.csv": "a,b\n1,2\n", "b.html": SITE,
    }  # fmt: skip
    text = "\n".join(read(name, data).text for name, data in samples.items())
    assert (versions.NORMALISER, sha256_text(text)[:16]) == (2, "590b065b72229aa1")


def test_documents_are_equal_across_processes(tmp_path: Path) -> None:
    root = tmp_path / "documents"
    fill_folder(root)
    code = (
        "from pathlib import Path; from tests.making import *;"
        f"print(ingest_folder(Path({str(root)!r}), Sources()))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
