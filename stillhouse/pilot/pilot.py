"""A pilot from its copy to its report, in the order in which money is spent: never before it is foreseen."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillhouse.base.alone import hold
from stillhouse.base.errors import BudgetError
from stillhouse.base.home import home
from stillhouse.base.params import PARAMS, STUDENTS, list_keys, load_section, load_yaml
from stillhouse.base.records import Request, Response
from stillhouse.base.runtime import load_runtime
from stillhouse.base.tables import count_values
from stillhouse.distill.params import Student
from stillhouse.lineage.dvc_running import release_abandoned
from stillhouse.pilot.foresight import Foresight, Recall, foresee
from stillhouse.pilot.fractions import choose_fractions
from stillhouse.pilot.outcome import (
    BESIDE,
    Price,
    measure_yield,
    read_gain,
    read_gate_report,
)
from stillhouse.pilot.report import Money, Report, build_report
from stillhouse.pilot.run import Ran, refuse_failed, repro
from stillhouse.pilot.settings import PROBE, build_params, check_sections, list_local_bases
from stillhouse.pilot.timing import keep_seconds, measure_time
from stillhouse.prompts.render import list_draws, render_drawn
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.prompts.write import load_wanted, open_material
from stillhouse.scaffold.copies import copy_tree, write_params
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.generate import GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive, recall_answers
from stillhouse.teachers.money import word_limit
from stillhouse.teachers.params import load_journal
from stillhouse.teachers.protocol import Usage
from stillhouse.teachers.remote import open_journal_remote
from stillhouse.teachers.roster import list_teachers, make_terms

PLACE: Final = Path(".stillhouse/pilot")
TREE: Final = PLACE / "tree"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A copy that is ready to run, and what running it will ask."""

    fraction: float
    params: Mapping[str, Any]
    fractions: Mapping[Any, float]
    foresight: Foresight

    @property
    def costs(self) -> bool:
        """Whether anything is sent to a teacher that costs."""
        return self.foresight.pilot.cost.paid > 0


@contextmanager
def alone() -> Iterator[None]:
    """Let one pilot at a time work in the project's copy."""
    with hold(PLACE / "lock", "pilot", patience=1.0):
        yield


def prepare_pilot(fraction: float) -> Prepared:
    """Bring the copy up to the working tree, read its documents, and count what is to be asked.

    Nothing is sent to any teacher.

    Raises:
        StillhouseError: the project is not in order, or its documents cannot be read.
    """
    check_sections()
    params: dict[str, Any] = load_yaml(PARAMS)
    copy_tree(TREE, {})
    release_abandoned(TREE)  # of a pilot that was killed
    _link_bases(params)
    write_params(TREE, build_params(params, {}))
    refuse_failed(repro(TREE, "ingest", keep_seconds(PLACE, fraction, 0)))
    wanted = load_wanted(Path())
    prompts, focus, render = wanted.prompts, wanted.focus, wanted.params
    material, _ = open_material(Path(), TREE / "data/corpus", wanted, home())
    teacher = load_section("teacher", TeacherParams)
    fractions = choose_fractions(
        render.plan, list_draws(material, prompts, focus, render), fraction
    )
    write_params(TREE, build_params(params, fractions))
    drawn = render_drawn(material, prompts, focus, render, teacher)
    runtime = load_runtime()
    costs = _find_costs()
    with Journal(home() / "journal.sqlite") as journal:
        _fetch_shared(journal)
        terms = make_terms(runtime, journal)
        foresight = foresee(
            drawn,
            fractions,
            journal,
            terms.estimator,
            costs,
            _make_recall(journal, costs),
            batch=runtime.batch,
            ask_again=load_section("generate", GenerateParams).ask_again,
            budget=terms.budget,
        )
    return Prepared(fraction, params, fractions, foresight)


def refuse_unaffordable(prepared: Prepared) -> None:
    """Raise where the pilot alone is likely to go over the budget.

    Raises:
        BudgetError: what it would cost, and what is spent.
    """
    foresight = prepared.foresight
    if prepared.costs and not foresight.affordable:
        assert foresight.budget is not None
        raise BudgetError(
            f"the pilot would cost about ${foresight.pilot.cost.expected:,.4f}, and "
            f"${foresight.spent:,.4f} of {word_limit(foresight.budget.usd)} are spent; nothing was asked",
            where="params.yaml: runtime.budget_usd",
            remedy="raise it, or take a smaller --fraction",
        )


def run_pilot(prepared: Prepared) -> Report:
    """Run the prepared copy: data and gate, then the probe; return the verdict.

    A failed gate is a verdict; whatever else ends DVC is an error.

    Raises:
        StillhouseError: a stage failed; what it has done so far is kept.
    """
    names = [name for place in prepared.foresight.places for name in place.requests]
    with Journal(home() / "journal.sqlite") as journal:
        before = journal.read_spent(names)
    note = keep_seconds(PLACE, prepared.fraction, prepared.foresight.pilot.new)
    ran = repro(TREE, "validate", note)
    if ran.failed and not _has_verdict(ran):
        refuse_failed(ran)
    gate = read_gate_report(TREE)
    gain = None
    if gate.passed:
        taught = _count_taught()
        write_params(TREE, build_params(prepared.params, prepared.fractions, taught))
        refuse_failed(repro(TREE, f"evaluate@{PROBE}", note))
        gain = read_gain(TREE)
    runtime = load_runtime()
    with Journal(home() / "journal.sqlite") as journal:
        terms = make_terms(runtime, journal)
        found = measure_yield(
            TREE, prepared.foresight.places, _make_price(terms.estimator, batch=runtime.batch)
        )
        window = terms.budget.window_seconds if terms.budget else float("inf")
        whole = prepared.foresight.whole.cost
        money = Money(
            spent=journal.read_spent(names) - before,
            in_window=journal.read_account(window).spent,
            budget=terms.budget.usd if terms.budget else None,
            costs=whole.paid > 0 or found.usd > 0,
            unpriced=tuple(sorted(whole.unpriced)),
        )
    measured = measure_time(PLACE, TREE, prepared.fraction, passed=gate.passed)
    students = {name: load_section(f"{STUDENTS}.{name}", Student) for name in list_keys(STUDENTS)}
    return build_report(
        prepared.fraction,
        prepared.foresight,
        found,
        gate,
        gain,
        money,
        measured,
        students,
        str(TREE),
    )


def remove_copy() -> None:
    """Throw the copy away: its answers are in the journal, its tables in DVC's cache."""
    shutil.rmtree(TREE, ignore_errors=True)


def _link_bases(params: Mapping[str, Any]) -> None:
    """Lay base models that are folders here, and that git leaves out, into the copy as links."""
    for name in list_local_bases(params):
        place = TREE / name
        if place.is_symlink():
            place.unlink()
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(Path(name).resolve())


def _find_costs() -> Callable[[str], bool]:
    """Return what says whether a teacher costs; one that is not known here may."""
    free = {teacher.name for teacher in list_teachers(load_runtime()) if not teacher.costs}
    return lambda name: name not in free


def _fetch_shared(journal: Journal) -> None:
    """Bring the answers of the journal's remote here, as `generate` does before it asks."""
    remote = open_journal_remote(load_journal(), journal, _find_repository())
    if remote is not None:
        remote.fetch(journal)


def _find_repository() -> Path:
    return Path(os.environ.get("DVC_ROOT") or ".")


def _make_recall(journal: Journal, costs: Callable[[str], bool]) -> Recall:
    archive = Archive(repository=_find_repository())

    def recall(teacher: str, wanted: Mapping[str, str], anyway: bool) -> set[str]:
        return recall_answers(
            wanted,
            costs=costs(teacher),
            journal=journal,
            archive=archive,
            allow_repay=anyway,
            teacher=teacher,
        )

    return recall


def _make_price(estimator: Estimator, *, batch: bool) -> Price:
    def price(request: Request, answer: Response) -> float:
        fresh = answer.input_tokens - answer.cached_tokens
        usage = Usage(fresh, answer.output_tokens, cache_read=answer.cached_tokens)
        return estimator.price(request, usage, batch=batch)

    return price


def _has_verdict(ran: Ran) -> bool:
    """Whether it was the gate that said no: DVC removes what a stage wrote before it runs it again."""
    return (
        ran.stage == "validate"
        and (TREE / "reports/validation.json").exists()
        and not read_gate_report(TREE).passed
    )


def _count_taught() -> int:
    tasks = count_values(TREE / "data/dataset/train.parquet", "task")
    return sum(count for task, count in tasks.items() if task not in BESIDE)
