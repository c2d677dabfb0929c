"""Replies that are right when they come to the same as the answer, however they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from stillhouse.base.questions import row_answer
from stillhouse.base.records import Row
from stillhouse.evaluation.records import Prediction
from stillhouse.execution.json_schema import equal_json
from stillhouse.execution.sandbox import Limits
from stillhouse.execution.sql import Database, equal_results, is_ordered
from stillhouse.execution.tables import Table
from stillhouse.execution.tasks import EXTRACTION, TEXT_TO_SQL, VERIFIED, table_of

_LIMITS: Final = Limits()


def settle(
    predictions: Iterable[Prediction], rows: Iterable[Row], tables: Iterable[Table]
) -> list[Prediction]:
    """Return the predictions with those of verified tasks decided by execution; order is kept.

    A query is right when its result equals that of the row's own query, a JSON object when it equals
    the row's. A program is never run here: it is right when it is the row's, word for word.
    """
    given = list(predictions)
    asked = {row.row_id: row for row in rows if row.task in VERIFIED}
    found = {p.prediction_id: asked[p.question_id] for p in given if p.question_id in asked}
    queries = [p for p in given if p.prediction_id in found and p.task == TEXT_TO_SQL]
    right = _run_queries(queries, asked, {table.source: table for table in tables})
    for prediction in given:
        row = found.get(prediction.prediction_id)
        if row is not None and row.task == EXTRACTION:
            right[prediction.prediction_id] = equal_json(prediction.answer, row_answer(row))
        elif row is not None and row.task != TEXT_TO_SQL:
            right[prediction.prediction_id] = prediction.answer.split() == row_answer(row).split()
    return [_decide(p, right[p.prediction_id]) if p.prediction_id in right else p for p in given]


def _run_queries(
    predictions: Sequence[Prediction], rows: dict[str, Row], tables: dict[str, Table]
) -> dict[str, bool]:
    """Return by prediction whether its query gives the right result; without a table none does."""

    def place(prediction: Prediction) -> str:
        return table_of(rows[prediction.question_id].slot_id)

    right: dict[str, bool] = {}
    for source, group in groupby(sorted(predictions, key=place), key=place):
        if source not in tables:
            right |= {prediction.prediction_id: False for prediction in group}
            continue
        with Database([tables[source]], _LIMITS) as database:
            for prediction in group:
                wanted = row_answer(rows[prediction.question_id])
                right[prediction.prediction_id] = equal_results(
                    database.query(wanted),
                    database.query(prediction.answer),
                    ordered=is_ordered(wanted),
                )
    return right


def _decide(prediction: Prediction, right: bool) -> Prediction:
    return replace(prediction, correct=right, f1=1.0 if right else prediction.f1, abstained=False)
