"""What a chat completion says: the answer, how sure its words were, what it used."""

from typing import Any, Final

from stillhouse.base.records import Request, Response
from stillhouse.teachers.confidence import measure_confidence
from stillhouse.teachers.dialect import read_tokens
from stillhouse.teachers.money import find_price, price_usage
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Reply, Usage
from stillhouse.teachers.scheduler import PassingError

_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_BROKEN: Final = "error"  # what gateways say of an answer that its maker did not finish


def read_completion(message: dict[str, Any], request: Request, teachers: TeachersParams) -> Reply:
    """Return the reply that a chat completion is, thoughts apart from the answer.

    Raises:
        PassingError: it is no such completion.
    """
    try:
        choice = message["choices"][0]
        said = choice["message"]
        text, refusal = _read_text(said.get("content")), said.get("refusal") or ""
        reason = choice.get("finish_reason") or "stop"
        usage, read = _read_usage(message.get("usage") or {})
        thoughts = said.get("reasoning_content") or said.get("reasoning") or ""
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise PassingError(
            f"the server's answer is no chat completion ({type(exc).__name__}: {exc})"
        ) from exc
    if reason == _BROKEN:
        raise PassingError("the server did not finish its answer")
    response = Response(
        request_id=request.request_id,
        text=str(refusal) or text,
        reasoning=thoughts if isinstance(thoughts, str) else "",
        stop_reason="refusal" if refusal else _STOPS.get(reason, str(reason)),
        input_tokens=read,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read,
        model=str(message.get("model") or request.model),
        confidences=() if refusal else _measure(request, text, choice),
    )
    return Reply(response, usage, price_usage(find_price(teachers.prices, request.model), usage))


def _measure(request: Request, text: str, choice: dict[str, Any]) -> tuple[float, ...]:
    tokens = read_tokens(choice)
    return measure_confidence(request.task, text, tokens) if tokens else ()


def _read_text(content: Any) -> str:
    """Return the text of an answer; some servers give it in parts, thoughts among them."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return str(content or "")


def _read_usage(used: dict[str, Any]) -> tuple[Usage, int]:
    """Return what is billed, and how many tokens were read in all, cached ones among them."""
    details = used.get("prompt_tokens_details") or {}
    read = int(used.get("prompt_tokens") or 0)
    cached = min(int(details.get("cached_tokens") or 0), read)
    written = int(used.get("completion_tokens") or 0)
    return Usage(input_tokens=read - cached, output_tokens=written, cache_read=cached), read
