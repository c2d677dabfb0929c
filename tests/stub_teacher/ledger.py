"""What was asked, answered and charged: the counters of /stub/state and the lines of the log."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from tests.stub_teacher.calls import Usage

_WRITE: Final = 1.25
_WRITE_HOUR: Final = 2.0
_READ: Final = 0.1
_BATCH: Final = 0.5
BATCH_ITEM: Final = "batch_item"


class Ledger:
    """Counters and log. A line is one write to an unbuffered file: a kill cannot lose what it says."""

    def __init__(self, prices: tuple[float, float], log: str, resume: bool) -> None:
        self._prices = prices
        self.calls = self.answered = self.paid_twice = self.in_flight = self.max_in_flight = 0
        self.batches = self.batch_items = 0
        self.input_tokens = self.output_tokens = self.cache_read = self.cache_write = 0
        self.cost = 0.0
        self.by_status: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.doomed: set[str] = set()
        self.key_lengths: set[int] = set()
        self.old_batches: list[dict[str, Any]] = []
        if log and resume and Path(log).exists():
            self._read_log(Path(log))
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if log else -1
        self._held: list[bytes] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the lines of this block at once, or, after a kill, none of them."""
        self._held = []
        yield
        raw, self._held = b"".join(self._held), None
        if self._log >= 0:
            os.write(self._log, raw)

    def arrive(self) -> None:
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self) -> None:
        self.in_flight -= 1

    def begin_attempt(self, fingerprint: str) -> int:
        """Count an attempt at a request and return its number, 1 for the first."""
        self.attempts[fingerprint] += 1
        return self.attempts[fingerprint]

    def record(
        self,
        endpoint: str,
        fingerprint: str,
        status: str,
        attempt: int,
        usage: Usage | None = None,
        batched: bool = False,
        forever: bool = False,
    ) -> None:
        """Count the end of a call or of a batch's item and write its line.

        ``usage`` is None where nothing is charged. What is charged was answered, unless its
        connection was cut.
        """
        line: dict[str, Any] = {
            "time": time.time(),
            "endpoint": endpoint,
            "fingerprint": fingerprint,
            "status": int(status) if status.isdigit() else status,
            "attempt": attempt,
        }
        if forever:
            line["forever"] = True
        if usage is not None:
            line |= {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cache_read_tokens": usage.cache_read,
                "cache_write_tokens": usage.cache_write,
                "cost_usd": self._price(usage, batched),
            }
        self._count(line)
        self._write(line)

    def keep_batch(self, batch: dict[str, Any]) -> None:
        """Write a batch down, or that it was canceled or deleted: ``old_batches`` after a restart."""
        self._write(batch)

    def describe(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "answered": self.answered,
            "by_status": dict(sorted(self.by_status.items())),
            "distinct": len(self.answers),
            "paid_twice": self.paid_twice,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read,
            "cache_write_tokens": self.cache_write,
            "cost_usd": round(self.cost, 9),
            "batches": self.batches,
            "batch_items": self.batch_items,
            "keys_seen": sorted(self.key_lengths),
        }

    def _price(self, usage: Usage, batched: bool) -> float:
        read, write = usage.cache_read, usage.cache_write
        plain = usage.input_tokens - read - write
        weighted = plain + read * _READ + write * (_WRITE_HOUR if usage.cache_hour else _WRITE)
        dollars = (weighted * self._prices[0] + usage.output_tokens * self._prices[1]) / 1e6
        return dollars * _BATCH if batched else dollars

    def _count(self, line: dict[str, Any]) -> None:
        status, fingerprint = str(line["status"]), line["fingerprint"]
        if line["endpoint"] == BATCH_ITEM:
            self.batch_items += 1
        else:
            self.by_status[status] += 1
        if "cost_usd" not in line:
            return
        self.input_tokens += line["input_tokens"]
        self.output_tokens += line["output_tokens"]
        self.cache_read += line["cache_read_tokens"]
        self.cache_write += line["cache_write_tokens"]
        self.cost += line["cost_usd"]
        if status != "cut":
            self.answered += 1
            self.paid_twice += fingerprint in self.answers
            self.answers[fingerprint] += 1

    def _write(self, line: dict[str, Any]) -> None:
        if self._held is not None:
            self._held.append(orjson.dumps(line) + b"\n")
        elif self._log >= 0:
            os.write(self._log, orjson.dumps(line) + b"\n")

    def _read_log(self, path: Path) -> None:
        """Count what an earlier process wrote down; a line that its death cut short is left out."""
        with path.open("rb") as lines:
            for raw in lines:
                if not raw.endswith(b"\n"):
                    continue
                line = orjson.loads(raw)
                if "batch" in line:
                    self.old_batches.append(line)
                    self.batches += line["batch"] == "created"
                    continue
                self.calls += line["endpoint"] != BATCH_ITEM
                if line["attempt"]:
                    self.attempts[line["fingerprint"]] = line["attempt"]
                if line.get("forever"):
                    self.doomed.add(line["fingerprint"])
                self._count(line)
