"""Coverage: what was planned against what came of it, and where that is thin."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from stillhouse.quality.coverage import (
    UNNAMED,
    Covered,
    count_coverage,
    plan_rows,
    report_coverage,
    write_coverage,
)
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.tables import Tables
from tests.making import make_chunk, make_document, make_pair, make_request, make_row
from tests.test_validate import failures, run

LEAVE, CARS, SECRET = (make_document(f"{name}.md") for name in ("leave", "cars", "secret"))
CHUNKS = [make_chunk("leave.md"), make_chunk("cars.md"), make_chunk("secret.md")]
RECALL = make_request(CHUNKS[:1], category="factual", parameters='{"pairs":4,"phrasings":3}')
COMPARE = make_request(
    CHUNKS[:2], task="multi_step", category="analytical", persona="expert", variation="brief"
)
PAIRS = [
    *(make_pair(f"What is {n}?", "27.5", CHUNKS[:1], request=RECALL) for n in range(3)),
    make_pair("Which is longer?", "leave", CHUNKS[:2], request=COMPARE, task="multi_step"),
]
ROWS = [make_row(pair, [LEAVE]) for pair in PAIRS[:2]]
TABLES = Tables(
    documents=[LEAVE, CARS, SECRET],
    chunks=CHUNKS,
    skipped=[],
    requests=[RECALL, COMPARE],
    responses=[],
    pairs=PAIRS,
    unused=[],
    judgements=[],
    curated=ROWS,
    dropped=[],
    reviewed=ROWS,
    train=ROWS[:1],
    validation=[],
    test=ROWS[1:],
)


def count(**limits: object) -> list[Covered]:
    return count_coverage(TABLES, {SECRET.document_id}, ValidateParams.model_validate(limits))


def test_what_was_planned_stands_beside_the_pairs_and_rows_that_came_of_it() -> None:
    assert count(rows_per_task_min=1) == [
        Covered("category", "analytical", 1, 3, 1, 0, 0),
        Covered("category", "factual", 1, 12, 3, 2, 0),
        Covered("task", "multi_step", 1, 3, 1, 0, 1),
        Covered("task", "recall", 1, 12, 3, 2, 1),
        Covered("variation", "brief", 1, 3, 1, 0, 1),
        Covered("variation", "plain", 1, 12, 3, 2, 1),
        Covered("persona", "expert", 1, 3, 1, 0, 1),
        Covered("document", "cars.md", 1, 3, 1, 0, 1),
        Covered("document", "leave.md", 2, 15, 4, 2, 1),
    ]


def test_a_document_that_nothing_was_asked_about_is_listed_and_one_held_out_is_not() -> None:
    unasked = replace(TABLES, requests=[], pairs=[], train=[], test=[])
    found = count_coverage(unasked, {SECRET.document_id}, ValidateParams(rows_per_document_min=2))
    assert found == [
        Covered("document", "cars.md", 0, 0, 0, 0, 2),
        Covered("document", "leave.md", 0, 0, 0, 0, 2),
    ]
    assert all(one.thin for one in found)


def test_a_category_with_a_minimum_is_listed_where_nothing_was_asked_in_it() -> None:
    limits = {"categories_min": {"creative": 1, "factual": 2}}
    found = {one.name: one.thin for one in count(**limits) if one.group == "category"}
    assert found == {"creative": True, "analytical": False, "factual": False}


def test_requests_of_versions_without_categories_are_counted_under_none() -> None:
    plain = replace(TABLES, requests=[replace(RECALL, category=""), replace(COMPARE, category="")])
    found = count_coverage(plain, (), ValidateParams())
    assert [one.name for one in found if one.group == "category"] == [UNNAMED]


@pytest.mark.parametrize(
    ("parameters", "planned"),
    [('{"pairs":4,"phrasings":3}', 12), ('{"pairs":4,"phrasings":3,"reply":true}', 1), ("{}", 1)],
)
def test_a_request_plans_facts_times_phrasings_or_one_turn(parameters: str, planned: int) -> None:
    assert plan_rows(make_request(parameters=parameters)) == planned


def test_the_report_says_what_is_thin_and_the_plot_leaves_documents_out() -> None:
    covered = count(categories_min={"analytical": 1})
    report = report_coverage(covered)
    assert report["category"] == [
        {
            "group": "category",
            "name": "analytical",
            "requests": 1,
            "planned": 3,
            "pairs": 1,
            "rows": 0,
            "least": 1,
            "share": 0.0,
            "thin": True,
        },
        {
            "group": "category",
            "name": "factual",
            "requests": 1,
            "planned": 12,
            "pairs": 3,
            "rows": 2,
            "least": 0,
            "share": 0.1667,
            "thin": False,
        },
    ]
    assert write_coverage(covered).splitlines() == [
        "group,name,planned,pairs,rows,share",
        "category,category analytical,3,1,0,0.0",
        "category,category factual,12,3,2,0.1667",
        "task,task multi_step,3,1,0,0.0",
        "task,task recall,12,3,2,0.1667",
    ]


def test_the_gate_stops_where_a_category_has_fewer_rows_than_its_quota() -> None:
    assert failures(run(categories_min={"code": 1})) == {
        "coverage.categories": ("category code: 0 of 1",)
    }
    assert failures(run(categories_min={"code": 0})) == {}


def test_an_unknown_category_has_no_quota() -> None:
    with pytest.raises(ValidationError):
        ValidateParams.model_validate({"categories_min": {"poetry": 3}})
