"""The parent's side: a confined child process that answers jobs, and is killed when it does not.

One child answers many jobs (a start costs a fifth of a second); where one hangs or dies, the next
job gets a new child. Time is wall-clock time: a job that sleeps is ended like one that computes.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import stillhouse
from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.ids import Json

Kind = Literal["sql", "json", "parse", "run"]

_START_SECONDS: Final = 60.0
_MOST_OUTPUT: Final = 4_000_000  # bytes of one answer
_LONGEST_ERROR: Final = 400  # characters
_BEGIN: Final = (
    "import sys; sys.path.insert(0, {root!r}); from stillhouse.execution.child import main; main()"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may take: wall-clock seconds, and MiB of address space of the whole child."""

    seconds: float = 10.0
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job came to: a value, or an error in one line."""

    value: Json
    error: str = ""


class Sandbox:
    """A child process of one kind; used in a ``with`` block, or it would stay until its parent ends.

    Args:
        kind: what a job is: a query, a JSON text, a program to parse, a program to run.
        given: what the jobs of the kind need (the tables, the schema).
        limits: of each job.
        strict: whether to refuse to work where the kernel confines neither files nor system calls.
    """

    def __init__(self, kind: Kind, given: Json, limits: Limits, *, strict: bool = False) -> None:
        self._kind, self._given, self._limits, self._strict = kind, given, limits, strict
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def run(self, job: str) -> Outcome:
        """Return what the job came to; a job that takes too long ends with its child.

        Raises:
            InputError: what was given is refused, or this machine cannot confine and must.
            MachineError: no child can be started.
        """
        child = self._child or self._start()
        try:
            answer = _ask(child, job, self._limits.seconds)
        except _Silent as exc:
            self.stop()
            return Outcome(None, str(exc))
        error = _clean(str(answer.get("error", "")))
        if self._kind == "run" or error.startswith("MemoryError"):
            self.stop()  # the next job begins with an empty memory
        return Outcome(None, error) if error else Outcome(answer.get("value"))

    def stop(self) -> None:
        """End the child."""
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        self._child.wait()
        self._child = None

    def _start(self) -> subprocess.Popen[bytes]:
        root = str(Path(stillhouse.__file__).resolve().parent.parent)
        command = [sys.executable, "-I", "-B", "-c", _BEGIN.format(root=root)]
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},  # no key of the user's goes in
                start_new_session=True,
            )
        except OSError as exc:
            raise MachineError(f"no sandbox can be started ({exc})") from exc
        setup = {"kind": self._kind, "given": self._given, "memory_mb": self._limits.memory_mb}
        try:
            ready = _ask(self._child, setup, _START_SECONDS)
        except _Silent as exc:
            self.stop()
            raise MachineError(f"the sandbox for {self._kind} did not start ({exc})") from exc
        self._check(ready)
        return self._child

    def _check(self, ready: Mapping[str, Any]) -> None:
        if error := ready.get("error"):
            self.stop()
            raise InputError(f"the sandbox for {self._kind} refused what it was given ({error})")
        missing: Sequence[str] = ready.get("missing", ["files", "calls"])
        if self._strict and missing:
            self.stop()
            raise InputError(
                "this machine cannot confine a program: " + " and ".join(missing),
                expected="Linux 5.13 or newer with Landlock and seccomp, on x86-64 or arm64",
                remedy="set `judge.execute_code: false`, and programs are only parsed",
            )


def _clean(error: str) -> str:
    """Return an error as one line that any table can hold: a program may have written it itself."""
    line = " ".join(error.encode(errors="replace").decode().split())
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]} ..."


class _Silent(Exception):  # noqa: N818 - it says why no answer came
    """No answer came: the time is over, or the child is gone."""


def _ask(child: subprocess.Popen[bytes], job: Json, seconds: float) -> dict[str, Any]:
    """Return the child's answer to one line."""
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
    except OSError as exc:
        raise _Silent("the process ended") from exc
    line = _read_line(child, seconds)
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise _Silent("the process answered with something else") from exc
    if not isinstance(answer, dict):
        raise _Silent("the process answered with something else")
    return answer


def _read_line(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    assert child.stdout is not None
    deadline, read = time.monotonic() + seconds, bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not read.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise _Silent(f"not done after {seconds:g} seconds")
            part = os.read(child.stdout.fileno(), 1 << 16)
            if not part:
                raise _Silent(_explain_end(child))
            read += part
            if len(read) > _MOST_OUTPUT:
                raise _Silent(f"an answer of more than {_MOST_OUTPUT} bytes")
    return bytes(read)


def _explain_end(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "the process closed its output"
    return f"the process ended by signal {-code}" if code < 0 else f"the process ended ({code})"
