"""Near-duplicates: every one that is there, no other, and each with the row that was kept."""

import random
from collections.abc import Sequence

import pytest

from stillhouse.base.params import load_section
from stillhouse.base.records import Pair
from stillhouse.base.text import words
from stillhouse.quality import near
from stillhouse.quality.curate import CurateParams
from stillhouse.quality.duplicates import find_near_duplicates
from stillhouse.quality.near import Twin, find_twins
from tests.making import make_pair

SYLLABLES = ("ba", "do", "fen", "gul", "har", "jo", "kel", "lun", "mar", "nev")


def make_texts(seed: int, count: int) -> list[str]:
    """Return texts of a small vocabulary, many of them an earlier one with a word exchanged."""
    rng = random.Random(seed)
    vocabulary = [a + b for a in SYLLABLES for b in SYLLABLES]
    texts: list[str] = []
    for _ in range(count):
        spelled = rng.choices(vocabulary, k=rng.choice((0, 1, 2, 5, 9, 14)))
        if texts and rng.random() < 0.7 and (spelled := rng.choice(texts).split()):
            spelled[rng.randrange(len(spelled))] = rng.choice(vocabulary)
        texts.append(" ".join(spelled))
    return texts


def compare_one_by_one(texts: Sequence[str], marks: Sequence[int], limit: float) -> dict[int, Twin]:
    """Return what the definition says: each text against every earlier one that stayed."""
    sets = [set(zip(*(padded(text)[k:] for k in range(3)), strict=False)) for text in texts]
    twins: dict[int, Twin] = {}
    for late in range(len(texts)):
        for early in range(late):
            shared = len(sets[late] & sets[early])
            index = shared / (len(sets[late]) + len(sets[early]) - shared)
            if marks[late] == marks[early] and index >= limit and early not in twins:
                twins[late] = Twin(early, index)
                break
    return twins


def padded(text: str) -> list[str]:
    spelled = words(text)
    return spelled + [""] * (3 - len(spelled))


@pytest.mark.parametrize("limit", [0.2, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_twins_are_those_of_the_definition(
    limit: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = make_texts(seed, 400)
    marks = [random.Random(place).randrange(2) for place in range(len(texts))]
    expected = compare_one_by_one(texts, marks, limit)
    assert expected
    assert find_twins(texts, marks, limit) == expected
    # Also where sets meet so often that they are looked at part by part.
    monkeypatch.setattr(near, "_PRODUCTS", 50)
    monkeypatch.setattr(near, "_COUNTED", 7)
    monkeypatch.setattr(near, "_FEW", 2)
    assert find_twins(texts, marks, limit) == expected


def test_no_texts_have_no_twins() -> None:
    assert find_twins([], [], 0.9) == {}


QUESTIONS = (
    "How many {a} may the {b} of the {c} office take along when they leave for the {d} in spring?",
    "When the {b} of the {c} office leave for the {d} in spring, how many {a} may they take along?",
    "In spring the {c} office sends its {b} out to the {d}; with how many {a} at the very most?",
    "Leaving for the {d} in spring, what number of {a} is it that {b} of the {c} office may carry?",
)
EDITS = (
    lambda asked: asked.upper(),
    lambda asked: asked.replace("?", " please?"),
    lambda asked: "So " + asked[0].lower() + asked[1:],
    lambda asked: asked.replace("?", " ...  ?"),
)


def plant(seed: int) -> tuple[list[Pair], set[str]]:
    """Return pairs about invented facts in several wordings each, and the ids of the near copies."""
    rng = random.Random(seed)
    pairs: list[Pair] = []
    copies: set[str] = set()
    for fact in range(150):
        named = {key: "".join(rng.choices(SYLLABLES, k=3)) for key in "abcd"}
        answer = str(rng.randrange(6))  # few answers, so that only the fact keeps many apart
        for number, wording in enumerate(QUESTIONS):
            asked = wording.format(**named)
            slot = f"{fact:03}{number}"
            pairs.append(make_pair(asked, answer, fact=str(fact), slot=slot))
            if rng.random() < 0.3:
                edited = rng.choice(EDITS)(asked)
                pairs.append(make_pair(edited, answer, fact=str(fact), slot=f"{slot}-copy"))
                copies.add(pairs[-1].pair_id)
    return pairs, copies


@pytest.mark.parametrize("seed", range(5))
def test_planted_near_copies_are_found_and_other_wordings_of_the_fact_stay(seed: int) -> None:
    pairs, copies = plant(seed)
    found = list(find_near_duplicates(pairs, load_section("curate", CurateParams).near_duplicate))
    hits = {hit.pair.pair_id for hit in found}
    assert len(copies) > 100
    assert len(hits & copies) / len(hits) >= 0.99
    assert len(hits & copies) / len(copies) >= 0.98
    for hit in found:
        assert hit.other.slot_id in hit.detail
        assert f"{hit.similarity:.2f}" in hit.detail
        assert hit.pair.slot_id == hit.other.slot_id + "-copy"
