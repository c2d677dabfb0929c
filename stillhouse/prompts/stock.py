"""The chunks of a corpus in the order of its documents, each with its passage, laid out on disk."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from stillhouse.base.records import Chunk, Document
from stillhouse.base.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Laid:
    """A chunk and the passage that shows it to the teacher."""

    chunk: Chunk
    passage: str


class Stock:
    """All chunks, walked by source and start, or found one by one."""

    def __init__(self, shelf: Shelf[Laid]) -> None:
        self._shelf = shelf

    def __iter__(self) -> Iterator[Laid]:
        return iter(self._shelf)

    def find(self, place: tuple[str, int]) -> Laid:
        """Return the chunk of a source and start that are known to be there."""
        return self._shelf.get(_key(*place))


@contextmanager
def lay_passages(
    documents: Iterable[Document],
    chunks: Iterable[Chunk],
    show: Callable[[Chunk, Document], str],
) -> Iterator[Stock]:
    """Yield the stock of the chunks, each shown beside its document; it is gone after the block."""
    with Shelf(Laid) as stock:
        with Shelf(Document) as texts, Shelf(Chunk) as ordered:
            for document in documents:
                texts.put(document.document_id, document)
            for chunk in chunks:
                ordered.put(_key(chunk.source, chunk.start), chunk)
            # In this order a document is fetched once, however many chunks it has.
            for document_id, group in groupby(ordered, key=lambda chunk: chunk.document_id):
                document = texts.get(document_id)
                for chunk in group:
                    laid = Laid(chunk, show(chunk, document))
                    stock.put(_key(chunk.source, chunk.start), laid)
        yield Stock(stock)


def _key(source: str, start: int) -> str:
    """Return a text that sorts as the pair does: no path holds the character that parts them."""
    return f"{source}\x00{start:012d}"
