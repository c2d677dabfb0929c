"""Why a row changed, left or came: read off the hashes, ids and reasons that both versions recorded.

A row that is in both versions changed because its request did (what of it is told by the hashes of
prompt, passages, teacher and parameters), because the same request was answered otherwise, or because
a reviewer mended it. A row that is in one version only is looked for in the other: its pair may have
been judged, filtered, reviewed or placed otherwise there, and the reason stands in that version's
rejections; or there is no such pair, and then its request tells. Where a row gave way to another one
(a duplicate, a fact that is held out now), the cause is whatever brought that other one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from stillhouse.base.ids import content_id
from stillhouse.base.records import Rejection, Request, split_slot
from stillhouse.diffing.items import (
    ROW_HASHES,
    RUN_HASHES,
    Item,
    item_of_pair,
    slot_of,
    slot_of_item,
)
from stillhouse.diffing.pairing import choose_same
from stillhouse.diffing.settings import Settings, name_some
from stillhouse.diffing.upstream import Upstream
from stillhouse.lineage.slots import pair_slots
from stillhouse.planning.traits import compare_requests

Cause: TypeAlias = Literal[
    "prompt",
    "document",
    "teacher",
    "parameters",
    "judge",
    "filter",
    "sampling",
    "review",
    "split",
    "code",
    "unknown",
]
# In the order of the pipeline. `unknown`: the tables that would tell are not found.
CAUSES: Final[tuple[Cause, ...]] = (
    "document",
    "prompt",
    "teacher",
    "parameters",
    "sampling",
    "code",
    "judge",
    "filter",
    "review",
    "split",
    "unknown",
)
_FILTERS: Final = ("contamination", "duplicate", "conflict", "near_duplicate", "personal")
_WINNER: Final = re.compile(r" (?:as|to) (\S.*) \(([0-9a-f]{12})\)")
_SIMILAR: Final = re.compile(r"similar|similarity")
_NUMBER: Final = re.compile(r"\d\.\d+")
_DEEPEST: Final = 3  # rows that gave way to rows that gave way
_PAIRED: Final = 20_000  # requests or pairs on a side that are paired by what they say
_NEIGHBOURS: Final = 8  # other pairs of a fact that are looked at


@dataclass(frozen=True, slots=True)
class Why:
    """The causes of one difference, in the order of ``CAUSES``.

    ``names`` says by cause what it is about: ``prompts/recall.md``, ``split.seed 7 -> 11``. ``said`` is
    what a stage wrote down of it.
    """

    causes: tuple[Cause, ...]
    names: Mapping[Cause, str] = field(default_factory=dict)
    said: str = ""

    def __or__(self, other: "Why") -> "Why":
        found = {*self.causes, *other.causes}
        names = {**other.names, **self.names}
        ordered = tuple(cause for cause in CAUSES if cause in found)
        return Why(ordered, names, self.said or other.said)


NOTHING: Final = Why(())


class Explainer:
    """Explains differences between two versions; ``load`` comes before the questions."""

    def __init__(self, old: Upstream, new: Upstream, table: str) -> None:
        self._old, self._new, self._table = old, new, table
        self._settings = Settings(old.lock, new.lock)
        self._partners: dict[str, str] = {}  # id of a row or pair -> of the pair it is in the other
        self._requests: dict[str, str] | None = None
        self._known_hashes: dict[int, Mapping[str, frozenset[str]]] = {}
        self._words: dict[str, Item] = {}

    def load(
        self,
        changed: Sequence[tuple[Item, Item]],
        removed: Sequence[Item],
        added: Sequence[Item],
    ) -> None:
        """Read what the questions will need, each table once, and pair what has left with pairs."""
        for upstream, lonely in ((self._new, removed), (self._old, added)):
            if lonely and lonely[0].hashes and not upstream.knows_pairs:
                self._known_hashes[id(upstream)] = {
                    name: upstream.find_hashes(
                        self._table, name, {item.hashes[name] for item in lonely}
                    )
                    for name in (*ROW_HASHES, *RUN_HASHES)
                }
        for mine, others, here, there in (
            (removed, [new for _, new in changed], self._old, self._new),
            (added, [old for old, _ in changed], self._new, self._old),
        ):
            self._pair(mine, others, here, there)
        for upstream, mine in ((self._new, removed), (self._old, added)):
            if upstream.knows_pairs:
                upstream.load_places([upstream.fixed.get(item.id, item.id) for item in mine])
        needed = {
            self._old: [old.request_id for old, new in changed if self._needs_requests(old, new)],
            self._new: [new.request_id for old, new in changed if self._needs_requests(old, new)],
        }
        needed[self._old] += [item.request_id for item in removed]
        needed[self._new] += [item.request_id for item in added]
        for upstream, ids in needed.items():
            found = [
                self._partners[item.id] for item in (*removed, *added) if item.id in self._partners
            ]
            ids += [upstream.pairs[one].request_id for one in found if one in upstream.pairs]
            upstream.load_requests(ids)

    def changed(self, old: Item, new: Item) -> Why:
        """Return why a row that is in both versions is not the same."""
        origin, reviewed = self._old.origin(old.id), self._new.origin(new.id)
        mended = old.id != origin or new.id != reviewed
        own = NOTHING
        if old.request_id != new.request_id:
            own = self._compare(old, new)
        elif origin != reviewed and not self._is_fix(old, new):
            own = self._answered_otherwise(old)
        if (mended and (not own.causes or self._has_other_verdict(old, new))) or (
            not own.causes and self._is_fix(old, new)
        ):
            own |= self._reviewed(old, new)
        if not own.causes and old.id == new.id:  # the holdout differs, or the fact's name
            own = self._settle_split(NOTHING, old, self._old, self._new, 0)
        return own

    def removed(self, item: Item) -> Why:
        """Return why the new version lacks a row of the old one."""
        return self._absent(item, self._old, self._new, 0)

    def added(self, item: Item) -> Why:
        """Return why the old version lacked a row of the new one."""
        return self._absent(item, self._new, self._old, 0)

    def request_changed(self, old: Request, new: Request) -> Why:
        """Return why a request is another one."""
        self._old.load_requests([old.request_id])
        self._new.load_requests([new.request_id])
        return self._compare_requests(old.request_id, new.request_id, old.chunk_ids, new.chunk_ids)

    def request_absent(self, request_id: str, *, gone: bool) -> Why:
        """Return why a request is in one version only: of the old one if it is ``gone``."""
        here, there = (self._old, self._new) if gone else (self._new, self._old)
        here.load_requests([request_id])
        return self._place(request_id, here, there)

    def document_differs(self, source: str) -> Why:
        """Return why a document, or a passage of it, is another one."""
        return self._refine_document([source])

    # What a row was made of

    def _needs_requests(self, old: Item, new: Item) -> bool:
        if old.request_id == new.request_id:
            return False
        if not old.hashes or not new.hashes or old.hashes["parameters"] != new.hashes["parameters"]:
            return True
        same = all(old.hashes[name] == new.hashes[name] for name in ROW_HASHES)
        return same and old.chunk_ids == new.chunk_ids

    def _compare(self, old: Item, new: Item) -> Why:
        """Return what the requests of two rows differ by."""
        if self._needs_requests(old, new):
            told = self._compare_requests(
                old.request_id, new.request_id, old.chunk_ids, new.chunk_ids
            )
            if told.causes != ("unknown",) or not (old.hashes and new.hashes):
                return told
        found: list[Cause] = [name for name in ROW_HASHES if old.hashes[name] != new.hashes[name]]
        if old.chunk_ids != new.chunk_ids and "document" not in found:
            found.append("document")
        return self._name(found or ["unknown"], old, new)

    def _compare_requests(
        self, old: str, new: str, old_chunks: Sequence[str], new_chunks: Sequence[str]
    ) -> Why:
        then, now = self._old.traits_of(old), self._new.traits_of(new)
        if then is None or now is None:
            return Why(("unknown",))
        found: list[Cause] = list(compare_requests(then, now, self._other_seeds()))
        why = NOTHING
        for cause in found:
            if cause == "document":
                sources = [
                    *self._name_sources(self._old, old_chunks, then.slot_id),
                    *self._name_sources(self._new, new_chunks, now.slot_id),
                ]
                why |= self._refine_document(sources)
            elif cause == "prompt":
                why |= Why(("prompt",), {"prompt": now.prompt_path})
            elif cause == "teacher":
                why |= Why(("teacher",), {"teacher": f"{then.teacher} -> {now.teacher}"})
            else:
                why |= Why((cause,), {cause: self._name_parameters(cause)})
        return why

    def _name(self, causes: Iterable[Cause], old: Item, new: Item) -> Why:
        why = NOTHING
        for cause in causes:
            if cause == "document":
                sources = [
                    *self._name_sources(self._old, old.chunk_ids, old.slot_id),
                    *self._name_sources(self._new, new.chunk_ids, new.slot_id),
                ]
                why |= self._refine_document(sources)
            elif cause == "prompt":
                why |= Why(("prompt",), self._name_prompt(new))
            else:
                name = self._name_parameters(cause) if cause in ("parameters", "teacher") else ""
                why |= Why((cause,), {cause: name} if name else {})
        return why

    def _name_prompt(self, new: Item) -> dict[Cause, str]:
        known = self._new.requests.get(new.request_id)
        path = (
            known.prompt_path if known else self._new.prompts.get(new.hashes.get("prompt", ""), "")
        )
        return {"prompt": path} if path else {}

    def _name_parameters(self, cause: Cause) -> str:
        if cause == "sampling":
            return name_some(
                [name for name in self._settings.list_params("render", "render") if ".seed" in name]
            )
        sections = ("teacher",) if cause == "teacher" else ("render", "teacher")
        return name_some(
            [name for section in sections for name in self._settings.list_params("render", section)]
        )

    def _name_sources(
        self, upstream: Upstream, chunk_ids: Sequence[str], slot_id: str
    ) -> list[str]:
        found = [upstream.chunks[one] for one in chunk_ids if one in upstream.chunks]
        return found or [split_slot(slot_id)[0]]

    def _refine_document(self, sources: Sequence[str]) -> Why:
        """Return ``document`` with the sources that are other ones; else what made other text of them."""
        then, now = self._old.sources, self._new.sources
        names = list(dict.fromkeys(sources))
        changed = [name for name in names if then.get(name) != now.get(name)]
        if changed or not (then and now) or not all(name in then for name in names):
            return Why(("document",), {"document": name_some(changed or names)})
        if cut := self._settings.list_params("ingest", "ingest"):
            return Why(("parameters",), {"parameters": name_some(cut)})
        # The bytes are the same, the passages are not: code made other text, or another rule stands
        # beside this one because some other document changed.
        if code := self._settings.list_code("ingest"):
            return Why(("code",), {"code": name_some(code)})
        others = [
            name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)
        ]
        return Why(("document",), {"document": name_some(others or names)})

    def _other_seeds(self) -> frozenset[str]:
        """Return the files of questions that differ, as ``compare_requests`` wants them."""
        files = ("data/seed/everyday.jsonl", "data/seed/unanswered.jsonl")
        return frozenset(file for file in files if self._settings.read_other("render", file))

    def _answered_otherwise(self, item: Item) -> Why:
        """Return why one request gave two answers: it was asked twice, or read by other code."""
        then, now = self._old.answer_of(item.request_id), self._new.answer_of(item.request_id)
        if then is not None and now is not None and then == now:
            code = self._settings.list_code("generate")
            return Why(("code",), {"code": name_some(code)} if code else {})
        return Why(("sampling",), {"sampling": "asked again"})

    # Review

    def _is_fix(self, old: Item, new: Item) -> bool:
        """Whether one row is the other one with a reviewer's answer, which its id tells."""

        def mends(first: Item, second: Item) -> bool:
            made = content_id("reviewed", {"row_id": first.id, "response": second.answer})
            return second.id == made

        return mends(old, new) or mends(new, old)

    def _has_other_verdict(self, old: Item, new: Item) -> bool:
        """Whether a row that changed anyway was also reviewed otherwise.

        A verdict names the row that somebody read. That it is of no row any more, because the row is
        another one now, is no other verdict.
        """
        if not self._read_other_verdicts():
            return False
        before, after = self._old.fixes.get(old.id), self._new.fixes.get(new.id)
        if after is None:
            return before is not None and before["row_id"] not in self._new.lapsed
        return before is None or before["row_id"] not in self._new.lapsed

    def _read_other_verdicts(self) -> bool:
        return self._settings.read_other("review", "data/seed/review.jsonl")

    def _reviewed(self, old: Item, new: Item) -> Why:
        decision = self._new.fixes.get(new.id) or self._old.fixes.get(old.id)
        if decision is None:
            return Why(("review",))
        who = f"by {decision['reviewer']}"
        said = f"review: mended {who}: {decision['reason']}".removesuffix(": ")
        return Why(("review",), {"review": who}, said)

    # Rows of one version only

    def _absent(self, item: Item, here: Upstream, there: Upstream, depth: int) -> Why:
        """Return why a row that is kept in ``here`` is not so in ``there``."""
        if not there.knows_pairs:
            return self._tell_from_tables(item, there)
        mine = here.origin(item.id)
        other = self._find_partner(item, mine, there)
        if not other:
            return self._without_pair(item, here, there)
        own = NOTHING
        if other != mine:
            own = self._compare_pairs(item, other, here, there)
        return own | self._fate(item, other, own, here, there, depth)

    def _tell_from_tables(self, item: Item, there: Upstream) -> Why:
        """Return what the hashes alone tell where the other version's pairs are not found.

        A prompt, passage or teacher that no row there has tells why this one is alone. So do the judge
        and the filters, where all rows of the two versions bear other ones.
        """
        known = self._known_hashes.get(id(there), {})
        found: list[Cause] = [
            name for name in ROW_HASHES if known and item.hashes.get(name) not in known[name]
        ]
        if not found:
            runs: tuple[Cause, ...] = ("code", "judge", "filter")
            found = [name for name in runs if known and item.hashes.get(name) not in known[name]]
        return Why(tuple(cause for cause in CAUSES if cause in found) or ("unknown",))

    def _find_partner(self, item: Item, mine: str, there: Upstream) -> str:
        if mine in there.pairs:
            return mine
        return self._partners.get(item.id) or there.by_slot.get(item.slot_id, "")

    def _compare_pairs(self, item: Item, other: str, here: Upstream, there: Upstream) -> Why:
        pair = there.pairs[other]
        if pair.request_id == item.request_id:
            return self._answered_otherwise(item)
        here.load_requests([item.request_id])
        there.load_requests([pair.request_id])
        first, second = (item.request_id, item.chunk_ids), (pair.request_id, pair.chunk_ids)
        old, new = (first, second) if here is self._old else (second, first)
        return self._compare_requests(old[0], new[0], old[1], new[1])

    def _fate(
        self, item: Item, other: str, own: Why, here: Upstream, there: Upstream, depth: int
    ) -> Why:
        """Return what became of a row's pair in the version that lacks the row."""
        if rejection := there.rejected.get(other):
            return self._explain_rejection(rejection, own, here, there, depth)
        if decision := there.turned_down.get(other):
            who = f"by {decision['reviewer']}"
            said = f"review: rejected {who}: {decision['reason']}".removesuffix(": ")
            said = f"before, {said}" if here is self._new else said
            lapsed = here is self._new and decision["row_id"] in here.lapsed
            if own.causes and (lapsed or not self._read_other_verdicts()):
                return Why((), {}, said)
            return Why(("review",), {"review": who}, said)
        return self._settle_split(own, item, here, there, depth)

    def _settle_split(
        self, own: Why, item: Item, here: Upstream, there: Upstream, depth: int
    ) -> Why:
        other = self._find_partner(item, here.origin(item.id), there)
        part = there.place(there.fixed.get(other, other)) if other else ""
        when = "now" if here is self._old else "before"
        said = f"split: {when} in {part}" if part and part != self._table else ""
        settings = self._settings.list_params("split", "split")
        if self._settings.read_other("split", "data/seed/focus.yaml"):
            settings.append("data/seed/focus.yaml")
        if settings:
            return Why(("split",), {"split": name_some(settings)}, said)
        if own.causes:
            return Why((), {}, said)
        if neighbours := self._explain_fact(item, here, there, depth):
            return Why(neighbours.causes, neighbours.names, said)
        code = self._settings.list_code("split")
        return Why(("split",), {"split": name_some(code)} if code else {}, said)

    def _explain_fact(self, item: Item, here: Upstream, there: Upstream, depth: int) -> Why | None:
        """Return why the other questions about a row's fact are not the same: they share the draw."""
        if depth >= _DEEPEST or not item.fact_id:
            return None
        why = NOTHING
        mine, theirs = here.by_fact.get(item.fact_id, ()), there.by_fact.get(item.fact_id, ())
        for one in sorted(set(mine) ^ set(theirs))[:_NEIGHBOURS]:
            first, second = (here, there) if one in here.pairs else (there, here)
            if found := self._load_item(one, first):
                why |= self._absent(found, first, second, depth + 1)
        for one in sorted(set(mine) & set(theirs)):
            first, second = (there, here) if one in here.rejected else (here, there)
            if (one in here.rejected) != (one in there.rejected) and (
                found := self._load_item(one, first)
            ):
                why |= self._absent(found, first, second, depth + 1)
        return why if why.causes else None

    def _explain_rejection(
        self,
        rejection: Rejection,
        own: Why,
        here: Upstream,
        there: Upstream,
        depth: int,
    ) -> Why:
        said = f"{rejection.stage}: {rejection.reason}: {rejection.detail}"
        if here is self._new:
            said = f"before, {said}"
        if rejection.reason not in _FILTERS:
            return self._explain_score(rejection, own, here, there, said)
        brought = NOTHING
        if depth < _DEEPEST and (winner := _WINNER.search(rejection.detail)):
            brought = self._explain_winner(winner[1], winner[2], here, there, depth)
        settings = self._name_filter_settings()
        if settings and brought.causes and self._fell_before(rejection, here):
            settings = []
        if settings:
            brought |= Why(("filter",), {"filter": name_some(settings)})
        elif not brought.causes and not own.causes:
            code = self._settings.list_code("curate")
            brought = Why(("filter",), {"filter": name_some(code) if code else rejection.reason})
        return Why(brought.causes, brought.names, said)

    def _explain_score(
        self, rejection: Rejection, own: Why, here: Upstream, there: Upstream, said: str
    ) -> Why:
        """Return the judge, unless the row's own change alone explains that it fell."""
        thresholds = self._settings.find_param(here.lock, "curate", "curate.thresholds") or {}
        scores = there.scores.get(rejection.rejected_id, {})
        falls = any(scores.get(name, 1.0) < limit for name, limit in thresholds.items())
        if own.causes and falls:
            return Why((), {}, said)
        settings = [
            *self._settings.list_params("curate", "curate"),
            *self._settings.list_params("judge", "judge"),
        ]
        settings = [
            name for name in settings if not name.startswith("curate.") or "thresholds" in name
        ]
        if own.causes and not settings and not self._settings.list_code("judge"):
            return Why((), {}, said)
        settings = settings or self._settings.list_code("judge")
        return Why(("judge",), {"judge": name_some(settings) or rejection.reason}, said)

    def _name_filter_settings(self) -> list[str]:
        changed = [
            name
            for name in self._settings.list_params("curate", "curate")
            if "thresholds" not in name
        ]
        if self._settings.read_other("curate", "data/seed/eval"):
            changed.append("data/seed/eval")
        return changed

    def _fell_before(self, rejection: Rejection, here: Upstream) -> bool:
        """Whether a near-duplicate is one by the other version's limit as well."""
        limit = self._settings.find_param(here.lock, "curate", "curate.near_duplicate")
        number = _NUMBER.search(rejection.detail)
        near = rejection.reason == "near_duplicate" and number and isinstance(limit, int | float)
        return not near or float(number[0]) >= float(limit)  # type: ignore[index]

    def _explain_winner(
        self, slot_id: str, short: str, here: Upstream, there: Upstream, depth: int
    ) -> Why:
        """Return what brought the row that another one gave way to."""
        winner = there.by_slot.get(slot_id, "")
        if not winner.startswith(short):
            return NOTHING
        if winner in here.pairs and winner not in here.rejected:
            return NOTHING
        found = self._load_item(winner, there)
        return self._absent(found, there, here, depth + 1) if found else NOTHING

    def _load_item(self, pair_id: str, upstream: Upstream) -> Item | None:
        if pair_id not in self._words:
            for pair in upstream.load_pairs([pair_id]):
                self._words[pair_id] = item_of_pair(pair)
        return self._words.get(pair_id)

    # No such pair

    def _without_pair(self, item: Item, here: Upstream, there: Upstream) -> Why:
        """Return why ``there`` has no pair at all in a row's place."""
        if item.request_id in there.requests:
            why = self._answered_otherwise(item)
            if unusable := there.unusable.get(item.request_id):
                said = f"{unusable.stage}: {unusable.reason}: {unusable.detail}"
                return Why(why.causes, why.names, said)
            return why
        return self._place(item.request_id, here, there)

    def _place(self, request_id: str, here: Upstream, there: Upstream) -> Why:
        """Return why ``there`` has no such request: another one stands in its place, or none."""
        here.load_requests([request_id])
        if here.find("requests") is None or there.find("requests") is None:
            return Why(("unknown",))
        if other := self._pair_requests().get(request_id):
            there.load_requests([other])
            mine, theirs = here.request(request_id), there.request(other)
            if mine and theirs:
                old, new = (mine, theirs) if here is self._old else (theirs, mine)
                return self._compare_requests(
                    old.request_id, new.request_id, old.chunk_ids, new.chunk_ids
                )
        request = here.request(request_id)
        return self._explain_place(request, here, there) if request else Why(("unknown",))

    def _explain_place(self, request: Request, here: Upstream, there: Upstream) -> Why:
        """Return why a request stands where the other version has none."""
        lacking = [one for one in request.chunk_ids if one not in there.chunks]
        if lacking:
            return self._refine_document(self._name_sources(here, lacking, request.slot_id))
        seed = f"data/seed/{split_slot(request.slot_id)[0]}"
        if not request.chunk_ids and seed in self._other_seeds():
            return Why(("document",), {"document": seed})
        plan = [*self._settings.list_params("render", "render")]
        own = [name for name in plan if f".{request.task}" in name or ".seed" in name]
        if own and all(".seed" in name for name in own):
            return Why(("sampling",), {"sampling": name_some(own)})
        if own:
            return Why(("parameters",), {"parameters": name_some(own)})
        if request.task not in there.tasks and self._settings.read_other("render", "prompts"):
            return Why(("prompt",), {"prompt": request.prompt_path})
        if self._settings.read_other("render", "data/seed/focus.yaml"):
            return Why(("parameters",), {"parameters": "data/seed/focus.yaml"})
        if asked := self._settings.list_params("render", "teacher"):
            return Why(("teacher",), {"teacher": name_some(asked)})
        if plan:
            return Why(("parameters",), {"parameters": name_some(plan)})
        if self._settings.read_other("render", "prompts"):
            return Why(("prompt",), {"prompt": request.prompt_path})
        if here.sources != there.sources:
            return self._refine_document(
                sorted(here.sources.keys() ^ there.sources.keys())
                or [split_slot(request.slot_id)[0]]
            )
        if code := self._settings.list_code("render"):
            return Why(("code",), {"code": name_some(code)})
        return Why(("unknown",))

    # Pairing

    def _pair(
        self, mine: Sequence[Item], others: Sequence[Item], here: Upstream, there: Upstream
    ) -> None:
        """Pair rows of one version with those pairs of the other that are no rows of the table."""
        if not mine or not there.knows_pairs or not here.knows_pairs:
            return
        left = [item for item in mine if here.origin(item.id) not in there.pairs]
        taken = {there.origin(item.id) for item in others}
        pool = [one for one in there.pairs if one not in here.pairs and one not in taken]
        if not left or not pool or max(len(left), len(pool)) > _PAIRED:
            return
        words = [item_of_pair(pair) for pair in there.load_pairs(pool)]
        found = pair_slots(
            [slot_of_item(one) for one in left], [slot_of_item(one) for one in words]
        )
        for first, second in choose_same(list(found.pairs), [], left, words):
            self._partners[left[first].id] = words[second].id

    def _pair_requests(self) -> Mapping[str, str]:
        """Return, both ways, which request of one version stands in the place of one of the other."""
        if self._requests is None:
            self._requests = {}
            gone = sorted(self._old.requests.keys() - self._new.requests.keys())
            fresh = sorted(self._new.requests.keys() - self._old.requests.keys())
            if gone and fresh and max(len(gone), len(fresh)) <= _PAIRED:
                self._old.load_requests(gone)
                self._new.load_requests(fresh)
                then = [one for name in gone if (one := self._old.request(name))]
                now = [one for name in fresh if (one := self._new.request(name))]
                paired = pair_slots([slot_of(one) for one in then], [slot_of(one) for one in now])
                for first, second in paired.pairs:
                    self._requests[then[first].request_id] = now[second].request_id
                    self._requests[now[second].request_id] = then[first].request_id
        return self._requests
