"""``make study``, third part: what each way of distilling keeps and learns, at equal steps.

For each seed half of the core documents is drawn, ``ROWS`` closed-book rows about them, and an order; every
recipe of ``bench/recipes.py`` takes the same ones from the same base, in the same number of steps.
Measured are recall (the gold questions about those documents), general accuracy (the general
questions), and how far the student's own distribution has gone from the base's: the mean
KL(base ‖ student) in nats a token, over the base's answers to everyday questions that no arm trains on.
The untrained base stands beside the recipes.

What is claimed of two recipes is their difference over the same seeds and questions: the house's paired
bootstrap over questions, and Student's t over seeds, with a word where recall lies within two points.
Resumable: an arm that was run with these rows, this recipe, code and questions is not run again.
Outcomes go to ``.stillhouse/study/frontier.jsonl``.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

import stages  # noqa: F401 - how threads wait is set before torch is imported
import stillhouse
from bench.frontier_outcomes import Outcome, print_arms, print_differences
from bench.pools import DATA, core_sources, draw_documents
from bench.recipes import ABLATIONS, EQUAL_TOKENS, FRONTIER, RECIPES, UNTRAINED
from bench.study import STUDY, run_missing
from stillhouse.base.errors import InputError
from stillhouse.base.home import home
from stillhouse.base.ids import content_id
from stillhouse.base.params import load_section
from stillhouse.base.questions import read_general, read_gold
from stillhouse.base.records import Chunk, Row
from stillhouse.base.runtime import Runtime, choose_device, load_runtime, use_threads
from stillhouse.base.tables import read_all
from stillhouse.distill.bases import Base, open_base, weights_sha256
from stillhouse.distill.batches import Targets
from stillhouse.distill.capture import Sources, capture_rows, open_store
from stillhouse.distill.distributions import Distributions, read_distributions, write_distributions
from stillhouse.distill.encode import Encoded, Reasoning, encode_rows
from stillhouse.distill.loading import load_model as load_base
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.params import Student
from stillhouse.distill.parts import REPLAY, TEACHER, choose_rows, list_parts, name_tokens
from stillhouse.distill.students import save_student
from stillhouse.distill.train import attend_plainly, train_student
from stillhouse.evaluation.answering import Answering, answer_with, load_model
from stillhouse.evaluation.evaluate import EvaluateParams
from stillhouse.evaluation.exam import ExamParams, Material, build_exam
from stillhouse.evaluation.records import Item
from stillhouse.evaluation.references import Examinee, ask
from stillhouse.evaluation.thinking import ROOM, Thinker
from stillhouse.lineage.provenance import list_packages
from stillhouse.lineage.run_key import hash_code

RESULTS: Final = STUDY / "frontier.jsonl"
ROWS: Final = 600
SEEDS: Final = 5
HELD: Final = 40  # everyday answers on which the distance to the base is measured
_CODE: Final = ("base", "distill", "evaluation")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all arms share: the base, the shipped student's section, rows and questions."""

    base: Base
    student: Mapping[str, object]
    rows: tuple[Row, ...]
    everyday: tuple[Row, ...]
    held: tuple[Row, ...]
    passages: Mapping[str, str]
    sources: Mapping[str, str]
    gold: tuple[Item, ...]
    general: tuple[Item, ...]
    common: frozenset[str]
    answering: Answering
    runtime: Runtime


@dataclass(frozen=True, slots=True)
class Arm:
    """One training: a recipe, a seed, its rows and the documents that they are about.

    ``params`` is None for the base as it is, which is only asked.
    """

    recipe: str
    seed: int
    rows: tuple[Row, ...]
    documents: tuple[str, ...]
    params: Student | None

    @property
    def reasoning(self) -> Reasoning:
        """Whether the student reasons before it answers."""
        return self.params.reasoning if self.params else "none"

    def choose_gold(self, setting: Setting) -> list[Item]:
        """Return the gold questions about what the arm could learn."""
        return [item for item in setting.gold if item.document in self.documents]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the arms that are missing and print what they say."""
    parser = argparse.ArgumentParser(prog="python -m bench.frontier")
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help=f"of each recipe (default {SEEDS})"
    )
    parser.add_argument(
        "--ablations", type=int, default=2, help="seeds of each ablation (default 2; 0: none)"
    )
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of an arm (default {ROWS})")
    options = parser.parse_args(argv)
    setting = load_setting()
    plan = [(name, seed) for seed in range(options.seeds) for name in (UNTRAINED, *FRONTIER)]
    plan += [(name, seed) for seed in range(options.ablations) for name in ABLATIONS]
    arms = [make_arm(setting, *one, options.rows) for one in plan]
    outcomes = run_arms(arms, setting, RESULTS, run_arm)
    print_arms(outcomes)
    facts = {item.question_id: item.cluster for item in (*setting.gold, *setting.general)}
    print_differences(outcomes, facts)


def load_setting() -> Setting:
    """Return what the arms share, from the last run's dataset."""
    student = load_section("students.smollm2", Student)
    chunks = read_all(DATA / "corpus/chunks.parquet", Chunk)
    sources, core = {chunk.chunk_id: chunk.source for chunk in chunks}, core_sources()
    train = read_all(DATA / "dataset/train.parquet", Row)
    rows = [row for row in train if row.task == "recall" and sources[row.chunk_ids[0]] in core]
    everyday = [row for row in train if row.task == REPLAY]
    order = random.Random("everyday").sample(everyday, len(everyday))
    exam = build_exam(
        Material(
            gold=read_gold(DATA / "seed/eval/gold.jsonl"),
            general=read_general(DATA / "seed/eval/general.jsonl"),
            train=(),
            test=(),
            chunks=chunks,
        ),
        ExamParams(test_rows=0),
    )
    return Setting(
        base=open_base(student.model, home() / "bases"),
        student=student.model_dump(mode="json") | {"eval_every": 10**6},
        rows=tuple(row for row in rows if not row.context),
        everyday=tuple(order[HELD:]),
        held=tuple(order[:HELD]),
        passages={chunk.chunk_id: chunk.text for chunk in chunks},
        sources=sources,
        gold=tuple(i for i in exam.gold if i.kind == "recall" and i.document in core),
        general=exam.general,
        common=exam.common,
        answering=load_section("evaluate", EvaluateParams).answering,
        runtime=load_runtime(),
    )


def make_arm(setting: Setting, recipe: str, seed: int, count: int) -> Arm:
    """Return one arm; the rows of a seed are the same for every recipe.

    Raises:
        InputError: there are not so many rows.
    """
    documents = draw_documents({setting.sources[row.chunk_ids[0]] for row in setting.rows}, seed)
    about = [row for row in setting.rows if setting.sources[row.chunk_ids[0]] in documents]
    if len(about) < count:
        raise InputError(
            f"{len(about)} rows about half of the core documents",
            expected=f"{count}", remedy="run `dvc repro`, or lower `--rows`",
        )  # fmt: skip
    chosen = random.Random(f"rows {seed}").sample(about, count)
    if recipe == UNTRAINED:
        return Arm(recipe, seed, tuple(chosen), documents, None)
    params = Student.model_validate({**setting.student, **RECIPES[recipe], "seed": seed})
    if recipe in EQUAL_TOKENS:
        budget = sum(count_learned(chosen, setting, "none"))
        chosen = take_rows(chosen, count_learned(chosen, setting, "before_answer"), budget, params)
        passes = budget / sum(count_learned(chosen, setting, params.reasoning))
        # A pass of the reasoning takes the budget but for a few tokens, and whole batches.
        params = params.model_copy(update={"epochs": 1.0 if params.reasoning != "none" else passes})
    steps = params.batch.count_steps(count, params.epochs, declines=False)
    more = setting.everyday[: params.batch.replay * steps]
    return Arm(recipe, seed, (*chosen, *more), documents, params)


def count_learned(rows: Sequence[Row], setting: Setting, reasoning: Reasoning) -> list[int]:
    """Return how many tokens of each row are learned."""
    return [len(one.input_ids) - one.start for one in _encode(rows, setting, reasoning)]


def take_rows(
    rows: Sequence[Row], tokens: Sequence[int], budget: int, params: Student
) -> list[Row]:
    """Return rows for whole batches whose tokens come as near to ``budget`` as the last batch can bring them.

    The first ones, as many batches as stay below it or one less, and those neighbours of the others that
    fit best.
    """
    size = params.batch.taught
    full = max(n for n in range(0, len(rows) + 1, size) if sum(tokens[:n]) <= budget)
    chosen = min(
        (
            [*range(first), *range(last, last + size)]
            for first in (full, full - size)
            for last in range(max(first, 0), len(rows) - size + 1)
        ),
        key=lambda places: abs(sum(tokens[at] for at in places) - budget),
        default=list(range(full)),
    )
    return [rows[at] for at in chosen]


def run_arms(
    arms: Iterable[Arm], setting: Setting, path: Path, run: Callable[[Arm, Setting], Outcome]
) -> list[Outcome]:
    """Return the outcome of every arm; those that ``path`` holds already are not run again."""
    keyed = ((name_arm(arm, setting), arm) for arm in arms)
    return run_missing(
        keyed, path, lambda arm: run(arm, setting), lambda told: print_arms([told], head=False)
    )


def name_arm(arm: Arm, setting: Setting) -> str:
    """Return the id of an arm's outcome: everything that decides it."""
    package = Path(stillhouse.__file__).parent
    asked = [
        [item.prompt, *item.accepted] for item in (*arm.choose_gold(setting), *setting.general)
    ]
    return content_id(
        "frontier",
        {
            "rows": [row.tokens_id for row in _encode(arm.rows, setting, arm.reasoning)],
            "held": [row.tokens_id for row in _encode(setting.held, setting)],
            "student": arm.params and arm.params.model_dump(mode="json"),
            "base": setting.base.sha256,
            "asked": asked,
            "answering": setting.answering.model_dump(mode="json"),
            "code": hash_code(package / folder for folder in _CODE),
            "packages": list_packages(),
            "device": choose_device(setting.runtime),
        },
    )


def run_arm(arm: Arm, setting: Setting) -> Outcome:
    """Train one arm, ask it everything, and return what it answered and how far it went."""
    use_threads(setting.runtime)
    with tempfile.TemporaryDirectory(prefix="stillhouse-study-") as scratch:
        folder, cost = train_arm(arm, arm.params, setting, Path(scratch))
        distance, sha256 = measure_distance(folder, setting), weights_sha256(folder)
        model = load_model(folder, setting.answering, setting.runtime)
    answer = answer_with(model, setting.answering)
    if arm.reasoning == "before_answer":
        answer = Thinker(model, setting.answering, ROOM).answer
    student = Examinee(setting.base.name, sha256, answer)
    asked = {"gold": arm.choose_gold(setting), "general": setting.general}
    return {
        "recipe": arm.recipe,
        "seed": arm.seed,
        "rows": len(arm.rows),
        "documents": list(arm.documents),
        **cost,
        "kl": distance,
        "replies": {
            name: {reply.question_id: reply.correct for reply in ask(student, items, "student", setting.common)}
            for name, items in asked.items()
        },
    }  # fmt: skip


def train_arm(
    arm: Arm, params: Student | None, setting: Setting, scratch: Path
) -> tuple[Path, dict[str, int]]:
    """Return the folder of an arm's student, and its steps, tokens and seconds of training."""
    if params is None:
        return setting.base.folder, {"steps": 0, "tokens": 0, "seconds": 0}
    train = _encode(arm.rows, setting, params.reasoning)
    targets, began = capture(arm, params, train, setting, scratch), time.perf_counter()
    trained = train_student(
        setting.base.folder, train=train, validation=(), targets=targets, params=params,
        runtime=setting.runtime,
    )  # fmt: skip
    seconds = round(time.perf_counter() - began)
    save_student(
        scratch / "student", trained, load_tokenizer(setting.base.folder), params.save_dtype
    )
    return scratch / "student", {
        "steps": trained.steps,
        "tokens": trained.tokens,
        "seconds": seconds,
    }


def capture(
    arm: Arm, params: Student, train: Sequence[Encoded], setting: Setting, scratch: Path
) -> Targets:
    """Return what the teachers of a recipe say on its rows; what was captured before is not again."""
    found: dict[str, Distributions] = {}
    for part in list_parts(params, setting.base, lambda name: open_base(name, home() / "bases")):
        wanted = choose_rows(part, arm.rows, train, lambda: setting.passages)
        sources = Sources(open_store(STUDY / "captured", part.origin))
        read, _ = capture_rows(wanted, part.origin, part.load_models, sources, setting.runtime)
        write_distributions(scratch / part.name, part.origin, wanted, read)
        found[part.name] = read_distributions(
            scratch / part.name, part.origin, name_tokens(part, train)
        )
    return Targets(found.get(REPLAY), found.get(TEACHER))


@torch.inference_mode()
def measure_distance(folder: Path, setting: Setting) -> float:
    """Return the mean KL(base ‖ student) in nats a token over everyday answers that no arm learns."""
    rows, total, tokens = _encode(setting.held, setting), 0.0, 0
    models = [load_base(place) for place in (setting.base.folder, folder)]
    for model in models:
        attend_plainly(model, [len(row.input_ids) for row in rows], setting.runtime)
    for row in rows:
        ids = torch.tensor([row.input_ids])
        base, own = (
            model(input_ids=ids).logits[0, row.start - 1 : -1].double().log_softmax(-1)
            for model in models
        )
        total += float((base.exp() * (base - own)).sum())
        tokens += len(row.input_ids) - row.start
    return total / tokens


def _encode(rows: Sequence[Row], setting: Setting, reasoning: Reasoning = "none") -> list[Encoded]:
    longest = Student.model_validate(setting.student).max_tokens
    return encode_rows(list(rows), load_tokenizer(setting.base.folder), longest, reasoning)


if __name__ == "__main__":
    main()
