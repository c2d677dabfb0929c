"""Fewer rows: meaning, boundary, clusters, quotas and selection, each with its reason and its figures."""

import hashlib
import random
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from pydantic import ValidationError

from stillhouse.base.errors import InputError
from stillhouse.base.params import parse_section
from stillhouse.base.questions import Question
from stillhouse.base.records import Judgement, Message, Pair
from stillhouse.base.text import words
from stillhouse.quality.clusters import find_clusters
from stillhouse.quality.curate import Curated, CurateParams, curate
from stillhouse.quality.judge import JudgeParams
from stillhouse.quality.selecting import find_nearest, measure_coverage, select
from stillhouse.quality.tags import tag
from stillhouse.quality.vectors import Floats, quantise
from tests.making import make_chunk, make_gold, make_pair, make_request

LEAVE = make_chunk()
TRAVEL = make_chunk("money/travel.md", "A day away is paid with 41 pounds.")
FACTUAL = make_request([LEAVE, TRAVEL], category="factual")
REPLAY = make_request([], task="replay", category="conversation")
TOPICS = ("leave days", "travel pounds", "tide gauges", "tea rooms", "boat keys")


def embed(texts: Sequence[str]) -> Floats:
    """Return a direction for each word, added up: texts with the same words are close."""
    vectors = np.zeros((len(texts), 48), dtype=np.float32)
    for place, text in enumerate(texts):
        for word in words(text):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
            vectors[place] += np.random.default_rng(seed).standard_normal(48).astype(np.float32)
    return vectors


def ask(question: str, **fields: Any) -> Pair:
    request = REPLAY if fields.get("task") == "replay" else FACTUAL
    chunks = [] if fields.get("task") == "replay" else fields.pop("chunks", [LEAVE])
    return make_pair(question, fields.pop("answer", "27.5"), chunks, request=request, **fields)


def run(
    pairs: Sequence[Pair],
    judgements: Sequence[Judgement] = (),
    gold: Sequence[Question] = (),
    **settings: Any,
) -> Curated:
    return curate(
        pairs,
        {one.request_id: one for one in (FACTUAL, REPLAY)},
        {one.chunk_id: one for one in (LEAVE, TRAVEL)},
        judgements,
        gold,
        parse_section("curate", CurateParams, settings),
        JudgeParams(),
        embed=embed,
    )


def kept(curated: Curated) -> set[str]:
    return {row.slot_id.rpartition("|")[2] for row in curated.rows}


def details(curated: Curated) -> dict[str, tuple[str, str]]:
    return {one.slot_id.rpartition("|")[2]: (one.reason, one.detail) for one in curated.rejections}


def score(pair: Pair, value: float, judge: str = "a", criterion: str = "accuracy") -> Judgement:
    return Judgement(pair.pair_id, judge, criterion, value, f"{judge} says so", "")


def make_pool(count: int, seed: int = 1) -> list[Pair]:
    """Return questions about a few topics, most about the first, each a fact of its own."""
    rng = random.Random(seed)
    pairs = []
    for number in range(count):
        topic = TOPICS[min(int(rng.expovariate(1.0)), len(TOPICS) - 1)]
        asked = f"What of {topic} is number {number}{rng.randrange(100):02}?"
        pairs.append(ask(asked, fact=str(number), answer=str(number), slot=f"{number:03}"))
    return pairs


def test_the_defaults_thin_nothing_and_need_no_vectors() -> None:
    pairs = make_pool(20)
    chunks = {LEAVE.chunk_id: LEAVE}
    requests = {FACTUAL.request_id: FACTUAL}
    curated = curate(pairs, requests, chunks, [], [], CurateParams(), JudgeParams())
    assert len(curated.rows) == 20
    assert curated.rejections == ()
    assert {one.cluster for one in curated.tags} == {None}
    with pytest.raises(InputError, match="nothing is there that embeds"):
        curate(pairs, requests, chunks, [], [], CurateParams(semantic_duplicate=0.9), JudgeParams())


# Meaning


def test_a_question_that_means_the_same_gives_way_and_names_the_one_that_stays() -> None:
    first = ask("How many leave days are there?", fact="days", slot="1")
    again = ask("Leave days: how many there are?", fact="days", slot="2")
    other = ask("Leave days: how many are there?", fact="others", slot="3")
    curated = run([other, again, first], semantic_duplicate=0.95)
    assert kept(curated) == {"1", "3"}
    assert details(curated)["2"] == (
        "semantic_duplicate",
        f"question 1.00 close in meaning to {first.slot_id} ({first.pair_id[:12]}), same answer",
    )
    assert kept(run([other, again, first])) == {"1", "2", "3"}


def test_what_gave_way_itself_takes_no_other_row_with_it() -> None:
    pairs = [
        ask("alpha beta gamma delta", fact="f", slot="1"),
        ask("alpha beta gamma epsilon", fact="f", slot="2"),
        ask("alpha beta zeta epsilon", fact="f", slot="3"),
    ]
    close = quantise(embed([pair.messages[0].content for pair in pairs]))
    cosines = close.compare(close)
    limit = min(cosines[0, 1], cosines[1, 2])
    assert cosines[0, 2] < limit
    assert kept(run(pairs, semantic_duplicate=float(limit))) == {"1", "3"}


# Boundary


def confident(*values: float | None) -> list[Pair]:
    return [
        ask(f"What is number {place}?", fact=str(place), slot=str(place), confidence=value)
        for place, value in enumerate(values)
    ]


def test_rows_outside_the_boundary_go_where_that_is_chosen_and_unknown_ones_stay() -> None:
    pairs = confident(0.59, 0.6, 0.7, 0.85, 0.86, None)
    curated = run(pairs, boundary={"outside": "drop"})
    assert kept(curated) == {"1", "2", "3", "5"}
    assert details(curated)["4"] == ("boundary", "confidence 0.86 is outside 0.60 to 0.85")
    told = cast("Any", curated.report["confidence"])
    assert told["below"] == {"pairs": 1, "rows": 0}
    assert told["inside"] == {"pairs": 3, "rows": 3}
    assert told["above"] == {"pairs": 1, "rows": 0}
    assert told["unknown"] == {"pairs": 1, "rows": 1}
    filled = {one["from"]: (one["pairs"], one["rows"]) for one in told["bins"] if one["pairs"]}
    assert filled == {0.55: (1, 0), 0.6: (1, 1), 0.7: (1, 1), 0.85: (2, 1)}
    assert kept(run(pairs)) == {"0", "1", "2", "3", "4", "5"}


def test_what_judges_found_out_counts_before_what_the_teacher_says() -> None:
    (pair,) = confident(0.99)
    asked = [score(pair, value, f"j{value}", "confidence") for value in (0.6, 0.8)]
    curated = run([pair], asked, boundary={"outside": "drop"})
    assert [one.confidence for one in curated.tags] == [0.7]


def test_rows_inside_the_boundary_are_preferred_before_better_scored_ones() -> None:
    pairs = confident(0.99, 0.7, 0.3, 0.8)
    judged = [score(pairs[0], 1.0), *(score(pair, 0.5) for pair in pairs[1:])]
    assert kept(run(pairs, judged, quotas={"task": {"recall": 1}})) == {"0"}
    boundary = {"prefer": True}
    assert kept(run(pairs, judged, quotas={"task": {"recall": 2}}, boundary=boundary)) == {"1", "3"}
    assert kept(run(pairs, judged, select={"target": 2}, boundary=boundary)) == {"1", "3"}
    assert {"1", "3"} < kept(run(pairs, judged, select={"target": 3}, boundary=boundary))


def test_a_preference_needs_rows_that_compete() -> None:
    prefer = {"boundary": {"prefer": True}}
    for limits in ({"select": {"target": 3}}, {"quotas": {"task": {"recall": 0}}}):
        CurateParams.model_validate({**prefer, **limits})
    for limits in ({}, {"clusters": {"count": 3}}, {"quotas": {}}):
        with pytest.raises(ValidationError, match="decides among rows that compete"):
            CurateParams.model_validate({**prefer, **limits})


def test_a_boundary_has_to_be_a_range() -> None:
    with pytest.raises(ValidationError, match="has to be below"):
        CurateParams.model_validate({"boundary": {"low": 0.9}})


# Clusters


def test_no_cluster_has_more_rows_than_its_cap_and_the_best_of_it_stay() -> None:
    pairs = make_pool(60)
    judged = [score(pair, place / 60) for place, pair in enumerate(pairs)]
    free, capped = (
        run(pairs, judged, clusters={"count": 5, "cap": cap}, seed=3) for cap in (None, 6)
    )
    clusters = {one.row_id: one.cluster for one in free.tags}
    assert len(free.rows) == 60
    assert set(clusters.values()) == set(range(5))
    assert {one.row_id: one.cluster for one in capped.tags}.items() <= clusters.items()
    scores = {one.pair_id: one.score for one in judged}
    for cluster in range(5):
        ours = sorted((one for one in clusters if clusters[one] == cluster), key=scores.__getitem__)
        assert {row.row_id for row in capped.rows if clusters[row.row_id] == cluster} == set(
            ours[-6:]
        )
    assert {one.reason for one in capped.rejections} == {"cluster_cap"}
    assert "has its 6 rows; gives way to people/leave.md|0" in capped.rejections[0].detail
    sizes = cast("Any", capped.report["clusters"])["sizes"]
    assert sum(one["pairs"] for one in sizes) == 60
    assert max(one["rows"] for one in sizes) == 6


def test_clusters_are_the_topics_whatever_the_order_of_the_rows() -> None:
    centres = np.eye(4)[[0, 1, 2, 3] * 25]
    spread = np.random.default_rng(5).standard_normal(centres.shape) * 0.05
    vectors = quantise(centres + spread)
    found = find_clusters(vectors, 4, 1)
    assert len(set(found.tolist())) == 4
    assert all(len({found[place] for place in range(topic, 100, 4)}) == 1 for topic in range(4))
    assert np.array_equal(find_clusters(vectors, 4, 1), found)
    assert find_clusters(vectors.take([0, 1]), 4, 1).tolist() == [0, 1]


def test_a_cap_without_clusters_is_an_error() -> None:
    with pytest.raises(InputError, match="`count` makes none"):
        run([], clusters={"cap": 3})


# Quotas


def test_quotas_limit_documents_tasks_and_categories_and_say_so() -> None:
    pairs = [
        *(
            ask(f"What of {source.source} is {n}?", chunks=[source], fact=f"{source.source}{n}",
                slot=f"{source.source[0]}{n}")
            for source in (LEAVE, TRAVEL) for n in range(4)
        ),
        *(ask(f"Tell me joke {n}.", task="replay", slot=f"r{n}") for n in range(3)),
    ]  # fmt: skip
    judged = [score(pair, 1 - place / 100) for place, pair in enumerate(pairs)]
    by_document = run(pairs, judged, quotas={"document": {"people/leave.md": 1, "*": 3}})
    assert kept(by_document) == {"p0", "m0", "m1", "m2", "r0", "r1", "r2"}
    assert details(by_document)["p1"] == (
        "quota",
        "the document people/leave.md has its 1 rows; gives way to "
        f"{pairs[0].slot_id} ({pairs[0].pair_id[:12]})",
    )
    assert by_document.report["quotas"] == {
        "document": {
            "money/travel.md": {"limit": 3, "rows": 3, "dropped": 1},
            "people/leave.md": {"limit": 1, "rows": 1, "dropped": 3},
        }
    }
    assert kept(run(pairs, judged, quotas={"task": {"replay": 0, "*": 2}})) == {"p0", "p1"}
    assert kept(run(pairs, judged, quotas={"task": {"*": 1}})) == {"p0", "r0", "r1", "r2"}
    assert len(kept(run(pairs, judged, quotas={"category": {"factual": 5}}))) == 8


@pytest.mark.parametrize("best", ["recall", "replay"])
def test_a_quota_of_categories_counts_no_replay_row_however_good(best: str) -> None:
    everyday = replace(REPLAY, category="factual")  # as shipped
    pairs = [ask(f"What is {n}?", fact=f"f{n}", slot=f"p{n}") for n in range(4)]
    others = [ask(f"Tell me joke {n}.", task="replay", slot=f"r{n}") for n in range(3)]
    judged = [score(pair, 0.9 if pair.task == best else 0.8) for pair in (*pairs, *others)]
    for limits in ({"*": 2}, {"factual": 2}):
        curated = curate(
            [*pairs, *others],
            {one.request_id: one for one in (FACTUAL, everyday)},
            {LEAVE.chunk_id: LEAVE},
            judged,
            [],
            parse_section("curate", CurateParams, {"quotas": {"category": limits}}),
            JudgeParams(),
        )
        left = kept(curated)
        assert (len(left & {"p0", "p1", "p2", "p3"}), left - {"p0", "p1", "p2", "p3"}) == (
            2,
            {"r0", "r1", "r2"},
        )
        assert curated.report["quotas"] == {
            "category": {"factual": {"limit": 2, "rows": 2, "dropped": 2}}
        }


def test_a_quota_of_something_that_nobody_was_asked_about_is_an_error() -> None:
    with pytest.raises(InputError, match=r"curate\.quotas\.task\.recal` names no task"):
        run(make_pool(3), quotas={"task": {"recal": 3}})


# Selection


@pytest.mark.parametrize("by", ["k_centre", "facility_location"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chosen_rows_cover_the_pool_better_than_drawn_ones(by: str, seed: int) -> None:
    pairs = [*make_pool(200, seed), ask("Tell me a joke.", task="replay", slot="joke")]
    curated = run(pairs, select={"target": 20, "by": by}, seed=seed)
    told = cast("Any", curated.report["coverage"])
    assert len(curated.rows) == 21  # replay rows are no part of the number
    assert "joke" in kept(curated)
    assert {one.reason for one in curated.rejections} == {"not_selected"}
    assert (told["pool"], told["chosen"], told["fact"]["pool"]) == (200, 20, 200)
    if by == "k_centre":
        assert told["farthest"] > told["random"]["farthest"]
    else:
        assert told["mean"] > told["random"]["mean"]
    names = {row.slot_id for row in curated.rows}
    assert all(" close to people/leave.md|" in one.detail for one in curated.rejections)
    assert all(
        one.detail.split(" close to ")[1].split(" (")[0] in names for one in curated.rejections
    )
    assert run(pairs[::-1], select={"target": 20, "by": by}, seed=seed).report == curated.report


def test_k_centre_keeps_within_twice_the_best_radius() -> None:
    rng = np.random.default_rng(4)
    vectors = quantise(rng.standard_normal((9, 3)))
    apart = np.arccos(np.clip(vectors.compare(vectors), -1, 1))
    best = min(
        apart[:, [a, b, c]].min(axis=1).max()
        for a in range(9) for b in range(a) for c in range(b)
    )  # fmt: skip
    for seed in range(5):
        chosen = select(vectors, np.zeros(9, dtype=np.int64), 3, "k_centre", seed)
        assert len(set(chosen)) == 3
        assert apart[:, chosen].min(axis=1).max() <= 2 * best + 1e-9


def test_a_choice_of_few_needs_no_more_room_and_is_the_same_in_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(8)
    vectors = quantise(rng.standard_normal((6000, 8)))
    ranks = np.zeros(6000, dtype=np.int64)
    tracemalloc.start()
    try:
        chosen = select(vectors, ranks, 2, "facility_location", 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 6000 * 6000  # one of three such blocks of 64 bits that it took
    monkeypatch.setattr("stillhouse.quality.vectors._CELLS", 10**9)
    assert select(vectors, ranks, 2, "facility_location", 0) == chosen


def test_a_target_above_the_pool_keeps_all() -> None:
    curated = run(make_pool(5), select={"target": 50})
    assert len(curated.rows) == 5
    assert cast("Any", curated.report["coverage"])["mean"] == 1.0


def test_coverage_is_that_of_the_nearest_chosen_row() -> None:
    vectors = quantise(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    places, cosines = find_nearest(vectors, [2, 0])
    assert places.tolist() == [0, 0, 2]
    assert np.allclose(cosines, [1, 0.8, 1], atol=1e-3)
    told = measure_coverage(cosines)
    assert (told.mean, told.farthest) == (round(float(cosines.mean()), 4), round(cosines[1], 4))
    assert told.within["0.7"] == 1.0
    assert told.within["0.9"] == round(2 / 3, 4)


def test_vectors_as_whole_numbers_add_up_the_same_in_every_order() -> None:
    rng = np.random.default_rng(2)
    vectors = quantise(rng.standard_normal((50, 384)))
    order = rng.permutation(384)
    assert np.array_equal(
        vectors.whole @ vectors.whole.T, vectors.whole[:, order] @ vectors.whole[:, order].T
    )
    assert np.abs(vectors.compare(vectors).diagonal() - 1).max() < 1e-12


# Several judges


@pytest.mark.parametrize(
    ("combine", "scores", "stays"),
    [
        ("min", (0.9, 0.9, 0.5), False),
        ("mean", (0.9, 0.9, 0.5), True),
        ("mean", (0.9, 0.5, 0.3), False),
        ("median", (0.9, 0.7, 0.0), True),
        ("median", (0.9, 0.5), True),
        ("majority", (0.9, 0.5), False),
        ("majority", (0.6, 0.6, 0.0), True),
    ],
)
def test_judges_count_together_as_chosen(
    combine: str, scores: tuple[float, ...], stays: bool
) -> None:
    (pair,) = make_pool(1)
    judged = [score(pair, value, f"judge {place}") for place, value in enumerate(scores)]
    curated = run([pair], judged, thresholds={"accuracy": 0.6}, combine=combine)
    assert bool(curated.rows) == stays


def test_judges_that_fall_short_together_are_told() -> None:
    (pair,) = make_pool(1)
    judged = [score(pair, value, judge) for judge, value in (("x", 0.9), ("y", 0.2))]
    told = {
        combine: run([pair], judged, thresholds={"accuracy": 0.6}, combine=combine).rejections[0]
        for combine in ("min", "mean", "majority")
    }
    assert {combine: one.detail for combine, one in told.items()} == {
        "min": "accuracy 0.20 is below 0.60: y says so",
        "mean": "accuracy, mean 0.55 of 2 judges, 0.60 needed; accuracy 0.20 is below 0.60: y says so",
        "majority": "accuracy, reached by 1 of 2 judges, 0.60 needed; "
        "accuracy 0.20 is below 0.60: y says so",
    }


def test_a_threshold_of_verified_tasks_may_stay_where_there_are_none() -> None:
    (pair,) = make_pool(1)
    assert run([pair], [score(pair, 1.0)], thresholds={"executes": 1.0}).rows


# Causes


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({}, None),
        ({"seed": 5}, None),
        ({"clusters": {"count": 3}}, None),
        ({"boundary": {"low": 0.1}}, None),
        ({"semantic_duplicate": 1.0}, "filter"),
        ({"boundary": {"outside": "drop"}}, "filter"),
        ({"clusters": {"count": 3, "cap": 9}}, "filter"),
        ({"quotas": {"task": {"recall": 9}}}, "filter"),
        ({"select": {"target": 9}}, "filter"),
        ({"combine": "mean"}, "judge"),
    ],
)
def test_only_what_can_drop_a_row_changes_its_hashes(
    settings: dict[str, Any], cause: str | None
) -> None:
    pairs = make_pool(4)
    (before, *_), (after, *_) = run(pairs).rows, run(pairs, **settings).rows
    changed = {
        name
        for name in ("judge", "filter", "code", "prompt", "parameters")
        if getattr(before, f"{name}_sha256") != getattr(after, f"{name}_sha256")
    }
    assert changed == ({cause} if cause else set())


# Tags and the report


@pytest.mark.parametrize(
    ("question", "answer", "tags"),
    [
        ("How many days are there?", "27.5 days.", {"asks:how_many", "answer:number"}),
        ("How's leave booked?", "In Leeward.", {"asks:how"}),
        ("May I leave early?", "Yes.", {"asks:yes_no"}),
        ("In spring, who signs?", "The warden.", {"asks:who"}),
        ("Name the calendar.", "Leeward.", {"asks:instruction"}),
        ("As a newcomer: when does it open?", "At noon.", {"asks:when"}),
    ],
)
def test_tags_name_what_is_asked_for(question: str, answer: str, tags: set[str]) -> None:
    always = {"task:recall", "answer:short", "category:factual"}
    assert set(tag(ask(question, answer=answer), "factual")) == always | tags


def test_tags_tell_conversations_passages_and_reasoning() -> None:
    pair = ask("Who signs?", context=LEAVE.text, reasoning="It says so.", answer="word " * 30)
    turns = (Message("user", "Hello."), Message("assistant", "Yes?"), *pair.messages)
    assert set(tag(replace(pair, messages=turns), "")) == {
        "answer:long", "asks:who", "passage:shown", "reasoning:shown", "task:recall", "turns:many",
    }  # fmt: skip


def test_rows_of_a_measured_fact_are_counted_and_stay() -> None:
    gold = [
        make_gold("What's my yearly number of leave days?"),
        make_gold("Who signs?", "gold-002"),
    ]
    pairs = [
        ask("How many leave days are there in a number of months?", answer="27.5 days", slot="1"),
        ask("How is the leave calendar called?", answer="Leeward", slot="2", fact="name"),
        ask("What's my yearly number of leave days?", answer="27.5 days", slot="3"),
    ]
    curated = run(pairs, gold=gold)
    assert kept(curated) == {"1", "2"}
    assert curated.report["gold"] == {
        "questions": 2, "questions_taught": 1, "rows_of_same_fact": 1, "copies_dropped": 1,
    }  # fmt: skip


def test_the_report_counts_every_pair_by_what_became_of_it() -> None:
    pairs = make_pool(30)
    curated = run([*pairs, replace(pairs[0], slot_id="zzz")], select={"target": 10})
    report = cast("Any", curated.report)
    assert (report["pairs"], report["rows"]) == (31, 10)
    assert report["dropped"] == {"duplicate": 1, "not_selected": 20}
    assert report["dropped_by_task"] == {"recall": {"duplicate": 1, "not_selected": 20}}
    assert report["tags"]["task:recall"] == 10
