"""The whole gate in one call: frames, expectations, outcomes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from stillhouse.base.questions import Question
from stillhouse.quality import frames, integrity
from stillhouse.quality.alarms import Quality
from stillhouse.quality.coverage import Covered
from stillhouse.quality.curate import CurateParams
from stillhouse.quality.expectations import expect_all
from stillhouse.quality.gate import Validation, run_checks
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.review_errors import ReviewErrors
from stillhouse.quality.tables import Tables

Columns = Mapping[str, Mapping[str, str]]  # the type of each column of each file


@dataclass(frozen=True, slots=True)
class Against:
    """What the tables are held against besides each other.

    ``closed`` are the ids of the documents that the focus file keeps out of training; ``declared`` and
    ``stored`` the columns that each file should have and has; ``covered`` what was planned and is there;
    ``quality`` what was measured of the dataset as a whole; ``review`` the errors that reviewers found.
    """

    gold: Sequence[Question]
    closed: Collection[str]
    declared: Columns
    stored: Columns
    covered: Sequence[Covered]
    quality: Quality
    review: ReviewErrors


def validate(
    opened: Mapping[str, str],
    tables: Tables,
    against: Against,
    params: ValidateParams,
    curate_params: CurateParams,
) -> Validation:
    """Return every check of the gate on the tables; ``opened`` is the md5 of each file by path."""
    built = build_frames(tables, against, params, curate_params)
    return Validation(opened, run_checks(built, expect_all(params)))


def build_frames(
    tables: Tables, against: Against, params: ValidateParams, curate_params: CurateParams
) -> dict[str, pd.DataFrame]:
    """Return every frame that an expectation is about, by the name it calls it."""
    return {
        "schema": integrity.build_schema(against.declared, against.stored),
        "keys": integrity.build_keys(tables),
        "hashes": integrity.build_hashes(tables),
        "rows": frames.build_rows(
            tables,
            against.gold,
            curate_params.copied_words,
            curate_params.copied_similarity,
            against.closed,
        ),
        **integrity.build_links(tables),
        "executed": integrity.build_executed(tables),
        "review": frames.build_review(against.review),
        "accounts": integrity.build_accounts(tables),
        "documents": frames.build_documents(tables),
        "tasks": frames.build_tasks(tables),
        "categories": frames.build_thin(against.covered, ("category",)),
        "voices": frames.build_thin(against.covered, ("variation", "persona")),
        "figures": frames.build_figures(tables, params.opening_words),
        "collapse": frames.build_measured("train", against.quality.figures),
        "moved": frames.build_measured("train", against.quality.moved),
        "production": frames.build_measured("production", against.quality.production),
        "measured": frames.build_known(against.quality.production, params.production.prompts_min),
    }
