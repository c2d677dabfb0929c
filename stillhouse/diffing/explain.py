"""Why a row changed, left or came: read off the hashes, ids and reasons that both versions recorded.

A row that is in both versions changed because its request did (what of it is told by the hashes of
prompt, passages, teacher and parameters), because the same request was answered otherwise, or because
a reviewer mended it. A row that is in one version only is looked for in the other: its pair may have
been judged, filtered, reviewed or placed otherwise there, and the reason stands in that version's
rejections; or there is no such pair, and then its request tells. Where a row gave way to another one
(a duplicate, a fact that is held out now), the cause is whatever brought that other one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from stillhouse.base.fixes import is_fix
from stillhouse.base.records import Rejection, Request, split_slot
from stillhouse.diffing.causes import CAUSES, NOTHING, Cause, Why
from stillhouse.diffing.items import ROW_HASHES, RUN_HASHES, Item, item_of_pair, slot_of_item
from stillhouse.diffing.making import FOCUS, Making
from stillhouse.diffing.pairing import choose_same
from stillhouse.diffing.selecting import FILTERS, Selecting
from stillhouse.diffing.settings import Settings, name_some
from stillhouse.diffing.upstream import Upstream
from stillhouse.lineage.slots import pair_slots

_WINNER: Final = re.compile(r" (?:as|to) (\S.*) \(([0-9a-f]{12})\)")
_DEEPEST: Final = 3  # rows that gave way to rows that gave way
_PAIRED: Final = 20_000  # pairs on a side that are paired by what they say
_NEIGHBOURS: Final = 8  # other pairs of a fact that are looked at


class Explainer:
    """Explains differences between two versions; ``load`` comes before the questions."""

    def __init__(self, old: Upstream, new: Upstream, table: str) -> None:
        self._old, self._new, self._table = old, new, table
        self._settings = Settings(old.lock, new.lock)
        self._making = Making(old, new, self._settings)
        self._selecting = Selecting(self._settings)
        self._partners: dict[str, str] = {}  # id of a row or pair -> of the pair it is in the other
        self._known_hashes: dict[int, Mapping[str, frozenset[str]]] = {}
        self._words: dict[str, Item] = {}
        self._same: dict[int, set[str]] = {id(old): set(), id(new): set()}
        self._facts: set[str] = set()
        self._told_facts: dict[tuple[str, bool], Why | None] = {}

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
        for mine, there in ((removed, self._new), (added, self._old)):
            self._look_up(mine, there)
        stays = [old for old, new in changed if old.id == new.id]
        self._look_up(stays, self._new)
        needed = {
            self._old: [
                old.request_id for old, new in changed if self._making.needs_requests(old, new)
            ],
            self._new: [
                new.request_id for old, new in changed if self._making.needs_requests(old, new)
            ],
        }
        for mine, here, there in ((removed, self._old, self._new), (added, self._new, self._old)):
            other = [item for item in mine if here.origin(item.id) not in self._same[id(there)]]
            asked = [item.request_id for item in other]
            needed[here] += asked
            needed[there] += asked
            partners = [self._partners[item.id] for item in other if item.id in self._partners]
            partners += [slot for item in other if (slot := there.find_slot(item.slot_id))]
            there.load_pairs(partners)
            needed[there] += [pair.request_id for one in partners if (pair := there.pair(one))]
        for upstream, ids in needed.items():
            upstream.load_requests(ids)

    def _look_up(self, mine: Sequence[Item], there: Upstream) -> None:
        """Ask the version that lacks rows, or has them elsewhere, for all of them at once."""
        if not mine or not there.knows_pairs:
            return
        here = self._old if there is self._new else self._new
        origins = [here.origin(item.id) for item in mine]
        same = there.find_pairs(origins)
        self._same[id(there)] |= same
        there.load_slots(
            [item.slot_id for item, one in zip(mine, origins, strict=True) if one not in same]
        )
        others = [
            *origins,
            *(self._partners[item.id] for item in mine if item.id in self._partners),
        ]
        there.load_rejections(others)
        there.load_places([there.fixed.get(one, one) for one in others])
        # Rows that are pairs there, and were not dropped, are held out: so for their fact's sake.
        self._facts |= {
            item.fact_id
            for item, origin in zip(mine, origins, strict=True)
            if item.fact_id and origin in same and not there.rejection(origin)
        }

    def changed(self, old: Item, new: Item) -> Why:
        """Return why a row that is in both versions is not the same."""
        origin, reviewed = self._old.origin(old.id), self._new.origin(new.id)
        mended = old.id != origin or new.id != reviewed
        own = NOTHING
        if old.request_id != new.request_id:
            own = self._making.compare(old, new)
        elif origin != reviewed and not self._is_fix(old, new):
            own = self._making.answered_otherwise(old.request_id)
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

    def load_requests(self, old: Sequence[str], new: Sequence[str]) -> None:
        """Read the requests that will be asked about, all at once."""
        self._old.load_requests(old)
        self._new.load_requests(new)

    def request_changed(self, old: Request, new: Request) -> Why:
        """Return why a request is another one."""
        return self._making.compare_ids(
            old.request_id, new.request_id, old.chunk_ids, new.chunk_ids
        )

    def request_absent(self, request_id: str, *, gone: bool) -> Why:
        """Return why a request is in one version only: of the old one if it is ``gone``."""
        here, there = (self._old, self._new) if gone else (self._new, self._old)
        return self._making.place(request_id, here, there)

    def judging_changed(self, old: Request, new: Request) -> Why:
        """Return why a judge is asked otherwise: by another rubric or judge, or of another pair."""
        if (old.prompt_sha256, old.teacher, old.model) != (
            new.prompt_sha256,
            new.teacher,
            new.model,
        ):
            return Why(("judge",), {"judge": new.prompt_path})
        slots = (split_slot(old.slot_id)[0], split_slot(new.slot_id)[0])
        then, now = self._old.find_slot(slots[0]), self._new.find_slot(slots[1])
        if then and now and then != now:
            return self._making.compare_parents(then, now)
        return Why(("judge",))

    def judging_absent(self, request: Request, *, gone: bool) -> Why:
        """Return why a judge is asked in one version only: of the old one if it is ``gone``."""
        here, there = (self._old, self._new) if gone else (self._new, self._old)
        pair = here.pair(here.find_slot(split_slot(request.slot_id)[0]))
        if pair is None or there.has_pair(pair.pair_id):
            return Why(("judge",), {"judge": request.prompt_path})
        there.load_requests([pair.request_id])
        if there.request(pair.request_id):
            return self._making.answered_otherwise(pair.request_id)
        return self._making.place(pair.request_id, here, there)

    def document_differs(self, source: str) -> Why:
        """Return why a document, or a passage of it, is another one."""
        return self._making.refine_document([source])

    def _is_fix(self, old: Item, new: Item) -> bool:
        """Whether one row is the other one with a reviewer's words, which its id tells."""
        return is_fix(new.id, old.id, new.answer, new.question) or is_fix(
            old.id, new.id, old.answer, old.question
        )

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
        if there.has_pair(mine):
            return mine
        return self._partners.get(item.id) or there.find_slot(item.slot_id)

    def _compare_pairs(self, item: Item, other: str, here: Upstream, there: Upstream) -> Why:
        pair = there.pair(other)
        if pair is None or pair.request_id == item.request_id:
            return self._making.answered_otherwise(item.request_id)
        here.load_requests([item.request_id])
        there.load_requests([pair.request_id])
        first, second = (item.request_id, item.chunk_ids), (pair.request_id, pair.chunk_ids)
        old, new = (first, second) if here is self._old else (second, first)
        return self._making.compare_ids(old[0], new[0], old[1], new[1])

    def _fate(
        self, item: Item, other: str, own: Why, here: Upstream, there: Upstream, depth: int
    ) -> Why:
        """Return what became of a row's pair in the version that lacks the row."""
        if rejection := there.rejection(other):
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
        # Its weights move a row by what is asked, its list of core documents by what is held out.
        weighed = own.names.get("parameters") == FOCUS
        if self._settings.read_other("split", FOCUS) and not weighed:
            settings.append(FOCUS)
        if settings:
            return Why(("split",), {"split": name_some(settings)}, said)
        if own.causes:
            return Why((), {}, said)
        if neighbours := self._explain_fact(item, here, there, depth):
            return Why(neighbours.causes, neighbours.names, said)
        # A row follows others than those of its fact, too: who asks the same, who gives a fact away.
        pool, code = self._selecting.explain_pool(), self._settings.list_code("split")
        if pool.causes:
            return Why(pool.causes, pool.names, said)
        return Why(("split",), {"split": name_some(code)} if code else {}, said)

    def _explain_fact(self, item: Item, here: Upstream, there: Upstream, depth: int) -> Why | None:
        """Return why the other questions about a row's fact are not the same: they share the draw."""
        if depth >= _DEEPEST or not item.fact_id:
            return None
        key = (item.fact_id, here is self._old)
        if key not in self._told_facts:
            self._load_facts()
            why = NOTHING
            for one, first, second in self._list_neighbours(item.fact_id, here, there):
                if found := self._load_item(one, first):
                    why |= self._absent(found, first, second, depth + 1)
            self._told_facts[key] = why if why.causes else None
        return self._told_facts[key]

    def _list_neighbours(
        self, fact_id: str, here: Upstream, there: Upstream
    ) -> Iterator[tuple[str, Upstream, Upstream]]:
        """Yield the pairs of a fact that one version has, or keeps, and the other has not: id, has, lacks."""
        mine, theirs = set(here.find_fact(fact_id)), set(there.find_fact(fact_id))
        for one in sorted(mine ^ theirs)[:_NEIGHBOURS]:
            yield (one, here, there) if one in mine else (one, there, here)
        told = 0
        for one in sorted(mine & theirs):
            dropped, gone = bool(here.rejection(one)), bool(there.rejection(one))
            if dropped != gone and told < _NEIGHBOURS:
                told += 1
                yield (one, there, here) if dropped else (one, here, there)

    def _load_facts(self) -> None:
        """Ask both versions at once for all that questions about neighbours will need."""
        facts, self._facts = self._facts, set()
        if not facts:
            return
        both = (self._old, self._new)
        ids: set[str] = set()
        for upstream in both:
            upstream.load_facts(facts)
            ids.update(one for fact in facts for one in upstream.find_fact(fact))
        for upstream in both if ids else ():
            upstream.load_rejections(ids)
        for first, second in (both, both[::-1]):
            found = [
                one
                for fact in facts
                for one, has, _ in self._list_neighbours(fact, *both)
                if has is first
            ]
            self._words |= {pair.pair_id: item_of_pair(pair) for pair in first.read_pairs(found)}
            items = [self._words[one] for one in found if one in self._words]
            second.load_slots([item.slot_id for item in items])
            others = [second.find_slot(item.slot_id) for item in items]
            second.load_places([second.fixed.get(one, one) for one in (*found, *others) if one])
            second.load_rejections([one for one in others if one])
            requests = [item.request_id for item in items]
            second.load_pairs([one for one in others if one])
            requests += [pair.request_id for one in others if one and (pair := second.pair(one))]
            first.load_requests(requests)
            second.load_requests(requests)

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
        if rejection.reason not in FILTERS:
            return self._selecting.explain_score(rejection, own, here, there, said)
        brought = NOTHING
        if depth < _DEEPEST and (winner := _WINNER.search(rejection.detail)):
            brought = self._explain_winner(winner[1], winner[2], here, there, depth)
        return self._selecting.explain_filter(rejection, own, brought, here, said)

    def _explain_winner(
        self, slot_id: str, short: str, here: Upstream, there: Upstream, depth: int
    ) -> Why:
        """Return what brought the row that another one gave way to."""
        winner = there.find_slot(slot_id)
        if not winner.startswith(short):
            return NOTHING
        if here.has_pair(winner) and not here.rejection(winner):
            return NOTHING
        found = self._load_item(winner, there)
        return self._absent(found, there, here, depth + 1) if found else NOTHING

    def _load_item(self, pair_id: str, upstream: Upstream) -> Item | None:
        if pair_id not in self._words:
            for pair in upstream.read_pairs([pair_id]):
                self._words[pair_id] = item_of_pair(pair)
        return self._words.get(pair_id)

    def _without_pair(self, item: Item, here: Upstream, there: Upstream) -> Why:
        """Return why ``there`` has no pair at all in a row's place."""
        if there.request(item.request_id):
            why = self._making.answered_otherwise(item.request_id)
            if unusable := there.find_unusable(item.request_id):
                said = f"{unusable.stage}: {unusable.reason}: {unusable.detail}"
                return Why(why.causes, why.names, said)
            return why
        return self._making.place(item.request_id, here, there)

    def _pair(
        self, mine: Sequence[Item], others: Sequence[Item], here: Upstream, there: Upstream
    ) -> None:
        """Pair rows of one version with those pairs of the other that are no rows of the table."""
        if not mine or not there.knows_pairs or not here.knows_pairs:
            return
        same = there.find_pairs([here.origin(item.id) for item in mine])
        left = [item for item in mine if here.origin(item.id) not in same]
        if not left or len(left) > _PAIRED:
            return
        taken = {there.origin(item.id) for item in others}
        alone = there.list_alone("pairs", "pair_id", here, _PAIRED + len(taken))
        pool = [one for one in alone or () if one not in taken]
        if not pool or len(pool) > _PAIRED:
            return
        words = [item_of_pair(pair) for pair in there.read_pairs(pool)]
        found = pair_slots(
            [slot_of_item(one) for one in left], [slot_of_item(one) for one in words]
        )
        for first, second in choose_same(list(found.pairs), [], left, words):
            self._partners[left[first].id] = words[second].id
