"""Questions and queries over a table, by the types of its columns and the values that are shown.

Every query is one that the definition alone proves well formed: counts, filters, extremes, sums,
averages, groups, the first few. Which column is what is told by its type: texts that repeat are
categories, the first text column names the rows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline.orders import Order

_DEFINITION: Final = re.compile(r"CREATE TABLE (\w+) \((.*)\);")
_CELL: Final = re.compile(r"'(?:[^']|'')*'|[^,()\s]+")
_CUT: Final = "…'"
_NUMBERS: Final = ("BIGINT", "DOUBLE")
# How somebody asks for a query; the question takes the place of the braces.
_FRAMES: Final = (
    "Write a SQL query: {}",
    "{} Answer with SQL.",
    "Which query tells me this: {}",
    "As SQL, please: {}",
    "{} I need the query.",
    "Give me the SQL for this question: {}",
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A table as a passage shows it: columns by type, the rows' literals, the categories' values."""

    name: str
    columns: dict[str, str]
    rows: tuple[tuple[str, ...], ...]
    values: dict[str, tuple[str, ...]]

    @property
    def numbers(self) -> list[str]:
        return [name for name, kind in self.columns.items() if kind in _NUMBERS]

    @property
    def key(self) -> str:
        """The column that names a row: the first text that does not repeat, else the first column."""
        texts = [name for name, kind in self.columns.items() if kind == "VARCHAR"]
        return next((name for name in texts if name not in self.values), next(iter(self.columns)))

    def of_type(self, kind: str) -> list[str]:
        return [name for name, found in self.columns.items() if found == kind]


@dataclass(frozen=True, slots=True)
class _Query:
    questions: tuple[str, ...]
    sql: str


def write_queries(passages: Sequence[Passage], order: Order) -> list[Json]:
    """Return the pairs of the tables in a request, kinds of queries in turn."""
    found = [query for passage in passages for query in _spread(list(_ask(_read(passage.text))))]
    return [_write(query, place, order) for place, query in enumerate(found[: order.pairs])]


def _read(text: str) -> _Shown:
    found = _DEFINITION.search(text)
    if found is None:
        return _Shown("", {}, (), {})
    columns = dict(part.split(" ", 1) for part in found[2].split(", ") if " " in part)
    rows, values = [], {}
    for line in text.splitlines():
        name, _, listed = line.removeprefix("-- ").partition(": ")
        if line.startswith("-- (") and line.endswith(")"):
            rows.append(tuple(_CELL.findall(line[4:-1])))
        elif name in columns and line.startswith("-- "):
            values[name] = tuple(cell for cell in _CELL.findall(listed) if cell.startswith("'"))
    whole = tuple(row for row in rows if len(row) == len(columns))
    return _Shown(found[1], columns, whole, values)


def _ask(table: _Shown) -> Iterator[tuple[str, _Query]]:
    """Yield queries with their kind; those of one kind differ in the column that they are about."""
    if not table.name:
        return
    name, key = table.name, table.key
    for column, values in table.values.items():
        for value in values[:2]:
            yield "filter", _count_value(name, column, value)
        if not values:
            continue
        said = f"the different values of {_say(column)} in {name}"
        yield (
            "distinct",
            _Query(
                (f"What are {said}?", f"List {said}, in order."),
                f"SELECT DISTINCT {column} FROM {name} ORDER BY {column}",
            ),
        )
    for number in table.numbers:
        yield from _ask_number(table, number)
    for flag in table.of_type("BOOLEAN"):
        said = f"rows of {name} where {_say(flag)} is true"
        yield (
            "flag",
            _Query(
                (
                    f"How many rows are there of {name} where {_say(flag)} is true?",
                    f"Count the {said}.",
                ),
                f"SELECT count(*) FROM {name} WHERE {flag}",
            ),
        )
    for day in table.of_type("DATE"):
        yield (
            "date",
            _Query(
                (
                    f"What is the latest {_say(day)} in {name}?",
                    f"Which {_say(day)} of {name} comes last?",
                ),
                f"SELECT max({day}) FROM {name}",
            ),
        )
    yield (
        "count",
        _Query(
            (f"How many rows does {name} have?", f"How many entries are there in {name}?"),
            f"SELECT count(*) FROM {name}",
        ),
    )
    if key not in table.values:  # else it names several rows
        yield from _look_up(table)


def _ask_number(table: _Shown, number: str) -> Iterator[tuple[str, _Query]]:
    name, key, said = table.name, table.key, _say(number)
    yield (
        "extreme",
        _Query(
            (
                f"What is the highest value of {said} in {name}?",
                f"How high does {said} go in {name}?",
            ),
            f"SELECT max({number}) FROM {name}",
        ),
    )
    if key != number:
        most = f"{_say(key)} of {name} has the highest value of {said}"
        yield (
            "first",
            _Query(
                (f"Which {most}?", f"Tell me which {most}."),
                f"SELECT {key} FROM {name} ORDER BY {number} DESC, {key} LIMIT 1",
            ),
        )
        few = f"the three rows of {name} with the lowest value of {said}"
        yield (
            "few",
            _Query(
                (f"What is the {_say(key)} of {few}?", f"Name the {_say(key)} for {few}."),
                f"SELECT {key} FROM {name} ORDER BY {number}, {key} LIMIT 3",
            ),
        )
    for column, values in table.values.items():
        if not values:
            continue
        each = f"average of {said} for each {_say(column)} in {name}"
        yield (
            "group",
            _Query(
                (f"What is the {each}?", f"Show the {each}."),
                f"SELECT {column}, avg({number}) FROM {name} GROUP BY {column}",
            ),
        )
        for value in values[:1]:
            total = f"{said} of {name} where the {_say(column)} is {_unquote(value)}"
            yield (
                "sum",
                _Query(
                    (f"What is the sum of {total}?", f"Add up {total}."),
                    f"SELECT sum({number}) FROM {name} WHERE {column} = {value}",
                ),
            )
    for row in table.rows[:1]:
        limit = row[list(table.columns).index(number)]
        if limit != "NULL":
            above = f"rows of {name} where {said} is at least {limit}"
            yield (
                "least",
                _Query(
                    (
                        f"How many rows are there of {name} where {said} is at least {limit}?",
                        f"Count the {above}.",
                    ),
                    f"SELECT count(*) FROM {name} WHERE {number} >= {limit}",
                ),
            )


def _look_up(table: _Shown) -> Iterator[tuple[str, _Query]]:
    """Yield queries for one cell of a row that is named by its key."""
    place = list(table.columns).index(table.key)
    for row in table.rows:
        value = row[place]
        for column in table.columns:
            if column != table.key and value.startswith("'") and not value.endswith(_CUT):
                asked = f"{_say(column)} of {_unquote(value)} in {table.name}"
                yield (
                    "cell",
                    _Query(
                        (f"What is the {asked}?", f"Look up the {asked}."),
                        f"SELECT {column} FROM {table.name} WHERE {table.key} = {value}",
                    ),
                )


def _count_value(name: str, column: str, value: str) -> _Query:
    said = f"rows of {name} have {_unquote(value)} as {_say(column)}"
    return _Query(
        (f"How many {said}?", f"I want to know how many {said}."),
        f"SELECT count(*) FROM {name} WHERE {column} = {value}",
    )


def _spread(found: list[tuple[str, _Query]]) -> list[_Query]:
    """Return queries so that every kind comes before a second one of any kind, in a fixed order."""
    places: dict[str, int] = {}
    ranked = []
    for order, (kind, query) in enumerate(found):
        places[kind] = places.get(kind, 0) + 1
        if not any(_CUT in part for part in (query.sql,)):
            ranked.append((places[kind], order, query))
    return [query for _, _, query in sorted(ranked, key=lambda entry: entry[:2])]


def _write(query: _Query, place: int, order: Order) -> Json:
    asked = []
    for count in range(order.phrasings):
        question = query.questions[count % len(query.questions)]
        frame = _FRAMES[(place * order.phrasings + count) % len(_FRAMES)]
        asked.append(frame.format(question))
    return {
        "fact": query.questions[0],
        "questions": asked,
        "reasoning": "",
        "answer": query.sql,
        "confidence": 1.0,
    }


def _say(column: str) -> str:
    return column.replace("_", " ")


def _unquote(value: str) -> str:
    return value[1:-1].replace("''", "'") if value.startswith("'") else value
