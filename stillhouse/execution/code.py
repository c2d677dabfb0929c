"""Python programs in a sandbox: parsed always, run where that was allowed.

A program that is run computes and nothing else: no file but Python's own library, no network, no
other process or thread, no more memory and time than the limits say. Where the kernel cannot
confine it, nothing is run. A program could still claim to have come to its end when it has not: what
runs is as trustworthy as its author, but it can do no harm.
"""

from typing import Self

from stillhouse.execution.sandbox import Limits, Sandbox
from stillhouse.execution.sql import clean_query


class Interpreter:
    """A sandbox for programs; used in a ``with`` block. With ``runs`` they are run, else parsed."""

    def __init__(self, *, runs: bool, limits: Limits | None = None) -> None:
        given = limits or Limits(memory_mb=512)
        self._sandbox = Sandbox("run" if runs else "parse", None, given, strict=runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.stop()

    def check(self, program: str) -> str:
        """Return why a program is no Python or fails, empty where it is well.

        Raises:
            InputError: programs are to be run, and this machine cannot confine them.
        """
        return self._sandbox.run(clean_query(program)).error
