"""A passage's Markdown as statements: sentences, key-value lines and table rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_HEADING: Final = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_ITEM: Final = re.compile(
    r"^\s*(?:[-*+•]|\(?[a-z]\)|\(?\d{1,3}(?:\.\d+)*[.)]|\d+(?:\.\d+)+)\s+(.*)$"
)
_RULE: Final = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
_KEY_VALUE: Final = re.compile(
    r"^(\*\*|__|\*)?([^\W\d_][^:*|]{1,70}?)(?:\*\*|__|\*)?:(?:\*\*|__|\*)?\s+(\S.*)$"
)
_PAIRS: Final = re.compile(
    r"(?P<key>[A-Z][a-z]+(?: [a-z][\w-]*){0,8}): (?P<value>[^:.]+?)"
    r"(?= [A-Z][a-z]+(?: [a-z][\w-]*){0,8}: |$)"
)
_EMPHASIS: Final = re.compile(
    r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1|(?<!\w)([*_])(?=\S)(.+?)(?<=\S)\3(?!\w)"
)
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"”’)]?\s+(?=[\"“‘(]?[A-Z£$€\d`])")
_ABBREVIATION: Final = re.compile(
    r"(?:(?<!°)\b(?:e\.g|i\.e|etc|cf|no|nos|mr|mrs|ms|dr|st|vs|approx|fig|sec|art|p|pp|[A-Z]))\.$",
    re.IGNORECASE,
)
_MARKS: Final = re.compile(r"[{}<>=]|[,:;]$|^['\"]|\[\^|\]\(")
_NUMBERED_SENTENCE: Final = re.compile(r"^(?:\d+(?:\.\d+)+\.?|\([a-z\d]{1,3}\))\s+(?=[A-Z])")
_NUMBERED: Final = re.compile(r"^\(?\d+(?:\.\d+)*[.)]?\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of running text or of a list item; ``bold`` is a term set in bold in it."""

    text: str
    headings: tuple[str, ...]
    paragraph: int
    bold: str = ""
    in_list: bool = False


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A line ``key: value``."""

    key: str
    value: str
    headings: tuple[str, ...]
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A table row with its column headers."""

    header: tuple[str, ...]
    cells: tuple[str, ...]
    headings: tuple[str, ...]


Statement = Sentence | KeyValue | Row


@dataclass(slots=True)
class _Reader:
    headings: list[tuple[int, str]] = field(default_factory=list)
    header: tuple[str, ...] | None = None
    paragraph: int = 0

    def path(self) -> tuple[str, ...]:
        return tuple(title for _, title in self.headings)


def read_statements(text: str, headings: tuple[str, ...] = ()) -> Iterator[Statement]:
    """Yield the statements of a passage in their order; ``headings`` lead down to it."""
    reader = _Reader([(level, plain(title)) for level, title in enumerate(headings, start=1)])
    lines = text.splitlines()
    fenced = False
    for at, line in enumerate(lines):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if not fenced:
            after = lines[at + 1] if at + 1 < len(lines) else ""
            yield from _read_line(reader, line, after)


def _read_line(reader: _Reader, line: str, after: str) -> Iterator[Statement]:
    heading = _HEADING.match(line)
    if not line.strip():
        reader.header, reader.paragraph = None, reader.paragraph + 1
    elif heading:
        _enter(reader, len(heading[1]), plain(heading[2]))
    elif line.lstrip().startswith("|"):
        yield from _read_row(reader, line, after)
    else:
        reader.header = None
        item = _ITEM.match(line)
        yield from _read_text(reader, item[1] if item else line.strip(), item is not None)


def _enter(reader: _Reader, level: int, title: str) -> None:
    while reader.headings and reader.headings[-1][0] >= level:
        reader.headings.pop()
    reader.headings.append((level, _NUMBERED.sub("", title)))
    reader.header, reader.paragraph = None, reader.paragraph + 1


def _read_row(reader: _Reader, line: str, after: str) -> Iterator[Statement]:
    if _RULE.match(line):
        return
    cells = tuple(plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
    if reader.header is None and _RULE.match(after):
        reader.header = cells
        if len(cells) == 2 and re.search(r"\d", cells[1]):  # a table of pairs without a header
            reader.header = ("", "")
            yield KeyValue(cells[0].rstrip(":"), cells[1], reader.path(), bold=True)
    elif reader.header is not None and len(cells) == len(reader.header):
        if not any(reader.header) and len(cells) == 2:
            yield KeyValue(cells[0].rstrip(":"), cells[1], reader.path(), bold=True)
        else:
            yield Row(reader.header, cells, reader.path())


def _read_text(reader: _Reader, line: str, in_list: bool) -> Iterator[Statement]:
    unwrapped = line.strip()
    whole = re.match(r"^([*_]{1,2})([^*_]+)\1$", unwrapped)
    pair = _KEY_VALUE.match(whole[2] if whole else unwrapped)
    if pair and _is_pair(pair[2], plain(pair[3]), bool(pair[1])):
        yield KeyValue(plain(pair[2]), plain(pair[3]), reader.path(), bool(pair[1]))
        return
    joined = list(_PAIRS.finditer(plain(unwrapped)))
    if len(joined) > 1 and joined[0].start() == 0:
        for found in joined:
            yield KeyValue(found["key"], found["value"].strip(), reader.path())
        return
    if " · " in line or re.search(r"\S {3,}\S", line):
        yield from _read_header_line(reader, line)
        return
    if pair and (labelled := _told_by_key(plain(pair[2]), plain(pair[3]))):
        unwrapped, term = labelled
    else:
        term = ""
    for piece in split_sentences(unwrapped):
        told = _NUMBERED_SENTENCE.sub("", piece)
        strong = re.search(r"\*\*(.+?)\*\*", told)
        bold = plain(strong[1]).rstrip(".:") if strong else term
        yield Sentence(plain(told), reader.path(), reader.paragraph, bold, in_list)


def _is_pair(key: str, value: str, bold: bool) -> bool:
    words = value.split()
    if len(key.split()) > 10 or not words or _MARKS.search(key) or _MARKS.search(value):
        return False
    if bold:
        return True
    ends = value.endswith((".", "?", "!", ";"))
    return len(words) <= 8 and not ends and not key.endswith(",")


def _told_by_key(key: str, value: str) -> tuple[str, str] | None:
    """Return the sentences behind a label (``Notice: A notice is …``), and the term explained."""
    if len(key.split()) > 5 or not value.endswith("."):
        return None
    again = re.sub(r"^(?:an?|the) ", "", value, flags=re.IGNORECASE).lower()
    if again.startswith(key.lower()):
        return value, key
    return (value, "") if value[0].isupper() and len(value.split()) > 4 else None


def _read_header_line(reader: _Reader, line: str) -> Iterator[Statement]:
    """Yield key-values of a line of labels (``Document EX-302 · Issue 6``)."""
    for piece in re.split(r" · |\s{3,}", plain(line)):
        match = re.match(r"^([A-Z][a-z]+) ([A-Z]{1,6}-?\d[\w.-]*)$", piece.strip())
        if match:
            yield KeyValue(f"{match[1]} code", match[2], reader.path())


def split_sentences(text: str) -> list[str]:
    """Return the sentences of running text; abbreviations do not end one."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(text):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += f" {piece}"
        elif piece.strip():
            found.append(piece.strip())
    return found


def plain(text: str) -> str:
    """Return text without Markdown emphasis, links and escapes."""
    text = _LINK.sub(r"\1", text)
    text = _EMPHASIS.sub(lambda found: found[2] or found[4], text)
    return re.sub(r"\\([|*_`#\[\]])", r"\1", text).replace("\xa0", " ").strip()
