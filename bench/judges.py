"""Offline judges by kind of error: ``python -m bench.judges [--no-model]``.

``bench/judged/facts.tsv`` holds facts of the bundled documents, each with a question, an answer in the words
of the document and one in other words, both right; a value of the same passage and one from nowhere, which
make the answer wrong; and the answer denied. Half of the right answers are in other words. Told are, for each
judge and kind of error, the area under the ROC curve against all right answers, the share that is found where
10 % of the right ones are lost, and what a threshold does (``--threshold``, as shipped 0.6).
"""

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from stillhouse.base.records import Chunk, Message, Pair
from stillhouse.base.stage import show_progress
from stillhouse.base.tables import read_all
from stillhouse.planning.makers import make_corpus
from stillhouse.quality.agreement import measure_auroc
from stillhouse.quality.judge import JudgeParams, judge_pairs

Kind = Literal["right", "outside", "inside", "denied"]
Wording = Literal["verbatim", "paraphrase"]
WRONG: Final[tuple[Kind, ...]] = ("outside", "inside", "denied")
LOST: Final = 0.1
THRESHOLD: Final = 0.6
FACTS: Final = Path(__file__).parent / "judged/facts.tsv"


@dataclass(frozen=True, slots=True)
class Case:
    """One answer: to whose question, in which words, and what is wrong with it."""

    chunk: Chunk
    question: str
    wording: Wording
    kind: Kind
    answer: str

    @property
    def pair(self) -> Pair:
        """The case as the offline judge takes it."""
        name = f"{self.question}|{self.answer}"
        asked = (Message("user", self.question),)
        return Pair(name, name, "", (self.chunk.chunk_id,), "recall", "", asked, "", "", self.answer, None)  # fmt: skip


def load_cases(root: Path) -> list[Case]:
    """Return the cases over the passages that the project at ``root`` makes of its documents."""
    with tempfile.TemporaryDirectory() as scratch:
        tables = make_corpus(root, Path(scratch))
        chunks = read_all(tables["data/corpus/chunks.parquet"], Chunk)
    with FACTS.open(encoding="utf-8", newline="") as file:
        return [
            case for fact in csv.DictReader(file, delimiter="\t") for case in _spread(fact, chunks)
        ]


def _spread(fact: Mapping[str, str], chunks: Sequence[Chunk]) -> Iterator[Case]:
    held = [one for one in chunks if one.source == fact["source"] and fact["marker"] in one.text]
    if len(held) != 1:
        raise SystemExit(f"{len(held)} passages of {fact['source']} hold {fact['marker']!r}")
    values: dict[Kind, str] = {"right": fact["value"], "outside": fact["outside"], "inside": fact["inside"]}  # fmt: skip
    wordings: tuple[Wording, ...] = ("verbatim", "paraphrase")
    for wording in wordings:
        for kind, value in values.items():
            if value:  # not every passage has another value
                text = fact[wording].format(v=value)
                yield Case(held[0], fact["question"], wording, kind, text[0].upper() + text[1:])
    yield Case(held[0], fact["question"], "verbatim", "denied", fact["denied"])


def score_offline(cases: Sequence[Case]) -> list[float]:
    """Return the offline judge's groundedness of each case."""
    chunks = {case.chunk.chunk_id: case.chunk for case in cases}
    found = judge_pairs((case.pair for case in cases), chunks, JudgeParams())
    return [one.score for one in found if one.criterion == "groundedness"]


def score_likelihood(cases: Sequence[Case], model: str) -> list[float]:
    """Return a local model's score of each case, read with its passage and without."""
    from stillhouse.base.home import home
    from stillhouse.base.runtime import load_runtime
    from stillhouse.distill.bases import open_base
    from stillhouse.prompts.passages import join_section
    from stillhouse.quality.likelihood import Reader

    reader = Reader(open_base(model, home() / "bases").folder, load_runtime())
    scores = []
    for case in show_progress(cases, "reading answers", len(cases)):
        passage = f"{join_section(case.chunk.headings)}\n{case.chunk.text}"
        scores.append(reader.measure(passage, case.question, case.answer).score)
    return scores


def find_rates(
    cases: Sequence[Case], scores: Sequence[float], threshold: float = THRESHOLD
) -> dict[Kind, dict[str, float]]:
    """Return for each kind of error the area under the curve, and the shares that are found."""
    by_kind: dict[Kind, list[float]] = defaultdict(list)
    for case, score in zip(cases, scores, strict=True):
        by_kind[case.kind].append(score)
    right = sorted(by_kind["right"])
    limit = right[int(LOST * len(right))]
    return {
        kind: {
            "n": len(by_kind[kind]),
            "auroc": measure_auroc(right, by_kind[kind]) or 0.0,
            "found_at_10": sum(one < limit for one in by_kind[kind]) / len(by_kind[kind]),
            f"below_{threshold}": sum(one < threshold for one in by_kind[kind])
            / len(by_kind[kind]),
        }
        for kind in WRONG
    }


def find_lost(
    cases: Sequence[Case], scores: Sequence[float], threshold: float = THRESHOLD
) -> dict[Wording, float]:
    """Return the share of right answers below the threshold, by their wording."""
    kept: dict[Wording, list[bool]] = defaultdict(list)
    for case, score in zip(cases, scores, strict=True):
        if case.kind == "right":
            kept[case.wording].append(score < threshold)
    return {wording: sum(lost) / len(lost) for wording, lost in sorted(kept.items())}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.judges", description=__doc__)
    parser.add_argument(
        "--no-model", action="store_true", help="the offline judge alone, in seconds"
    )
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="of groundedness")
    told = parser.parse_args(arguments)
    limit = told.threshold
    cases = load_cases(Path())
    judges = {"offline (words and values)": score_offline(cases)}
    if not told.no_model:
        likely = score_likelihood(cases, told.model)
        judges[f"likelihood ({told.model})"] = likely
        both = zip(judges["offline (words and values)"], likely, strict=True)
        judges["both: 0 where a value is from nowhere, else the likelihood"] = [
            model if words else 0.0 for words, model in both
        ]
    right = sum(case.kind == "right" for case in cases)
    print(f"{len(cases)} answers, {right} of them right, half of these in other words")
    for judge, scores in judges.items():
        shares = find_lost(cases, scores, limit).items()
        lost = ", ".join(f"{name} {share:.2f}" for name, share in shares)
        print(f"\n{judge}: right answers below {limit}: {lost}")
        for kind, rates in find_rates(cases, scores, limit).items():
            figures = "  ".join(f"{name} {value:.3g}" for name, value in rates.items())
            print(f"  {kind:<8} {figures}")


if __name__ == "__main__":
    main(sys.argv[1:])
