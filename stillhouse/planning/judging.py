"""What judges will be asked: exact where every pair is known, else from the known ones to all that may come."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from stillhouse.base.params import PARAMS, load_section
from stillhouse.base.records import Chunk, Document, Message, Pair, Request
from stillhouse.base.tables import read_table
from stillhouse.planning.foresee import CHUNKS, DOCUMENTS, Foreseen
from stillhouse.planning.money import Cost, add_costs, estimate_cost
from stillhouse.planning.sorting import sort_requests
from stillhouse.prompts.judging import Panel, make_panel, render_all, render_judging, show_passages
from stillhouse.prompts.rubrics import FOLDER
from stillhouse.quality.judge import JudgeParams
from stillhouse.teachers.answers import PLAIN_TASK, find_shown, parse_answer
from stillhouse.teachers.estimate import Estimator, read_parameters
from stillhouse.teachers.journal_view import JournalView
from stillhouse.teachers.judging import JUDGING, RESPONSES, STAGE, lay_requests
from stillhouse.teachers.lookup import Archive

_GENERATE: Final = "generate"
_PAIRS: Final = "data/generated/pairs.parquet"
_BLOCK: Final = 512
# What a question and an answer that are not there yet are taken for, in characters.
_QUESTION: Final = 120
_ANSWER: Final = 160


@dataclass(frozen=True, slots=True)
class Judging:
    """Requests that judges will be sent, and those at most; what they cost, as ``Cost`` estimates it.

    ``unreadable`` are earlier answers of judges that cost which cannot be read, by provider.
    """

    low: int
    high: int
    least: Cost
    most: Cost
    unreadable: Mapping[str, tuple[str, ...]]


NOBODY: Final = Judging(0, 0, Cost((), 0), Cost((), 0), {})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a plan is made: the project, what it foresees, and what was answered."""

    root: Path
    scratch: Path
    foreseen: Foreseen
    journal: JournalView
    costs: Mapping[str, bool]
    estimator: Estimator
    archive: Archive


def foresee_judging(known: Known, requests: Iterable[Request]) -> Judging:
    """Return what judges will be asked by the next `dvc repro`.

    Pairs are known where `generate` writes what lies there, or where the journal holds the answer that
    they come from. Any other request makes as many pairs as it asks for, at most.

    Args:
        known: see there.
        requests: those that `generate` will read.

    Raises:
        InputError: the section ``judge`` or a rubric is wrong.
    """
    params = load_section("judge", JudgeParams, known.root / PARAMS)
    folder = known.root / FOLDER
    panel = make_panel(
        params.models, params.rubrics, seed=params.seed, samples=params.samples, folder=folder
    )
    runs = {rerun.stage for rerun in known.foreseen.reruns}
    if not panel.judges or STAGE not in runs:
        return NOBODY
    tables = known.foreseen.tables
    passages = show_passages(
        read_table(tables.find(DOCUMENTS), Document), read_table(tables.find(CHUNKS), Chunk)
    )
    coming: list[Request] = []
    pairs = _find_pairs(known, requests, coming)
    asked, _ = lay_requests(render_all(pairs, passages, panel), known.scratch / "judging")
    found = sort_requests(asked, known.costs, known.journal, known.archive)
    least = estimate_cost(asked, found.to_be_sent, known.costs, known.estimator)
    more, most = _bound(coming, passages, panel, known)
    low = len(found.to_be_sent)
    return Judging(low, low + more, least, add_costs(least, most), found.unreadable)


def find_archive(root: Path, repository: Path) -> Archive:
    """Return where earlier answers of judges lie."""
    path = (JUDGING / RESPONSES).as_posix()
    return Archive(project=root, repository=repository, stage=STAGE, path=path)


def _find_pairs(known: Known, requests: Iterable[Request], coming: list[Request]) -> Iterator[Pair]:
    """Yield the pairs that are known; put the requests whose pairs are not into ``coming``."""
    stages = {rerun.stage for rerun in known.foreseen.reruns} | set(known.foreseen.restored)
    if _GENERATE not in stages and (known.root / _PAIRS).is_file():
        yield from read_table(known.root / _PAIRS, Pair)
        return
    iterator = iter(requests)
    while block := list(islice(iterator, _BLOCK)):
        names = [request.request_id for request in block]
        answers, refused = known.journal.read(names), known.journal.read_refusals(names)
        for request in block:
            if answer := answers.get(request.request_id):
                yield from parse_answer(request, answer).pairs
            elif request.request_id not in refused:
                coming.append(request)


def _bound(
    coming: Iterable[Request], passages: Mapping[str, str], panel: Panel, known: Known
) -> tuple[int, Cost]:
    """Return how many requests judges may be sent for pairs yet to come, and what they may cost."""
    count, cost = 0, Cost((), 0)
    for request in coming:
        if request.task == PLAIN_TASK:
            continue
        parameters = read_parameters(request)
        pairs = int(parameters.get("pairs", 1)) * int(parameters.get("phrasings", 1))
        asked = [one for _, one in render_judging(imagine_pair(request), passages, panel)]
        names = {one.request_id for one in asked}
        each = estimate_cost(asked, names, known.costs, known.estimator)
        count, cost = count + pairs * len(asked), add_costs(cost, each, pairs)
    return count, cost


def imagine_pair(request: Request) -> Pair:
    """Return a pair of the usual length that a request may make, with the passages that it would show."""
    return Pair(
        pair_id=request.request_id,
        slot_id=request.slot_id,
        request_id=request.request_id,
        chunk_ids=request.chunk_ids,
        task=request.task,
        fact_id="",
        messages=(Message("user", "x" * _QUESTION),),
        context="\n\n".join(passage.text for passage in find_shown(request)),
        reasoning="",
        response="x" * _ANSWER,
        confidence=None,
    )
