"""Calls that will develop pairs: exact where their parents are answered, else as many as may be drawn."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Final

from stillhouse.base.params import PARAMS, load_section
from stillhouse.base.records import Request, join_slot, split_slot
from stillhouse.base.tables import StoredTable, count_values, open_table
from stillhouse.planning.judging import Known, imagine_pair
from stillhouse.planning.money import Cost, estimate_cost
from stillhouse.prompts.evolve import Evolution, Parent, load_evolution
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.teachers.answers import parse_answer
from stillhouse.teachers.estimate import read_parameters
from stillhouse.teachers.generate import GenerateParams, Read
from stillhouse.teachers.rounds import derive_requests

_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class Evolving:
    """``known`` calls develop pairs that are there; ``more`` may come, which ``imagined`` stand for.

    ``most`` is what these may cost.
    """

    known: Sequence[StoredTable[Request]]
    imagined: Sequence[StoredTable[Request]]
    more: int
    most: Cost


NOTHING: Final = Evolving((), (), 0, Cost((), 0))


def foresee_evolution(known: Known, plan: Path) -> Evolving:
    """Return what calls develop the pairs of the plan's requests, in all rounds of `generate`.

    Args:
        known: see there.
        plan: the table of requests that `generate` will read.

    Raises:
        InputError: the section ``generate``, a step or the teacher is wrong.
    """
    params = load_section("generate", GenerateParams, known.root / PARAMS).evolve
    if not params.steps:
        return NOTHING
    teacher = load_section("teacher", TeacherParams, known.root / PARAMS)
    evolution = load_evolution(known.root, params, teacher, count_values(plan, "task"))
    met: set[str] = set()
    exact, imagined = [StoredTable(plan, Request)], list[StoredTable[Request]]()
    for number in range(1, evolution.rounds + 1):
        asked = chain(exact[-1], imagined[-1] if imagined else ())
        files = [known.scratch / f"{kind}-{number}.parquet" for kind in ("derived", "imagined")]
        with (
            open_table(files[0], Request, repeats="first") as fixed,
            open_table(files[1], Request, repeats="first") as guessed,
        ):
            for request, is_known in _derive(evolution, asked, known):
                if request.request_id not in met:
                    (fixed if is_known else guessed).add(request)
        exact.append(StoredTable(files[0], Request))
        imagined.append(StoredTable(files[1], Request))
        met.update(one.request_id for one in exact[-1])
    names = {one.request_id for one in chain.from_iterable(imagined)}
    most = estimate_cost(chain.from_iterable(imagined), names, known.costs, known.estimator)
    return Evolving(exact[1:], imagined, len(names), most)


def _derive(
    evolution: Evolution, asked: Iterable[Request], known: Known
) -> Iterator[tuple[Request, bool]]:
    """Yield the calls of the next round, and whether the pair of each is there."""
    iterator = iter(asked)
    while block := list(islice(iterator, _BLOCK)):
        names = [request.request_id for request in block]
        answers, refused = known.journal.read(names), known.journal.read_refusals(names)
        for request in block:
            if answer := answers.get(request.request_id):
                read = Read(request, answer, parse_answer(request, answer).pairs, ())
                yield from ((child, True) for child in derive_requests(evolution, read))
            elif request.request_id not in refused:
                yield from ((child, False) for child in _imagine(evolution, request))


def _imagine(evolution: Evolution, request: Request) -> Iterator[Request]:
    """Yield a call for each fact that a request without an answer may give and that is drawn."""
    facts = int(read_parameters(request).get("pairs", 1))
    pair, place = imagine_pair(request), split_slot(request.slot_id)
    pairs = [replace(pair, slot_id=join_slot(*place, fact, 0)) for fact in range(facts)]
    for chosen in evolution.choose(request, pairs):
        for child in evolution.ask(Parent(chosen, request, "")):
            # Its words are nobody's: what makes it one of many is its place.
            yield replace(child, request_id=f"imagined {child.slot_id}")
