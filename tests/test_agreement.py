"""Agreement of judges with each other and with people, against figures of the literature."""

import pytest

from stillhouse.base.records import Judgement
from stillhouse.quality.agreement import (
    Ruling,
    describe_judges,
    list_rulings,
    measure_alpha,
    measure_auroc,
)
from stillhouse.quality.review import Verdict

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability": four observers, twelve units.
TEXTBOOK = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]
RATED = [
    {f"{who}": float(said) for who, said in enumerate(unit) if said != "."}
    for unit in zip(*(line.split() for line in TEXTBOOK), strict=True)
]


def score(pair: str, judge: str, value: float, criterion: str = "accuracy") -> Judgement:
    return Judgement(pair, judge, criterion, value, "because", "")


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("interval", 0.849)])
def test_alpha_is_that_of_the_textbook(scale: str, alpha: float) -> None:
    assert measure_alpha(RATED, scale) == pytest.approx(alpha, abs=0.0006)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ratings",
    [[], [{"a": 1.0}, {"b": 0.0}], [{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}]],
    ids=["nothing", "nobody rated the same", "all ratings equal"],
)
def test_no_alpha_where_none_can_be_told(ratings: list[dict[str, float]]) -> None:
    assert measure_alpha(ratings, "interval") is None


def test_opposite_ratings_agree_less_than_chance() -> None:
    assert measure_alpha([{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}], "nominal") == -0.5


def test_ties_count_half_in_the_area_under_the_curve() -> None:
    assert measure_auroc([1.0, 0.5], [0.5, 0.0]) == 0.875
    assert measure_auroc([1.0], []) is None


def test_two_judges_and_people_are_compared_whole() -> None:
    judgements = [
        *(score(pair, "x/1", value) for pair, value in zip("abcd", (1.0, 0.75, 0.25, 1.0), strict=True)),
        *(score(pair, "y/1", value) for pair, value in zip("abc", (1.0, 0.25, 0.0), strict=True)),
        score("a", "offline/2", 1.0, "length"),
    ]  # fmt: skip
    rulings = [Ruling("a", "Ada", True), Ruling("b", "Ada", False), Ruling("a", "Bo", True)]
    told = describe_judges(judgements, rulings, {"accuracy": 0.5})
    assert told["criteria"]["accuracy"] == {  # type: ignore[index,call-overload]
        "threshold": 0.5,
        "judges": [
            {"judge": "x/1", "pairs": 4, "mean": 0.75, "passed": 3},
            {"judge": "y/1", "pairs": 3, "mean": 0.4167, "passed": 1},
        ],
        "judged_by_several": 3,
        "alpha_interval": 0.7191,
        "alpha_passed": 0.4444,
        "pairwise": [
            {
                "a": "x/1",
                "b": "y/1",
                "pairs": 3,
                "agreement": 0.6667,
                "low": 0.2077,
                "high": 0.9385,
                "mean_difference": 0.25,
            }
        ],
        "people": [
            {
                "judge": "x/1",
                "pairs": 2,
                "agreement": 0.5,
                "low": 0.0945,
                "high": 0.9055,
                "passed_but_not_accepted": 1,
                "failed_but_accepted": 0,
                "auroc": 1.0,
            },
            {
                "judge": "y/1",
                "pairs": 2,
                "agreement": 1.0,
                "low": 0.3424,
                "high": 1.0,
                "passed_but_not_accepted": 0,
                "failed_but_accepted": 0,
                "auroc": 1.0,
            },
        ],
    }


def test_of_a_persons_verdicts_on_a_pair_the_last_counts_and_a_fix_is_no_acceptance() -> None:
    verdicts = [
        Verdict("slot-1", "accept", "", "Ada", ""),
        Verdict("pair-1", "fix", "Nine.", "Ada", ""),
        Verdict("pair-2", "accept", "", "Bo", ""),
    ]
    assert list_rulings(verdicts, {"slot-1": "pair-1"}) == [
        Ruling("pair-1", "Ada", False),
        Ruling("pair-2", "Bo", True),
    ]
