"""Claude's message batches: half the price, within a day, and never submitted twice.

The journal knows of a batch before the server does (``batchbook``). So whatever ends this process,
the next one, or another, finds the batch: by its id, or, if it was ended just as it submitted, in the
server's list.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.runtime import Runtime
from stillhouse.base.stage import log, open_bar
from stillhouse.teachers.batch_api import BatchApi, BatchState, MissingError, NotSubmittedError
from stillhouse.teachers.batch_draft import Draft, Drafter
from stillhouse.teachers.batch_results import read_result
from stillhouse.teachers.batchbook import OpenBatch
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Failure, Reply, Source
from stillhouse.teachers.scheduler import PATIENCE_SECONDS, PassingError, choose_pause

T = TypeVar("T")

TEACHER: Final = "anthropic"
_BLOCK: Final = 256  # replies that are written together
# Between two looks at the server: each time half as much again, up to the most.
_FIRST_SECONDS: Final = 3.0
_MOST_SECONDS: Final = 60.0
_GROWTH: Final = 1.5
_TURN_SECONDS: Final = 0.1  # within which Ctrl-C is noticed
# A submission whose process was killed may still be on its way to the server for so long.
GRACE_SECONDS: Final = 20.0
_CLOCKS_SECONDS: Final = 3600.0  # by which the server's clock may differ
_ATTEMPTS: Final = 3  # at one look, before the next
_EXPIRED: Final = "the server has no results of the message batch {} any more"


@contextmanager
def open_batches(
    teachers: TeachersParams, runtime: Runtime, source: Source
) -> Iterator["MessageBatches"]:
    """Open what handles the batches of a source; nothing connects before there is one.

    Raises:
        InputError: batches are chosen, or wanted from before, and the platform has none.
    """
    platform = teachers.anthropic.platform
    if platform != "api" and runtime.batch:
        raise InputError(
            f"`runtime.batch: true`, but {platform} has no message batches",
            where="params.yaml: teachers.anthropic.platform",
            expected="`api`",
            remedy="set `runtime.batch: false`, or reach Claude by Anthropic's own API",
        )
    waiting = source.batches.list_open(TEACHER) if platform != "api" else []
    if any(source.expect(batch.number) for batch in waiting):
        raise InputError(
            f"answers that are wanted wait in message batches, which {platform} cannot fetch",
            where="params.yaml: teachers.anthropic.platform",
            expected="`api`, by which they were submitted",
            remedy="fetch them with it first",
        )
    batches = MessageBatches(teachers, runtime, source)
    try:
        yield batches
    finally:
        batches.close()


class MessageBatches:
    """The batches of one asking."""

    def __init__(self, teachers: TeachersParams, runtime: Runtime, source: Source) -> None:
        self._teachers, self._runtime, self._source = teachers, runtime, source
        self._book = source.batches
        self._drafter = Drafter(teachers, source)
        self._opened: BatchApi | None = None
        self._draft: Draft | None = None
        self._pause_seconds = _FIRST_SECONDS
        self._asked_seconds = 0.0  # to wait, by the server
        self._refusals = 0
        self._good = time.monotonic()  # when the server last did what was asked
        self._met: dict[int, float] = {}  # intents, and when each was met
        self._foreign: set[tuple[int, str]] = set()  # an intent, and a batch that is not its
        self._gone: list[tuple[OpenBatch, str]] = []  # and what is gone of each
        self._done: dict[int, int] = {}
        self._bar: Any = None

    def close(self) -> None:
        """Close what is open; a submission that was turned away is given up."""
        if self._bar is not None:
            self._bar.close()
        if self._draft is not None:
            if self._draft.on_its_way:
                self._draft.close()
            else:
                self._give_up(self._draft)
        if self._opened is not None:
            self._opened.close()

    def ask(self) -> Iterator[Sequence[Reply]]:
        """Fetch what has ended, submit all that is left, and fetch that as it ends."""
        yield from self._serve(submit=True)

    def await_open(self) -> Iterator[Sequence[Reply]]:
        """Fetch the wanted answers of what was submitted before, as they end."""
        yield from self._serve(submit=False)

    def list_wanted(self) -> list[OpenBatch]:
        """Return the batches whose answers are waited for."""
        # Others hold a part of the budget, for which more that is wanted waits.
        everything = not self._source.ended
        return [o for o in self._list_open() if everything or self._source.expect(o.number)]

    def _list_open(self) -> list[OpenBatch]:
        reachable = self._teachers.anthropic.platform == "api"
        return self._book.list_open(TEACHER) if reachable else []

    def _serve(self, *, submit: bool) -> Iterator[Sequence[Reply]]:
        self._good = time.monotonic()
        yield from self.fetch_ended()
        while not self._source.stopped:
            if submit:
                self._submit()
            if not self.list_wanted() and self._source.ended:
                break
            self._pause()
            yield from self.fetch_ended()
        if self._source.stopped and (left := self.list_wanted()):
            log.info(
                "%d message batches with %d requests go on at the server; the next `dvc repro` "
                "fetches their answers",
                len(left),
                sum(one.requests for one in left),
            )

    def fetch_ended(self) -> Iterator[Sequence[Reply]]:
        """Look at each open batch once; yield the answers of those that have ended.

        Raises:
            TeacherError: wanted answers that may have been paid for are gone.
        """
        for batch in self._list_open():
            if self._source.stopped:
                break
            try:
                yield from self._visit(batch)
            except PassingError as exc:
                self._note_trouble(exc)
            else:
                self._good = time.monotonic()
        self._refuse_gone()

    # -- submit

    def _submit(self) -> None:
        """Submit all that can be taken, until the server turns a batch away."""
        while not self._source.stopped:
            if self._draft is None:
                self._draft = self._drafter.fill()
            draft = self._draft
            if draft is None:
                return
            if self._source.stopped:
                self._give_up(draft)
                return
            try:
                done = self._create(draft)
            except TeacherError:
                self._give_up(draft)
                raise
            if not done:
                return

    def _create(self, draft: Draft) -> bool:
        """Submit a batch; return whether the server has it now."""
        api = self._api()
        if not draft.number:
            draft.number = self._source.enclose(draft.names)
        else:
            self._book.renew(draft.number)
        draft.on_its_way = True
        try:
            name = api.create(draft.body)
        except NotSubmittedError as exc:
            draft.on_its_way = False
            self._note_refusal(exc)
            return False
        except TeacherError:
            draft.on_its_way = False
            raise
        except PassingError as exc:
            log.warning("a message batch was submitted or was not (%s): looking for it", exc)
            self._draft = None
            draft.close()
            return False
        self._book.set_name(draft.number, name)
        log.info("submitted a message batch of %d requests: %s", len(draft.names), name)
        self._draft = None
        draft.close()
        self._refusals, self._good = 0, time.monotonic()
        self._pause_seconds = _FIRST_SECONDS
        return True

    def _give_up(self, draft: Draft) -> None:
        """Have the requests of a batch that was certainly not submitted asked another time."""
        self._draft = None
        draft.close()
        if draft.number:
            self._source.free(draft.number)
        else:
            self._source.withdraw(draft.names)

    def _note_refusal(self, error: NotSubmittedError) -> None:
        """Try again later; give it up where nothing else is waited for that may make room.

        Raises:
            TeacherError: it was tried often enough.
        """
        self._asked_seconds = error.retry_after or 0.0
        self._refusals += not error.overload
        lasts = time.monotonic() - self._good > PATIENCE_SECONDS
        if self._refusals > self._runtime.retries or lasts:
            raise TeacherError(
                f"Claude takes no message batch: {error}",
                remedy="run it again: what was submitted is known, and only the rest is asked",
            ) from error

    # -- fetch

    def _visit(self, batch: OpenBatch) -> Iterator[Sequence[Reply]]:
        if not self._book.list_requests(batch.number):
            self._book.end(batch.number)  # the last time, its end was not written down any more
            return
        name = batch.name or self._find_intent(batch)
        if not name:
            return
        state = self._call(lambda: self._api().retrieve(name))
        if state is not None:
            self._show(batch, state)
        if state is None:
            self._lose(batch, f"the server does not know the message batch {name}")
        elif state.ended and not state.readable:
            self._lose(batch, _EXPIRED.format(name))
        elif state.ended:
            try:
                yield from self._fetch(batch, name)
            except MissingError:
                self._lose(batch, _EXPIRED.format(name))

    def _fetch(self, batch: OpenBatch, name: str) -> Iterator[Sequence[Reply]]:
        """Yield the replies that a batch holds and that are not here yet; then it has ended."""
        self._source.expect(batch.number)
        left = self._book.read_bills(self._book.list_requests(batch.number))
        block: list[Reply] = []
        with self._api().results(name) as lines:
            for line in lines:
                bill = left.pop(str(line.get("custom_id")), None)
                if bill is None:
                    continue
                block.append(read_result(line, bill, self._teachers))
                if len(block) == _BLOCK:
                    yield block
                    block = []
                    if self._source.stopped:
                        return
        silent = "the message batch has no result for it"
        block += [Reply(Failure(one, silent, permanent=False), batched=True) for one in left]
        if block:
            yield block
        self._book.end(batch.number)
        self._pause_seconds = _FIRST_SECONDS

    def _lose(self, batch: OpenBatch, what: str) -> None:
        """Give up answers that cannot be had, if they are wanted and may be paid again."""
        if not self._source.expect(batch.number):
            return
        if not self._source.may_repay:
            self._gone.append((batch, what))
            return
        lost = self._source.free(batch.number, lost=True)
        log.warning("%s: %d requests are asked again, although they may be paid for", what, lost)

    def _refuse_gone(self) -> None:
        if not self._gone:
            return
        left = sum(len(self._book.list_requests(batch.number)) for batch, _ in self._gone)
        batch, what = self._gone[0]
        raise TeacherError(
            f"{what}; {left} answers are missing that may have been paid for",
            where=f"submitted at {datetime.fromtimestamp(batch.submitted, UTC):%Y-%m-%d %H:%M} UTC",
            remedy="take a key of the workspace that submitted it; or pay again with "
            "`stillhouse stage generate --allow-repay` and then run `dvc repro`",
        )

    # -- an intent whose outcome is not known

    def _find_intent(self, batch: OpenBatch) -> str:
        """Return the server's id of a batch that may have been submitted; empty while it is unknown.

        Its requests are free again once it is certain that it was not.
        """
        held = self._draft is not None and self._draft.number == batch.number
        if held or not self._book.take_over(batch.number):
            return ""
        met = self._met.setdefault(batch.number, time.monotonic())
        old = time.time() - batch.submitted > self._runtime.timeout_seconds + GRACE_SECONDS
        certain = old or time.monotonic() - met > GRACE_SECONDS
        wanted = set(self._book.list_requests(batch.number))
        for found in self._call(lambda: self._list_candidates(batch)):
            if not found.ended:
                certain = False  # only its results tell whose it is
            elif found.readable and self._call(lambda f=found: self._holds(f, wanted)):  # type: ignore[misc]
                self._book.set_name(batch.number, found.name)
                log.info("found a message batch that was submitted before: %s", found.name)
                return found.name
            else:
                self._foreign.add((batch.number, found.name))
        if certain:
            freed = self._source.free(batch.number)
            log.info("a message batch of %d requests was never submitted: they are free", freed)
        return ""

    def _list_candidates(self, batch: OpenBatch) -> list[BatchState]:
        """Return what the server has of the intent's size and time and nobody here knows, oldest first."""
        known = self._book.list_names(TEACHER)
        known |= {name for number, name in self._foreign if number == batch.number}
        since = batch.submitted - _CLOCKS_SECONDS
        return [
            found
            for found in self._api().list_since(since)
            if found.requests == batch.requests and found.name not in known
        ][::-1]

    def _holds(self, found: BatchState, wanted: set[str]) -> bool:
        """Say whether the results of a batch are those of exactly these requests."""
        left = set(wanted)
        try:
            with self._api().results(found.name) as lines:
                for line in lines:
                    if line.get("custom_id") not in left:
                        return False
                    left.discard(str(line["custom_id"]))
        except MissingError:
            return False
        return not left

    # -- the server

    def _api(self) -> BatchApi:
        if self._opened is None:
            self._opened = BatchApi(self._teachers, self._runtime)
        return self._opened

    def _call(self, act: Callable[[], T]) -> T:
        """Do something that changes nothing, again if it fails in a way that may pass."""

        def give_up(state: RetryCallState) -> bool:
            return state.attempt_number >= _ATTEMPTS or bool(self._source.stopped)

        retrying = Retrying(
            sleep=self._sleep,
            stop=give_up,
            wait=choose_pause,
            retry=retry_if_exception_type(PassingError),
            reraise=True,
        )
        return retrying(act)

    def _note_trouble(self, error: PassingError) -> None:
        if self._source.stopped:
            return
        self._asked_seconds = error.retry_after or 0.0
        if time.monotonic() - self._good > PATIENCE_SECONDS:
            raise TeacherError(
                f"message batches cannot be fetched: {error}",
                remedy="they go on at the server, and the next `dvc repro` fetches them",
            ) from error
        log.warning("a message batch could not be looked at (%s): trying again", error)

    def _pause(self) -> None:
        """Wait until the next look: each time longer, and no shorter than the server asks."""
        self._sleep(max(self._pause_seconds, min(self._asked_seconds, PATIENCE_SECONDS)))
        self._pause_seconds = min(self._pause_seconds * _GROWTH, _MOST_SECONDS)
        self._asked_seconds = 0.0

    def _sleep(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._source.stopped and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, _TURN_SECONDS))

    def _show(self, batch: OpenBatch, state: BatchState) -> None:
        if self._bar is None:
            self._bar = open_bar("in batches at the server", 0)
        if batch.number not in self._done:
            self._bar.total += state.requests
        self._bar.update(state.done - self._done.get(batch.number, 0))
        self._done[batch.number] = state.done
        self._bar.refresh()
