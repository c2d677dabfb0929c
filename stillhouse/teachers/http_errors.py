"""What a server's refusal means: for one request, for all, or for the moment only."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

from stillhouse.base.errors import TeacherError
from stillhouse.base.secrets import quote_server
from stillhouse.teachers.protocol import Failure
from stillhouse.teachers.scheduler import PassingError


@dataclass(frozen=True, slots=True)
class Service:
    """Whose refusals are read.

    ``remedies``: by status, what to do about a refusal that concerns every request. ``no_money`` and
    ``too_large``: words of refusals that the account cannot pay, and that a request will never fit the
    account's limits, whatever their status between 400 and 429.
    """

    name: str
    remedies: Mapping[int, str]
    no_money: tuple[str, ...] = ()
    too_large: tuple[str, ...] = ()


_FOR_GOOD: Final = frozenset({400, 413, 422})
_OVERLOADED: Final = frozenset({429, 503, 529})
_NO_MONEY: Final = 402
PROXY_REFUSES: Final = 407
_PROXY_REMEDY: Final = (
    "the proxy wants a name: set HTTP_PROXY, HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT"
)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def explain_status(
    service: Service,
    status: int,
    said: str,
    request_id: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Failure:
    """Return the refusal of a request for good, by the status and the words of a server.

    Raises:
        PassingError: it may pass.
        TeacherError: it concerns every request.
    """
    error = f"{status} {quote_server(said)}"
    words = said.lower() if 400 <= status <= 429 else ""
    if any(word in words for word in service.no_money):
        status = _NO_MONEY
    if status == PROXY_REFUSES:
        raise refuse_proxy(error)
    if status in service.remedies:
        what = f"{service.name} refuses every request ({error})"
        raise TeacherError(what, remedy=service.remedies[status])
    if status in _FOR_GOOD or any(word in words for word in service.too_large):
        return Failure(request_id, error, permanent=True)
    raise PassingError(error, overload=status in _OVERLOADED, retry_after=read_retry_after(headers))


def read_error(body: object) -> str:
    """Return the words of an error in the form of OpenAI's, and its code, which says more."""
    if not isinstance(body, Mapping):
        return str(body)
    message = body.get("message")
    said = message if isinstance(message, str) else json.dumps(dict(body), default=str)
    marks = [str(body[name]) for name in ("code", "param") if body.get(name)]
    return f"{said} ({', '.join(marks)})" if marks and message is said else said


def refuse_proxy(error: str) -> TeacherError:
    """Return what to say of a proxy that wants to know who asks."""
    return TeacherError(f"the proxy lets nothing through ({error})", remedy=_PROXY_REMEDY)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, if it does.

    That is ``retry-after`` (RFC 9110: a number or a date), its milliseconds, or when the limits that are
    used up begin anew (``x-ratelimit-reset-requests: 6m0s``).
    """
    asked = headers.get("retry-after", "")
    found = [
        _read_number(headers.get("retry-after-ms", ""), 0.001),
        _read_number(asked, 1.0),
        _read_date(asked),
        _read_resets(headers),
    ]
    return next((seconds for seconds in found if seconds is not None), None)


def _read_number(text: str, unit: float) -> float | None:
    try:
        seconds = float(text) * unit
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _read_date(text: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _read_resets(headers: Mapping[str, str]) -> float | None:
    resets = [
        headers.get(f"x-ratelimit-reset-{kind}", "")
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0"
    ]
    waits = [_read_duration(reset) for reset in resets]
    return max((wait for wait in waits if wait is not None), default=None)


def _read_duration(text: str) -> float | None:
    """Return the seconds of ``1h2m3.5s``, ``20ms`` or ``7``."""
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    return _read_number(text, 1.0)
