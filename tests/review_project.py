"""A project whose rows can be reviewed, and the server of `stillhouse review` as a process of its own."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.trace_project import ROOT, make_project

REVIEW: Final = Path("data/seed/review.jsonl")
_RUN: Final = "from stillhouse.cli.main import app; app()"


def make_review_project(root: Path, **sample: object) -> Path:
    """Make a project with rows, no verdicts yet, and this review sample."""
    make_project(root)
    (root / REVIEW).write_text("")
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["review"]["sample"].update(sample)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    return root


@dataclass(frozen=True)
class Served:
    """A running server: its process and the link that it printed."""

    process: "subprocess.Popen[str]"
    url: str

    @property
    def port(self) -> int:
        """Its port."""
        return urlsplit(self.url).port or 0

    @property
    def origin(self) -> str:
        """What a page of it calls itself."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The token of the link."""
        return parse_qs(urlsplit(self.url).query)["token"][0]

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask as any program could: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def log_in(self) -> dict[str, str]:
        """Return the headers of a call that the page itself makes."""
        _, headers, _ = self.ask("GET", f"/?token={self.token}", {})
        return {
            "Cookie": headers["Set-Cookie"].partition(";")[0],
            "X-Stillhouse-Token": self.token,
            "Origin": self.origin,
            "Content-Type": "application/json",
        }

    def end(self, kind: int = signal.SIGINT) -> int:
        """End it by a signal; return its exit code."""
        self.process.send_signal(kind)
        return self.process.wait(20)


def start_review(root: Path, *arguments: str) -> Served:
    """Start the server in a project; whoever starts it ends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, "review", "--no-open", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STILLHOUSE_HOME": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    assert url, process.stderr.read()
    return Served(process, url)


def read_lines(root: Path) -> list[dict[str, Any]]:
    """Return the lines of the review file."""
    return [json.loads(line) for line in (root / REVIEW).read_text().splitlines()]
