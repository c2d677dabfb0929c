"""Ask a teacher for what is missing, each request once among all processes of the project."""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from stillhouse.base.records import Request, Response
from stillhouse.base.stage import log, open_bar
from stillhouse.teachers.estimate import Estimator, count_characters
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Bill, Budget, Reservation
from stillhouse.teachers.outcome import is_malformed, look_over
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import NOTHING_USED, Failure, Outcome, Reply, Stop, Teacher
from stillhouse.teachers.signals import stop_gracefully

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
    """

    estimator: Estimator = field(default_factory=_know_nothing)
    budget: Budget | None = None
    tolerated: int | None = None
    ask_again: int = 0
    deadline_seconds: float | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """How many requests were sent from here, what failed, and why it ended early, if it did."""

    sent: int
    failures: tuple[Failure, ...] = ()
    stop: Stop = ""


def ask_teacher(
    teacher: Teacher, names: Sequence[str], walk: Walk, journal: Journal, terms: Terms | None = None
) -> Asked:
    """Ask for every request of ``names``, and wait for those that another process is asking already.

    Each outcome is in the journal before the next is taken; with a teacher that costs, it is on
    disk. So ending this process at any moment loses nothing that has come back. Answers are read
    from the journal: two processes never go on with two answers to one request.
    """
    journal.set_durable(teacher.costs)
    desk = Desk(journal, walk, terms or Terms(), costs=teacher.costs, teacher=teacher.name)
    # What is free can be interrupted at once: no answer on its way was paid for.
    graceful = stop_gracefully(desk.interrupt) if teacher.costs else nullcontext()
    with open_bar(f"asking {teacher.name}", len(names)) as bar, graceful:
        left = list(names)
        while left and not desk.stopped:
            desk.lay_out(left)
            with desk.hold():
                for replies in teacher.answer(desk):
                    desk.settle(replies)
                    bar.update(len(replies))
                    if desk.spent:
                        bar.set_postfix_str(f"${desk.spent:,.2f}", refresh=False)
            left = desk.await_others()
    return Asked(desk.sent, tuple(desk.failures.values()), desk.stopped)


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
        self._leased: list[Request] = []
        self._out: dict[str, Request] = {}
        self._malformed: Counter[str] = Counter()
        self._elsewhere: list[str] = []
        self._dry = True
        self.failures: dict[str, Failure] = {}
        self._stopped: Stop = ""
        self.sent, self.spent = 0, 0.0

    def lay_out(self, names: Sequence[str]) -> None:
        """Put requests on the desk, to be leased block by block."""
        self._coming, self._elsewhere, self._dry = iter(self._walk(names)), [], False

    @property
    def ended(self) -> bool:
        """Whether a teacher will get no more."""
        return bool(self.stopped) or (self._dry and not self._leased)

    def take(self, most: int) -> Sequence[Request]:
        """Lease up to so many requests; none while the budget is reserved for those in flight."""
        if time.monotonic() > self._ends:
            self.stop("deadline")
        while len(self._leased) < most and not self._dry and not self.stopped:
            self._lease_block()
        if self.stopped:
            return ()
        offered = self._leased[:most]
        affordable = self._reserve(offered)
        taken, self._leased = offered[:affordable], self._leased[affordable:]
        self._out |= {request.request_id: request for request in taken}
        self.sent += len(taken)
        return taken

    def expect(self, names: Collection[str]) -> list[Request]:
        """Take over requests that were sent before, by whomever; return those that are wanted."""
        elsewhere = set(self._elsewhere)
        waiting = [name for name in names if name in elsewhere]
        found = list(self._walk(waiting)) if waiting else []
        self._out |= {request.request_id: request for request in found}
        return found

    def put_back(self, requests: Sequence[Request]) -> None:
        """Take back what was not sent; it is asked when its turn comes, if it comes."""
        for request in requests:
            del self._out[request.request_id]
        if self._costs:
            nothing = [Reservation(request.request_id, 0, 0) for request in requests]
            self._journal.reserve(nothing, None)
        self._leased = [*requests, *self._leased]
        self.sent -= len(requests)

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
        log.info(
            "stopping: %d answers are on their way and are waited for (again to leave them)",
            len(self._out),
        )

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
            self._leased = []

    def _account_for_rest(self, *, took_any: bool) -> None:
        """Have everything without an outcome fail, or asked in another round where it was not taken."""
        silent = list(self._out)
        left = [request.request_id for request in (*self._leased, *self._coming)]
        if took_any:
            self._elsewhere += left  # it came when the teacher took the source for ended already
        else:
            silent += left
        error = "the teacher gave no outcome"
        self._keep([Failure(name, error, permanent=False) for name in silent], [])

    def settle(self, replies: Sequence[Reply]) -> None:
        """Write replies down, before anything else is done with them."""
        outcomes, bills, again, strange = [], [], [], 0
        for reply in replies:
            request = self._out.pop(reply.outcome.request_id, None)
            if request is None:
                strange += 1
                continue
            outcome = _judge(request, reply.outcome)
            if isinstance(outcome, Response) and self._deserves_another(request, outcome):
                again.append(request)
                error = "the answer could not be read; it is asked for once more"
                outcome = Failure(request.request_id, error, permanent=False, response=outcome)
            outcomes.append(outcome)
            # A call that used nothing, such as one that was turned away, says nothing of the others.
            if self._costs and (reply.usd or reply.usage != NOTHING_USED):
                bills.append(_bill(request, reply))
        self._keep(outcomes, bills)
        self.spent += sum(bill.usd for bill in bills)
        if again:
            self._lay_again(again)
        if strange:
            raise ValueError("an outcome that was not asked for, or twice")

    def await_others(self) -> list[str]:
        """Wait until another process has answered the rest; return what it has left to be asked."""
        waiting, told = set(self._elsewhere), False
        while waiting and not self.stopped:
            waiting -= self._journal.find_answered(waiting)
            refusals = self._journal.read_refusals(waiting)
            self.failures |= refusals
            waiting -= refusals.keys()
            if not waiting or self._journal.has_free(waiting):
                break
            if not told:
                log.info("waiting: %d requests are being asked by another process", len(waiting))
                told = True
            time.sleep(_WAIT_SECONDS)
        return [name for name in self._elsewhere if name in waiting]

    def _keep(self, outcomes: Sequence[Outcome], bills: Sequence[Bill]) -> None:
        kept = self._journal.record(outcomes, bills, self._teacher)
        self.failures |= {one.request_id: one for one in kept if isinstance(one, Failure)}
        tolerated = self._terms.tolerated
        if tolerated is not None and sum(f.permanent for f in self.failures.values()) > tolerated:
            self.stop("refused")

    def _deserves_another(self, request: Request, answer: Response) -> bool:
        """Say whether an answer is unreadable, and there is a try left for its request."""
        if not self._costs or self.stopped or not is_malformed(request.task, answer):
            return False
        self._malformed[request.request_id] += 1
        return self._malformed[request.request_id] <= self._terms.ask_again

    def _lay_again(self, requests: Sequence[Request]) -> None:
        """Put requests back on the desk whose answers could not be read."""
        granted = set(self._journal.claim([one.request_id for one in requests], len(requests)))
        self._leased += [one for one in requests if one.request_id in granted]
        self._elsewhere += [one.request_id for one in requests if one.request_id not in granted]
        for request in requests:
            self.failures.pop(request.request_id, None)

    def _lease_block(self) -> None:
        block = {request.request_id: request for request in islice(self._coming, _BLOCK)}
        granted = set(self._journal.claim(list(block), len(block))) if block else set()
        self._leased += [request for name, request in block.items() if name in granted]
        self._elsewhere += [name for name in block if name not in granted]
        self._dry = len(block) < _BLOCK

    def _reserve(self, offered: Sequence[Request]) -> int:
        """Reserve what requests may cost; return how many of them the budget allows."""
        if not self._costs or not offered:
            return len(offered)
        terms = self._terms
        costs = [terms.estimator.reserve(request, batch=terms.batch) for request in offered]
        affordable = self._journal.reserve(costs, terms.budget)
        if not affordable and terms.budget is not None and not self._out:
            account = self._journal.read_account(terms.budget.window_seconds)
            # Else the replies of others may cost less than is reserved, or have just done so.
            if not account.reserved and not terms.budget.count_affordable(account, costs[:1]):
                self.stop("budget")
        return affordable


def _judge(request: Request, outcome: Outcome) -> Outcome:
    return look_over(request.task, outcome) if isinstance(outcome, Response) else outcome


def _bill(request: Request, reply: Reply) -> Bill:
    return Bill(
        request.request_id,
        reply.usd,
        request.teacher,
        request.model,
        request.task,
        count_characters(request),
        reply.usage,
    )
