"""A line of a message batch's results as a reply."""

from typing import Any, Final

from stillhouse.base.secrets import quote_server
from stillhouse.teachers.claude import NO_CREDIT, read_message
from stillhouse.teachers.money import Bill
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Failure, Reply
from stillhouse.teachers.scheduler import PassingError

_FOR_GOOD: Final = frozenset({"invalid_request_error", "request_too_large"})


def read_result(line: dict[str, Any], about: Bill, teachers: TeachersParams) -> Reply:
    """Return what a line says of the request that a bill is about.

    A request that the server calls wrong fails for good; one that it could not answer, did not come
    to within a day, or was told to leave, is asked again by the next run. None of these is paid for.
    """
    result = line.get("result")
    if not isinstance(result, dict):
        return _fail(about, "the message batch says nothing of it")
    kind = result.get("type")
    try:
        if kind == "succeeded":
            return read_message(result["message"], about, teachers, batch=True)
        if kind == "errored":
            return Reply(_explain(result.get("error"), about.request_id), batched=True)
    except (PassingError, KeyError) as exc:
        return _fail(about, f"its result in the message batch cannot be read ({exc})")
    return _fail(about, f"the message batch left it {quote_server(str(kind))}")


def _fail(about: Bill, error: str) -> Reply:
    return Reply(Failure(about.request_id, error, permanent=False), batched=True)


def _explain(error: Any, request_id: str) -> Failure:
    # The error stands in an error response, as that of a single call does.
    inner = error.get("error", error) if isinstance(error, dict) else {}
    kind = str(inner.get("type")) if isinstance(inner, dict) else "error"
    said = str(inner.get("message")) if isinstance(inner, dict) else str(inner)
    words = said.lower()
    permanent = kind in _FOR_GOOD and not any(one in words for one in NO_CREDIT)
    return Failure(request_id, f"{kind}: {quote_server(said)}", permanent=permanent)
