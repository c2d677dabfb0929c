"""``make study``, first part: is a curated choice of rows worth more than a random one of equal size?

Pool: the closed-book pairs of the last run about the focus core, less the wordings that the test set
holds out and what copies a gold question; once as they are, once with 30 % spoilt
(``bench/corruption.py``). From each, ``ROWS`` rows are drawn: *random* takes them as they come,
*curated* puts the next row that judge and curate pass in the place of each that they drop, so that
the two arms of a seed differ in nothing else. Every arm trains the shipped student's base for one pass
without abstain and replay rows, and is asked the gold recall of those documents and the held-out wordings.

What is compared was fixed before any arm was run: gold first; the interval is the house's paired
bootstrap over facts, and beside it stands Student's t over the seeds. Resumable: an arm whose rows, code, recipe and
exam were run before is not run again. The outcome of each goes to ``.stillhouse/study/selection.jsonl``.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import stages  # noqa: F401 - how threads wait is set before torch is imported
import stillhouse
from bench.corruption import KINDS, Pool, corrupt
from bench.outcomes import CURATED, POOLS, RANDOM, Outcome, print_outcomes
from bench.study import STUDY, append_result, read_results
from stillhouse.base.errors import InputError
from stillhouse.base.home import home
from stillhouse.base.ids import content_id
from stillhouse.base.params import load_section
from stillhouse.base.questions import Question, read_general, read_gold
from stillhouse.base.records import Chunk, Pair, Rejection, Request, Row
from stillhouse.base.runtime import Runtime, choose_device, load_runtime, use_threads
from stillhouse.base.tables import read_all, read_table
from stillhouse.distill.bases import Base, open_base, weights_sha256
from stillhouse.distill.encode import Encoded, encode_rows
from stillhouse.distill.params import Student
from stillhouse.distill.students import save_student
from stillhouse.distill.train import load_tokenizer, train_student
from stillhouse.evaluation.answering import Answering, answer_with, load_model
from stillhouse.evaluation.evaluate import EvaluateParams
from stillhouse.evaluation.exam import ExamParams, Material, build_exam
from stillhouse.evaluation.records import Item
from stillhouse.evaluation.references import Examinee, ask
from stillhouse.lineage.provenance import list_packages
from stillhouse.lineage.run_key import hash_code
from stillhouse.prompts.focus import load_focus
from stillhouse.quality.curate import Curated, CurateParams, curate
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.quality.rows import Causes, make_row

DATA: Final = Path("data")
RESULTS: Final = STUDY / "selection.jsonl"
ROWS: Final = 720
SEEDS: Final = 5
# One pass in 60 steps; the curve's rate, warm-up, frozen embeddings and the rest are the shipped student's.
RECIPE: Final = {
    "epochs": 1,
    "batch": {"taught": 12, "abstain": 0.0, "abstain_from": 0.0, "replay": 0},
}
_CODE: Final = ("base", "distill", "evaluation")


@dataclass(frozen=True, slots=True)
class Source:
    """What pools are made of and judged by."""

    pairs: tuple[Pair, ...]
    requests: Mapping[str, Request]
    chunks: Mapping[str, Chunk]
    gold: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every arm shares: the base, the recipe but for its seed, and the questions by set."""

    base: Base
    student: Mapping[str, object]
    items: Mapping[str, tuple[Item, ...]]
    common: frozenset[str]
    answering: Answering
    runtime: Runtime


@dataclass(frozen=True, slots=True)
class Arm:
    """One training: rows that ``choice`` drew from a pool with a seed; so many of them are ``spoilt``."""

    pool: str
    choice: str
    seed: int
    rows: tuple[Row, ...]
    spoilt: int


def main(argv: Sequence[str] | None = None) -> None:
    """Print what curation finds of each kind, run the arms that are missing, and print the verdicts."""
    parser = argparse.ArgumentParser(prog="python -m bench.selection")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="pairs of arms for each pool")
    parser.add_argument(
        "--found", action="store_true", help="only what curation finds; no training"
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each arm")
    options = parser.parse_args(argv)
    source, bench = load_source(), load_bench()
    arms, found = list[Arm](), Counter[tuple[str, str]]()
    for pool in POOLS:
        for seed in range(options.seeds):
            drawn, seen = make_arms(source, pool, seed, options.rows)
            arms += drawn
            found += seen
    print_found(found)
    if not options.found:
        outcomes = run_arms(arms, bench, RESULTS, run_arm)
        print_outcomes(outcomes, bench.items)


def load_source() -> Source:
    """Return what the last run made of the focus core: asked closed book, neither held out nor copied."""
    chunks = {chunk.chunk_id: chunk for chunk in read_table(DATA / "corpus/chunks.parquet", Chunk)}
    core = _core_sources()
    held = {row.row_id for row in read_table(DATA / "dataset/test.parquet", Row)}
    dropped = read_table(DATA / "curated/rejections.parquet", Rejection)
    held |= {item.rejected_id for item in dropped if item.reason == "contamination"}
    pairs = [
        pair
        for pair in read_table(DATA / "generated/pairs.parquet", Pair)
        if pair.task == "recall"
        and pair.pair_id not in held
        and chunks[pair.chunk_ids[0]].source in core
    ]
    requests = read_table(DATA / "requests.parquet", Request)
    seed = DATA / "seed/eval"
    return Source(
        tuple(pairs),
        {request.request_id: request for request in requests},
        chunks,
        (*read_gold(seed / "gold.jsonl"), *read_general(seed / "general.jsonl")),
    )


def load_bench() -> Bench:
    """Return the shipped student's base and recipe, and the questions about what the pool teaches."""
    student = load_section("students.smollm2", Student)
    core = _core_sources()
    held = read_all(DATA / "dataset/test.parquet", Row)
    held = [row for row in held if row.task == "recall" and row.holdout == "phrasing"]
    exam = build_exam(
        Material(
            gold=read_gold(DATA / "seed/eval/gold.jsonl"),
            general=(),
            train=(),
            test=held,
            chunks=read_all(DATA / "corpus/chunks.parquet", Chunk),
        ),
        ExamParams(test_rows=len(held)),
    )
    gold = [item for item in exam.gold if item.kind == "recall" and item.document in core]
    wordings = [item for item in exam.test if item.document in core]
    return Bench(
        base=open_base(student.model, home() / "bases"),
        student=student.model_dump(mode="json") | RECIPE,
        items={"gold": tuple(gold), "wordings": tuple(wordings)},
        common=exam.common,
        answering=load_section("evaluate", EvaluateParams).answering,
        runtime=load_runtime(),
    )


def make_arms(
    source: Source, name: str, seed: int, count: int
) -> tuple[list[Arm], Counter[tuple[str, str]]]:
    """Return both arms of a pool and a seed, and how many pairs of each kind were kept for which reason.

    The kind of an intact pair and the reason of a kept one are empty.
    """
    intact = Pool(source.pairs, {})
    pool = corrupt(source.pairs, source.chunks, seed) if name == "spoilt" else intact
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
        arms.append(Arm(name, choice, seed, tuple(rows), spoilt))
    return arms, seen


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


def run_arms(
    arms: Iterable[Arm], bench: Bench, path: Path, run: Callable[[Arm, Bench], Outcome]
) -> list[Outcome]:
    """Return the outcome of every arm; those that ``path`` holds already are not run again."""
    done, outcomes = read_results(path), list[Outcome]()
    for arm in arms:
        key = name_arm(arm, bench)
        if key not in done:
            done[key] = {"key": key, **run(arm, bench)}
            append_result(done[key], path)
            print(_tell(done[key]), flush=True)
        outcomes.append(done[key])
    return outcomes


def name_arm(arm: Arm, bench: Bench) -> str:
    """Return the id of an arm's outcome: everything that decides it."""
    package = Path(stillhouse.__file__).parent
    asked = [[item.prompt, *item.accepted] for items in bench.items.values() for item in items]
    return content_id(
        "arm",
        {
            "rows": [row.tokens_id for row in encode_arm(arm, bench)],
            "student": {**bench.student, "seed": arm.seed},
            "base": bench.base.sha256,
            "asked": asked,
            "answering": bench.answering.model_dump(mode="json"),
            "code": hash_code(package / folder for folder in _CODE),
            "packages": list_packages(),
            "device": choose_device(bench.runtime),
        },
    )


def encode_arm(arm: Arm, bench: Bench) -> list[Encoded]:
    """Return the rows of an arm as tokens."""
    longest = Student.model_validate(bench.student).max_tokens
    return encode_rows(list(arm.rows), load_tokenizer(bench.base.folder), longest)


def run_arm(arm: Arm, bench: Bench) -> Outcome:
    """Train one arm, ask it everything, and return which questions it answered rightly."""
    began = time.perf_counter()
    use_threads(bench.runtime)
    params = Student.model_validate({**bench.student, "seed": arm.seed})
    trained = train_student(
        bench.base.folder,
        train=encode_arm(arm, bench),
        validation=(),
        distributions=None,
        params=params,
        runtime=bench.runtime,
    )
    with tempfile.TemporaryDirectory(prefix="stillhouse-study-") as scratch:
        folder = Path(scratch) / "student"
        save_student(folder, trained, load_tokenizer(bench.base.folder), params.save_dtype)
        sha256 = weights_sha256(folder)
        model = load_model(folder, bench.answering, bench.runtime)
    student = Examinee(bench.base.name, sha256, answer_with(model, bench.answering))
    replies = {
        name: ask(student, its, "student", bench.common) for name, its in bench.items.items()
    }
    return {
        "pool": arm.pool,
        "choice": arm.choice,
        "seed": arm.seed,
        "rows": len(arm.rows),
        "spoilt": arm.spoilt,
        "steps": trained.steps,
        "seconds": round(time.perf_counter() - began),
        "right": {
            name: sorted(reply.question_id for reply in given if reply.correct)
            for name, given in replies.items()
        },
    }


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


def _core_sources() -> set[str]:
    focus = load_focus(DATA / "seed/focus.yaml")
    return {document.source for document in focus.core or ()}


def _tell(outcome: Outcome) -> str:
    names: Iterator[str] = (f"{name} {len(ids)}" for name, ids in outcome["right"].items())
    arm = f"{outcome['pool']}, {outcome['choice']}, seed {outcome['seed']}"
    return f"{arm}: {outcome['spoilt']} spoilt; right: {', '.join(names)}; {outcome['seconds']} s"


if __name__ == "__main__":
    main()
