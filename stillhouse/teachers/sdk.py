"""What the SDKs of Anthropic and of OpenAI share, as one generator makes both: connection and posts.

Their aiohttp transport and raw posts are used: building and checking typed parameters and models costs
more time for a call than all the rest (`python -m bench.teachers`).
"""

import json
import logging
import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.runtime import Runtime
from stillhouse.base.secrets import keep_secret, quote_server
from stillhouse.teachers.http_errors import PROXY_REFUSES, refuse_proxy
from stillhouse.teachers.scheduler import PassingError

_JSON: Final = {"headers": {"Content-Type": "application/json"}}
_SCHEMES: Final = frozenset({"http", "https"})


def write_options(sdk: Any, runtime: Runtime) -> dict[str, Any]:
    """Return what every client is made with, and have the SDK write no line for each call."""
    for chatty in ("httpx2", sdk.__name__):  # its lines would hide the progress bar
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return {
        "max_retries": 0,  # the scheduler retries, and knows how many others wait
        "http_client": sdk.DefaultAioHttpClient(timeout=runtime.timeout_seconds),
        "timeout": runtime.timeout_seconds,
    }


def check_address(client: Any, where: str) -> None:
    """Refuse an address that no request can go to.

    Raises:
        InputError: it is not one of HTTP, or holds a name or a password.
    """
    url = client.base_url
    if url.scheme not in _SCHEMES or not url.host:
        raise InputError(
            "the address of the server is none", where=where, expected="http://host:port/path"
        )
    if url.userinfo:
        raise InputError(
            "the address of the server holds a name or a password",
            where=where,
            remedy="leave it out; a key stands in an environment variable of its own",
        )


def check_key_text(key: str, variable: str) -> None:
    """Refuse a text that no server takes for a key, and no header can hold.

    Raises:
        InputError: it has spaces, line ends, or letters that are not ASCII.
    """
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"what {variable} holds is no key",
            where="the environment",
            expected="letters, digits and signs without spaces",
            remedy="copy the key anew",
        )


@lru_cache(maxsize=64)
def read_shared(text: str) -> Any:
    """Return the value of a JSON text that many requests share; nobody may change it."""
    return json.loads(text)


def read_key(variable: str | None, setting: str) -> str | None:
    """Return a server's key, which no message will show from now on; None where it wants none.

    Args:
        variable: what holds it.
        setting: where that variable is named.

    Raises:
        InputError: the variable is not set, or holds something else.
    """
    if variable is None:
        return None
    keep_secret(variable)
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(
            "there is no key for the server",
            where="the environment",
            expected=variable,
            remedy=f"set it (it is never written anywhere), or `{setting}: null` where the server "
            "wants none",
        )
    check_key_text(key, variable)
    return key


async def post_json(
    sdk: Any, client: Any, path: str, body: Mapping[str, Any], *, plain: bool
) -> dict[str, Any]:
    """Return the JSON object with which a server answers a post.

    A ``plain`` body goes as bytes, which the SDK neither copies nor reads through.

    Raises:
        sdk.APIStatusError: the server refuses.
        PassingError: no whole answer came.
        TeacherError: the server's certificate is not trusted, or a proxy lets nothing through.
    """
    import httpx2

    sent: dict[str, Any] = (
        {"content": json.dumps(body).encode(), "options": _JSON} if plain else {"body": body}
    )
    try:
        answer = await client.post(path, cast_to=httpx2.Response, **sent)
        message = json.loads(answer.content)
    except sdk.APIStatusError:
        raise
    except sdk.APIConnectionError as exc:
        raise explain_connection(client, exc) from exc
    except (ValueError, httpx2.HTTPError) as exc:
        raise PassingError(f"half an answer came ({quote_server(str(exc))})") from exc
    return message if isinstance(message, dict) else {}


def explain_connection(client: Any, exc: BaseException) -> Exception:
    """Return what to raise where a client got no answer: what may pass, or concerns all calls."""
    # By the first cause: what the SDKs make of it calls a server that is down a timeout.
    url, cause = client.base_url, _find_root(exc)
    server = f"{url.scheme}://{url.netloc.decode()}"  # without the name and password it may hold
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TeacherError(
            f"{server}: its certificate is not trusted ({quote_server(cause.verify_message)})",
            remedy="set SSL_CERT_FILE to a file with the certificates of your own authority",
        )
    if getattr(cause, "status", None) == PROXY_REFUSES:  # instead of a tunnel
        return refuse_proxy(str(PROXY_REFUSES))
    if isinstance(cause, TimeoutError):
        return PassingError(f"{server}: no answer came in time (`runtime.timeout_seconds`)")
    return PassingError(f"{server}: {quote_server(str(cause) or type(cause).__name__)}")


def _find_root(exc: BaseException) -> BaseException:
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return exc
