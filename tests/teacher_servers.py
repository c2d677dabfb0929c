"""Small servers for tests of teachers: one that answers by a function, one with TLS, a forward proxy."""

import asyncio
import datetime as dt
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stillhouse.base.records import Request
from stillhouse.teachers.batchbook import BatchBook
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.protocol import Reply, Teacher

HOST = "teacher.example"  # known to no name server: only the proxy leads there
# Status, JSON body, headers.
Answer: TypeAlias = tuple[int, Any, dict[str, str]]


@dataclass
class Tray:
    """Requests that are handed out once."""

    requests: Sequence[Request]
    stopped: str = ""
    back: list[Request] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.stopped) or not self.requests

    def take(self, most: int) -> Sequence[Request]:
        taken, self.requests = self.requests[:most], self.requests[most:]
        return taken

    def put_back(self, requests: Sequence[Request]) -> None:
        self.back += requests

    def stop(self, why: str) -> None:
        self.stopped = self.stopped or why

    @cached_property
    def batches(self) -> BatchBook:
        """What a new journal knows of message batches: of none."""
        return Journal(Path(":memory:")).batches


def ask(teacher: Teacher, requests: Sequence[Request]) -> list[Reply]:
    """Return what comes of each request, in their order."""
    replies = {
        reply.outcome.request_id: reply
        for several in teacher.answer(Tray(requests))  # type: ignore[arg-type]
        for reply in several
    }
    return [replies[request.request_id] for request in requests]


@dataclass
class Server:
    """Where a server is reached, and what it was sent: (path with query, headers, body)."""

    url: str
    calls: list[tuple[str, dict[str, str], Any]]

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.calls]


@contextmanager
def serve(
    answer: Callable[[Any], Answer], context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Run a server whose answer follows from a request's body."""
    calls: list[tuple[str, dict[str, str], Any]] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        calls.append((request.path_qs, dict(request.headers), body))
        status, said, headers = answer(body)
        return web.json_response(said, status=status, headers=headers)

    @asynccontextmanager
    async def run() -> AsyncIterator[int]:
        app = web.Application()
        app.router.add_route("POST", "/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    with run_in_thread(run) as port:
        yield Server(f"http{'s' if context else ''}://127.0.0.1:{port}", calls)


@dataclass
class Proxy:
    """A forward proxy that leads every host to one port here; ``lines`` are what it was asked for."""

    port: int
    lines: list[str]
    authorizations: list[str]


@contextmanager
def run_proxy(target: int, *, lets_through: bool = True) -> Iterator[Proxy]:
    lines: list[str] = []
    authorizations: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, _, fields = head.partition("\r\n")
        lines.append(first)
        for line in fields.splitlines():
            name, _, value = line.partition(":")
            if name.lower() == "proxy-authorization":
                authorizations.append(value.strip())
        if not lets_through:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", target)
        method, address, version = first.split(" ")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = "/" + address.split("/", 3)[3]
            onward.write(f"{method} {path} {version}\r\n{fields}".encode())
        await asyncio.gather(_pour(reader, onward), _pour(there, writer))

    @asynccontextmanager
    async def run() -> AsyncIterator[int]:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    with run_in_thread(run) as port:
        yield Proxy(port, lines, authorizations)


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate of HOST and 127.0.0.1 that nobody vouches for, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(HOST), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "authority.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@contextmanager
def run_in_thread(run: Callable[[], AbstractAsyncContextManager[int]]) -> Iterator[int]:
    """Keep an asynchronous server running in a thread; yield its port."""
    ready, ports = threading.Event(), []
    loop, closing = asyncio.new_event_loop(), asyncio.Event()

    async def stay() -> None:
        async with run() as port:
            ports.append(port)
            ready.set()
            await closing.wait()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(stay(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(closing.set)
        thread.join(10)
        loop.close()
