"""What a teacher is: it takes requests and yields, for each, an answer or the reason for none."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from stillhouse.base.records import Request, Response

if TYPE_CHECKING:
    from stillhouse.teachers.batchbook import BatchBook


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer. ``permanent``: asking again the same way fails the same way.

    ``response`` is what came back all the same and was paid for: a refusal, half an answer.
    """

    request_id: str
    error: str
    permanent: bool
    response: Response | None = None


Outcome: TypeAlias = Response | Failure


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one call is billed for: those read fresh, written, and the cache's."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0


NOTHING_USED: Final = Usage()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request, what it used, and what that cost in dollars.

    ``batched``: it comes from a message batch, which may have been submitted by another process.
    """

    outcome: Outcome
    usage: Usage = NOTHING_USED
    usd: float = 0.0
    batched: bool = False


# Why asking ended before everything was asked: Ctrl-C, the clock, the budget, more refusals than
# are tolerated, or a server that cannot be reached.
Stop: TypeAlias = Literal["", "interrupted", "deadline", "budget", "refused", "unreachable"]


class Source(Protocol):
    """Requests that are still to be asked; each one taken is leased to this process."""

    def take(self, most: int, *, batch: bool = False) -> Sequence[Request]:
        """Return up to so many; nothing where there is none at the moment.

        ``batch``: they are for a message batch, at its price; they count as sent once `enclose` has
        them.
        """
        ...

    def put_back(self, requests: Sequence[Request]) -> None:
        """Give back what was taken and not sent."""
        ...

    def withdraw(self, names: Collection[str]) -> None:
        """Give back what was taken for a batch; it is not asked any more."""
        ...

    def enclose(self, names: Collection[str]) -> int:
        """Note that what was taken for a batch is about to be submitted; return the batch's number."""
        ...

    def expect(self, number: int) -> bool:
        """Say whether answers of a batch are wanted; learn what its requests are about."""
        ...

    def free(self, number: int, *, lost: bool = False) -> int:
        """Have the requests of a batch asked anew: it was not submitted, or (``lost``) is gone."""
        ...

    @property
    def may_repay(self) -> bool:
        """Whether answers that were paid for and cannot be had may be asked for again."""
        ...

    @property
    def batches(self) -> "BatchBook":
        """The batches that the journal knows."""
        ...

    def stop(self, why: Stop) -> None:
        """Have no more come."""
        ...

    @property
    def stopped(self) -> Stop:
        """Why no more comes although not everything was asked; empty while it does."""
        ...

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        ...


class Teacher(Protocol):
    """Answers requests. One that ``costs`` is never asked before every earlier answer was sought."""

    @property
    def name(self) -> str:
        """The name by which requests ask for it: ``Request.teacher``."""
        ...

    @property
    def costs(self) -> bool:
        """Whether an answer costs money."""
        ...

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        """Yield one reply for each request taken, as many together as are there, in any order.

        Whatever has been yielded is on disk before the next is asked for, also when the teacher
        raises afterwards. A response's ``stop_reason`` is in the words of Anthropic's API:
        ``end_turn``, ``max_tokens``, ``refusal``.
        """
        ...


def take_all(source: Source, most: int) -> Iterator[Sequence[Request]]:
    """Yield what a source has, up to so many requests at a time, until it ends."""
    while not source.ended:
        if taken := source.take(most):
            yield taken
