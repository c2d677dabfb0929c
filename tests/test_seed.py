"""What is taught beside the handbook asks nothing that the evaluation asks.

Core facts are taught, and asked in other words. Everyday questions and questions to decline are not
like that: there the same question in other words would be the answer to an exam that was seen.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillhouse.base.runtime import load_runtime
from stillhouse.evaluation.references import embed_texts

SEED = Path(__file__).parent.parent / "data/seed"

# Above these, neighbours are twins: "the sun rises" and "sets" stand at 0.89, a late shift's swap and
# its end at 0.60, a call to jury service and its pay at 0.68. Some looser twins stood below; those were
# found by reading, and a new question beside one of the exam should be read as well.
EVERYDAY, DECLINED = 0.90, 0.70


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SEED / name).read_text().splitlines()]


def find_twins(asked: list[str], taught: list[str], limit: float) -> list[tuple[str, str]]:
    vectors = np.asarray(embed_texts([*asked, *taught], load_runtime()))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors[: len(asked)] @ vectors[len(asked) :].T
    return [(asked[i], taught[j]) for i, j in np.argwhere(alike >= limit)]


@pytest.mark.slow
def test_no_everyday_question_is_one_of_the_exam_in_other_words() -> None:
    asked = [item["question"] for item in read("eval/general.jsonl")]
    taught = [item["question"] for item in read("everyday.jsonl")]
    assert len(set(taught)) == len(taught)
    assert find_twins(asked, taught, EVERYDAY) == []
    assert find_twins(asked, ["Which planet is called the Red Planet?"], EVERYDAY) != []


@pytest.mark.slow
def test_no_question_to_decline_is_one_of_the_exam_in_other_words() -> None:
    gold = read("eval/gold.jsonl")
    asked = [item["question"] for item in gold if item["kind"] == "unanswerable"]
    taught = [item.get("statement") or item["question"] for item in read("unanswered.jsonl")]
    assert find_twins(asked, taught, DECLINED) == []
    assert find_twins(asked, ["The late shift ends at 21:35 on working days."], DECLINED) != []
