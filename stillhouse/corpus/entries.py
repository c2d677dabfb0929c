"""JSON Lines and JSON lists: objects with a text are documents, other objects are rows of a table.

What the first object looks like decides for the whole file:

* It has a ``text`` that is a string: each object is a document of its own, ``text`` read as
  Markdown. ``title`` (its heading), ``license`` and ``id`` may stand beside it; other keys are
  not read. The document's source is ``file.jsonl#id``, or ``file.jsonl#12`` by its line (in a
  list: its place), which moves when a line is added above.
* It has none: the file is one document, a section for each object, as CSV is read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from stillhouse.base.ids import Json, canonical_json
from stillhouse.corpus.blocks import Block, Heading, clean
from stillhouse.corpus.html import lower_headings, read_markdown
from stillhouse.corpus.tabular import read_row
from stillhouse.corpus.unreadable import UnreadableError

_LONGEST_ID: Final = 200  # characters


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a file; ``number`` is its line or place, from 1, ``raw`` the bytes of a line.

    ``problem`` says why there is no object.
    """

    number: int
    value: dict[str, Json]
    raw: bytes = b""
    problem: UnreadableError | None = None


def read_lines(file: IO[bytes], longest: int) -> Iterator[Entry]:
    """Yield an entry for each line that is not blank; none may have more than ``longest`` bytes."""
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > longest:
            _skip_rest(file, line, longest)
            problem = UnreadableError("too_large", f"a line of more than {longest} bytes")
            yield Entry(number, {}, problem=problem)
        elif line.strip():
            yield _parse_line(number, line)


def read_list(text: str) -> list[Entry]:
    """Return an entry for each object of a JSON list.

    Raises:
        UnreadableError: it is not JSON, or not a list of objects.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UnreadableError("corrupt", f"not JSON ({clean(str(exc))})") from exc
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise UnreadableError("unsupported", "of JSON only a list of objects is read")
    return [Entry(number, value) for number, value in enumerate(values, start=1)]


def holds_documents(entry: Entry | None) -> bool:
    """Say whether a file whose first object this is holds documents rather than rows."""
    return entry is not None and isinstance(entry.value.get("text"), str)


def name_entry(entry: Entry) -> str:
    """Return the part of an entry's source behind the ``#``: its id, else its number."""
    name = entry.value.get("id")
    if isinstance(name, str | int) and not isinstance(name, bool):
        return clean(str(name))[:_LONGEST_ID] or str(entry.number)
    return str(entry.number)


def read_text(value: dict[str, Json]) -> tuple[str, list[Block]]:
    """Return title and blocks of an object that is a document; its title stands above its text."""
    text = value.get("text")
    if not isinstance(text, str):
        raise UnreadableError("no_text", "there is no `text` in it that is a string")
    title, blocks = read_field(value, "title"), _read_markdown(text)
    first = blocks[0] if blocks else None
    if not title or (isinstance(first, Heading) and clean(first.text) == title):
        return title, blocks
    return title, [Heading(1, title), *lower_headings(blocks)]


def _read_markdown(text: str) -> list[Block]:
    try:
        # JSON can spell halves of characters that no encoding can write.
        return read_markdown(text.encode("utf-8", "ignore").decode())
    # A parser may stumble over anything; one such object must not stop a run.
    except Exception as exc:
        raise UnreadableError("corrupt", clean(f"{type(exc).__name__}: {exc}")) from exc


def read_field(value: dict[str, Json], name: str) -> str:
    """Return a field that is a string on one line, else an empty one."""
    found = value.get(name)
    return clean(found) if isinstance(found, str) else ""


def read_rows(entries: list[Entry], title: str) -> list[Block]:
    """Return a section for each object, headed by its first value, as a table's row is."""
    body: list[Block] = []
    for entry in entries:
        pairs = [(name, clean(cell)) for name, cell in _flatten(entry.value)]
        names, cells = [name for name, _ in pairs], [cell for _, cell in pairs]
        if any(cells):
            body += read_row(names, cells)
    return [Heading(1, title), *body] if body else []


def _parse_line(number: int, line: bytes) -> Entry:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Entry(number, {}, line, UnreadableError("unknown_encoding", "not UTF-8"))
    except (ValueError, RecursionError) as exc:
        detail = f"not JSON ({clean(str(exc))})"
        return Entry(number, {}, line, UnreadableError("corrupt", detail))
    if not isinstance(value, dict):
        return Entry(number, {}, line, UnreadableError("corrupt", "not an object"))
    return Entry(number, value, line)


def _skip_rest(file: IO[bytes], line: bytes, block: int) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(block)


def _flatten(value: dict[str, Json], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and texts; an inner object's names follow its own, simple lists are joined."""
    for key, item in value.items():
        name = f"{above} {key}".strip().replace("_", " ")
        if isinstance(item, dict):
            yield from _flatten(item, name)
        else:
            yield name, _write_value(item)


def _write_value(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        simple = all(not isinstance(item, list | dict) for item in value)
        return ", ".join(map(_write_value, value)) if simple else canonical_json(value)
    return str(value)
