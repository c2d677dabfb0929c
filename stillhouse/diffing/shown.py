"""What the page of a comparison shows: a head of figures, and the rows that differ.

In shape the JSON of ``stillhouse diff --json`` with the texts of both versions. The engine fills it; nothing here is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stillhouse.base.records import Message, Row

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class End:
    """One of the two versions: what was asked for, what it turned out to be, and its number of rows."""

    name: str
    title: str
    commit: str
    md5: str
    rows: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the table, or of one of its tasks or documents, by what became of them."""

    added: int
    removed: int
    changed: int
    unchanged: int

    @property
    def differ(self) -> int:
        """Rows that are not in both versions as they are."""
        return self.added + self.removed + self.changed


@dataclass(frozen=True, slots=True)
class Statistic:
    """A figure of both versions; None where a version has none. ``share`` is in [0, 1], shown in per cent."""

    name: str
    a: float | None
    b: float | None
    share: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """How many of A's rows a stage took away in B, and by which of its reasons."""

    stage: str
    reason: str
    count: int

    @property
    def name(self) -> str:
        """What ``Difference.left`` says of such a row."""
        return f"{self.stage}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Head:
    """All of a comparison but its rows.

    ``columns`` and ``causes`` count rows that differ by column and cause; a row may have several.
    ``moved`` of the changed rows stood at another place in A; None where nobody counted. ``names`` counts
    rows by what a cause is (``{"prompt": {"prompts/exceptions.md": 12}}``). ``notes`` are sentences.
    """

    a: End
    b: End
    table: str
    key: str
    counts: Counts
    columns: Mapping[str, int]
    causes: Mapping[str, int]
    by_task: Mapping[str, Counts]
    by_document: Mapping[str, Counts]
    statistics: tuple[Statistic, ...] = ()
    left: tuple[Left, ...] = ()
    moved: int | None = None
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """A row as one version has it, in what people read. ``ids`` are by name and shown shortened."""

    question: tuple[Message, ...]
    response: str
    reasoning: str = ""
    context: str = ""
    holdout: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that differs. ``old`` is None of one that was added, ``new`` of one that was removed.

    ``columns`` are names among ``Head.columns``, ``left`` is the ``name`` of one of ``Head.left``, and
    ``named`` says for a cause what it is (``prompts/exceptions.md``). ``old_slot_id`` is where A has the
    row, if elsewhere.
    """

    slot_id: str
    kind: Kind
    task: str
    source: str
    causes: tuple[str, ...]
    why: str
    old: Side | None
    new: Side | None
    columns: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    left: str = ""
    old_slot_id: str = ""


def side_of(row: Row) -> Side:
    """Return a row of the dataset as the page shows it."""
    ids = {"row_id": row.row_id, "request_id": row.request_id, "fact_id": row.fact_id}
    response = "\n\n".join(turn.content for turn in row.completion)
    shown = {name: value for name, value in ids.items() if value}
    return Side(row.prompt, response, row.reasoning, row.context, row.holdout, shown)
