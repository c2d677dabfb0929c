"""CSV into blocks: a section for each row, headed by its first value, with its other values as items."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from stillhouse.corpus.blocks import Block, Heading, Item, clean

_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 8192  # characters from which the delimiter is told


def read_csv(text: str, title: str) -> list[Block]:
    """Return the blocks of a table whose first row names the columns.

    An underscore in a column's name is read as a space. Empty cells and empty rows are left out.
    """
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # a cell may be a whole article
    rows = [[clean(cell) for cell in row] for row in csv.reader(io.StringIO(text), _dialect(text))]
    rows = [row for row in rows if any(row)]
    if len(rows) < 2:
        return []
    names = [name.replace("_", " ") for name in rows[0]]
    body = [block for row in rows[1:] for block in read_row(names, row)]
    return [Heading(1, title), *body]


def read_row(names: list[str], row: list[str]) -> Iterator[Block]:
    """Yield the section of one row, of which at least one cell is not empty."""
    key = next(index for index, cell in enumerate(row) if cell)
    yield Heading(2, row[key])
    for index, cell in enumerate(row):
        if cell and index != key:
            name = names[index] if index < len(names) and names[index] else f"column {index + 1}"
            yield Item(f"{name}: {cell}")


def _dialect(text: str) -> type[csv.Dialect]:
    """Return RFC 4180's dialect with the delimiter that the head of the text uses most evenly."""
    lines = text[:_SAMPLE].splitlines()[:20] or [""]
    counts = {mark: [_count(line, mark) for line in lines] for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: (min(counts[mark]), counts[mark][0], mark == ","))

    class Dialect(csv.excel):
        delimiter = best if counts[best][0] else ","

    return Dialect


def _count(line: str, mark: str) -> int:
    """Return how often ``mark`` stands outside quotation marks."""
    return "".join(line.split('"')[::2]).count(mark)
