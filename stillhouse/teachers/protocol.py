"""What a teacher is: it takes requests and yields, for each, an answer or the reason for none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from stillhouse.base.records import Request, Response


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer. ``permanent``: asking again the same way fails the same way.

    ``response`` is what came back all the same and was paid for: a refusal, half an answer.
    """

    request_id: str
    error: str
    permanent: bool
    response: Response | None = None


class Teacher(Protocol):
    """Answers requests. One that ``costs`` is never asked before every earlier answer was sought."""

    @property
    def name(self) -> str:
        """The name by which prompts ask for it: ``Request.teacher``."""
        ...

    @property
    def costs(self) -> bool:
        """Whether an answer costs money."""
        ...

    def answer(self, requests: Sequence[Request]) -> Iterator[Response | Failure]:
        """Yield one outcome for each request as soon as it is there, in any order.

        Whatever has been yielded is kept, also when the teacher raises afterwards. A response's
        ``stop_reason`` is in the words of Anthropic's API: ``end_turn``, ``max_tokens``, ``refusal``.
        """
        ...
