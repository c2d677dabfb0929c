"""Why requests are to be sent: what differs from those of the last run, by what was recorded of it.

A request is compared with the one that stood in its place (``lineage/slots.py``, so that a renamed
file or a moved section is not another place). Where there was none, it is the passage that is new,
or the prompt, or the plan that asks about more.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from stillhouse.base.records import Request, split_slot
from stillhouse.lineage.slots import Slot, pair_slots, slot_of_request
from stillhouse.planning.traits import Traits, compare_requests, look_at, name_seeds

# `first`: no earlier run is recorded. `unknown`: it is, but its requests are not found here.
Cause: TypeAlias = Literal[
    "prompt", "document", "teacher", "parameters", "sampling", "unanswered", "first", "unknown"
]
# Up to so many requests on either side are paired by what they say; more only by their slots.
_PAIRED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Former:
    """The last run: its requests (none where they are not found), and what it knew of their sources.

    ``chunk_ids`` are its passages; ``changed`` names the inputs beside the corpus that are not as
    they were then: ``prompts``, ``data/seed/everyday.jsonl``.
    """

    requests: Iterable[Request]
    chunk_ids: Collection[str]
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Caused:
    """How many requests each cause makes new (one may have several), and what each is about."""

    counts: Mapping[Cause, int]
    named: Mapping[Cause, Mapping[str, int]]


@dataclass(slots=True)
class _Tally:
    counts: Counter[Cause] = field(default_factory=Counter)
    named: dict[Cause, Counter[str]] = field(default_factory=dict)

    def add(self, causes: Iterable[Cause], now: Traits) -> None:
        for cause in causes:
            self.counts[cause] += 1
            self.named.setdefault(cause, Counter())[_name(cause, now)] += 1


def explain_requests(
    requests: Iterable[Request], to_be_sent: Collection[str], former: Former | None
) -> Caused:
    """Return why the requests of ``to_be_sent`` are.

    Args:
        requests: all of the next run; walked twice.
        to_be_sent: the ids of those that are new.
        former: the last run; None where there was none.
    """
    tally = _Tally()
    if to_be_sent:
        for causes, now in _find_causes(requests, to_be_sent, former):
            tally.add(causes, now)
    return Caused(dict(tally.counts), {cause: dict(c) for cause, c in tally.named.items()})


def _find_causes(
    requests: Iterable[Request], to_be_sent: Collection[str], former: Former | None
) -> Iterator[tuple[tuple[Cause, ...], Traits]]:
    stood = {bytes.fromhex(r.request_id) for r in former.requests} if former else set()
    if former is None or not stood:
        cause: Cause = "first" if former is None else "unknown"
        for request in requests:
            if request.request_id in to_be_sent:
                yield (cause,), look_at(request)
        return
    stay: set[bytes] = set()
    known, same_corpus = set(former.chunk_ids), True
    fresh: list[Traits] = []
    slots: list[Slot] = []
    for request in requests:
        same_corpus = same_corpus and known.issuperset(request.chunk_ids)
        name = bytes.fromhex(request.request_id)
        if name not in stood:
            fresh.append(look_at(request))
            slots.append(slot_of_request(request) if len(slots) < _PAIRED else Slot("", ""))
            continue
        stay.add(name)
        if request.request_id in to_be_sent:
            yield ("unanswered",), look_at(request)
    before = _Before(former, stay)
    partners = before.pair(fresh, slots)
    for number, now in enumerate(fresh):
        if now.request_id in to_be_sent:
            then = partners.get(number)
            yield before.compare(then, now, same_corpus) if then else before.place(now), now


class _Before:
    """The requests of the last run that are no more, and what was asked about then."""

    def __init__(self, former: Former, stay: Collection[bytes]) -> None:
        self._former = former
        self._gone: list[Traits] = []
        self._slots: list[Slot] = []
        self._tasks: set[str] = set()
        self._places: set[str] = set()
        chunk_ids = set(former.chunk_ids)
        for request in former.requests:
            self._tasks.add(request.task)
            self._places.add(request.slot_id)
            chunk_ids.update(request.chunk_ids)
            if bytes.fromhex(request.request_id) not in stay:
                self._gone.append(look_at(request))
                few = len(self._slots) < _PAIRED
                self._slots.append(slot_of_request(request) if few else Slot("", ""))
        self._chunk_ids = chunk_ids

    def pair(self, fresh: list[Traits], slots: list[Slot]) -> dict[int, Traits]:
        """Return, by the number of a new request, the one that stood in its place."""
        if max(len(fresh), len(self._gone)) <= _PAIRED:
            pairs = pair_slots(self._slots, slots).pairs
            return {new: self._gone[old] for old, new in pairs}
        by_slot = {then.slot_id: then for then in self._gone}
        found = ((number, by_slot.get(now.slot_id)) for number, now in enumerate(fresh))
        return {number: then for number, then in found if then is not None}

    def compare(self, then: Traits, now: Traits, same_corpus: bool) -> tuple[Cause, ...]:
        """Return what a request differs by from the one that stood in its place.

        Where no passage is new, other ones stand there because another number was wanted, and another
        instruction because another one was drawn: no document is the cause.
        """
        causes = compare_requests(then, now, self._former.changed)
        if not same_corpus or name_seeds(now, self._former.changed):
            return causes
        drawn: Cause = "sampling" if then.chunk_ids == now.chunk_ids else "parameters"
        return tuple(dict.fromkeys(drawn if cause == "document" else cause for cause in causes))

    def place(self, now: Traits) -> tuple[Cause, ...]:
        """Return why a request stands where none stood."""
        if now.parent:
            return ("parameters",)  # `generate.evolve` develops more
        first, mark, _ = now.slot_id.rpartition("@")  # of a teacher beside the first one
        if mark and first.removesuffix("|") in self._places:
            return ("teacher",)
        if now.task not in self._tasks and "prompts" in self._former.changed:
            return ("prompt",)
        known = self._chunk_ids.issuperset(now.chunk_ids)
        known = known and not name_seeds(now, self._former.changed)
        return ("sampling",) if known else ("document",)


def _name(cause: Cause, now: Traits) -> str:
    """Return what a cause is about: a prompt, a source, a teacher, else the task."""
    if cause == "prompt":
        return now.prompt_path
    if cause == "document":
        return split_slot(now.slot_id)[0]
    return now.teacher if cause == "teacher" else now.task
