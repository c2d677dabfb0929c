"""What a request asks of the offline teacher: its task and its parameters, checked."""

import json
from dataclasses import dataclass

from stillhouse.base.errors import TeacherError
from stillhouse.base.records import Request


@dataclass(frozen=True, slots=True)
class Order:
    """A request's task, counts and manner; ``prompt`` names the prompt file for messages.

    ``reply``: a conversation is answered, instead of questions made.
    """

    task: str
    prompt: str
    variation: str
    persona: str
    pairs: int
    phrasings: int
    reasoning: bool
    style: str
    reply: bool = False


def read_order(request: Request) -> Order:
    """Return what a request asks for.

    Raises:
        TeacherError: the parameters are not the JSON object that ``render`` writes.
    """
    try:
        values = json.loads(request.parameters)
        return Order(
            task=request.task,
            prompt=request.prompt_path,
            variation=request.variation,
            persona=request.persona,
            pairs=max(0, int(values.get("pairs", 1))),
            phrasings=max(1, int(values.get("phrasings", 1))),
            reasoning=bool(values.get("reasoning", True)),
            style=str(values.get("style") or ""),
            reply=values.get("reply") is True,
        )
    except (ValueError, TypeError, AttributeError) as exc:
        raise TeacherError(
            "the request's parameters cannot be read",
            where=request.prompt_path,
            expected='JSON such as {"pairs": 8, "phrasings": 4}',
            remedy="run `render` again",
        ) from exc
