"""Requests into answers and pairs: recall what is known, ask for the rest, read every answer."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.params import Params
from stillhouse.base.records import Pair, Rejection, Request, Response
from stillhouse.teachers.answers import parse_answer, reject_request
from stillhouse.teachers.asking import Asked, ask_teacher
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive, recall_answers, withdraw_failures
from stillhouse.teachers.protocol import Failure, Teacher


class GenerateParams(Params):
    """``generate:`` in params.yaml; how many requests may be refused for good before it fails."""

    tolerate_refusals: int = Field(default=0, ge=0)


@dataclass(frozen=True, slots=True)
class Counts:
    """Distinct requests: all, those whose answer was found, those sent from here.

    What is left of them are refusals that were known.
    """

    requests: int
    answered: int
    sent: int


@dataclass(frozen=True, slots=True)
class Generated:
    """What the requests came to: answers as given, pairs, and all that became no pair."""

    responses: tuple[Response, ...]
    pairs: tuple[Pair, ...]
    rejections: tuple[Rejection, ...]
    counts: Counts


def generate(
    requests: Iterable[Request],
    teachers: Collection[Teacher],
    journal: Journal,
    archive: Archive,
    params: GenerateParams,
    *,
    allow_repay: bool = False,
) -> Generated:
    """Answer every request, asking only for what no earlier answer is found, and read the answers.

    Raises:
        InputError: a request names an unknown teacher, or answers that were paid for cannot be read.
        TeacherError: a request failed; whatever has been answered is kept, so run it again.
    """
    slots = sorted(requests, key=lambda request: request.slot_id)
    distinct = {request.request_id: request for request in slots}
    collected = _collect(distinct, teachers, journal, archive, allow_repay)
    refused = _check_failures(collected.failures, distinct, params.tolerate_refusals)
    pairs, rejections = _read_answers(slots, collected.answers, refused)
    found = collected.answers.keys() - collected.sent
    counts = Counts(len(distinct), len(found), len(collected.sent))
    return Generated(tuple(collected.answers.values()), pairs, rejections, counts)


def _collect(
    requests: Mapping[str, Request],
    teachers: Collection[Teacher],
    journal: Journal,
    archive: Archive,
    allow_repay: bool,
) -> Asked:
    """Look everything up before anything is asked: a look-up that fails must not cost anything."""
    known = {teacher.name: teacher for teacher in teachers}
    withdraw_failures(requests, journal)
    refusals = journal.read_refusals(requests)
    asked_for = {name: request for name, request in requests.items() if name not in refusals}
    answers: dict[str, Response] = {}
    for name, theirs in _group_by_teacher(asked_for, known).items():
        answers |= recall_answers(
            theirs,
            costs=known[name].costs,
            journal=journal,
            archive=archive,
            allow_repay=allow_repay,
        )
    collected = Asked(answers, tuple(refusals.values()), ())
    missing = {name: request for name, request in asked_for.items() if name not in answers}
    for name, theirs in _group_by_teacher(missing, known).items():
        asked = ask_teacher(known[name], theirs, journal)
        collected = Asked(
            {**collected.answers, **asked.answers},
            (*collected.failures, *asked.failures),
            {*collected.sent, *asked.sent},
        )
    return collected


def _group_by_teacher(
    requests: Mapping[str, Request], known: Mapping[str, Teacher]
) -> dict[str, dict[str, Request]]:
    groups: dict[str, dict[str, Request]] = {name: {} for name in known}
    for request in requests.values():
        if request.teacher not in known:
            raise InputError(
                f"there is no teacher `{request.teacher}`",
                where=request.prompt_path,
                expected=f"one of {', '.join(sorted(known))}",
                remedy="mend `teacher:` in the prompt's front matter",
            )
        groups[request.teacher][request.request_id] = request
    return {name: theirs for name, theirs in groups.items() if theirs}


def _check_failures(
    failures: Sequence[Failure], requests: Mapping[str, Request], tolerated: int
) -> dict[str, Failure]:
    """Return the refusals by request id, or raise if any failure is more than may be tolerated."""
    passing = [failure for failure in failures if not failure.permanent]
    refused = {failure.request_id: failure for failure in failures if failure.permanent}
    first = next(iter(passing or failures), None)
    if first is not None and (passing or len(refused) > tolerated):
        raise TeacherError(
            f"{len(passing)} requests failed and {len(refused)} were refused for good, first: "
            f"{first.error}",
            where=requests[first.request_id].prompt_path,
            remedy="run it again: what was answered is kept"
            if passing
            else f"change the prompt, tolerate them (`generate.tolerate_refusals`, now {tolerated}), "
            "or ask once more after `stillhouse retry`",
        )
    return refused


def _read_answers(
    slots: Sequence[Request], answers: Mapping[str, Response], refused: Mapping[str, Failure]
) -> tuple[tuple[Pair, ...], tuple[Rejection, ...]]:
    pairs: list[Pair] = []
    rejections: list[Rejection] = []
    met: Counter[str] = Counter()
    for request in slots:
        name = request.request_id
        if name in refused:
            rejections.append(reject_request(request, "refused", refused[name].error))
            continue
        # One request may stand in several slots; its answer is read once for each.
        parsed = parse_answer(request, answers[name], occurrence=met[name])
        met[name] += 1
        pairs.extend(parsed.pairs)
        rejections.extend(parsed.rejections)
    return tuple(pairs), tuple(rejections)
