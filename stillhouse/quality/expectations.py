"""What the dataset must be like: each expectation with a sentence that says what it means."""

from typing import Final

from stillhouse.quality.expected import (
    Expected,
    expect_between,
    expect_empty,
    expect_false,
    expect_figure,
    expect_match,
    expect_true,
)
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.split import HOLDOUTS
from stillhouse.quality.variety import expect_variety


def expect_all(params: ValidateParams) -> list[Expected]:
    """Return every expectation of the gate, in the order in which the page shows them."""
    return [
        *_SCHEMA,
        *_REFERENCES,
        *_LEAKAGE,
        *_CHECKED,
        *_expect_coverage(params),
        *_expect_lengths(params),
        *_expect_shares(params),
        *expect_variety(params),
        *_expect_no_personal_data(params),
    ]


_SCHEMA: Final = (
    expect_true(
        "schema.columns",
        "Every table has exactly the columns that its record declares, each of the declared type.",
        "schema",
        "as_declared",
    ),
    Expected(
        "schema.unique",
        "No id stands twice in its table, and no row or place is in two parts of the dataset.",
        "keys",
        "ExpectColumnValuesToBeUnique",
        "key",
    ),
    expect_match(
        "schema.hashes",
        "Every id and every cause of a row is a sha256: 64 hexadecimal digits.",
        "hashes",
        "value",
        "^[0-9a-f]{64}$",
    ),
    expect_match(
        "schema.turns",
        "Every prompt ends with the user's turn, and every completion is one answer.",
        "rows",
        "roles",
        "^(?:system-)?(?:user-assistant-)*user-assistant$",
    ),
    Expected(
        "schema.holdout",
        "A row's reason for being held out is one that is known, or empty.",
        "rows",
        "ExpectColumnValuesToBeInSet",
        "holdout",
        (("value_set", ["", *HOLDOUTS]),),
    ),
    expect_true(
        "schema.held_out_says_why",
        "Rows outside train say why they are held out, and rows in train are not held out.",
        "rows",
        "held_out_says_why",
    ),
)

_LINKS: Final = (
    ("chunk_document", "Every chunk is part of a document of the corpus."),
    ("request_chunk", "Every passage that a request shows is in the corpus."),
    ("response_request", "Every answer belongs to a request that was made."),
    ("pair_request", "Every pair was parsed from the answer to a request that was made."),
    ("pair_chunk", "Every passage that a pair was drawn from is in the corpus."),
    ("judgement_pair", "Every judgement is about a pair that exists."),
    ("judgement_request", "Every judgement of a model leads to what the model was asked."),
    ("judging_request", "Every answer of a judge belongs to a question that it was asked."),
    ("judging_pair", "Every answer of a judge that was unusable is about a pair that exists."),
    ("rejection_pair", "Every pair that was rejected exists."),
    ("rejection_request", "Every request that was given up was made."),
    ("rejection_chunk", "Every passage that a rejection names is in the corpus."),
    ("request_parent", "Every request that develops a pair further names a pair that exists."),
    ("row_request", "Every row leads to the request that it came from."),
    ("row_chunk", "Every row leads to its passages."),
    ("row_document", "Every row leads to its documents."),
    ("row_pair", "Every row stands in the place of a pair."),
    ("row_reviewed", "Every row of the dataset went through review."),
)

_REFERENCES: Final = (
    *(expect_true(f"references.{link}", meaning, link, "found") for link, meaning in _LINKS),
    expect_between(
        "references.accounts",
        "Every pair ended in exactly one place: as a row, or as a rejection with its reason.",
        "accounts",
        "ended",
        1,
        1,
    ),
)

_LEAKAGE: Final = (
    expect_false(
        "leakage.question",
        "No question of validation or test is asked in train, whatever its capitals and spaces.",
        "rows",
        "asked_in_train",
    ),
    expect_false(
        "leakage.fact",
        "No fact that the test set holds out as a control is taught in train.",
        "rows",
        "teaches_held_out_fact",
    ),
    expect_false(
        "leakage.document",
        "No document that the test set holds out is taught from in train.",
        "rows",
        "from_held_out_document",
    ),
    expect_false(
        "leakage.focus",
        "No row comes from a document that the focus file keeps out of training.",
        "rows",
        "from_closed_document",
    ),
    expect_empty(
        "leakage.gold",
        "No question copies the wording of a question that measures the student.",
        "copied",
    ),
)


_CHECKED: Final = (
    expect_true(
        "checked.executes",
        "Every row whose answer was executed (SQL, JSON, code) ran as it should.",
        "executed",
        "ran",
    ),
    expect_true(
        "checked.review",
        "Where `review.max_error_rate` is set, the error rate that reviewers found is below it, "
        "up to the upper end of its 95 % interval.",
        "review",
        "borne",
    ),
)


def _expect_coverage(params: ValidateParams) -> list[Expected]:
    sizes = (
        ("train", params.train_rows_min),
        ("validation", params.validation_rows_min),
        ("test", params.test_rows_min),
    )
    return [
        *(
            expect_figure(f"coverage.{part}", f"The {part} set has enough rows: {least} or more.",
                    f"{part}_rows", least, None)
            for part, least in sizes
        ),
        _expect_taught(params.rows_per_document_min, params.untaught_documents_max),
        expect_between(
            "coverage.tasks",
            f"Every task that was asked for has rows ({params.rows_per_task_min} or more).",
            "tasks", "rows", params.rows_per_task_min, None,
        ),
        expect_true(
            "coverage.categories",
            "Every category has as many rows as `validate.categories_min` asks for.",
            "categories", "enough",
        ),
        expect_true(
            "coverage.voices",
            "Every variation and persona that was asked for has rows "
            f"({params.rows_per_task_min} or more).",
            "voices", "enough",
        ),
    ]  # fmt: skip


def _expect_taught(rows: int, untaught: float) -> Expected:
    """Return what is expected of documents: of a few, the passages that were drawn may hold no fact."""
    least = f"{rows} row" if rows == 1 else f"{rows} rows"
    return Expected(
        "coverage.documents",
        "The documents that questions were asked about are taught in train "
        f"({least} or more), all but {untaught:.0%} of them at most.",
        "documents",
        "ExpectColumnValuesToBeBetween",
        "rows",
        # The tiny term keeps rounding from failing a frame that has exactly the allowed share.
        (("min_value", rows), ("max_value", None), ("mostly", max(0.0, 1 - untaught - 1e-9))),
    )


def _expect_lengths(params: ValidateParams) -> list[Expected]:
    return [
        expect_between(
            "lengths.question",
            f"Every question has 1 to {params.question_words_max} words.",
            "rows", "question_words", 1, params.question_words_max,
        ),
        expect_between(
            "lengths.answer",
            f"Every answer has 1 to {params.answer_words_max} words (answers of the base: any).",
            "rows", "answer_words", 1, params.answer_words_max,
        ),
    ]  # fmt: skip


def _expect_shares(params: ValidateParams) -> list[Expected]:
    limits = (
        ("answer_words_mean", params.answer_words_mean_max,
         "Answers in train are short on average, so that what is learnt is the fact."),
        ("abstain_share", params.abstain_share_max,
         "Not too many rows of train decline to answer, or the student would decline everything."),
        ("replay_share", params.replay_share_max,
         "Not too many rows of train are everyday questions, or the student would learn little."),
        ("opening_share", params.opening_share_max,
         f"Not too many questions of train begin with the same {params.opening_words} words."),
    )  # fmt: skip
    return [
        expect_figure(f"distribution.{column}", f"{meaning} Limit: {high:g}.", column, 0, high)
        for column, high, meaning in limits
    ]


def _expect_no_personal_data(params: ValidateParams) -> list[Expected]:
    limits = (
        ("email", "e-mail address", params.email_rows_max),
        ("phone", "telephone number", params.phone_rows_max),
        ("card", "payment card number", params.card_rows_max),
        ("iban", "bank account number", params.iban_rows_max),
    )
    return [
        expect_empty(
            f"personal.{column}",
            f"At most {allowed} rows hold something that looks like a person's {what}.",
            column,
            allowed,
        )
        for column, what, allowed in limits
    ]
