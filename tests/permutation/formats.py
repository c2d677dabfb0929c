"""Documents of each format: their text for collecting, and a copy with new values."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.permutation.words import UNITS
from tests.permutation.world import World

_SKIPPED: Final = re.compile(r"(?is)(<(?:style|script)\b.*?</(?:style|script)>|<!--.*?-->|<[^>]+>)")
_ATTRIBUTE: Final = re.compile(r'((?:alt|title|content)=")([^"]*)')
_MARGIN: Final = 70.87


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a PDF page: text, baseline in points from the foot, letter size, weight, slant."""

    text: str
    y: float
    size: float
    style: str


def read_texts(path: Path) -> list[str]:
    """Return the pieces of a document in which values are looked for."""
    reader = _READERS.get(path.suffix)
    return reader(path) if reader else [path.read_text(encoding="utf-8")]


def permute_document(old: Path, new: Path, world: World) -> None:
    """Write a copy of ``old`` with new values to ``new``."""
    new.parent.mkdir(parents=True, exist_ok=True)
    writer = _WRITERS.get(old.suffix)
    if writer:
        writer(old, new, world)
        return
    text = old.read_text(encoding="utf-8")
    new.write_text(
        world.apply_aligned(text) if old.suffix == ".txt" else world.apply(text), encoding="utf-8"
    )


def _read_html(path: Path) -> list[str]:
    pieces = _SKIPPED.split(path.read_text(encoding="utf-8"))
    return [piece for piece in pieces[::2] if piece.strip()]


def _write_html(old: Path, new: Path, world: World) -> None:
    pieces = _SKIPPED.split(old.read_text(encoding="utf-8"))
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            pieces[i] = world.apply(piece)
        else:
            pieces[i] = _ATTRIBUTE.sub(lambda m: m[1] + world.apply(m[2]), piece)
    new.write_text("".join(pieces), encoding="utf-8")


def _label_cell(column: str, cell: str) -> tuple[str, str, str]:
    """Return a bare number with its column's unit around it, as ``4417`` under ``extension``."""
    bare = re.fullmatch(r"\d[\d,.]*", cell)
    unit = column.rsplit("_", 1)[-1]
    if bare and column == "extension":
        return "extension ", cell, ""
    return ("", cell, f" {unit}") if bare and unit in UNITS else ("", cell, "")


def _cells(path: Path) -> tuple[list[list[str]], list[list[tuple[str, str, str]]]]:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    plural = [re.sub(r"_m$", "_metres", column) for column in rows[0]]
    labelled = [
        [_label_cell(c, cell) for c, cell in zip(plural, row, strict=True)] for row in rows[1:]
    ]
    return rows, labelled


def _read_csv(path: Path) -> list[str]:
    return [f"| {before}{cell}{after} |" for row in _cells(path)[1] for before, cell, after in row]


def read_csv_rows(path: Path) -> list[str]:
    """Return each row of a CSV file as one text, numbers with the units of their columns."""
    return [" | ".join("".join(cell) for cell in row) for row in _cells(path)[1]]


def _write_csv(old: Path, new: Path, world: World) -> None:
    rows, labelled = _cells(old)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows[0])
    for row in labelled:
        written = [world.apply(before + cell + after) for before, cell, after in row]
        writer.writerow(
            [
                text[len(before) : len(text) - len(after)]
                for text, (before, _, after) in zip(written, row, strict=True)
            ]
        )
    new.write_text(stream.getvalue(), encoding="utf-8")


def _paragraphs(document: Any) -> Iterator[Any]:
    parts = [document, *(p for s in document.sections for p in (s.header, s.footer))]
    for part in parts:
        yield from part.paragraphs
        for table in part.tables:
            for row in table.rows:
                for cell in row.cells:
                    yield from cell.paragraphs


def _read_docx(path: Path) -> list[str]:
    import docx

    document = docx.Document(str(path))
    properties = document.core_properties
    return [properties.title, properties.author, *(p.text for p in _paragraphs(document))]


def _write_docx(old: Path, new: Path, world: World) -> None:
    import docx

    document = docx.Document(str(old))
    for paragraph in _paragraphs(document):
        _edit_runs(paragraph, world)
    properties = document.core_properties
    for name in ("title", "author", "subject", "comments", "keywords"):
        setattr(properties, name, world.apply(getattr(properties, name)))
    stream = io.BytesIO()
    document.save(stream)
    new.write_bytes(_fix_times(stream.getvalue()))


def _edit_runs(paragraph: Any, world: World) -> None:
    """Replace from the end; a value over several runs goes to the run in which it begins."""
    text = "".join(run.text for run in paragraph.runs)
    for start, end, new in reversed(world.edits(text)):
        place = 0
        for run in paragraph.runs:
            length = len(run.text)
            first, last = max(start - place, 0), min(end - place, length)
            if first < last:
                inserted = new if place <= start else ""
                run.text = run.text[:first] + inserted + run.text[last:]
            place += length


def _fix_times(data: bytes) -> bytes:
    """Return a zip archive with the time stamps that make equal content equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for item in old.infolist():
            entry = zipfile.ZipInfo(item.filename, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(item.filename))
    return stream.getvalue()


def _pdf_pages(path: Path) -> list[list[Line]]:
    from pypdf import PdfReader

    pages: list[list[Line]] = []
    for page in PdfReader(path).pages:
        lines: list[Line] = []

        def visit(text: str, cm: Any, tm: Any, font: Any, size: float, into=lines) -> None:  # type: ignore[no-untyped-def]
            base = str((font or {}).get("/BaseFont", ""))
            if text.strip():
                style = "B" * ("Bold" in base) + "I" * ("Oblique" in base)
                into.append(Line(text.strip(), tm[5] + cm[5], size, style))

        page.extract_text(visitor_text=visit)
        pages.append(lines)
    return pages


def _pdf_paragraphs(path: Path) -> list[Line]:
    """Return joined paragraphs and headings in order, page furniture left out."""
    paragraphs: list[Line] = []
    before: Line | None = None
    for page in _pdf_pages(path):
        for line in (line for line in page if "I" not in line.style):
            if before and _goes_on(before, line, paragraphs[-1].text):
                last = paragraphs[-1]
                paragraphs[-1] = Line(f"{last.text} {line.text}", last.y, last.size, last.style)
            else:
                paragraphs.append(line)
            before = line
    return paragraphs


def _goes_on(before: Line, line: Line, text: str) -> bool:
    gap = before.y - line.y
    alike = (before.size, before.style) == (line.size, line.style)
    turned = gap < 0 and not text.endswith((".", "!", "?", ":"))
    return alike and (0 <= gap < 1.6 * line.size or turned)


def _read_pdf(path: Path) -> list[str]:
    from pypdf import PdfReader

    information: Any = PdfReader(path).metadata or {}
    titles = [str(information.get(key, "")) for key in ("/Title", "/Author")]
    head = next((x.text for p in _pdf_pages(path) for x in p if "I" in x.style), "")
    return [*titles, head, *(paragraph.text for paragraph in _pdf_paragraphs(path))]


def _write_pdf(old: Path, new: Path, world: World) -> None:
    from fpdf import FPDF

    title, author, head, *_ = (world.apply(text) for text in _read_pdf(old))

    class Handbook(FPDF):
        def header(self) -> None:
            self.set_font("Helvetica", "I", 9)
            self.cell(0, 14, head, new_x="LMARGIN", new_y="NEXT")
            self.ln(16)

        def footer(self) -> None:
            self.set_y(-36)
            self.set_font("Helvetica", "I", 9)
            self.cell(0, 14, f"Page {self.page_no()} of {{nb}}", align="C")

    pdf = Handbook(unit="pt", format="A4")
    pdf.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))
    pdf.set_title(title)
    pdf.set_author(author)
    pdf.set_margins(_MARGIN, 55, _MARGIN)
    pdf.set_auto_page_break(True, 70)
    pdf.add_page()
    for line in _pdf_paragraphs(old):
        pdf.set_font("Helvetica", line.style, line.size)
        pdf.multi_cell(
            0, 1.43 * line.size, world.apply(line.text), align="L", new_x="LMARGIN", new_y="NEXT"
        )
        pdf.ln(0.55 * line.size)
    pdf.output(str(new))


_READERS: Final[dict[str, Callable[[Path], list[str]]]] = {
    ".html": _read_html,
    ".csv": _read_csv,
    ".docx": _read_docx,
    ".pdf": _read_pdf,
}
_WRITERS: Final[dict[str, Callable[[Path, Path, World], None]]] = {
    ".html": _write_html,
    ".csv": _write_csv,
    ".docx": _write_docx,
    ".pdf": _write_pdf,
}
