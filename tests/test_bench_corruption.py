"""Pairs are spoilt by seed, in eight kinds, each of which makes another pair of a right one."""

import pytest

from bench.corruption import KINDS, SHARE, Others, corrupt
from stillhouse.base.records import Chunk, Message, Pair

ANSWERS = {
    "leave": ("27.5 days.", "Leeward.", "Within 19 working days.", "£38.", "On 1 March."),
    "sick": ("3 weeks.", "HB-021.", "By 08:40.", "4 hours.", "Merrit Osqvale."),
    "rail": ("3 hours 50 minutes.", "£96.", "43p a mile.", "FN-207.", "Pursebook."),
}


def make_chunk(name: str, start: int) -> Chunk:
    source = "money.md" if name == "rail" else "people.md"
    return Chunk(name, source, source, (name,), name, start, start + 9, "text")


def make_pair(chunk: str, fact: int, wording: int) -> Pair:
    return Pair(
        pair_id=f"{chunk}-{fact}-{wording}",
        slot_id=f"people.md|{chunk}|recall|brief|staff|0|{fact}|{wording}",
        request_id="r",
        chunk_ids=(chunk,),
        task="recall",
        fact_id=f"{chunk}-{fact}",
        messages=(Message("user", f"Wording {wording} about {chunk} {fact}?"),),
        context="",
        reasoning="",
        response=ANSWERS[chunk][fact],
        confidence=None,
    )


CHUNKS = {name: make_chunk(name, start) for start, name in enumerate(ANSWERS)}
PAIRS = [
    make_pair(chunk, fact, wording)
    for chunk in ANSWERS
    for fact in range(5)
    for wording in range(6)
]


def ask(pair: Pair) -> str:
    return pair.messages[-1].content


@pytest.mark.parametrize("seed", range(5))
def test_the_share_is_spoilt_in_every_kind_and_all_else_stays_as_it_was(seed: int) -> None:
    pool = corrupt(PAIRS, CHUNKS, seed)
    spoilt = {
        was.pair_id: now for was, now in zip(PAIRS, pool.pairs, strict=True) if was is not now
    }
    assert len(spoilt) == len(pool.kinds) == round(SHARE * len(PAIRS))
    assert {now.pair_id for now in spoilt.values()} == set(pool.kinds)
    assert set(pool.kinds.values()) == set(KINDS)
    for was, now in zip(PAIRS, pool.pairs, strict=True):
        assert (was.slot_id, was.fact_id, was.chunk_ids) == (
            now.slot_id,
            now.fact_id,
            now.chunk_ids,
        )
        assert was is now or (ask(was), was.response) != (ask(now), now.response)


def test_the_same_seed_spoils_the_same_and_another_one_others() -> None:
    assert corrupt(PAIRS, CHUNKS, 3) == corrupt(PAIRS, CHUNKS, 3)
    assert corrupt(PAIRS, CHUNKS, 3) != corrupt(PAIRS, CHUNKS, 4)


class First:
    """Draws the first of what there is: each kind's outcome is then one value."""

    def choice(self, items):
        return items[0]

    def randint(self, low: int, _: int) -> int:
        return low


def test_each_kind_is_wrong_in_its_own_way() -> None:
    pair, others = PAIRS[0], Others(PAIRS, CHUNKS)
    asked, said = "Wording 0 about leave 0?", "27.5 days."
    found = {name: kind(pair, others, First()) for name, kind in KINDS.items()}
    assert {name: (ask(one), one.response) for name, one in found.items() if one} == {
        "truncated": (asked, "27."),
        "missed_by_one": (asked, "26.5 days."),
        "other_unit": (asked, "27.5 weeks."),
        "answer_from_elsewhere": (asked, "Leeward."),
        "answer_of_a_sibling": (asked, "Leeward."),
        "question_of_a_neighbour": ("Wording 0 about sick 0?", said),
        "wording_with_another_answer": ("Wording 1 about leave 0?", "Leeward."),
        "mixed_languages": (asked, "Die Antwort lautet: 27.5 Tage."),
    }


def test_what_a_kind_cannot_spoil_is_left_to_the_next() -> None:
    name = PAIRS[6]  # "Leeward.": neither a number nor a unit
    lonely = Others([name], {name.chunk_ids[0]: CHUNKS[name.chunk_ids[0]]})
    spoilt = [kind for kind in KINDS if KINDS[kind](name, lonely, First()) is not None]
    assert spoilt == ["truncated", "mixed_languages"]
