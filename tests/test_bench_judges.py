"""The cases by which judges are measured are what they say, and the offline judge finds invented values."""

from collections import Counter
from pathlib import Path

import pytest

from bench.judges import Case, find_lost, find_rates, load_cases, score_offline
from stillhouse.quality.claims import extract_claims, gather_evidence

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return load_cases(ROOT)


def test_half_of_the_right_answers_are_in_other_words(cases: list[Case]) -> None:
    counts = Counter((case.kind, case.wording) for case in cases)
    assert counts["right", "paraphrase"] == counts["right", "verbatim"] >= 60
    assert counts["outside", "paraphrase"] == counts["right", "paraphrase"]
    assert counts["inside", "verbatim"] >= 40
    assert len({case.answer for case in cases}) == len(cases)


def test_a_value_of_the_passage_is_in_it_and_one_from_nowhere_is_not(cases: list[Case]) -> None:
    def has_all(case: Case) -> bool:
        chunk = case.chunk
        evidence = gather_evidence([*chunk.headings, chunk.text, chunk.source, case.question])
        values = [one for one in extract_claims(case.answer).values if any(map(str.isdigit, one))]
        return all(evidence.has_value(value) for value in values)

    wrong = [case.answer for case in cases if has_all(case) is (case.kind == "outside")]
    assert wrong == []


def test_the_offline_judge_finds_values_that_are_not_in_the_passage(cases: list[Case]) -> None:
    scores = score_offline(cases)
    rates = find_rates(cases, scores)
    assert rates["outside"]["auroc"] >= 0.98
    assert rates["outside"]["found_at_10"] == 1.0
    assert find_lost(cases, scores)["verbatim"] == 0.0


def test_what_the_offline_judge_cannot_see_is_not_claimed(cases: list[Case]) -> None:
    rates = find_rates(cases, score_offline(cases))
    assert rates["inside"]["auroc"] < 0.7
    assert rates["denied"]["auroc"] < 0.7
