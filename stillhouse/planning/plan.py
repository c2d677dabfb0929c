"""The plan: what the next `dvc repro` will ask, cost and run. It sends and writes nothing."""

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from stillhouse.base.accepted import compare_accepted
from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError, StillhouseError
from stillhouse.base.formats import check_formats, explain_changes
from stillhouse.base.home import find_home
from stillhouse.base.ids import md5_file
from stillhouse.base.library import LIBRARY, check_library
from stillhouse.base.lock import Lock, read_lock
from stillhouse.base.params import PARAMS, load_section
from stillhouse.base.records import Request
from stillhouse.base.requests import DERIVED
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import check_copy
from stillhouse.base.tables import StoredTable, read_table
from stillhouse.base.timings import Timings, read_timings
from stillhouse.planning.causes import Caused, Former, explain_requests
from stillhouse.planning.evolving import NOTHING, Evolving, foresee_evolution
from stillhouse.planning.foresee import CHUNKS, REQUESTS, Rerun, foresee
from stillhouse.planning.hashes import Hashes
from stillhouse.planning.judging import NOBODY, Judging, Known, find_archive, foresee_judging
from stillhouse.planning.makers import list_makers
from stillhouse.planning.money import BudgetState, Cost, add_costs, estimate_cost, weigh_budget
from stillhouse.planning.sorting import Count, Kind, Sorted, settle, sort_requests
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.generate import GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.journal_view import JournalView
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.params import load_journal, load_teachers
from stillhouse.teachers.protocol import Teacher
from stillhouse.teachers.remote import Remote, open_journal_remote

_GENERATE: Final = "generate"
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class TimedRerun:
    """A stage that will run, and the seconds that it is likely to take; None if that is unknown."""

    rerun: Rerun
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next `dvc repro` does.

    ``obstacles`` are sentences that say why it will stop before it has asked for everything;
    ``restored`` are stages that DVC takes from its run cache; ``made`` are the tables that had to
    be worked out for this, because those on disk are of other inputs or other code; ``submitted``
    are requests whose answers wait in message batches; ``evolving`` says what may be asked beyond
    ``counts``, to develop pairs that are not there yet.
    """

    counts: Mapping[Kind, Count]
    caused: Caused
    cost: Cost
    budget: BudgetState
    reruns: tuple[TimedRerun, ...]
    restored: tuple[str, ...]
    obstacles: tuple[str, ...]
    made: tuple[str, ...]
    to_be_sent: frozenset[str]
    submitted: frozenset[str]
    judging: Judging = NOBODY
    evolving: Evolving = NOTHING

    @property
    def requests(self) -> Count:
        """All requests."""
        return sum(self.counts.values(), Count())

    @property
    def paid(self) -> Count:
        """The requests to teachers that cost."""
        return sum((count for kind, count in self.counts.items() if kind.costs), Count())

    @property
    def free(self) -> Count:
        """The requests to teachers that cost nothing but time."""
        return sum((count for kind, count in self.counts.items() if not kind.costs), Count())

    def count_tasks(self) -> dict[str, Count]:
        """Return the requests of each task."""
        return self._count_by(lambda kind: kind.task)

    def count_teachers(self) -> dict[str, Count]:
        """Return the requests to each teacher."""
        return self._count_by(lambda kind: kind.teacher)

    def _count_by(self, name: Callable[[Kind], str]) -> dict[str, Count]:
        found: dict[str, Count] = {}
        for kind, count in self.counts.items():
            found[name(kind)] = found.get(name(kind), Count()) + count
        return dict(sorted(found.items()))


def make_plan(root: Path, teachers: Collection[Teacher]) -> Plan:
    """Return the plan of the project at ``root``, which is the working directory.

    Args:
        root: the project.
        teachers: those that requests may name; another one is taken for one that costs.

    Raises:
        InputError: what no stage would run with: parameters, prompts, code of other formats.
    """
    check_code(root)
    runtime, params = load_runtime(root / PARAMS), load_section("generate", GenerateParams)
    costs = {teacher.name: teacher.costs for teacher in teachers}
    home = find_home(root)
    with (
        tempfile.TemporaryDirectory(prefix="stillhouse-plan-") as scratch,
        _open_journal(root, Path(scratch)) as (journal, remote),
    ):
        foreseen = foresee(root, list_makers(root, Path(scratch)))
        requests = StoredTable(foreseen.tables.find(REQUESTS), Request)
        put_back = _GENERATE in foreseen.restored
        estimator = Estimator(journal.read_rates(), load_teachers(root / PARAMS))
        repository = _find_archive(root).repository
        known = Known(
            root,
            Path(scratch),
            foreseen,
            journal,
            costs,
            estimator,
            find_archive(root, repository),
        )
        evolving = foresee_evolution(known, foreseen.tables.find(REQUESTS))
        asked = Joined((requests, *evolving.known))
        found = sort_requests(asked, costs, journal, _find_archive(root))
        if put_back:
            found, evolving = settle(found), NOTHING
        cost = estimate_cost(asked, found.to_be_sent, costs, estimator)
        caused = explain_requests(asked, found.to_be_sent, find_former(root))
        judging = foresee_judging(known, Joined((asked, *evolving.imagined)))
        least = add_costs(cost, judging.least)
        most = add_costs(add_costs(cost, evolving.most), judging.most)
        budget = weigh_budget(least, runtime, journal, most)
        made = tuple(
            name
            for name in (CHUNKS, REQUESTS)
            if Path(scratch) in foreseen.tables.find(name).parents
        )
    timed = _time(foreseen.reruns, found, read_timings(home))
    # What would stop `generate` does not stop DVC.
    obstacles = (
        ()
        if put_back
        else (*_find_obstacles(found, costs, params, remote), *_find_unpriced(most, budget))
    )
    obstacles += tuple(_find_unread(judging.unreadable, "judge"))
    return Plan(
        found.counts,
        caused,
        cost,
        budget,
        timed,
        foreseen.restored,
        obstacles,
        made,
        found.to_be_sent,
        found.submitted,
        judging,
        evolving,
    )


@dataclass(frozen=True, slots=True)
class Joined:
    """The requests of several tables, one after the other; walked as often as one likes."""

    tables: tuple[Iterable[Request], ...]

    def __iter__(self) -> Iterator[Request]:
        return chain.from_iterable(self.tables)


def check_code(root: Path) -> None:
    """Refuse what every stage refuses: code or formats that are not the project's.

    Raises:
        InputError: the first of these.
    """
    if (root / LIBRARY).exists():
        check_formats(root / PARAMS)
        check_library(root / LIBRARY)
        return
    check_copy()
    check_formats(root / PARAMS)
    if changes := compare_accepted(root):
        raise InputError(explain_changes(changes), remedy="`stillhouse upgrade` shows all of it")


def find_former(root: Path) -> Former | None:
    """Return the last run as ``dvc.lock`` names it; None where there was none."""
    lock = read_lock(root)
    stage = next((one for one in lock.stages.values() if REQUESTS in one.outs), None)
    if stage is None:
        return None
    hashes = Hashes(root)
    changed = frozenset(dep for dep, md5 in stage.deps.items() if hashes.find(dep) != md5)
    requests, chunks = _find_table(root, lock, REQUESTS), _find_table(root, lock, CHUNKS)
    tables = [requests, _find_derived(root, lock)] if requests else []
    return Former(
        Joined(tuple(StoredTable(path, Request) for path in tables if path)) if tables else (),
        {chunk.chunk_id for chunk in read_table(chunks, _ChunkKey)} if chunks else (),
        changed,
    )


def _find_derived(root: Path, lock: Lock) -> Path | None:
    """Return the calls that developed pairs in the last run; None where there are none."""
    outs = {path: md5 for stage in lock.stages.values() for path, md5 in stage.outs.items()}
    try:
        return find_cached(find_caches(root), outs, DERIVED.as_posix())[1]
    except StillhouseError:  # a listing that cannot be read tells nothing
        return None


@dataclass(frozen=True, slots=True)
class _ChunkKey:
    chunk_id: str


def _find_table(root: Path, lock: Lock, name: str) -> Path | None:
    """Return the table that ``dvc.lock`` names, in the workspace or the cache; None if it is neither."""
    for stage in lock.stages.values():
        if md5 := stage.outs.get(name):
            here = root / name
            if here.is_file() and md5_file(here) == md5:
                return here
            return find_cached(find_caches(root), stage.outs, name)[1]
    return None


def _find_archive(root: Path) -> Archive:
    return Archive(project=root, repository=Path(os.environ.get("DVC_ROOT") or root))


@contextmanager
def _open_journal(root: Path, scratch: Path) -> Iterator[tuple[JournalView, Remote | None]]:
    """Yield the journal with what its remote has, which is fetched into a copy, and the remote."""
    params, remote = load_journal(root / PARAMS), None
    path = find_home(root) / "journal.sqlite"
    if params.remote:
        copy = scratch / "journal.sqlite"
        with JournalView(path) as view:
            view.copy_to(copy)
        path = copy
        with Journal(path) as journal:
            remote = open_journal_remote(params, journal, _find_archive(root).repository)
            if remote is not None:
                remote.fetch(journal)
    with JournalView(path) as view:
        yield view, remote


def _find_obstacles(
    found: Sorted, costs: Mapping[str, bool], params: GenerateParams, remote: Remote | None
) -> Iterator[str]:
    unknown = sorted({kind.teacher for kind in found.counts} - costs.keys())
    if unknown:
        yield f"no teacher here is called {', '.join(f'`{name}`' for name in unknown)}"
    yield from _find_unread(found.unreadable, _GENERATE)
    paid = sum(count.new for kind, count in found.counts.items() if kind.costs)
    try:
        if remote is not None:
            remote.require(paid, _GENERATE)
    except StillhouseError as exc:
        yield str(exc)
    refused = sum(count.refused for count in found.counts.values())
    if refused > params.tolerate_refusals:
        yield (
            f"{refused} requests were refused for good, and `generate.tolerate_refusals` is "
            f"{params.tolerate_refusals}: see `stillhouse retry`"
        )


def _find_unread(unreadable: Mapping[str, tuple[str, ...]], stage: str) -> Iterator[str]:
    for teacher, lost in unreadable.items():
        names = ", ".join(lost[:_NAMED])
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        yield (
            f"earlier outputs that may hold answers of `{teacher}` cannot be read ({names}{more}): "
            f"`{stage}` refuses to pay again before `dvc pull`"
        )


def _find_unpriced(cost: Cost, budget: BudgetState) -> Iterator[str]:
    if budget.usd is not None and cost.direct is None:
        names = ", ".join(f"`{one.model}`" for one in cost.models if one.direct is None)
        yield f"`runtime.budget_usd` cannot be kept: {names} has no price"


def _time(reruns: Sequence[Rerun], found: Sorted, timings: Timings) -> tuple[TimedRerun, ...]:
    """Say how long each stage took before; `generate` by the requests that it sends."""
    return tuple(
        TimedRerun(
            rerun,
            _time_asking(found, timings)
            if rerun.stage == _GENERATE
            else timings.typical(rerun.stage),
        )
        for rerun in reruns
    )


def _time_asking(found: Sorted, timings: Timings) -> float | None:
    seconds = timings.typical(_GENERATE)
    new: dict[str, int] = {}
    for kind, count in found.counts.items():
        new[kind.teacher] = new.get(kind.teacher, 0) + count.new
    for teacher, number in new.items():
        pace = timings.pace(_GENERATE, teacher) if number else 0.0
        if seconds is None or pace is None:
            return None
        seconds += pace * number
    return seconds
