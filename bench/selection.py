"""``make study``, first part: is a curated choice of rows worth more than a random one of equal size?

Pool: what the last run made, closed book, of half of the core documents (each pair of seeds draws two
halves), less the wordings that the test set holds out and what copies a gold question; once as it is,
once with 30 % spoilt (``bench/corruption.py``). From each, ``ROWS`` rows are drawn: *random* takes them as
they come, *curated* puts the next row that judge and curate pass in the place of each that they drop,
so that the two arms of a seed differ in nothing else. Every arm trains the shipped student's base for
one pass without abstain and replay rows, and is asked the gold recall and the held-out wordings of its documents.

The verdict is read from gold. Two intervals stand beside it, the house's paired bootstrap over facts and
Student's t over the seeds, and a claim has to hold by both. That was fixed before any two arms were
compared; the size of an arm was chosen on the clean pool alone. Resumable: an arm whose rows, code, recipe and questions were run before is
not run again. The outcome of each goes to ``.stillhouse/study/selection.jsonl``.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import stages  # noqa: F401 - how threads wait is set before torch is imported
import stillhouse
from bench.outcomes import POOLS, Outcome, print_outcomes
from bench.pools import DATA, Arm, core_sources, load_source, make_arms, print_found
from bench.study import STUDY, run_missing
from stillhouse.base.home import home
from stillhouse.base.ids import content_id
from stillhouse.base.params import load_section
from stillhouse.base.questions import read_gold
from stillhouse.base.records import Chunk, Row
from stillhouse.base.runtime import Runtime, choose_device, load_runtime, use_threads
from stillhouse.base.tables import read_all
from stillhouse.distill.bases import Base, open_base, weights_sha256
from stillhouse.distill.batches import Targets
from stillhouse.distill.encode import Encoded, encode_rows
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.params import Student
from stillhouse.distill.students import save_student
from stillhouse.distill.train import train_student
from stillhouse.evaluation.answering import Answering, answer_with, load_model
from stillhouse.evaluation.evaluate import EvaluateParams
from stillhouse.evaluation.exam import ExamParams, Material, build_exam
from stillhouse.evaluation.records import Item
from stillhouse.evaluation.references import Examinee, ask
from stillhouse.lineage.provenance import list_packages
from stillhouse.lineage.run_key import hash_code

RESULTS: Final = STUDY / "selection.jsonl"
ROWS: Final = 600
SEEDS: Final = 8
# One pass in 100 steps; rate, warm-up, frozen embeddings and the rest are the shipped student's.
RECIPE: Final = {
    "epochs": 1,
    "batch": {"taught": 6, "abstain": 0.0, "abstain_from": 0.0, "replay": 0},
}
_CODE: Final = ("base", "distill", "evaluation")


@dataclass(frozen=True, slots=True)
class Bench:
    """What every arm shares: the base, the recipe but for its seed, and the questions by set."""

    base: Base
    student: Mapping[str, object]
    items: Mapping[str, tuple[Item, ...]]
    common: frozenset[str]
    answering: Answering
    runtime: Runtime


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
    for seed in range(options.seeds):
        for pool in POOLS:
            drawn, seen = make_arms(source, pool, seed, options.rows)
            arms += drawn
            found += seen
    print_found(found)
    if not options.found:
        outcomes = run_arms(arms, bench, RESULTS, run_arm)
        print_outcomes(outcomes, bench.items)


def load_bench() -> Bench:
    """Return the shipped student's base and recipe, and the questions about what the pool teaches."""
    student = load_section("students.smollm2", Student)
    core = core_sources()
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


def run_arms(
    arms: Iterable[Arm], bench: Bench, path: Path, run: Callable[[Arm, Bench], Outcome]
) -> list[Outcome]:
    """Return the outcome of every arm; those that ``path`` holds already are not run again."""
    keyed = ((name_arm(arm, bench), arm) for arm in arms)
    return run_missing(
        keyed, path, lambda arm: run(arm, bench), lambda told: print(_tell(told), flush=True)
    )


def name_arm(arm: Arm, bench: Bench) -> str:
    """Return the id of an arm's outcome: everything that decides it."""
    package = Path(stillhouse.__file__).parent
    asked = [
        [name, item.prompt, *item.accepted]
        for name, items in bench.items.items()
        for item in arm.choose_items(items)
    ]
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
        targets=Targets(),
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
        name: ask(student, arm.choose_items(items), "student", bench.common)
        for name, items in bench.items.items()
    }
    return {
        "pool": arm.pool,
        "choice": arm.choice,
        "seed": arm.seed,
        "rows": len(arm.rows),
        "spoilt": arm.spoilt,
        "documents": list(arm.documents),
        "steps": trained.steps,
        "seconds": round(time.perf_counter() - began),
        "replies": {
            name: {reply.question_id: reply.correct for reply in given}
            for name, given in replies.items()
        },
    }


def _tell(outcome: Outcome) -> str:
    names: Iterator[str] = (
        f"{name} {sum(right.values())} of {len(right)}"
        for name, right in outcome["replies"].items()
    )
    arm = f"{outcome['pool']}, {outcome['choice']}, seed {outcome['seed']}"
    return f"{arm}: {outcome['spoilt']} spoilt; right: {', '.join(names)}; {outcome['seconds']} s"


if __name__ == "__main__":
    main()
