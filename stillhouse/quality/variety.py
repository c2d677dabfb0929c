"""What is expected of a dataset's variety: it is not monotonous, not worse than the baseline, near production."""

from collections.abc import Iterator
from typing import Final

from stillhouse.quality.expected import Expected, expect_figure, expect_true
from stillhouse.quality.limits import ValidateParams

# The figure, and its sentence; the limit is the parameter of that name with `_min` or `_max`.
_LOW: Final = {
    "distinct_1": "Rows of train use different words",
    "distinct_2": "Rows of train use different pairs of words",
    "distinct_3": "Rows of train use different runs of three words",
    "cluster_entropy": "Questions lie among all groups of passages, not among a few",
}
_HIGH: Final = {
    "repeated_openings": "Questions do not all begin with words that another one begins with",
    "self_similarity": "Questions are not all about the same (mean cosine of two of them)",
    "refusal_share": "Few answers decline outside of the task that is there for it",
}
_MOVED: Final = {
    "length_drift": "Questions and answers are about as long as in the baseline",
    "diversity_drop": "Wording and subjects are about as varied as in the baseline",
    "similarity_rise": "Questions are not more alike than in the baseline",
    "openings_rise": "Questions do not share openings more often than in the baseline",
    "mix_drift": "The tasks stand in about the same mix as in the baseline",
}
_PRODUCTION: Final = {
    "distance": "Training questions are spread like the prompts of production",
    "far_share": "Few prompts of production are unlike every training question",
    "categories_moved": "Categories stand in the mix that the prompts of production ask for",
}


def expect_variety(params: ValidateParams) -> Iterator[Expected]:
    """Yield what is expected, each with its limit in its sentence.

    Where no baseline is set, a dataset has not moved from it: every change is 0.
    """
    limits = params.collapse.model_dump()
    for name, meaning in _LOW.items():
        low = limits[f"{name}_min"]
        sentence = f"{meaning}. Limit: {low:g} or more."
        yield expect_figure(f"collapse.{name}", sentence, name, low, None, "collapse")
    for name, meaning in _HIGH.items():
        high = limits[f"{name}_max"]
        sentence = f"{meaning}. Limit: {high:g}."
        yield expect_figure(f"collapse.{name}", sentence, name, None, high, "collapse")
    for name, meaning in _MOVED.items():
        high = limits[f"{name}_max"]
        sentence = f"{meaning}. Change allowed: {high:g}; it is 0 where no baseline is set."
        yield expect_figure(f"baseline.{name}", sentence, name, None, high, "moved")
    yield from _expect_production(params)


def _expect_production(params: ValidateParams) -> Iterator[Expected]:
    limits = params.production.model_dump()
    if any(limits[f"{name}_max"] is not None for name in _PRODUCTION):
        yield expect_true(
            "production.measured",
            "Where a limit to production prompts is set, there are enough prompts and rows to measure.",
            "measured",
            "measured",
        )
    for name, meaning in _PRODUCTION.items():
        if (high := limits[f"{name}_max"]) is not None:
            sentence = f"{meaning}. Limit: {high:g}."
            yield expect_figure(f"production.{name}", sentence, name, None, high, "production")
