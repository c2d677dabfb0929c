"""Pools of training pairs, and the rows that two choices draw from one: at random, and curated."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.corruption import KINDS, Pool, corrupt
from bench.outcomes import CURATED, RANDOM
from stillhouse.base.errors import InputError
from stillhouse.base.params import load_section
from stillhouse.base.questions import Question, question_of, read_measuring, row_question
from stillhouse.base.records import Chunk, Pair, Request, Row
from stillhouse.base.tables import read_table
from stillhouse.base.text import normalise
from stillhouse.evaluation.records import Item
from stillhouse.prompts.focus import load_focus
from stillhouse.quality.contamination import find_copied_in
from stillhouse.quality.curate import Curated, CurateParams, curate
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.quality.rows import Causes, make_row
from stillhouse.quality.split import RECALL

DATA: Final = Path("data")


@dataclass(frozen=True, slots=True)
class Source:
    """What pools are made of and judged by."""

    pairs: tuple[Pair, ...]
    requests: Mapping[str, Request]
    chunks: Mapping[str, Chunk]
    gold: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """One training: rows that ``choice`` drew from a pool with a seed; so many of them are ``spoilt``."""

    pool: str
    choice: str
    seed: int
    rows: tuple[Row, ...]
    spoilt: int
    documents: tuple[str, ...]

    def choose_items(self, items: Iterable[Item]) -> list[Item]:
        """Return the questions about what the arm could learn."""
        return [item for item in items if item.document in self.documents]


def load_source() -> Source:
    """Return what the last run made of the focus core: asked closed book, neither held out nor copied."""
    chunks = {chunk.chunk_id: chunk for chunk in read_table(DATA / "corpus/chunks.parquet", Chunk)}
    gold = tuple(read_measuring(DATA / "seed/eval"))
    pairs = drop_asked(read_recall(chunks, core_sources()), gold)
    requests = read_table(DATA / "requests.parquet", Request)
    return Source(pairs, {request.request_id: request for request in requests}, chunks, gold)


def read_recall(chunks: Mapping[str, Chunk], core: Collection[str]) -> list[Pair]:
    """Return the pairs about the core documents that are asked closed book."""
    return [
        pair
        for pair in read_table(DATA / "generated/pairs.parquet", Pair)
        if pair.task == RECALL and chunks[pair.chunk_ids[0]].source in core
    ]


def drop_asked(pairs: Sequence[Pair], gold: Sequence[Question]) -> tuple[Pair, ...]:
    """Return the pairs without those that ask what the test set holds out, or copy a gold question."""
    test = list(read_table(DATA / "dataset/test.parquet", Row))
    held, asked = {row.row_id for row in test}, {normalise(row_question(row)) for row in test}
    params = load_section("curate", CurateParams)
    questions = [question_of(pair.messages, pair.context) for pair in pairs]
    prompts = ((pair.messages, pair.context) for pair in pairs)
    copies = find_copied_in(prompts, gold, params.copied_words, params.copied_similarity)
    return tuple(
        pair
        for pair, question, copied in zip(pairs, questions, copies, strict=True)
        if not copied and pair.pair_id not in held and normalise(question) not in asked
    )


def core_sources() -> set[str]:
    """Return the paths of the core documents."""
    focus = load_focus(DATA / "seed/focus.yaml")
    return {document.source for document in focus.core or ()}


def make_arms(
    source: Source, name: str, seed: int, count: int
) -> tuple[list[Arm], Counter[tuple[str, str]]]:
    """Return both arms of a pool and a seed, and how many pairs of each kind were kept for which reason.

    The kind of an intact pair and the reason of a kept one are empty.
    """
    documents = draw_documents({_source(pair, source) for pair in source.pairs}, seed)
    pairs = tuple(pair for pair in source.pairs if _source(pair, source) in documents)
    pool = corrupt(pairs, source.chunks, seed) if name == "spoilt" else Pool(pairs, {})
    curated = curate_pool(pool.pairs, source)
    kept = {row.row_id for row in curated.rows}
    reasons = {item.rejected_id: item.reason for item in curated.rejections}
    seen = Counter(
        (pool.kinds.get(pair.pair_id, ""), reasons.get(pair.pair_id, "")) for pair in pool.pairs
    )
    everything = {pair.pair_id for pair in pool.pairs}
    arms = []
    for choice, allowed in ((RANDOM, everything), (CURATED, kept)):
        drawn = draw_pairs(pool.pairs, allowed, count, seed)
        rows = (
            make_row(pair, source.requests, source.chunks, Causes("", "", "")) for pair in drawn
        )
        spoilt = sum(pair.pair_id in pool.kinds for pair in drawn)
        arms.append(Arm(name, choice, seed, tuple(rows), spoilt, documents))
    return arms, seen


def draw_documents(core: Collection[str], seed: int) -> tuple[str, ...]:
    """Return half of the documents: an even seed and the next one divide them between them."""
    order = random.Random(f"documents {seed // 2}").sample(sorted(core), len(core))
    half = (len(order) + 1) // 2
    return tuple(sorted(order[half:] or order if seed % 2 else order[:half]))


def curate_pool(pairs: Sequence[Pair], source: Source) -> Curated:
    """Return what the pipeline's offline judge and ``curate`` make of a pool, as params.yaml says."""
    judge_params = load_section("judge", JudgeParams)
    return curate(
        pairs,
        source.requests,
        source.chunks,
        judge_pairs(pairs, source.chunks, judge_params),
        source.gold,
        load_section("curate", CurateParams),
        judge_params,
    )


def draw_pairs(
    pairs: Sequence[Pair], allowed: Collection[str], count: int, seed: int
) -> list[Pair]:
    """Return ``count`` pairs drawn with a seed; for each that is not allowed the next spare one that is.

    Raises:
        InputError: not so many are allowed.
    """
    order = random.Random(f"draw {seed}").sample(
        pairs, len(pairs)
    )  # another stream than corrupt has
    spare = (pair for pair in order[count:] if pair.pair_id in allowed)
    chosen = [pair if pair.pair_id in allowed else next(spare, None) for pair in order[:count]]
    drawn = [pair for pair in chosen if pair is not None]
    if len(drawn) < count:
        raise InputError(
            f"{len(drawn)} pairs to choose from", expected=f"{count}", remedy="run `dvc repro`"
        )
    return drawn


def print_found(found: Mapping[tuple[str, str], int]) -> None:
    """Print how many pairs of each kind curation drops, over all pools, with its reasons."""
    print("what curation drops, by kind of fault (all seeds together)")
    for kind in ("", *KINDS):
        reasons = {reason: n for (name, reason), n in sorted(found.items()) if name == kind}
        total, dropped = sum(reasons.values()), sum(n for reason, n in reasons.items() if reason)
        why = ", ".join(f"{reason} {n}" for reason, n in reasons.items() if reason)
        print(
            f"{kind or 'intact':<30}{dropped:6} of {total:6} {dropped / max(1, total):7.1%}  {why}"
        )


def _source(pair: Pair, source: Source) -> str:
    return source.chunks[pair.chunk_ids[0]].source
