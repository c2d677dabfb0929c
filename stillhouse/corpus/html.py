"""HTML into blocks. Markdown and DOCX come this way too, through well-kept converters to HTML."""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import mammoth
import yaml
from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, PreformattedString, Tag
from markdown_it import MarkdownIt

from stillhouse.corpus.blocks import Block, Code, Heading, Item, Paragraph, Table, clean
from stillhouse.corpus.grid import Cell, Row, fill_grid, join_head, read_row_span, read_span

# Not text for a reader, or struck out, or the way around a web site rather than the document.
_DROPPED: Final = frozenset(
    """script style noscript template svg math head nav button select textarea datalist
    iframe object audio video del s strike""".split()  # noqa: SIM905 - a list of sixty quoted names is harder to read
)
# Parts of a page that its own marks call the way around the site (ARIA landmarks).
_AROUND: Final = frozenset({"navigation", "search", "menu", "menubar", "toolbar", "doc-toc"})
_PERMALINKS: Final = frozenset({"#", "¶", "§", "🔗"})  # links to the very heading they stand in
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_LISTS: Final = frozenset({"ul", "ol", "menu"})
_BLOCKS: Final = frozenset(
    """address article aside blockquote body caption center dd details dialog div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu ol p pre section
    summary table tbody td tfoot th thead tr ul""".split()  # noqa: SIM905
)
# Word's own title comes above its `Heading 1`; without this map mammoth makes it a paragraph.
_WORD_STYLES: Final = "p[style-name='Title'] => h1.title:fresh\np[style-name='Subtitle'] => p:fresh"


def read_html(markup: str | bytes) -> list[Block]:
    """Return the blocks of an HTML page or fragment; a page's encoding is read from its bytes."""
    return list(_walk(_parse(markup), depth=0))


def _parse(markup: str | bytes) -> BeautifulSoup:
    with (
        warnings.catch_warnings()
    ):  # of what may not be HTML: such files are read as well as may be
        warnings.simplefilter("ignore")
        return BeautifulSoup(markup, "lxml")


def read_page_title(markup: str | bytes) -> str:
    """Return what the ``<title>`` of an HTML page says, or an empty text."""
    found = _parse(markup).find("title")
    return clean(found.get_text()) if found else ""


def read_markdown(text: str) -> list[Block]:
    """Return the blocks of a CommonMark text with tables; YAML front matter is left out."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return read_html(parser.render(_without_front_matter(text)))


def read_docx(data: bytes) -> list[Block]:
    """Return the blocks of a Word document. Headers, footers and comments are not part of it."""
    result = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=_WORD_STYLES,
        convert_image=mammoth.images.img_element(_no_image),
    )
    blocks = read_html(result.value)
    return _below_title(blocks) if 'class="title"' in result.value else blocks


def lower_headings(blocks: list[Block]) -> list[Block]:
    """Return the blocks with room for a heading of level 1 above them."""
    if not any(isinstance(block, Heading) and block.level == 1 for block in blocks):
        return blocks
    return [
        Heading(block.level + 1, block.text) if isinstance(block, Heading) else block
        for block in blocks
    ]


def _no_image(_image: object) -> dict[str, str]:
    return {}


def _below_title(blocks: list[Block]) -> list[Block]:
    found = next(i for i, block in enumerate(blocks) if isinstance(block, Heading))
    return [
        Heading(block.level + 1, block.text) if isinstance(block, Heading) and i != found else block
        for i, block in enumerate(blocks)
    ]


def _without_front_matter(text: str) -> str:
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if lines and lines[0].rstrip() == "---":
        for number, line in enumerate(lines[1:], start=1):
            if line.rstrip() in ("---", "..."):
                found = _is_mapping("".join(lines[1:number]))
                return "".join(lines[number + 1 :]) if found else text
    return text


def _is_mapping(text: str) -> bool:
    """Say whether a text is YAML with keys, or none; else two rules stand around a paragraph."""
    try:
        events = list(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return False
    return not text.strip() or any(isinstance(e, yaml.MappingStartEvent) for e in events[2:3])


def _walk(parent: Tag, depth: int) -> Iterator[Block]:
    """Yield the blocks below ``parent``; text between two blocks is a paragraph of its own."""
    inline: list[str] = []
    for child in parent.children:
        if not _is_block(child):
            inline.append(_inline(child))
            continue
        yield from _paragraph(inline)
        inline = []
        assert isinstance(child, Tag)
        yield from _block(child, depth)
    yield from _paragraph(inline)


def _paragraph(inline: list[str]) -> Iterator[Block]:
    if text := clean("".join(inline)):
        yield Paragraph(text)


def _block(tag: Tag, depth: int) -> Iterator[Block]:
    if tag.name in _HEADINGS:
        yield Heading(_HEADINGS[tag.name], clean(_inline(tag)))
    elif tag.name in _LISTS:
        yield from _list(tag, depth)
    elif tag.name == "dl":
        yield from _definitions(tag, depth)
    elif tag.name == "table":
        yield from _table(tag, depth)
    elif tag.name == "pre":
        yield Code(_preformatted(tag).expandtabs(4))
    elif not _is_dropped(tag):
        yield from _walk(tag, depth)


def _is_dropped(tag: Tag) -> bool:
    """Say whether a tag holds no text of the document."""
    roles = str(tag.get("role") or "").lower().split()  # the first is meant, others stand in for it
    return tag.name in _DROPPED or (bool(roles) and roles[0] in _AROUND)


def _list(tag: Tag, depth: int) -> Iterator[Block]:
    number = _start(tag) if tag.name == "ol" else None
    for entry in tag.find_all("li", recursive=False):
        if _is_dropped(entry):
            continue
        nested = [child for child in entry.children if _stands_apart(child)]
        inline = [_inline(child) for child in entry.children if not _stands_apart(child)]
        text = clean("".join(inline))
        yield Item(_without_tick(text), number, depth)
        for inner in nested:
            assert isinstance(inner, Tag)
            yield from _block(inner, depth + 1)
        number = None if number is None else number + 1


def _start(tag: Tag) -> int:
    start = str(tag.get("start") or "1")
    return int(start) if start.isdecimal() else 1


def _without_tick(text: str) -> str:
    return text[4:] if text[:4] in ("[ ] ", "[x] ", "[X] ") else text


def _definitions(tag: Tag, depth: int) -> Iterator[Block]:
    term = ""
    for entry in tag.find_all(["dt", "dd"]):
        text = clean(_inline(entry))
        if entry.name == "dt":
            term = text
        else:
            yield Item(f"{term}: {text}" if term else text, None, depth)


def _table(tag: Tag, depth: int) -> Iterator[Block]:
    """Yield a table; rows named by their first cell, without a head, are ``name: value`` items."""
    if caption := tag.find("caption"):
        yield Paragraph(clean(_inline(caption)))
    rows = [row for row in tag.find_all("tr") if row.find_parent("table") is tag]
    found = [row.find_all(["td", "th"], recursive=False) for row in rows]
    told = [cells for cells in found if _says_something(cells)]
    if _lays_out(told):
        for cells in told:
            for cell in cells:
                yield from _walk(cell, depth)
        return
    grid = fill_grid([_row(*pair) for pair in zip(rows, found, strict=True)])
    yield from map(Paragraph, grid.titles)
    if grid.pairs:
        yield from _pairs(grid.head + grid.body)
    else:
        yield Table((join_head(grid.head), *grid.body))


def _row(tag: Tag, cells: Sequence[Tag]) -> Row:
    section = tag.parent
    return Row(
        tuple(
            Cell(
                clean(_inline(cell)),
                read_span(cell.get("colspan")),
                read_row_span(cell.get("rowspan")),
                cell.name == "th",
            )
            for cell in cells
        ),
        section=id(section),  # told apart from its neighbours only
        in_head=section is not None and section.name == "thead",
        blank=not _says_something(cells),
    )


def _pairs(rows: Iterable[Sequence[str]]) -> Iterator[Block]:
    """Yield names with their values; a name over several rows has all of theirs."""
    for name, same in groupby(rows, key=lambda row: row[0]):
        yield Item(f"{name}: {', '.join(row[1] for row in same)}")


def _says_something(cells: Sequence[Tag]) -> bool:
    return any(cell.get_text(strip=True) for cell in cells)


def _lays_out(rows: Sequence[Sequence[Tag]]) -> bool:
    """Say whether a table only lays out the page: one column, or cells with headings or tables."""
    one_column = all(len(cells) == 1 for cells in rows)
    return one_column or any(cell.find([*_HEADINGS, "table"]) for cells in rows for cell in cells)


def _stands_apart(node: PageElement) -> bool:
    """Say whether a node within a list item is a block of its own: a list, or lines of code."""
    if not isinstance(node, Tag) or _is_dropped(node):
        return False
    return node.name in _LISTS or node.name in ("dl", "pre")


def _preformatted(node: PageElement) -> str:
    """Return a node's text with its line breaks, without the button that copies it."""
    if isinstance(node, PreformattedString):
        return ""
    if isinstance(node, NavigableString):
        return str(node)
    if not isinstance(node, Tag) or _is_dropped(node):
        return ""
    return "\n" if node.name == "br" else "".join(map(_preformatted, node.children))


def _is_block(node: PageElement) -> bool:
    """Say whether a node breaks a line of text: it is a block, or an inline tag around one."""
    if not isinstance(node, Tag) or _is_dropped(node):
        return False
    return node.name in _BLOCKS or node.find(sorted(_BLOCKS)) is not None


def _inline(node: PageElement) -> str:
    """Return a node's text as a reader sees it: no marks, a space where a block or line ends."""
    if isinstance(node, PreformattedString):  # comments, declarations, processing instructions
        return ""
    if isinstance(node, NavigableString):
        return str(node)
    if not isinstance(node, Tag) or _is_dropped(node):
        return ""
    if node.name == "br":
        return " "
    if node.name == "a" and node.get_text(strip=True) in _PERMALINKS:
        return ""
    if node.name == "img":
        return str(node.get("alt") or "")
    text = "".join(_inline(child) for child in node.children)
    return f" {text} " if node.name in _BLOCKS else text
