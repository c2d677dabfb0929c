"""The stub teacher as a real process, for tests and benchmarks."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 120.0
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StubProcess:
    """A running stub teacher; ``url`` is its base url for Anthropic, ``url + "/v1"`` for OpenAI."""

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self._folder, self._options = folder, dict(options)
        self._options.setdefault("log", str(folder / "calls.jsonl"))
        self._process = self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._options['port']}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def state(self) -> dict[str, Any]:
        """Return the counters; the package's docstring says what each means."""
        return self._ask("/stub/state")

    def calls_of(self, fingerprint: str) -> dict[str, Any]:
        return self._ask(f"/stub/calls?fingerprint={fingerprint}")

    def set_plan(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the plan of faults.

        Raises:
            ValueError: the plan is wrong, in the stub's words.
        """
        return self._ask("/stub/plan", json.dumps(plan).encode())

    def read_log(self) -> list[dict[str, Any]]:
        """Return the lines of calls and items; those about whole batches are left out."""
        text = Path(self._options["log"]).read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if "endpoint" in line]

    def cpu_seconds(self) -> float:
        """Return the CPU time, in seconds, that the process has used."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Return the bytes that the process holds now."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float = _PATIENCE) -> int:
        """Wait for the process to end by itself; return its exit status."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End the process by SIGKILL; `restart` begins another on the same port."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def restart(self, **changes: Any) -> None:
        """Start again on the same port, with changed options, and go on counting from the log.

        ``resume=False`` counts from 0. A plan set at run time is gone; that of the options holds.
        """
        if self.is_alive():
            self.kill()
        self._options |= {"resume": True, **changes}
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.stub_teacher", "--die-with-stdin"]
        command += self._write_arguments()
        # The pipe stays open as long as this process lives, so that no stub outlives it.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        said = process.stdout.readline() if process.stdout else ""
        if not said.startswith("listening on "):
            process.kill()
            raise RuntimeError(f"the stub teacher did not start (exit {process.wait()})")
        self._options["port"] = int(said.rpartition(":")[2])
        return process

    def _write_arguments(self) -> list[str]:
        arguments: list[str] = []
        for name, value in self._options.items():
            flag = f"--{name.replace('_', '-')}"
            if name == "plan":
                path = self._folder / "plan.json"
                path.write_text(json.dumps(value), encoding="utf-8")
                arguments += [flag, str(path)]
            elif isinstance(value, bool):
                arguments += [flag] if value else []
            elif isinstance(value, tuple | list):
                arguments += [flag, ",".join(map(str, value))]
            else:
                arguments += [flag, str(value)]
        return arguments

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        try:
            with _OPENER.open(self.url + path, data=body, timeout=_PATIENCE) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as exc:
            raise ValueError(json.load(exc)["error"]) from exc


@contextmanager
def start_stub(**options: Any) -> Iterator[StubProcess]:
    """Run a stub teacher; the options are those of the command line, with underscores.

    ``plan`` is the plan itself, ``models`` and ``prices`` are lists. The log is kept in a temporary
    folder unless ``log`` names a file.
    """
    with tempfile.TemporaryDirectory() as folder:
        stub = StubProcess(Path(folder), options)
        try:
            yield stub
        finally:
            stub.kill()


def wait_until(holds: Any, seconds: float = _PATIENCE) -> None:
    """Wait until ``holds()``; raise TimeoutError when it does not in that time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not so within {seconds} seconds")
        time.sleep(0.01)
