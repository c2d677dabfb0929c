"""Why a judge or a filter let a pair pass in one version and dropped it in the other."""

import re
from collections.abc import Mapping
from math import inf
from typing import Final

from stillhouse.base.records import Rejection
from stillhouse.diffing.causes import Why
from stillhouse.diffing.settings import Settings, name_some
from stillhouse.diffing.upstream import Upstream

# What curate drops a pair for besides a low score (quality/curate.py).
FILTERS: Final = ("contamination", "duplicate", "conflict", "near_duplicate", "personal")
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
        scores = dict(there.read_scores(rejection.rejected_id)) if own.causes else {}
        if self._settings.list_params("judge", "judge") and not self._was_outside(rejection, here):
            scores.pop("length", None)
        falls = any(scores.get(name, 1.0) < limit for name, limit in thresholds.items())
        if own.causes and falls:
            return Why((), {}, said)
        settings = [
            name
            for name in self._settings.list_params("curate", "curate")
            if name.startswith("curate.thresholds")
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
        settings = self._list_filter_settings()
        if settings and brought.causes and self._fell_before(rejection, here):
            settings = []
        if settings:
            brought |= Why(("filter",), {"filter": name_some(settings)})
        elif not brought.causes and not own.causes:
            code = self._settings.list_code("curate")
            brought = Why(("filter",), {"filter": name_some(code) if code else rejection.reason})
        return Why(brought.causes, brought.names, said)

    def _list_filter_settings(self) -> list[str]:
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
