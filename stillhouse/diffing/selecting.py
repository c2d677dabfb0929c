"""Why a judge or a filter let a pair pass in one version and dropped it in the other."""

import re
from collections.abc import Mapping
from math import inf
from typing import Final

from stillhouse.base.records import Rejection
from stillhouse.base.scores import Combine, is_enough
from stillhouse.diffing.causes import NOTHING, Cause, Why
from stillhouse.diffing.settings import Settings, name_some
from stillhouse.diffing.upstream import Upstream

# What curate drops a pair for besides a low score (quality/curate.py).
FILTERS: Final = (
    "contamination",
    "duplicate",
    "conflict",
    "near_duplicate",
    "personal",
    "semantic_duplicate",
    "boundary",
    "cluster_cap",
    "quota",
    "not_selected",
)
# Filters that weigh a row against all others: any other row that comes or goes may decide about it.
_OF_ALL: Final = ("cluster_cap", "quota", "not_selected")
# Where a filter's own settings stand; of the others any may have decided.
_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "semantic_duplicate": ("curate.semantic_duplicate",),
    "boundary": ("curate.boundary",),
    "cluster_cap": ("curate.clusters", "curate.seed"),
    "quota": ("curate.quotas",),
    "not_selected": ("curate.select",),
}
_JUDGING: Final = ("curate.thresholds", "curate.combine")
_RUBRICS: Final = "prompts/judge"
# How the judge says what it counted (quality/judge.py).
_WORDS: Final = re.compile(r"question (?P<question>\d+) words, answer (?P<answer>\d+) words")
_NUMBER: Final = re.compile(r"\d\.\d+")


class Selecting:
    """Compares how two versions judged and filtered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def explain_score(
        self, rejection: Rejection, own: Why, here: Upstream, there: Upstream, said: str
    ) -> Why:
        """Return the judge, unless the row's own change alone explains that it fell."""
        thresholds = self._settings.find_param(here.lock, "curate", "curate.thresholds") or {}
        combine: Combine = self._settings.find_param(here.lock, "curate", "curate.combine") or "min"
        scores = dict(there.read_scores(rejection.rejected_id)) if own.causes else {}
        if self._settings.list_params("judge", "judge") and not self._was_outside(rejection, here):
            scores.pop("length", None)
        falls = any(
            name in scores and not is_enough(scores[name], limit, combine)
            for name, limit in thresholds.items()
        )
        if own.causes and falls:
            return Why((), {}, said)
        settings = [
            name
            for name in self._settings.list_params("curate", "curate")
            if name.startswith(_JUDGING)
        ]
        settings += self._settings.list_params("judge", "judge")
        if self._settings.read_other("judge", _RUBRICS):
            settings.append(_RUBRICS)
        if own.causes and not settings and not self._settings.list_code("judge"):
            return Why((), {}, said)
        settings = settings or self._settings.list_code("judge")
        return Why(("judge",), {"judge": name_some(settings) or rejection.reason}, said)

    def _was_outside(self, rejection: Rejection, here: Upstream) -> bool:
        """Whether a pair is too short or too long by the other version's bounds as well."""
        found = _WORDS.search(rejection.detail)
        bounds = self._settings.find_param(here.lock, "judge", "judge")
        if not found or not isinstance(bounds, Mapping):
            return False
        return any(
            not bounds.get(f"{part}_words_min", 0)
            <= int(found[part])
            <= bounds.get(f"{part}_words_max", inf)
            for part in ("question", "answer")
        )

    def explain_filter(
        self, rejection: Rejection, own: Why, brought: Why, here: Upstream, said: str
    ) -> Why:
        """Return the filter, unless what ``brought`` the row that was kept instead explains it.

        Args:
            rejection: of the pair, in the version that lacks it.
            own: why the pair itself is another one there, if it is.
            brought: why the row is there to which this one gave way.
            here: the version that has it.
            said: what the stage wrote down.
        """
        settings = self._list_filter_settings(rejection.reason)
        if settings and brought.causes and self._fell_before(rejection, here):
            settings = []
        if settings:
            brought |= Why(("filter",), {"filter": name_some(settings)})
        elif not brought.causes and not own.causes:
            pool = self.explain_pool() if rejection.reason in _OF_ALL else NOTHING
            code = self._settings.list_code("curate")
            names: dict[Cause, str] = {"filter": name_some(code) if code else rejection.reason}
            brought = pool if pool.causes else Why(("filter",), names)
        return Why(brought.causes, brought.names, said)

    def _list_filter_settings(self, reason: str) -> list[str]:
        """Return what differs of a filter's settings: its own where these do, else of all filters."""
        changed = [
            name
            for name in self._settings.list_params("curate", "curate")
            if not name.startswith(_JUDGING)
        ]
        if self._settings.read_other("curate", "data/seed/eval"):
            changed.append("data/seed/eval")
        own = [name for name in changed if name.startswith(_OWN.get(reason, ("curate",)))]
        return own or changed

    def explain_pool(self) -> Why:
        """Return what made other rows come and go, which a filter or the split weighs a row against."""
        why = NOTHING
        if self._settings.read_other("ingest", "data/seed/documents"):
            why |= Why(("document",), {"document": "data/seed/documents"})
        if self._settings.read_other("render", "prompts"):
            why |= Why(("prompt",), {"prompt": "prompts"})
        settings: dict[Cause, list[str]] = {
            "teacher": self._settings.list_params("render", "teacher"),
            "parameters": self._settings.list_params("render", "render"),
            "judge": [
                *self._settings.list_params("judge", "judge"),
                *(
                    name
                    for name in self._settings.list_params("curate", "curate")
                    if name.startswith(_JUDGING)
                ),
            ],
        }
        settings["filter"] = self._list_filter_settings("")
        for cause, names in settings.items():
            if names:
                why |= Why((cause,), {cause: name_some(names)})
        if self._settings.read_other("review", "data/seed/review.jsonl"):
            why |= Why(("review",))
        return why

    def _fell_before(self, rejection: Rejection, here: Upstream) -> bool:
        """Whether a pair would have fallen by the other version's settings as well, as far as that is known."""
        own = _OWN.get(rejection.reason, ())
        if own and any(name.startswith(own) for name in self._list_filter_settings("")):
            return False
        limit = self._settings.find_param(here.lock, "curate", "curate.near_duplicate")
        number = _NUMBER.search(rejection.detail)
        near = rejection.reason == "near_duplicate" and number and isinstance(limit, int | float)
        return not near or float(number[0]) >= float(limit)  # type: ignore[index]
