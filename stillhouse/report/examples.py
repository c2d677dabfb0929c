"""Which rows and replies the page shows: drawn by seed, so that nobody picks the good ones."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from stillhouse.base.ids import content_id
from stillhouse.base.questions import question_of
from stillhouse.base.records import Document, Row
from stillhouse.evaluation.records import UNANSWERABLE, Prediction
from stillhouse.report.page import Answer, Examples, Failures, Turn
from stillhouse.report.params import Report

T = TypeVar("T")

_EXAMPLES: Final = 2  # of each document's failures


def draw(items: Iterable[T], key: Callable[[T], str], count: int, seed: int) -> list[T]:
    """Return ``count`` items by seeded hash; a new item displaces one at most."""
    return sorted(items, key=lambda item: content_id("draw", [seed, key(item)]))[:count]


def draw_rows(rows: Sequence[Row], documents: Sequence[Document], params: Report) -> list[Turn]:
    """Return sample training rows, one of each task in turn, in the order of the tasks' names."""
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in draw(rows, lambda row: row.row_id, len(rows), params.seed):
        by_task[row.task].append(row)
    turns = max((len(found) for found in by_task.values()), default=0)
    order = [
        found[i] for i in range(turns) for _, found in sorted(by_task.items()) if i < len(found)
    ]
    names = {document.document_id: document.source for document in documents}
    shown = sorted(order[: params.samples], key=lambda row: (row.task, row.row_id))
    return [_turn(row, names) for row in shown]


def draw_examples(
    student: Sequence[Prediction], base: Sequence[Prediction], params: Report
) -> Examples:
    """Return a student's replies to show; gold goes before the test rows where there is any."""
    own = [item for item in student if item.set == "gold"]
    own = own or [item for item in student if item.set == "test"]
    theirs = {(item.set, item.question_id): item.answer for item in base}

    def pick(chosen: Iterable[Prediction], count: int = params.samples) -> tuple[Answer, ...]:
        drawn = draw(chosen, lambda item: item.question_id, count, params.seed)
        return tuple(_answer(item, theirs) for item in drawn)

    askable = [item for item in own if item.kind != UNANSWERABLE]
    beyond = [item for item in own if item.kind == UNANSWERABLE]
    wrong = [item for item in askable if not item.correct]
    return Examples(
        right=pick(item for item in askable if item.correct),
        wrong=pick(item for item in wrong if not item.abstained),
        failures=tuple(
            Failures(source, len(bad), asked, pick(bad, _EXAMPLES))
            for source, bad, asked in _worst(askable)[: params.failures]
        ),
        declined=pick(item for item in beyond if item.abstained),
        invented=pick(item for item in beyond if not item.abstained),
        falsely_declined=pick(item for item in askable if item.abstained),
    )


def _worst(asked: Sequence[Prediction]) -> list[tuple[str, list[Prediction], int]]:
    """Return (document, its wrong answers, questions asked), most wrong answers first."""
    groups: dict[str, list[Prediction]] = defaultdict(list)
    for item in asked:
        groups[item.document or "several documents"].append(item)
    found = [
        (source, [item for item in items if not item.correct], len(items))
        for source, items in groups.items()
    ]
    return sorted(
        (group for group in found if group[1]),
        key=lambda group: (-len(group[1]), -len(group[1]) / group[2], group[0]),
    )


def _turn(row: Row, names: dict[str, str]) -> Turn:
    sources = [names.get(document_id, document_id[:12]) for document_id in row.document_ids]
    return Turn(
        task=row.task,
        source=", ".join(sources),
        row_id=row.row_id,
        context=row.context,
        question=question_of(row.prompt, row.context),
        answer="\n".join(turn.content for turn in row.completion),
    )


def _answer(item: Prediction, base: dict[tuple[str, str], str]) -> Answer:
    return Answer(
        question=item.question,
        accepted=item.accepted,
        student=item.answer,
        base=base.get((item.set, item.question_id), ""),
        correct=item.correct,
        abstained=item.abstained,
    )
