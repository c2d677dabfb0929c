"""The review's server answers its own page alone: no other program, site, host or port reads or writes."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.review_project import Served, make_review_project, read_lines, start_review

ROWS = ("GET", "/rows")
SAVE = ("POST", "/save")
UNDO = ("POST", "/undo")
PAGE = ("GET", "/")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        return make_review_project(root, rows=10)


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[Served]:
    found = start_review(project, "--reviewer", "Ada")
    yield found
    assert found.end() == 0


def accept(served: Served) -> bytes:
    """Return a good call's body: it accepts the first row."""
    _, _, body = served.ask("GET", "/rows", served.log_in())
    row_id = json.loads(body)["rows"][0]["id"]
    return json.dumps({"row_id": row_id, "verdict": "accept"}).encode()


def test_the_page_with_its_cookie_and_token_reads_saves_and_takes_back(
    project: Path, served: Served
) -> None:
    headers, body = served.log_in(), accept(served)
    status, _, answer = served.ask("POST", "/save", headers, body)
    assert status == 200
    assert read_lines(project) == [
        {**json.loads(body), "reviewer": "Ada", "reason": ""},
    ]
    assert json.loads(answer)["row_id"] == json.loads(body)["row_id"]
    status, _, answer = served.ask("POST", "/undo", headers, b"{}")
    assert (status, json.loads(answer)["verdict"]) == (200, None)
    assert [one["verdict"] for one in read_lines(project)] == ["accept", "withdraw"]
    status, _, answer = served.ask("POST", "/undo", headers, b"{}")
    assert (status, json.loads(answer)) == (
        422,
        {"error": "there is no verdict of yours to take back"},
    )


@pytest.mark.parametrize("call", [PAGE, ROWS, SAVE, UNDO, ("GET", "/none"), ("PUT", "/save")])
@pytest.mark.parametrize(
    "change",
    [
        {"Cookie": "", "X-Stillhouse-Token": ""},
        {"Cookie": "", "X-Stillhouse-Token": "x" * 43},
        {"Host": "evil.test"},
        {"Host": "evil.test:{port}"},
        {"Host": "127.0.0.1.evil.test:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.test"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},  # another origin than the host that is asked
        {"Origin": "null"},
    ],
    ids=str,
)
def test_what_comes_from_elsewhere_gets_one_refusal_and_changes_nothing(
    project: Path, served: Served, call: tuple[str, str], change: dict[str, str]
) -> None:
    before, body = read_lines(project), accept(served)
    told = {name: value.format(port=served.port) for name, value in change.items()}
    headers = {**served.log_in(), **told}
    status, answered, text = served.ask(*call, headers, None if call[0] == "GET" else body)
    assert (status, text) == (403, b"Refused. Open the link that `stillhouse review` printed.\n")
    assert "Set-Cookie" not in answered
    assert read_lines(project) == before


@pytest.mark.parametrize("call", [ROWS, SAVE, UNDO])
@pytest.mark.parametrize(
    "change",
    [
        {"Cookie": ""},
        {"X-Stillhouse-Token": ""},
        {"X-Stillhouse-Token": "ü"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_a_call_needs_the_cookie_the_token_and_the_page_itself(
    project: Path, served: Served, call: tuple[str, str], change: dict[str, str]
) -> None:
    before, body = read_lines(project), accept(served)
    headers = {**served.log_in(), **change}
    assert served.ask(*call, headers, None if call[0] == "GET" else body)[0] == 403
    assert read_lines(project) == before


def test_a_call_that_writes_must_say_where_it_comes_from(project: Path, served: Served) -> None:
    before, headers = read_lines(project), served.log_in()
    del headers["Origin"]
    assert served.ask("POST", "/save", headers, accept(served))[0] == 403
    assert read_lines(project) == before


@pytest.mark.parametrize("token", ["", "x", "%C3%A9", "%ff", "%00"])
def test_a_wrong_token_opens_no_page(served: Served, token: str) -> None:
    status, headers, _ = served.ask("GET", f"/?token={token}", {})
    assert (status, "Set-Cookie" in headers) == (403, False)


def test_the_page_is_no_script_image_or_frame_of_another_page(served: Served) -> None:
    for kind in ("script", "iframe", "image", "empty"):
        headers = {**served.log_in(), "Sec-Fetch-Dest": kind}
        assert served.ask("GET", f"/?token={served.token}", headers)[0] == 403


def test_the_page_holds_no_row_and_runs_nothing_but_its_own_script(served: Served) -> None:
    status, headers, body = served.ask("GET", f"/?token={served.token}", {})
    assert status == 200
    assert b"leave" not in body
    assert served.token.encode() not in body
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Set-Cookie"].split("; ")[1:] == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert (headers["Cache-Control"], headers["X-Frame-Options"]) == ("no-store", "DENY")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b"[]", 400), (b'{"row_id": 7}', 400), (b'{"a": "\\ud83d"}', 400),
        (b"[" * 100_000, 400), (b"\xff", 400), (b"x" * 300_000, 413),
        (b'{"row_id": "no"}', 422), (b"{}", 422),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_broken_call_is_refused_and_changes_nothing(
    project: Path, served: Served, body: bytes, status: int
) -> None:
    before = read_lines(project)
    assert served.ask("POST", "/save", served.log_in(), body)[0] == status
    assert read_lines(project) == before


def test_a_form_cannot_be_posted(project: Path, served: Served) -> None:
    before = read_lines(project)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {**served.log_in(), "Content-Type": kind}
        assert served.ask("POST", "/save", headers, accept(served))[0] == 415
    assert read_lines(project) == before


def test_it_listens_on_the_loopback_address_alone(served: Served) -> None:
    for address in ("127.0.0.2", "::1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with (
            socket.socket(family) as other,
            pytest.raises(OSError, match=r"refused|assign|unreachable"),
        ):
            other.connect((address, served.port))


def test_another_run_has_another_token(project: Path, served: Served) -> None:
    other = start_review(project, "--reviewer", "Bob")
    try:
        assert other.token != served.token
        assert other.ask("GET", f"/?token={served.token}", {})[0] == 403
        headers = {**served.log_in(), "Origin": other.origin}
        assert other.ask("GET", "/rows", headers)[0] == 403
    finally:
        assert other.end() == 0
