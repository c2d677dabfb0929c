"""The limits of the gate: ``validate:`` in params.yaml."""

from typing import Annotated

from pydantic import Field

from stillhouse.base.params import Params
from stillhouse.prompts.templates import Category


class ValidateParams(Params):
    """The limits of the gate; ``categories_min`` are rows of the dataset by category of task."""

    question_words_max: int = Field(default=60, ge=1)
    answer_words_max: int = Field(default=80, ge=1)
    train_rows_min: int = Field(default=100, ge=1)
    validation_rows_min: int = Field(default=1, ge=0)
    test_rows_min: int = Field(default=10, ge=0)
    rows_per_document_min: int = Field(default=1, ge=0)
    untaught_documents_max: float = Field(default=0.1, ge=0, le=1)
    rows_per_task_min: int = Field(default=3, ge=0)
    categories_min: dict[Category, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    answer_words_mean_max: float = Field(default=30, gt=0)
    abstain_share_max: float = Field(default=0.25, ge=0, le=1)
    replay_share_max: float = Field(default=0.5, ge=0, le=1)
    opening_words: int = Field(default=4, ge=1)
    opening_share_max: float = Field(default=0.25, ge=0, le=1)
    email_rows_max: int = Field(default=0, ge=0)
    phone_rows_max: int = Field(default=0, ge=0)
    card_rows_max: int = Field(default=0, ge=0)
    iban_rows_max: int = Field(default=0, ge=0)
