"""Message batches: taken whole, answered when their time is over, read back in any order."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from re import fullmatch
from typing import Any, Final

import orjson

from tests.stub_teacher import anthropic_api, faults
from tests.stub_teacher.answers import compose
from tests.stub_teacher.calls import ApiError, Body, ForeverError, Options, Usage
from tests.stub_teacher.ledger import BATCH_ITEM, Ledger
from tests.stub_teacher.prefixes import Prefixes

_DAY: Final = 86_400.0
_MOST: Final = 100_000
_OUTCOMES: Final = ("succeeded", "errored", "canceled", "expired")
_FAULTS: Final[Mapping[str, Body]] = {
    "batch_expired": {"type": "expired"},
    "batch_canceled": {"type": "canceled"},
}


@dataclass(slots=True)
class Batch:
    """A batch; times are seconds of the epoch, ``results`` the lines of its file once it ended."""

    batch_id: str
    created: float
    items: list[Body]
    cancel_asked: float = 0.0
    ended: float = 0.0
    results: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    timer: asyncio.TimerHandle | None = None


class Batches:
    """All batches, oldest first."""

    def __init__(
        self,
        options: Options,
        ledger: Ledger,
        prefixes: Prefixes,
        judge: Callable[[], tuple[faults.Plan, faults.Doomed]],
    ) -> None:
        self._options, self._ledger, self._prefixes, self._judge = options, ledger, prefixes, judge
        self._batches: dict[str, Batch] = {}
        for line in ledger.old_batches:
            self._recall(line)

    def submit(self, items: list[Body]) -> str:
        """Take a batch whose items `read_items` let through; return its id."""
        batch = Batch(f"msgbatch_{uuid.uuid4().hex[:24]}", time.time(), items)
        self._ledger.batches += 1
        self._ledger.keep_batch(
            {
                "batch": "created",
                "id": batch.batch_id,
                "time": batch.created,
                "items": items,
            }
        )
        self._batches[batch.batch_id] = batch
        self._schedule(batch, self._options.batch_seconds)
        return batch.batch_id

    def describe(self, batch_id: str, host: str) -> Body:
        """Return a batch as the server shows it.

        Raises:
            ApiError: 404; there is no such batch.
        """
        batch = self._find(batch_id)
        counts = {outcome: batch.counts[outcome] for outcome in _OUTCOMES}
        status = "canceling" if batch.cancel_asked else "in_progress"
        url = f"http://{host}/v1/messages/batches/{batch_id}/results"
        return {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended" if batch.ended else status,
            "request_counts": {"processing": 0 if batch.ended else len(batch.items), **counts},
            "created_at": _say_time(batch.created),
            "expires_at": _say_time(batch.created + _DAY),
            "ended_at": _say_time(batch.ended),
            "cancel_initiated_at": _say_time(batch.cancel_asked),
            "archived_at": None,
            "results_url": url if batch.ended else None,
        }

    def describe_page(self, query: Mapping[str, str], host: str) -> Body:
        """Return a page of batches, the newest first; `after_id` goes on to older ones.

        Raises:
            ApiError: 400; the limit or the id is wrong.
        """
        limit = int(query.get("limit", "20")) if query.get("limit", "20").isdigit() else 0
        if not 1 <= limit <= 1000:
            raise _invalid("limit: Input should be from 1 to 1000")
        ids = list(reversed(self._batches))
        after, before = query.get("after_id"), query.get("before_id")
        for cursor in (after, before):
            if cursor and cursor not in self._batches:
                raise _invalid(f"Invalid cursor: {cursor}")
        if before:
            newer = ids[: ids.index(before)]
            page, more = newer[-limit:], len(newer) > limit
        else:
            older = ids[ids.index(after) + 1 :] if after else ids
            page, more = older[:limit], len(older) > limit
        return {
            "data": [self.describe(one, host) for one in page],
            "has_more": more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }

    def read_results(self, batch_id: str) -> str:
        """Return the JSONL file of an ended batch.

        Raises:
            ApiError: 404 for no such batch, 400 for one that has not ended.
        """
        batch = self._find(batch_id)
        if not batch.ended:
            raise _invalid(f"Batch {batch_id} has no results yet: it is still being processed.")
        return batch.results

    def cancel(self, batch_id: str) -> None:
        """Ask for an early end: what its time has not reached is canceled.

        Raises:
            ApiError: 404 for no such batch, 400 for one that has ended.
        """
        batch = self._find(batch_id)
        if batch.ended:
            raise _invalid(f"Batch {batch_id} cannot be canceled: it has ended.")
        if not batch.cancel_asked:
            self._ask_to_end(batch, time.time())
            self._ledger.keep_batch(
                {"batch": "canceled", "id": batch_id, "time": batch.cancel_asked}
            )

    def delete(self, batch_id: str) -> Body:
        """Forget an ended batch.

        Raises:
            ApiError: 404 for no such batch, 400 for one that has not ended.
        """
        if not self._find(batch_id).ended:
            raise _invalid(f"Batch {batch_id} cannot be deleted while it is being processed.")
        del self._batches[batch_id]
        self._ledger.keep_batch({"batch": "deleted", "id": batch_id})
        return {"id": batch_id, "type": "message_batch_deleted"}

    def _find(self, batch_id: str) -> Batch:
        if batch_id not in self._batches:
            raise ApiError(404, "not_found_error", f"Batch {batch_id} not found.")
        return self._batches[batch_id]

    def _ask_to_end(self, batch: Batch, moment: float) -> None:
        batch.cancel_asked = moment
        left = batch.created + self._options.batch_seconds - time.time()
        self._schedule(batch, min(left, self._options.batch_seconds / 10))

    def _schedule(self, batch: Batch, seconds: float) -> None:
        if batch.timer is not None:
            batch.timer.cancel()
        loop = asyncio.get_running_loop()
        batch.timer = loop.call_later(max(seconds, 0.0), self._end, batch)

    def _end(self, batch: Batch) -> None:
        """Answer the items that a cancellation left, count them, and write the results."""
        done = len(batch.items)
        if batch.cancel_asked:
            spent = batch.cancel_asked - batch.created
            done = int(done * min(spent / max(self._options.batch_seconds, 1e-9), 1.0))
        results = []
        with self._ledger.together():
            for place, item in enumerate(batch.items):
                result = self._answer(item["params"]) if place < done else {"type": "canceled"}
                batch.counts[result["type"]] += 1
                results.append({"custom_id": item["custom_id"], "result": result})
            # The order of the results says nothing, and nobody may come to rely on it.
            Random(f"{self._judge()[0].seed}{len(results)}").shuffle(results)
            batch.results = "".join(orjson.dumps(one).decode() + "\n" for one in results)
            batch.ended = time.time()
            self._ledger.keep_batch(
                {
                    "batch": "ended",
                    "id": batch.batch_id,
                    "time": batch.ended,
                    "results": batch.results,
                    "counts": dict(batch.counts),
                }
            )

    def _answer(self, params: Body) -> Body:
        """Return the result of an item, and count it."""
        plan, doomed = self._judge()
        fingerprint, attempt = "", 0
        try:
            call = anthropic_api.read_params(params, self._options)
            fingerprint = call.fingerprint
            attempt = self._ledger.begin_attempt(fingerprint)
            known = fingerprint in self._ledger.answers
            if doomed.holds(fingerprint, (call.system, call.user), known):
                raise ForeverError
            fault = _check_item(plan.find_fault(fingerprint, attempt, faults.BATCH_ITEM))
        except ApiError as error:
            self._ledger.record(
                BATCH_ITEM,
                fingerprint,
                str(error.status),
                attempt,
                forever=isinstance(error, ForeverError),
            )
            return {"type": "errored", "error": anthropic_api.render_error(error, "batch")}
        if fault in _FAULTS:
            self._ledger.record(BATCH_ITEM, fingerprint, fault.removeprefix("batch_"), attempt)
            return dict(_FAULTS[fault])
        cached = self._prefixes.look_up(call)
        answer = compose(call, self._options.answer_tokens, fault)
        size = answer.text_tokens + answer.thinking_tokens
        usage = Usage(
            call.input_tokens,
            size,
            answer.thinking_tokens,
            cached.read,
            cached.write,
            cached.hour,
        )
        self._ledger.record(BATCH_ITEM, fingerprint, "200", attempt, usage, batched=True)
        message = anthropic_api.render_answer(call, answer, usage, uuid.uuid4().hex[:24])
        message["usage"]["service_tier"] = "batch"
        return {"type": "succeeded", "message": message}

    def _recall(self, line: dict[str, Any]) -> None:
        """Take up a batch as an earlier process wrote it down."""
        batch_id = line["id"]
        if line["batch"] == "created":
            batch = Batch(batch_id, line["time"], line["items"])
            self._batches[batch_id] = batch
            left = batch.created + self._options.batch_seconds - time.time()
            self._schedule(batch, left)
            return
        batch = self._batches[batch_id]
        if line["batch"] == "canceled":
            self._ask_to_end(batch, line["time"])
        elif line["batch"] == "deleted":
            del self._batches[batch_id]
        else:
            if batch.timer is not None:
                batch.timer.cancel()
            batch.ended, batch.results = line["time"], line["results"]
            batch.counts.update(line["counts"])


def read_items(body: Body) -> list[Body]:
    """Return the items of a batch's submission.

    Raises:
        ApiError: 400; there is none, or their ids are wrong or stand twice.
    """
    items = body.get("requests")
    if not isinstance(items, list) or not 1 <= len(items) <= _MOST:
        raise _invalid(f"requests: Input should be a list of 1 to {_MOST} items")
    seen: set[str] = set()
    for place, item in enumerate(items):
        name = item.get("custom_id") if isinstance(item, dict) else None
        if not isinstance(name, str) or not fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            said = "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
            raise _invalid(f"requests.{place}.custom_id: {said}")
        if not isinstance(item.get("params"), dict):
            raise _invalid(f"requests.{place}.params: Field required")
        if name in seen:
            raise _invalid(f"requests.{place}.custom_id: Duplicate custom_id '{name}'")
        seen.add(name)
    return items


def _check_item(fault: str) -> str:
    """Return a fault that is no error of the item.

    Raises:
        ApiError: what an errored item says.
    """
    if fault == "batch_invalid":
        raise _invalid("This item is invalid by the stub's plan.")
    if fault == "batch_api_error":
        raise ApiError(500, "api_error", "Internal server error")
    return fault


def _say_time(moment: float) -> str | None:
    return (
        datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z") if moment else None
    )


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_request_error", message)
