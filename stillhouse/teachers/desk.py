"""Where requests lie that are to be asked, and where replies are settled: leases, money, reasons to stop."""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, TypeAlias

from stillhouse.base.records import Request, Response
from stillhouse.base.stage import log
from stillhouse.teachers.batchbook import BatchBook
from stillhouse.teachers.estimate import Estimator, count_characters
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Bill, Budget, Reservation
from stillhouse.teachers.outcome import is_malformed, look_over
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import NOTHING_USED, Failure, Outcome, Reply, Stop

_BLOCK: Final = 256  # requests that are leased at once
_WAIT_SECONDS: Final = 0.2  # between two looks at what another process is asking

# Gives the requests of these names, one after the other, as often as it is called.
Walk: TypeAlias = Callable[[Collection[str]], Iterable[Request]]


def _know_nothing() -> Estimator:
    return Estimator((), TeachersParams())


@dataclass(frozen=True, slots=True)
class Terms:
    """What asking has to keep to.

    ``tolerated``: so many refusals for good do not end it. ``ask_again``: so often an answer that
    cannot be read is asked for once more, of a teacher that costs; both answers are paid for.
    ``allow_repay``: what was paid for and is gone is asked for, and paid, again.
    """

    estimator: Estimator = field(default_factory=_know_nothing)
    budget: Budget | None = None
    tolerated: int | None = None
    ask_again: int = 0
    deadline_seconds: float | None = None
    batch: bool = False
    allow_repay: bool = False


class Desk:
    """The source that a teacher takes requests from, and where its replies are settled."""

    def __init__(
        self, journal: Journal, walk: Walk, terms: Terms, *, costs: bool, teacher: str = ""
    ) -> None:
        self._journal, self._walk, self._terms, self._costs = journal, walk, terms, costs
        self._teacher = teacher
        seconds = math.inf if terms.deadline_seconds is None else terms.deadline_seconds
        self._ends = time.monotonic() + seconds
        self._coming: Iterator[Request] = iter(())
        self._names: set[str] = set()
        self._leased: list[Request] = []
        self._out: dict[str, Request] = {}
        self._drafted: dict[str, Bill] = {}  # taken for a batch: what it is about, its likely cost
        self._malformed: Counter[str] = Counter()
        self._elsewhere: dict[str, None] = {}
        self._dry = True
        self.failures: dict[str, Failure] = {}
        self._stopped: Stop = ""
        self.sent, self.spent = 0, 0.0

    def lay_out(self, names: Sequence[str]) -> None:
        """Put requests on the desk, to be leased block by block."""
        self._names.update(names)
        self._coming, self._elsewhere, self._dry = iter(self._walk(names)), {}, False

    @property
    def ended(self) -> bool:
        """Whether a teacher will get no more."""
        return bool(self.stopped) or (self._dry and not self._leased)

    def take(self, most: int, *, batch: bool = False) -> Sequence[Request]:
        """Lease up to so many requests; none while the budget is reserved for those in flight."""
        while len(self._leased) < most and not self._dry and not self.stopped:
            self._lease_block()
        if self.stopped:
            return ()
        offered = self._leased[:most]
        costs = self._reserve(offered, batch=batch)
        taken, self._leased = offered[: len(costs)], self._leased[len(costs) :]
        for request, cost in zip(taken, costs, strict=True):
            if batch:
                self._drafted[request.request_id] = _open_bill(request, cost.expected)
            else:
                self._out[request.request_id] = request
            self.failures.pop(request.request_id, None)  # a batch's: it is asked again
        self.sent += len(taken)
        return taken

    def put_back(self, requests: Sequence[Request]) -> None:
        """Take back what was not sent; it is asked when its turn comes, if it comes."""
        self.withdraw([request.request_id for request in requests])
        self._leased = [*requests, *self._leased]

    def withdraw(self, names: Collection[str]) -> None:
        """Take back what was not sent, for good."""
        for name in names:
            del (self._out if name in self._out else self._drafted)[name]
        if self._costs:
            self._journal.reserve([Reservation(name, 0, 0) for name in names], None)
        self.sent -= len(names)

    def enclose(self, names: Collection[str]) -> int:
        """Move what was taken into a batch, on disk; return its number in the journal."""
        return self.batches.intend([self._drafted.pop(name) for name in names])

    def expect(self, number: int) -> bool:
        """Say whether any answer of a batch is wanted; note what its requests are about if unknown."""
        if unknown := self._names.intersection(self.batches.list_unknown(number)):
            self.batches.describe([_open_bill(request) for request in self._walk(unknown)])
        return not self._names.isdisjoint(self.batches.list_requests(number))

    def free(self, number: int, *, lost: bool = False) -> int:
        """Have the requests of a batch asked anew; return how many they are."""
        names = self.batches.free(number, lost=lost)
        self._elsewhere |= dict.fromkeys(name for name in names if name in self._names)
        return len(names)

    @property
    def may_repay(self) -> bool:
        """Whether answers that were paid for and cannot be had may be asked for again."""
        return self._terms.allow_repay

    @property
    def batches(self) -> BatchBook:
        """The batches that the journal knows."""
        return self._journal.batches

    @property
    def stopped(self) -> Stop:
        """Why nothing more is given out; empty while something is."""
        if time.monotonic() > self._ends:
            self.stop("deadline")
        return self._stopped

    def stop(self, why: Stop) -> None:
        """Give out nothing more."""
        self._stopped = self._stopped or why

    def interrupt(self) -> None:
        """Stop because the user wants it."""
        self.stop("interrupted")
        if self._out:
            # Without their number: some of what was taken still waits to be sent, and will not be.
            log.info("stopping: answers are on their way and are waited for (again to leave them)")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the leases while the block runs; what then has no outcome was in vain."""
        before = self.sent
        with self._journal.keep_leases():
            try:
                yield
            finally:
                if self._out:
                    self._journal.write_off(self._out)
            if not self.stopped:
                self._account_for_rest(took_any=self.sent > before)
            self._out.clear()
            self._drafted.clear()
            self._leased = []

    def _account_for_rest(self, *, took_any: bool) -> None:
        """Have everything without an outcome fail, or asked in another round where it was not taken."""
        silent = [*self._out, *self._drafted]
        left = [request.request_id for request in (*self._leased, *self._coming)]
        if took_any:  # it came when the teacher took the source for ended already
            self._elsewhere |= dict.fromkeys(left)
        else:
            silent += left
        error = "the teacher gave no outcome"
        self._keep([Failure(name, error, permanent=False) for name in silent], [])

    def settle(self, replies: Sequence[Reply]) -> None:
        """Write replies down, before anything else is done with them."""
        if batched := [reply for reply in replies if reply.batched]:
            self._settle_batched(batched)
            replies = [reply for reply in replies if not reply.batched]
        outcomes, bills, again, strange = [], [], [], 0
        for reply in replies:
            request = self._out.pop(reply.outcome.request_id, None)
            if request is None:
                strange += 1
                continue
            about = _open_bill(request)
            outcome = self._judge(about, reply.outcome)
            if _is_tried_again(outcome, reply.outcome):
                again.append(request)
            outcomes.append(outcome)
            if self._costs:
                bills += _fill_bill(about, reply)
        self._keep(outcomes, bills)
        self.spent += sum(bill.usd for bill in bills)
        if again:
            self._lay_again(again)
        if strange:
            raise ValueError("an outcome that was not asked for, or twice")

    def _settle_batched(self, replies: Sequence[Reply]) -> None:
        """Write down what a batch brought, but for what another process has read by now."""
        known = self.batches.read_bills([reply.outcome.request_id for reply in replies])
        outcomes, bills, again = [], [], []
        for reply in replies:
            name = reply.outcome.request_id
            if about := known.get(name):
                outcome = self._judge(about, reply.outcome)
                if _is_tried_again(outcome, reply.outcome):
                    again.append(name)
                outcomes.append(outcome)
                bills += _fill_bill(about, reply)
        self._keep(outcomes, bills, batched=True)
        self.spent += sum(bill.usd for bill in bills)
        self._elsewhere |= dict.fromkeys(again)
        for name in again:
            self.failures.pop(name, None)

    def await_others(self) -> list[str]:
        """Wait until another process has answered the rest; return what it has left to be asked."""
        # What has failed in this run is asked again in the next.
        waiting, told = set(self._elsewhere) - self.failures.keys(), False
        while waiting and not self.stopped:
            waiting -= self._journal.find_answered(waiting)
            refusals = self._journal.read_refusals(waiting)
            self.failures |= refusals
            waiting -= refusals.keys()
            if not waiting or self._journal.has_free(waiting):
                break
            if self._journal.has_batched(waiting, self._teacher):
                # The teacher fetches in its next round what another process has submitted; one that
                # has no batches goes round in vain, and not without a pause.
                time.sleep(_WAIT_SECONDS)
                break
            if not told:
                log.info("waiting: %d requests are being asked by another process", len(waiting))
                told = True
            time.sleep(_WAIT_SECONDS)
        return [name for name in self._elsewhere if name in waiting]

    def _keep(
        self, outcomes: Sequence[Outcome], bills: Sequence[Bill], *, batched: bool = False
    ) -> None:
        kept = self._journal.record(outcomes, bills, self._teacher, batched=batched)
        self.failures |= {
            one.request_id: one
            for one in kept
            if isinstance(one, Failure) and one.request_id in self._names
        }
        tolerated = self._terms.tolerated
        if tolerated is not None and sum(f.permanent for f in self.failures.values()) > tolerated:
            self.stop("refused")

    def _judge(self, about: Bill, outcome: Outcome) -> Outcome:
        """Return what an outcome comes to."""
        # Where nobody knows what it is about, whoever wants it looks it over.
        if isinstance(outcome, Failure) or not about.task:
            return outcome
        judged = look_over(about.task, outcome)
        if isinstance(judged, Response) and self._deserves_another(about, judged):
            error = "the answer could not be read; it is asked for once more"
            return Failure(about.request_id, error, permanent=False, response=judged)
        return judged

    def _deserves_another(self, about: Bill, answer: Response) -> bool:
        """Say whether an answer is unreadable, and there is a try left for its request."""
        name = about.request_id
        if not self._costs or self.stopped or name not in self._names:
            return False
        if not is_malformed(about.task, answer):
            return False
        self._malformed[name] += 1
        return self._malformed[name] <= self._terms.ask_again

    def _lay_again(self, requests: Sequence[Request]) -> None:
        """Put requests back on the desk whose answers could not be read."""
        granted = set(self._journal.claim([one.request_id for one in requests], len(requests)))
        self._leased += [one for one in requests if one.request_id in granted]
        self._elsewhere |= dict.fromkeys(
            one.request_id for one in requests if one.request_id not in granted
        )
        for request in requests:
            self.failures.pop(request.request_id, None)

    def _lease_block(self) -> None:
        block = {request.request_id: request for request in islice(self._coming, _BLOCK)}
        granted = set(self._journal.claim(list(block), len(block))) if block else set()
        self._leased += [request for name, request in block.items() if name in granted]
        self._elsewhere |= dict.fromkeys(name for name in block if name not in granted)
        self._dry = len(block) < _BLOCK

    def _reserve(self, offered: Sequence[Request], *, batch: bool) -> list[Reservation]:
        """Reserve what requests may cost; return the costs of those that the budget allows."""
        if not self._costs or not offered:
            return [Reservation(request.request_id, 0, 0) for request in offered]
        terms = self._terms
        costs = [terms.estimator.reserve(request, batch=batch) for request in offered]
        # What is leased for a batch has not been sent: when its process dies, nothing is lost.
        noted = [replace(cost, expected=0.0) for cost in costs] if batch else costs
        affordable = self._journal.reserve(noted, terms.budget)
        if not affordable and terms.budget is not None and not self._out and not self._drafted:
            account = self._journal.read_account(terms.budget.window_seconds)
            # Else the replies of others may cost less than is reserved, or have just done so; those
            # of batches, while they are waited for.
            waited_for = account.reserved if batch else account.leased
            if not waited_for and not terms.budget.count_affordable(account, costs[:1]):
                self.stop("budget")
        return costs[:affordable]


def _is_tried_again(outcome: Outcome, given: Outcome) -> bool:
    """Say whether an answer that came was judged to be none, in a way that another may mend."""
    return isinstance(given, Response) and isinstance(outcome, Failure) and not outcome.permanent


def _open_bill(request: Request, usd: float = 0.0) -> Bill:
    return Bill(
        request.request_id,
        usd,
        request.teacher,
        request.model,
        request.task,
        count_characters(request),
    )


def _fill_bill(about: Bill, reply: Reply) -> list[Bill]:
    # A call that used nothing, such as one that was turned away, says nothing of the others.
    if not reply.usd and reply.usage == NOTHING_USED:
        return []
    return [replace(about, usd=reply.usd, usage=reply.usage)]
