"""The local server of a review: loopback only, one page, three calls; it ends with Ctrl-C."""

import asyncio
import base64
import errno
import hashlib
import json
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from stillhouse.base.errors import InputError, StillhouseError, explain_os_error
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.reviewing.desk import Desk
from stillhouse.reviewing.guard import Asked, Guard

_WEB: Final = Path(__file__).with_name("web")
_SCRIPTS: Final = ("dom.js", "forms.js", "page.js")
_LONGEST: Final = 256 * 1024  # bytes of a call
_REFUSED: Final = "Refused. Open the link that `stillhouse review` printed.\n"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def open_socket(port: int) -> socket.socket:
    """Return a socket on this machine's loopback alone; port 0 is any that is free.

    Raises:
        InputError: another program has the port.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as exc:
        if isinstance(exc, OSError) and exc.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise explain_os_error(exc, f"port {port}") from exc
        raise InputError(
            f"port {port} cannot be had",
            remedy="choose another one, or none: any free one is taken",
        ) from exc


def serve(desk: Desk, listening: socket.socket, guard: Guard, begin: Callable[[], None]) -> None:
    """Serve the page until Ctrl-C or a signal to end; ``begin`` is called once it answers."""
    asyncio.run(_serve(make_app(desk, guard), listening, begin))


def make_app(desk: Desk, guard: Guard) -> web.Application:
    """Return the application: whatever the guard does not admit gets one and the same refusal."""
    page, policy = build_page()

    async def show_page(_: web.Request) -> web.Response:
        response = web.Response(text=page, content_type="text/html")
        response.headers["Content-Security-Policy"] = policy
        response.set_cookie(guard.cookie, guard.session, httponly=True, samesite="Strict", path="/")
        return response

    async def show_rows(_: web.Request) -> web.Response:
        return _answer(desk.show)

    async def save(request: web.Request) -> web.Response:
        answer = await _read_answer(request)
        return _answer(lambda: desk.save(answer))

    async def undo(request: web.Request) -> web.Response:
        await _read_answer(request)
        return _answer(desk.undo)

    app = web.Application(middlewares=[_make_door(guard)], client_max_size=_LONGEST)
    app.on_response_prepare.append(_add_headers)
    app.router.add_get("/", show_page)
    app.router.add_get("/rows", show_rows)
    app.router.add_post("/save", save)
    app.router.add_post("/undo", undo)
    return app


def build_page() -> tuple[str, str]:
    """Return the page and its policy: it runs its own script alone and asks this server alone."""
    style = read_text(_WEB / "page.css")
    script = "".join(read_text(_WEB / name) for name in _SCRIPTS)
    html = read_text(_WEB / "page.html").replace("/*style*/", style).replace("/*script*/", script)
    rules = (
        "default-src 'none'",
        f"script-src '{_hash(script)}'",
        f"style-src '{_hash(style)}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return html, "; ".join(rules)


async def _serve(app: web.Application, listening: socket.socket, begin: Callable[[], None]) -> None:
    stop = asyncio.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(kind, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        begin()
        await stop.wait()
    finally:
        await runner.cleanup()


def _make_door(guard: Guard) -> Any:
    @web.middleware
    async def door(request: web.Request, handler: Answer) -> web.StreamResponse:
        asked = Asked(
            method=request.method,
            path=request.path,
            token=request.query.get("token", ""),
            cookie=request.cookies.get(guard.cookie, ""),
            headers=request.headers,
        )
        if not guard.admits(asked):
            return web.Response(status=403, text=_REFUSED)
        return await handler(request)

    return door


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    response.headers["Server"] = "stillhouse"


async def _read_answer(request: web.Request) -> dict[str, str]:
    """Return a call's object of texts."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        value = json.loads(await request.read())
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise web.HTTPBadRequest from exc
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise web.HTTPBadRequest
    return value


def _answer(act: Callable[[], dict[str, Json]]) -> web.Response:
    """Return what an act gives, or its error as the sentence that the page shows."""
    try:
        return web.json_response(act())
    except StillhouseError as exc:
        return web.json_response({"error": str(exc)}, status=422)


def _hash(text: str) -> str:
    """Return what a page's policy names a style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
