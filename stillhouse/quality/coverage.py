"""What was planned against what came of it, by category, task, voice and document: where the dataset is thin."""

import csv
import io
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.records import Request, Row
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.tables import Tables

Key = tuple[str, str]  # a group and a name in it
GROUPS: Final = ("category", "task", "variation", "persona", "document")
_PLOTTED: Final = ("category", "task")  # a bar for each document would make the plot unreadable
UNNAMED: Final = "(no category)"  # requests of versions that recorded none


@dataclass(frozen=True, slots=True)
class Covered:
    """One name of a group: how many rows were planned at most, and how many there are.

    ``planned`` is the sum over requests of facts × phrasings, a ceiling: a passage may hold fewer facts.
    ``pairs`` is what the teacher gave, ``rows`` what is left of it in the dataset, all parts together;
    ``least`` is the number of rows below which the name counts as thin.
    """

    group: str
    name: str
    requests: int
    planned: int
    pairs: int
    rows: int
    least: int = 0

    @property
    def share(self) -> float:
        """Rows for each one that was planned, in [0, 1] but for what fixes and conversations add."""
        return self.rows / self.planned if self.planned else 0.0

    @property
    def thin(self) -> bool:
        """Whether there are fewer rows than the limits ask for."""
        return self.rows < self.least


def count_coverage(
    tables: Tables, closed: Collection[str], params: ValidateParams
) -> list[Covered]:
    """Return each name of each group; the thinnest first within its group.

    Args:
        tables: of the whole pipeline.
        closed: ids of documents that nothing may be asked about: they are not listed.
        params: how many rows each name should have; categories that it names are listed even where
            nothing was asked in them.
    """
    names = _Names(tables, closed)
    planned, calls = Counter[Key](), Counter[Key]()
    for request in tables.requests:
        for key in names.of_request(request):
            planned[key] += plan_rows(request)
            calls[key] += 1
    pairs = Counter(key for pair in tables.pairs for key in names.of(pair.request_id))
    rows = Counter(key for row in tables.dataset() for key in names.of_row(row))
    wanted = [*names.of_documents(), *(("category", name) for name in params.categories_min)]
    found = [
        Covered(*key, calls[key], planned[key], pairs[key], rows[key], _least(key, params))
        for key in {*planned, *rows, *wanted}
    ]
    return sorted(found, key=lambda c: (GROUPS.index(c.group), c.rows - c.least, c.share, c.name))


def plan_rows(request: Request) -> int:
    """Return how many pairs a request asks for at most: facts × phrasings, one turn of a conversation."""
    parameters = json.loads(request.parameters)
    if parameters.get("reply") is True:
        return 1
    return int(parameters.get("pairs", 1)) * int(parameters.get("phrasings", 1))


def report_coverage(covered: Iterable[Covered]) -> dict[str, Json]:
    """Return what ``reports/coverage.json`` holds: a list for each group, the thinnest first."""
    lines = list(covered)
    return {
        group: [
            {**asdict(one), "share": round(one.share, 4), "thin": one.thin}
            for one in lines
            if one.group == group
        ]
        for group in GROUPS
    }


def write_coverage(covered: Iterable[Covered]) -> str:
    """Return ``reports/coverage.csv``, which DVC plots: rows planned and there by category and task."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "name", "planned", "pairs", "rows", "share"))
    for one in covered:
        if one.group in _PLOTTED:
            label = f"{one.group} {one.name}"
            figures = (one.planned, one.pairs, one.rows, round(one.share, 4))
            writer.writerow((one.group, label, *figures))
    return text.getvalue()


def _least(key: Key, params: ValidateParams) -> int:
    group, name = key
    if group == "category":
        return {str(known): least for known, least in params.categories_min.items()}.get(name, 0)
    return params.rows_per_document_min if group == "document" else params.rows_per_task_min


class _Names:
    """Says under which names of which groups a request, a pair or a row is counted."""

    def __init__(self, tables: Tables, closed: Collection[str]) -> None:
        self._sources = {
            document.document_id: document.source
            for document in tables.documents
            if document.document_id not in closed
        }
        self._documents = {chunk.chunk_id: chunk.document_id for chunk in tables.chunks}
        self._keys = {r.request_id: tuple(self.of_request(r)) for r in tables.requests}

    def of_request(self, request: Request) -> Iterator[Key]:
        """Yield the group and name of all that a request counts for, each document once."""
        yield "category", request.category or UNNAMED
        yield "task", request.task
        yield from (
            (group, name)
            for group, name in (("variation", request.variation), ("persona", request.persona))
            if name
        )
        documents = (self._documents.get(chunk_id, "") for chunk_id in request.chunk_ids)
        yield from self._name_documents(documents)

    def of(self, request_id: str) -> tuple[Key, ...]:
        """Return the names of what was made from a request."""
        return self._keys.get(request_id, ())

    def of_row(self, row: Row) -> Iterator[Key]:
        """Yield the names of a row; its documents are those that it names itself."""
        yield from (key for key in self.of(row.request_id) if key[0] != "document")
        yield from self._name_documents(row.document_ids)

    def of_documents(self) -> Iterator[Key]:
        """Yield every document that may be asked about."""
        yield from self._name_documents(self._sources)

    def _name_documents(self, documents: Iterable[str]) -> Iterator[Key]:
        for document in dict.fromkeys(documents):
            if document in self._sources:
                yield "document", self._sources[document]
