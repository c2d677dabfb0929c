"""Comparisons of two versions for the tests and measurements of their page: any number of rows, always the same."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stillhouse.base.records import Message
from stillhouse.diffing.shown import (
    Counts,
    Difference,
    End,
    Head,
    Kind,
    Left,
    Side,
    Statistic,
)

DOCUMENTS: Final = tuple(
    f"{folder}/{name}.md"
    for folder in ("people", "work", "safety", "money")
    for name in ("annual-leave", "late-shift", "travel", "training", "equipment")
)
TASKS: Final = ("recall", "open_book", "exceptions", "multi_step", "edge_cases")
CAUSES: Final = ("prompt", "document", "judge", "filter", "split")
NAMED: Final = {
    "prompt": "prompts/exceptions.md",
    "judge": "judge: groundedness",
    "filter": "curate.thresholds.groundedness",
    "split": "split.seed",
}
_TEXT: Final = (
    "the of a to in is for on by with at from person manager leave request entered working days "
    "before begins team  leader signs form travel cost hotel night train flight receipt claim "
    "submitted month salary paid bank hours late shift  premium per cent basic pay hall paint "
    "booth people allowed same time area safety shoes helmet visitor badge  returned talk sick "
    "note doctor return care child school training course budget year equipment laptop phone "
    "order "
)
_WORDS: Final = tuple(_TEXT.split())


def make_rows(count: int, words: int = 100, seed: int = 1) -> Iterator[Difference]:
    """Yield rows of every kind, with ``words`` words in each version."""
    rng = random.Random(seed)
    for number in range(count):
        yield _make_row(number, words, rng)


def _make_row(number: int, words: int, rng: random.Random) -> Difference:
    document, task = rng.choice(DOCUMENTS), rng.choice(TASKS)
    old = _make_side(number, words, rng)
    kind: Kind = rng.choices(("changed", "added", "removed"), (6, 2, 1))[0]
    causes = tuple(sorted(rng.sample(CAUSES, rng.choice((1, 1, 2)))))
    slot = f"{document}|Rules of the house/Part {number % 40}:{number % 7}|{task}|brief|staff|0|0|{number}"
    new = _edit(old, number, rng)
    columns = tuple(
        name
        for name, changed in (
            ("question", old.question != new.question),
            ("response", old.response != new.response),
            ("reasoning", old.reasoning != new.reasoning),
            ("holdout", old.holdout != new.holdout),
        )
        if changed and kind == "changed"
    )
    left = (
        rng.choice(("curate: groundedness", "curate: near-duplicate")) if kind == "removed" else ""
    )
    return Difference(
        slot,
        kind,
        task,
        document,
        causes,
        _say_why(kind, causes, left),
        None if kind == "added" else old,
        None if kind == "removed" else new,
        columns,
        {cause: NAMED.get(cause, document) for cause in causes},
        left,
    )


def _say_why(kind: Kind, causes: tuple[str, ...], left: str) -> str:
    if left:
        return (
            f"{left} 0.42 is below 0.60: the answer names a number that the passage does not have."
        )
    if kind == "added":
        return f"There was no row at this place before; {causes[0]} asks for it now."
    return f"{' and '.join(causes)} differ between the two versions."


def _make_side(number: int, words: int, rng: random.Random) -> Side:
    asked, answered = max(4, words // 6), max(4, words // 2)
    ids = {"row_id": f"{rng.getrandbits(256):064x}", "request_id": f"{rng.getrandbits(256):064x}"}
    return Side(
        (Message("user", f"{_say(rng, asked)[:-1]}?"),),
        f"{_say(rng, answered)} Case {number} is due in {rng.randint(2, 40)} days.",
        f"The passage says: {_say(rng, max(4, words - asked - answered))}",
        "",
        "",
        ids,
    )


def _say(rng: random.Random, words: int) -> str:
    said: list[str] = []
    while words > 0:
        size = min(words, rng.randint(6, 14))
        said.append(" ".join(rng.choices(_WORDS, k=size)).capitalize() + ".")
        words -= size
    return " ".join(said)


def _edit(side: Side, number: int, rng: random.Random) -> Side:
    words = side.response.split(" ")
    for _ in range(max(1, len(words) // 15)):
        words[rng.randrange(len(words))] = rng.choice(_WORDS)
    question = side.question
    if number % 5 == 0:
        question = (Message("user", f"In short: {question[0].content}"),)
    ids = {**side.ids, "row_id": f"{rng.getrandbits(256):064x}"}
    holdout = "phrasing" if number % 11 == 0 else ""
    return replace(side, question=question, response=" ".join(words), holdout=holdout, ids=ids)


def make_head(rows: Iterator[Difference], unchanged: int = 3311) -> Head:
    """Return the head that belongs to these rows."""
    kinds: dict[str, int] = dict.fromkeys(("added", "removed", "changed"), 0)
    columns: dict[str, int] = {}
    causes: dict[str, int] = {}
    left: dict[str, int] = {}
    named: dict[str, dict[str, int]] = {}
    groups: dict[str, dict[str, dict[str, int]]] = {"task": {}, "document": {}}
    for row in rows:
        kinds[row.kind] += 1
        for names, counts in ((row.columns, columns), (row.causes, causes)):
            for name in names:
                counts[name] = counts.get(name, 0) + 1
        for cause, name in row.named.items():
            found = named.setdefault(cause, {})
            found[name] = found.get(name, 0) + 1
        if row.left:
            left[row.left] = left.get(row.left, 0) + 1
        for by, value in (("task", row.task), ("document", row.source)):
            group = groups[by].setdefault(value, dict.fromkeys(kinds, 0))
            group[row.kind] += 1
    counted = {
        by: {value: Counts(**group, unchanged=40) for value, group in grouped.items()}
        for by, grouped in groups.items()
    }
    rows_b = kinds["added"] + kinds["changed"] + unchanged
    return Head(
        End(
            "HEAD~1",
            "HEAD~1 (3f2a9c1)",
            "3f2a9c1b" * 5,
            "d41d8cd98f00b204e9800998ecf8427e",
            rows_b - kinds["added"] + kinds["removed"],
        ),
        End("", "the workspace", "", "9e107d9d372bb6826bd81d3542a419d6", rows_b),
        "train",
        "slot_id",
        Counts(**kinds, unchanged=unchanged),
        columns,
        causes,
        counted["task"],
        counted["document"],
        (
            Statistic("mean question length, words", 14.2, 15.75),
            Statistic("mean answer length, words", 21.04, 20.96),
            Statistic("groundedness, mean score", 0.8812, 0.9134),
            Statistic("share of task exceptions", 0.081, 0.124, share=True),
            Statistic("near-duplicates left out", 212, 1310),
            Statistic("passes: answers are 1 to 200 words", 1.0, 0.9987, share=True),
            Statistic("passes: every id leads somewhere", 1.0, 1.0, share=True),
        ),
        tuple(Left(*name.split(": "), count) for name, count in left.items()),
        moved=17,
        names=named,
        notes=("12 rows with the same words bear another judge.",),
    )
