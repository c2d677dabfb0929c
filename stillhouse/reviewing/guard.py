"""Who may ask the local server anything: the browser that was given the link, from the server's own page.

Four doors, each of which shuts alone: the host that is asked (a name that leads here is another one: DNS
rebinding), where the question comes from (Origin and Sec-Fetch-Site), a cookie that scripts cannot read,
and the token in a header that no other page can set without asking first. Cookies are shared by all ports
of a host and storage is not: the cookie alone opens a page that holds nothing.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HEADER: Final = "X-Stillhouse-Token"
_OWN: Final = ("same-origin",)
# How a page itself is reached: typed, from a file or from another site's link. It needs the token all the same.
_DOCUMENT: Final = ("document", "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the doors look at of a request; a header that is missing is an empty text."""

    method: str
    path: str
    token: str
    cookie: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Guard:
    """The secrets of one run of the server; another run has others."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        """The cookie's name: of this port, as all ports of a host share their cookies."""
        return f"stillhouse_review_{self.port}"

    @property
    def url(self) -> str:
        """The link that opens the page."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def admits(self, asked: Asked) -> bool:
        """Whether a request is answered."""
        host = asked.headers.get("Host", "")
        if host not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            return False
        origin = asked.headers.get("Origin", "")
        if origin and origin != f"http://{host}":
            return False
        if asked.path == "/" and asked.method == "GET":
            return self._admits_page(asked)
        return self._admits_call(asked, origin)

    def _admits_page(self, asked: Asked) -> bool:
        document = asked.headers.get("Sec-Fetch-Dest", "") in _DOCUMENT
        return document and (_same(asked.token, self.token) or _same(asked.cookie, self.session))

    def _admits_call(self, asked: Asked, origin: str) -> bool:
        site = asked.headers.get("Sec-Fetch-Site", "")
        return (
            (not site or site in _OWN)
            and (asked.method == "GET" or bool(origin))
            and _same(asked.cookie, self.session)
            and _same(asked.headers.get(HEADER, ""), self.token)
        )


def _same(given: str, wanted: str) -> bool:
    """Compare in a time that tells nothing of how much is right."""
    # What is no text in a header would else be an error, and tell something.
    return hmac.compare_digest(given.encode(errors="backslashreplace"), wanted.encode())
