"""The limits of the gate: ``validate:`` in params.yaml."""

from typing import Annotated

from pydantic import Field

from stillhouse.base.params import Params
from stillhouse.prompts.templates import Category


class CollapseLimits(Params):
    """When a dataset counts as monotonous; what is compared with the baseline counts where one is set.

    ``rows`` of train (and as many passages) are looked at, drawn by hash with ``seed``; ``clusters``
    are the groups of passages that questions are counted in.
    """

    rows: int = Field(default=400, ge=50)
    seed: int = 7
    clusters: int = Field(default=24, ge=1)
    distinct_1_min: float = Field(default=0.03, ge=0, le=1)
    distinct_2_min: float = Field(default=0.12, ge=0, le=1)
    distinct_3_min: float = Field(default=0.2, ge=0, le=1)
    repeated_openings_max: float = Field(default=0.95, ge=0, le=1)
    self_similarity_max: float = Field(default=0.6, ge=0, le=1)
    cluster_entropy_min: float = Field(default=0.3, ge=0, le=1)
    refusal_share_max: float = Field(default=0.05, ge=0, le=1)
    length_drift_max: float = Field(default=0.5, ge=0)
    diversity_drop_max: float = Field(default=0.25, ge=0, le=1)
    similarity_rise_max: float = Field(default=0.1, ge=0, le=1)
    openings_rise_max: float = Field(default=0.25, ge=0, le=1)
    mix_drift_max: float = Field(default=0.3, ge=0, le=1)


class ProductionLimits(Params):
    """How far training may be from production prompts: None measures, and refuses nothing.

    ``prompts_min`` are needed for a measure at all; ``splits`` halvings of them say what chance gives.
    """

    prompts_min: int = Field(default=20, ge=4)
    splits: int = Field(default=100, ge=1)
    distance_max: float | None = Field(default=None, ge=0, le=1)
    far_share_max: float | None = Field(default=None, ge=0, le=1)
    categories_moved_max: float | None = Field(default=None, ge=0, le=1)


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
    collapse: CollapseLimits = CollapseLimits()
    production: ProductionLimits = ProductionLimits()
