"""Judges' answers into judgements; whatever is no score comes out with its reason."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import ClassVar, Final

from stillhouse.base.records import Judgement, Pair, Rejection, Request, Response
from stillhouse.base.tables import StoredTable, open_table, write_sorted
from stillhouse.base.tasks import CONFIRM, is_confirming, name_judging
from stillhouse.prompts.judging import UNCONFIRMED, Asking
from stillhouse.teachers.generate import GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.protocol import Failure
from stillhouse.teachers.verdicts import read_answer, read_score

JUDGING: Final = Path("data/judging")
REQUESTS: Final = "requests.parquet"
RESPONSES: Final = "responses.parquet"
REJECTIONS: Final = "rejections.parquet"

# Whether an answer given anew says the same as a pair's own.
Agrees = Callable[[Pair, str], bool]
Given = Mapping[str, Response | Failure]

STAGE: Final = "judge"
KIND: Final = "judgement"
CONFIDENCE: Final = "confidence"
_ASKED: Final = "asked.parquet"
_BLOCK: Final = 256  # pairs whose answers are held in memory together
_SHOWN: Final = 120


class JudgingParams(GenerateParams):
    """What of ``judge:`` in params.yaml says how judges are asked."""

    section: ClassVar[str] = "judge"


def lay_requests(
    rendered: Iterable[tuple[Asking, Request]], folder: Path
) -> tuple[StoredTable[Request], StoredTable[Asking]]:
    """Write the distinct requests, and which pair each is for, below ``folder``; return both tables."""
    with open_table(folder / REQUESTS, Request, repeats="first") as requests:

        def note() -> Iterator[Asking]:
            for asking, request in rendered:
                requests.add(request)
                yield asking

        write_sorted(folder / _ASKED, Asking, note())
    return StoredTable(folder / REQUESTS, Request), StoredTable(folder / _ASKED, Asking)


def read_responses(
    requests: Iterable[Request], journal: Journal, refused: Collection[str]
) -> Iterator[Response]:
    """Yield the judges' answers as they were given, in the order of the requests."""
    iterator = iter(requests)
    while block := list(islice(iterator, _BLOCK)):
        names = [request.request_id for request in block if request.request_id not in refused]
        answers = journal.read(names)
        yield from (answers[name] for name in names)


def read_judgements(
    pairs: Iterable[Pair],
    asked: Iterable[Asking],
    journal: Journal,
    refused: Mapping[str, Failure],
    agrees: Agrees,
) -> Iterator[Judgement | Rejection]:
    """Yield what the judges said of each pair: scores, and a rejection for each that is none.

    Args:
        pairs: in their order.
        asked: what they were judged by, in the order of their pairs; of some pairs there is none.
        journal: holds an answer to all that was asked ...
        refused: ... but for these.
        agrees: compares an answer given anew with the pair's own.
    """
    groups = groupby(asked, key=lambda one: one.pair_id)
    waiting = {pair_id: list(group) for pair_id, group in islice(groups, 1)}
    iterator = iter(pairs)
    while block := list(islice(iterator, _BLOCK)):
        mine: list[tuple[Pair, list[Asking]]] = []
        for pair in block:
            if pair.pair_id in waiting:
                mine.append((pair, waiting.pop(pair.pair_id)))
                waiting = {pair_id: list(group) for pair_id, group in islice(groups, 1)}
        names = {one.request_id for _, asked_of in mine for one in asked_of}
        given: Given = {**journal.read(sorted(names)), **refused}
        for pair, asked_of in mine:
            yield from _read_pair(pair, asked_of, given, agrees)


def _read_pair(
    pair: Pair, asked: Sequence[Asking], given: Given, agrees: Agrees
) -> Iterator[Judgement | Rejection]:
    for asking in asked:
        if not is_confirming(asking.task):
            yield _read_one(asking, given)
    if samples := [asking for asking in asked if is_confirming(asking.task)]:
        yield _count_agreeing(pair, samples, given, agrees)


def _read_one(asking: Asking, given: Given) -> Judgement | Rejection:
    answer, criterion = given[asking.request_id], asking.task.removeprefix(name_judging(""))
    if isinstance(answer, Failure):
        return _reject(asking, "refused", f"{criterion}: {answer.error}")
    try:
        scored = read_score(answer.text)
    except ValueError as exc:
        return _reject(asking, "malformed_answer", f"{criterion}: {_explain(exc, answer)}")
    said = (scored.score, scored.rationale, asking.request_id)
    return Judgement(asking.pair_id, asking.judge, criterion, *said)


def _count_agreeing(
    pair: Pair, samples: Sequence[Asking], given: Given, agrees: Agrees
) -> Judgement | Rejection:
    """Return the share of answers given anew that agree with the pair's own, as its confidence.

    That is self-consistency without token probabilities (Wang et al. 2023, "Self-Consistency Improves
    Chain of Thought Reasoning"; Manakul et al. 2023, "SelfCheckGPT").
    """
    answers: list[str] = []
    for asking in samples:
        answer = given[asking.request_id]
        if isinstance(answer, Response):
            try:
                answers.append(read_answer(answer.text))
            except ValueError:
                continue
    first = samples[0]
    if not answers:
        what = f"{CONFIRM}: none of {len(samples)} answers given anew could be read"
        return _reject(first, UNCONFIRMED, what)
    same = sum(agrees(pair, answer) for answer in answers)
    other = next((answer for answer in answers if not agrees(pair, answer)), None)
    rationale = f"{same} of {len(answers)} answers given anew from the passage agree"
    if other is not None:
        rationale += f"; another one: {other[:_SHOWN] or 'the passage does not say'}"
    score = round(same / len(answers), 4)
    return Judgement(pair.pair_id, first.judge, CONFIDENCE, score, rationale, first.request_id)


def _reject(asking: Asking, reason: str, detail: str) -> Rejection:
    said = f"{asking.judge} on {detail}"
    return Rejection(asking.pair_id, KIND, asking.slot_id, asking.chunk_ids, STAGE, reason, said)


def _explain(error: ValueError, answer: Response) -> str:
    begins = answer.text.strip()[:_SHOWN]
    return f"{error}; stopped by {answer.stop_reason}; begins: {begins!r}"
