"""Proxies and private certificates: both SDKs go the way that the environment says."""

import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillhouse.base.errors import TeacherError
from stillhouse.base.records import Response
from stillhouse.base.runtime import Runtime
from stillhouse.teachers.claude import Claude
from stillhouse.teachers.openai_compatible import OpenaiCompatible
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Reply, Teacher
from tests.claude_project import make_request
from tests.teacher_servers import (
    HOST,
    Answer,
    Server,
    Tray,
    ask,
    make_certificate,
    run_proxy,
    serve,
)

PASSWORD = "recognisable-word"
NAMES = ["anthropic", "openai"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("SSL_", "ANTHROPIC_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")


def say(body: Any) -> Answer:
    """Answer in either dialect at once."""
    return (
        200,
        {
            "model": body["model"],
            "content": [{"type": "text", "text": "Ten."}],
            "stop_reason": "end_turn",
            "choices": [{"message": {"content": "Ten."}, "finish_reason": "stop"}],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
        {},
    )


@pytest.fixture
def plain() -> Iterator[Server]:
    with serve(say) as server:
        yield server


def make_teacher(name: str, url: str) -> Teacher:
    path = "/v1" if name == "openai" else ""
    teachers = TeachersParams.model_validate({name: {"base_url": url + path}})
    runtime = Runtime(retries=0, concurrency=4)
    return OpenaiCompatible(teachers, runtime) if name == "openai" else Claude(teachers, runtime)


def ask_once(name: str, url: str) -> Reply:
    (reply,) = ask(make_teacher(name, url), [replace(make_request(1), teacher=name)])
    return reply


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("name", NAMES)
def test_http_goes_through_the_proxy(
    name: str, plain: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_proxy(port_of(plain)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        assert isinstance(ask_once(name, f"http://{HOST}").outcome, Response)
    assert [line.split()[:2] for line in proxy.lines] == [
        ["POST", f"http://{HOST}/v1/{'messages' if name == 'anthropic' else 'chat/completions'}"]
    ]
    told = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert proxy.authorizations == [f"Basic {told}"]
    assert len(plain.calls) == 1


@pytest.mark.parametrize("name", NAMES)
def test_what_no_proxy_names_is_asked_directly(
    name: str, plain: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_proxy(port_of(plain)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "other.example,127.0.0.1")
        assert isinstance(ask_once(name, plain.url).outcome, Response)
        assert proxy.lines == []
        monkeypatch.setenv("NO_PROXY", "other.example")
        assert isinstance(ask_once(name, plain.url).outcome, Response)
        assert len(proxy.lines) == 1


@pytest.mark.parametrize("name", NAMES)
def test_https_goes_through_the_proxy_and_trusts_the_authority_that_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = make_certificate(tmp_path)
    with serve(say, context) as server, run_proxy(port_of(server)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TeacherError, match=r"certificate is not trusted .*set SSL_CERT_FILE"):
            ask_once(name, f"https://{HOST}")
        assert server.calls == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert isinstance(ask_once(name, f"https://{HOST}").outcome, Response)
    assert {line.split(" HTTP")[0] for line in proxy.lines} == {f"CONNECT {HOST}:443"}
    assert len(server.calls) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_private_authority_is_trusted_without_a_proxy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = make_certificate(tmp_path)
    with serve(say, context) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        url = server.url.replace("127.0.0.1", "localhost")
        assert isinstance(ask_once(name, url).outcome, Response)
    assert len(server.calls) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_name_is_one_sentence_without_the_password(
    name: str, scheme: str, plain: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_proxy(port_of(plain), lets_through=False) as proxy:
        variable = f"{scheme.upper()}_PROXY"
        monkeypatch.setenv(variable, f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        with pytest.raises(
            TeacherError, match=rf"the proxy lets nothing through .*{variable}"
        ) as told:
            ask_once(name, f"{scheme}://{HOST}")
    assert PASSWORD not in str(told.value)
    assert plain.calls == []


@pytest.mark.parametrize("name", NAMES)
def test_a_proxy_that_is_down_is_named_without_its_password(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:{PASSWORD}@127.0.0.1:9")
    tray = Tray([make_request(1)])
    ((reply,),) = make_teacher(name, f"http://{HOST}").answer(tray)  # type: ignore[arg-type]
    assert tray.stopped == "unreachable"
    assert PASSWORD not in repr(reply)
