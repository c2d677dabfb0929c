"""What rows were made of: how two requests differ, and why one version has a request that the other lacks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from stillhouse.base.records import Request, split_slot
from stillhouse.diffing.causes import NOTHING, Cause, Why
from stillhouse.diffing.items import ROW_HASHES, Item, slot_of
from stillhouse.diffing.settings import Settings, name_some
from stillhouse.diffing.upstream import Upstream
from stillhouse.lineage.slots import pair_slots
from stillhouse.planning.traits import (
    MARKING,
    Traits,
    compare_requests,
    list_differences,
    look_at,
    name_seeds,
)

FOCUS: Final = "data/seed/focus.yaml"
SEEDS: Final = (
    "data/seed/everyday.jsonl",
    "data/seed/unanswered.jsonl",
    "data/seed/prompts.jsonl",
    "data/seed/tables",
    *MARKING,
)
_PAIRED: Final = 20_000  # requests on a side that are paired by what they say


class Making:
    """Compares what rows of two versions were made of; requests are loaded before (``Upstream``)."""

    def __init__(self, old: Upstream, new: Upstream, settings: Settings) -> None:
        self._old, self._new, self._settings = old, new, settings
        self._requests: dict[str, str] | None = None

    def needs_requests(self, old: Item, new: Item) -> bool:
        """Whether the hashes of two rows do not tell all that their requests differ by."""
        if old.request_id == new.request_id:
            return False
        if not old.hashes or not new.hashes or old.hashes["parameters"] != new.hashes["parameters"]:
            return True
        if f"data/seed/{new.source}" in self._other_seeds():
            return True
        same = all(old.hashes[name] == new.hashes[name] for name in ROW_HASHES)
        return same and old.chunk_ids == new.chunk_ids

    def compare(self, old: Item, new: Item) -> Why:
        """Return what the requests of two rows differ by."""
        if self.needs_requests(old, new):
            told = self.compare_ids(old.request_id, new.request_id, old.chunk_ids, new.chunk_ids)
            if told.causes != ("unknown",) or not (old.hashes and new.hashes):
                return told
        found: list[Cause] = [name for name in ROW_HASHES if old.hashes[name] != new.hashes[name]]
        if old.chunk_ids != new.chunk_ids and "document" not in found:
            found.append("document")
        return self._name(found or ["unknown"], old, new)

    def compare_ids(
        self, old: str, new: str, old_chunks: Sequence[str], new_chunks: Sequence[str]
    ) -> Why:
        """Return what two requests differ by, given their ids and those of their passages."""
        then, now = self._old.traits_of(old), self._new.traits_of(new)
        if then is None or now is None:
            return Why(("unknown",))
        why = NOTHING
        if then.parent and now.parent and then.parent != now.parent:
            why = self.compare_parents(then.parent, now.parent)
            found: list[Cause] = list(list_differences(then, now, self._other_seeds()))
        else:
            found = list(compare_requests(then, now, self._other_seeds()))
        for cause in found:
            if cause == "document" and (seeds := self._name_seeds(then, now)):
                why |= Why(("document",), {"document": name_some(seeds)})
            elif cause == "document":
                sources = [
                    *self._name_sources(self._old, old_chunks, then.slot_id),
                    *self._name_sources(self._new, new_chunks, now.slot_id),
                ]
                why |= self.refine_document(sources)
            elif cause == "prompt":
                why |= Why(("prompt",), {"prompt": now.prompt_path})
            elif cause == "teacher":
                why |= Why(("teacher",), {"teacher": f"{then.teacher} -> {now.teacher}"})
            else:
                why |= Why((cause,), {cause: self._name_parameters(cause)})
        return why

    def compare_parents(self, old: str, new: str) -> Why:
        """Return why the pair that a request develops is another one."""
        then, now = self._old.pair(old), self._new.pair(new)
        if then is None or now is None:
            return Why(("unknown",))
        if then.request_id == now.request_id:
            return self.answered_otherwise(then.request_id)
        return self.compare_ids(then.request_id, now.request_id, then.chunk_ids, now.chunk_ids)

    def _name(self, causes: Iterable[Cause], old: Item, new: Item) -> Why:
        why = NOTHING
        for cause in causes:
            if cause == "document":
                sources = [
                    *self._name_sources(self._old, old.chunk_ids, old.slot_id),
                    *self._name_sources(self._new, new.chunk_ids, new.slot_id),
                ]
                why |= self.refine_document(sources)
            elif cause == "prompt":
                why |= Why(("prompt",), self._name_prompt(new))
            else:
                name = self._name_parameters(cause) if cause in ("parameters", "teacher") else ""
                why |= Why((cause,), {cause: name} if name else {})
        return why

    def _name_prompt(self, new: Item) -> dict[Cause, str]:
        path = self._new.prompts.get(new.hashes.get("prompt", ""), "")
        return {"prompt": path} if path else {}

    def _name_seeds(self, then: Traits, now: Traits) -> list[str]:
        """Return the seed files by which two requests differ; none where their passages do."""
        asked = then.said != now.said or (
            then.chunk_ids == now.chunk_ids and then.shown != now.shown
        )
        return name_seeds(now, self._other_seeds()) if asked else []

    def _name_parameters(self, cause: Cause) -> str:
        sections = ("teacher",) if cause == "teacher" else ("render", "teacher")
        names = [n for one in sections for n in self._settings.list_params("render", one)]
        if not names and cause == "parameters" and self._settings.read_other("render", FOCUS):
            return FOCUS  # its weights multiply phrasings
        return name_some([n for n in names if cause != "sampling" or ".seed" in n])

    def _name_sources(
        self, upstream: Upstream, chunk_ids: Sequence[str], slot_id: str
    ) -> list[str]:
        found = [upstream.chunks[one] for one in chunk_ids if one in upstream.chunks]
        return found or [split_slot(slot_id)[0]]

    def refine_document(self, sources: Sequence[str]) -> Why:
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
        chosen = NOTHING if others else self._choose_otherwise()
        return (
            chosen
            if chosen.causes
            else Why(("document",), {"document": name_some(others or names)})
        )

    def _choose_otherwise(self) -> Why:
        """Return why other passages or instructions were drawn of the same documents."""
        if plan := self._settings.list_params("render", "render"):
            cause: Cause = "sampling" if all(".seed" in name for name in plan) else "parameters"
            return Why((cause,), {cause: name_some(plan)})
        if self._settings.read_other("render", FOCUS):
            return Why(("parameters",), {"parameters": FOCUS})
        code = self._settings.list_code("render")
        return Why(("code",), {"code": name_some(code)}) if code else NOTHING

    def _other_seeds(self) -> frozenset[str]:
        """Return the files of questions that differ, as ``compare_requests`` wants them."""
        return frozenset(file for file in SEEDS if self._settings.read_other("render", file))

    def answered_otherwise(self, request_id: str) -> Why:
        """Return why one request gave two answers: it was asked twice, or read by other code.

        Where somebody edited a table, neither is known.
        """
        if edited := (*self._old.edited, *self._new.edited):
            return Why(("unknown",), {}, f"{edited[0]} is not the file that its stage wrote")
        then, now = self._old.answer_of(request_id), self._new.answer_of(request_id)
        if then is not None and now is not None and then == now:
            code = self._settings.list_code("generate")
            return Why(("code",), {"code": name_some(code)} if code else {})
        return Why(("sampling",), {"sampling": "asked again"})

    def place(self, request_id: str, here: Upstream, there: Upstream) -> Why:
        """Return why ``there`` has no such request: another one stands in its place, or none."""
        here.load_requests([request_id])
        if here.find("requests") is None or there.find("requests") is None:
            return Why(("unknown",))
        if other := self._pair_requests().get(request_id):
            there.load_requests([other])
            mine, theirs = here.request(request_id), there.request(other)
            if mine and theirs:
                old, new = (mine, theirs) if here is self._old else (theirs, mine)
                return self.compare_ids(
                    old.request_id, new.request_id, old.chunk_ids, new.chunk_ids
                )
        request = here.request(request_id)
        return self._explain_place(request, here, there) if request else Why(("unknown",))

    def _explain_place(self, request: Request, here: Upstream, there: Upstream) -> Why:
        """Return why a request stands where the other version has none."""
        if request.parent_id:
            return self._explain_step(request, here, there)
        lacking = [one for one in request.chunk_ids if one not in there.chunks]
        if lacking:
            return self.refine_document(self._name_sources(here, lacking, request.slot_id))
        if seeds := name_seeds(look_at(request), self._other_seeds()):
            return Why(("document",), {"document": name_some(seeds)})
        plan = [*self._settings.list_params("render", "render")]
        own = [name for name in plan if f".{request.task}" in name or ".seed" in name]
        if own and all(".seed" in name for name in own):
            return Why(("sampling",), {"sampling": name_some(own)})
        if own:
            return Why(("parameters",), {"parameters": name_some(own)})
        if request.task not in there.tasks and self._settings.read_other("render", "prompts"):
            return Why(("prompt",), {"prompt": request.prompt_path})
        if self._settings.read_other("render", FOCUS):
            return Why(("parameters",), {"parameters": FOCUS})
        if asked := self._settings.list_params("render", "teacher"):
            return Why(("teacher",), {"teacher": name_some(asked)})
        if plan:
            return Why(("parameters",), {"parameters": name_some(plan)})
        if self._settings.read_other("render", "prompts"):
            return Why(("prompt",), {"prompt": request.prompt_path})
        if here.sources != there.sources:
            return self.refine_document(
                sorted(here.sources.keys() ^ there.sources.keys())
                or [split_slot(request.slot_id)[0]]
            )
        if code := self._settings.list_code("render"):
            return Why(("code",), {"code": name_some(code)})
        return Why(("unknown",))

    def _explain_step(self, request: Request, here: Upstream, there: Upstream) -> Why:
        """Return why a pair is developed further in one version only: it is not there, or not drawn."""
        parent = here.pair(request.parent_id)
        if parent is None:
            return Why(("unknown",))
        if not there.has_pair(parent.pair_id):
            there.load_requests([parent.request_id])
            if there.request(parent.request_id):
                return self.answered_otherwise(parent.request_id)
            return self.place(parent.request_id, here, there)
        asked = self._settings.list_params("generate", "generate")
        drawn = [name for name in asked if name.startswith("generate.evolve")]
        if drawn:
            cause: Cause = "sampling" if all(".seed" in name for name in drawn) else "parameters"
            return Why((cause,), {cause: name_some(drawn)})
        if asked := self._settings.list_params("generate", "teacher"):
            return Why(("teacher",), {"teacher": name_some(asked)})
        if self._settings.read_other("generate", "prompts/evolve"):
            return Why(("prompt",), {"prompt": request.prompt_path})
        if code := self._settings.list_code("generate"):
            return Why(("code",), {"code": name_some(code)})
        # Of a fact the first wording is developed: with another answer it may be another one.
        return self.answered_otherwise(parent.request_id)

    def _pair_requests(self) -> Mapping[str, str]:
        """Return, both ways, which request of one version stands in the place of one of the other."""
        if self._requests is None:
            self._requests = {}
            gone = self._old.list_alone("requests", "request_id", self._new, _PAIRED)
            fresh = self._new.list_alone("requests", "request_id", self._old, _PAIRED)
            if gone and fresh:
                self._old.load_requests(gone)
                self._new.load_requests(fresh)
                then = [one for name in gone if (one := self._old.request(name))]
                now = [one for name in fresh if (one := self._new.request(name))]
                if fresh < gone:  # what is paired does not depend on who is called A
                    then, now = now, then
                paired = pair_slots([slot_of(one) for one in then], [slot_of(one) for one in now])
                for first, second in paired.pairs:
                    self._requests[then[first].request_id] = now[second].request_id
                    self._requests[now[second].request_id] = then[first].request_id
        return self._requests
