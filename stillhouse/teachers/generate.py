"""Requests into answers and pairs: recall what is known, ask for the rest, read every answer."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import ClassVar, Final, NoReturn, TypeVar

from pydantic import Field

from stillhouse.base.errors import BudgetError, InputError, StoppedError, TeacherError
from stillhouse.base.params import Params
from stillhouse.base.records import Pair, Rejection, Request, Response
from stillhouse.base.timings import note_part
from stillhouse.prompts.evolve import EvolveParams
from stillhouse.teachers.answers import parse_answer, reject_request
from stillhouse.teachers.asking import Asked, ask_teacher
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.follow import ToBeSent
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive, recall_answers
from stillhouse.teachers.money import word_limit
from stillhouse.teachers.outbox import is_shared
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.protocol import Failure, Teacher
from stillhouse.teachers.remote import Remote

T = TypeVar("T")

_BLOCK: Final = 512  # requests whose answers are held in memory together
_GO_ON: Final = "`dvc repro` goes on from there"


class GenerateParams(Params):
    """``generate:`` in params.yaml; how many requests may be refused for good before it fails.

    ``ask_again``: how often an unreadable answer of a teacher that costs is asked for once more;
    ``evolve``: which pairs are developed further by calls of their own.
    """

    section: ClassVar[str] = "generate"

    tolerate_refusals: int = Field(default=0, ge=0)
    ask_again: int = Field(default=1, ge=0)
    evolve: EvolveParams = Field(default_factory=EvolveParams)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a request is called, and by whom it is answered: so much is read to look it up."""

    request_id: str
    task: str
    teacher: str
    prompt_path: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Distinct requests: all, those whose answer was found, those sent from here.

    What is left of them are refusals that were known.
    """

    requests: int
    answered: int
    sent: int


@dataclass(frozen=True, slots=True)
class Collected:
    """The journal holds an answer to every request but those that were refused for good."""

    counts: Counts
    refused: Mapping[str, Failure]


@dataclass(frozen=True, slots=True)
class Read:
    """What one request came to: its answer as given (None if refused), pairs, and all that is none."""

    request: Request
    response: Response | None
    pairs: tuple[Pair, ...]
    rejections: tuple[Rejection, ...]


@dataclass(slots=True)
class _Known:
    """What the journal says of the requests: task by id of those without any outcome, by teacher."""

    requests: int = 0
    answered: int = 0
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, Failure] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)


def collect_answers(
    requests: Iterable[Request],
    teachers: Collection[Teacher],
    journal: Journal,
    archive: Archive,
    params: GenerateParams,
    terms: Terms | None = None,
    *,
    listed: Iterable[Listed | Request] | None = None,
    remote: Remote | None = None,
    allow_repay: bool = False,
    followed: ToBeSent | None = None,
) -> Collected:
    """Have the journal hold the answer to every request, asking only for what is found nowhere.

    ``requests`` have distinct ids and are walked several times, never held: neither are answers.
    ``listed`` are the same requests in less time, where they can be read so.
    What the journal then holds is in its ``remote``, too, as far as answers are shared.
    ``followed`` is a plan: nothing is sent that it does not hold.

    Raises:
        InputError: a request names an unknown teacher, answers that were paid for cannot be read, or
            the plan does not hold all that would be sent.
        TeacherError: a request failed; whatever has been answered is kept, so run it again.
        BudgetError: the budget does not suffice.
        StoppedError: the user ended it.
    """
    known = {teacher.name: teacher for teacher in teachers}
    listed = requests if listed is None else listed
    found = _look_up(listed, known, journal)
    asks_shared = any(is_shared(name) for name in found.missing)
    if remote is not None and asks_shared and remote.fetch(journal):
        found = _look_up(listed, known, journal)
    left: dict[str, list[str]] = {}
    for name, missing in sorted(found.missing.items()):
        # Everything is looked up before anything is asked: a look-up that fails must cost nothing.
        wanted = recall_answers(
            missing,
            costs=known[name].costs,
            journal=journal,
            archive=archive,
            allow_repay=allow_repay,
            teacher=name,
        )
        found.answered += len(missing) - len(wanted)
        left[name] = sorted(wanted)
    if remote is not None and not allow_repay:
        paid = sum(len(names) for name, names in left.items() if known[name].costs)
        remote.require(paid, archive.stage)
    if followed is not None:
        followed.check([request_id for names in left.values() for request_id in names])
    _check_refusals(found.refused, requests, params)
    terms = terms or Terms()
    for name, names in left.items():
        if known[name].costs:
            _check_prices(_pick(requests, names), terms)
    with nullcontext() if remote is None else remote.keep_uploading():
        terms = replace(terms, ask_again=params.ask_again, allow_repay=allow_repay)
        sent, failures = _ask_all(found.refused, left, known, requests, journal, params, terms)
    return Collected(Counts(found.requests, found.answered, sent), failures)


def read_answers(
    requests: Iterable[Request], journal: Journal, refused: Mapping[str, Failure]
) -> Iterator[Read]:
    """Yield what each request came to, in their order."""
    for block in _cut(requests):
        answers = journal.read([request.request_id for request in block])
        for request in block:
            if failure := refused.get(request.request_id):
                rejection = reject_request(request, "refused", failure.error)
                yield Read(request, None, (), (rejection,))
                continue
            answer = answers[request.request_id]
            parsed = parse_answer(request, answer)
            yield Read(request, answer, parsed.pairs, parsed.rejections)


def _ask_all(
    refused: Mapping[str, Failure],
    left: Mapping[str, Sequence[str]],
    known: Mapping[str, Teacher],
    requests: Iterable[Request],
    journal: Journal,
    params: GenerateParams,
    terms: Terms,
) -> tuple[int, dict[str, Failure]]:
    """Ask each teacher for what is left to it; return how many were sent, and all refusals."""
    sent, failures, begun = 0, dict(refused), time.monotonic()
    for name, names in left.items():
        if not names:
            continue
        allowed = params.tolerate_refusals - sum(one.permanent for one in failures.values())
        began = time.monotonic()
        asked = ask_teacher(
            known[name],
            names,
            lambda wanted: _pick(requests, wanted),
            journal,
            replace(_shorten(terms, time.monotonic() - begun), tolerated=allowed),
        )
        sent += asked.sent
        note_part(name, asked.sent, time.monotonic() - began)
        passing = any(not failure.permanent for failure in asked.failures)
        if asked.stop != "refused" and (asked.stop or passing):
            _explain_end(asked, names, requests, journal, terms)
        # What failed here for the moment, and is not missing, has been answered by another process.
        failures |= {one.request_id: one for one in asked.failures if one.permanent}
        _check_refusals(failures, requests, params)
    return sent, failures


def _look_up(
    requests: Iterable[Listed | Request], known: Mapping[str, Teacher], journal: Journal
) -> _Known:
    """Say what the journal holds; an older version's answers that are none become failures."""
    found = _Known()
    for block in _cut(requests):
        names = [request.request_id for request in block]
        answers = journal.read(names)
        tasks = {request.request_id: request.task for request in block}
        outcomes = [look_over(tasks[name], answer) for name, answer in answers.items()]
        if failed := [outcome for outcome in outcomes if isinstance(outcome, Failure)]:
            journal.record(failed)
        refused = journal.read_refusals(names)
        found.refused |= refused
        found.requests += len(block)
        for request in block:
            if request.teacher not in known:
                _refuse_teacher(request, known)
            if request.request_id in refused:
                continue
            if request.request_id in answers:
                found.answered += 1
            else:
                found.missing.setdefault(request.teacher, {})[request.request_id] = request.task
    return found


def _cut(requests: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(requests)
    while block := list(islice(iterator, _BLOCK)):
        yield block


def _pick(requests: Iterable[Request], names: Collection[str]) -> Iterator[Request]:
    wanted = set(names)
    return (request for request in requests if request.request_id in wanted)


def _refuse_teacher(request: Listed | Request, known: Iterable[str]) -> NoReturn:
    raise InputError(
        f"there is no teacher `{request.teacher}`",
        where=request.prompt_path,
        expected=f"one of {', '.join(sorted(known))}",
        remedy="mend `teacher:` in the prompt's front matter",
    )


def _check_refusals(
    failures: Mapping[str, Failure], requests: Iterable[Request], params: GenerateParams
) -> None:
    """Raise if more requests were refused for good than may be."""
    tolerated = params.tolerate_refusals
    refused = {name: failure for name, failure in failures.items() if failure.permanent}
    if len(refused) > tolerated:
        first = next(iter(_pick(requests, refused)))
        raise TeacherError(
            f"{len(refused)} requests were refused for good, first: "
            f"{refused[first.request_id].error}",
            where=first.prompt_path,
            remedy=f"change the prompt, tolerate them (`{params.section}.tolerate_refusals`, now "
            f"{tolerated}), "
            "or ask once more after `stillhouse retry`",
        )


def _check_prices(requests: Iterable[Request], terms: Terms) -> None:
    """Refuse to ask a model without a price within a budget: it would count as free."""
    if terms.budget is None:
        return
    for request in requests:
        if not terms.estimator.knows_price(request.model):
            raise InputError(
                f"`runtime.budget_usd` cannot be kept: `{request.model}` has no price",
                where="params.yaml: teachers.prices",
                expected="dollars per million tokens for every model that is asked",
                remedy="add it, such as {input: 3, output: 15}, with zeros for a server of your own",
            )


def _shorten(terms: Terms, seconds: float) -> Terms:
    """Return the terms after so many seconds of the time that they allow."""
    if terms.deadline_seconds is None:
        return terms
    return replace(terms, deadline_seconds=max(0.0, terms.deadline_seconds - seconds))


def _explain_end(
    asked: Asked, names: Sequence[str], requests: Iterable[Request], journal: Journal, terms: Terms
) -> None:
    """Raise what says why not everything was answered, what is kept, and what to do."""
    answered = sum(
        len(journal.find_answered(names[i : i + _BLOCK])) for i in range(0, len(names), _BLOCK)
    )
    refused = sum(failure.permanent for failure in asked.failures)
    missing = len(names) - answered - refused
    kept = f"{answered} of {len(names)} answers came and are kept, {missing} are missing"
    if not missing and asked.stop != "interrupted":
        return  # the time was up, or the server gone, when the last answer had come
    if asked.stop == "interrupted":
        raise StoppedError(f"interrupted: {kept}", remedy=_GO_ON)
    if asked.stop == "deadline":
        raise TeacherError(f"the time is up (`runtime.deadline_minutes`): {kept}", remedy=_GO_ON)
    if asked.stop == "budget":
        raise _explain_budget(kept, names, requests, journal, terms)
    passing = {failure.request_id: failure for failure in asked.failures if not failure.permanent}
    first = next(iter(_pick(requests, passing)), None)
    if first is None:
        raise TeacherError(f"the teacher cannot be reached: {kept}", remedy=_GO_ON)
    raise TeacherError(
        f"{len(passing)} requests failed and {refused} were refused for good, first: "
        f"{passing[first.request_id].error}; {kept}",
        where=None if asked.stop == "unreachable" else first.prompt_path,
        remedy="run it again: only the missing ones are asked",
    )


def _explain_budget(
    kept: str, names: Sequence[str], requests: Iterable[Request], journal: Journal, terms: Terms
) -> BudgetError:
    assert terms.budget is not None
    spent = journal.read_account(terms.budget.window_seconds).spent
    unanswered = set(names)
    for i in range(0, len(names), _BLOCK):
        block = names[i : i + _BLOCK]
        unanswered -= journal.find_answered(block) | journal.read_refusals(block).keys()
    costs = [terms.estimator.reserve(one, batch=terms.batch) for one in _pick(requests, unanswered)]
    likely = sum(cost.expected for cost in costs)
    return BudgetError(
        f"the budget of {word_limit(terms.budget.usd)} does not allow the next request: ${spent:,.4f} are "
        f"spent; {kept}, which would cost about ${likely:,.4f} (one of them at most "
        f"${max(cost.at_most for cost in costs):,.4f})",
        where="params.yaml: runtime.budget_usd",
        remedy=f"raise it, or ask for less; then {_GO_ON}",
    )
