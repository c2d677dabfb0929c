"""What curating did, in figures: ``data/curated/report.json``."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log

from stillhouse.base.ids import Json
from stillhouse.base.questions import Question
from stillhouse.base.records import Pair, Rejection
from stillhouse.quality.boundary import describe_confidences
from stillhouse.quality.contamination import find_same_facts
from stillhouse.quality.material import Material
from stillhouse.quality.tags import RowTags
from stillhouse.quality.thinning import Thinned, ThinningParams


def describe_curated(
    pairs: Sequence[Pair],
    left: Sequence[Pair],
    rejections: Sequence[Rejection],
    tags: Iterable[RowTags],
    gold: Sequence[Question],
    known: Material,
    thinned: Thinned,
    params: ThinningParams,
) -> dict[str, Json]:
    """Return the report; equal input gives equal bytes.

    Args:
        pairs: all that came in.
        left: those that became rows.
        rejections: why the others did not.
        tags: of the rows.
        gold: the measuring questions; how many rows teach what they ask for is told, and none of these rows
            is dropped for it.
        known: requests, chunks, merits and confidences.
        thinned: what the steps of diversity did.
        params: how they were set.
    """
    kept = frozenset(pair.pair_id for pair in left)
    by_task: dict[str, Counter[str]] = defaultdict(Counter)
    tasks = {pair.pair_id: pair.task for pair in pairs}
    for one in rejections:
        by_task[tasks[one.rejected_id]][one.reason] += 1
    counted = Counter(tag for one in tags for tag in one.tags)
    copied = sum(one.reason == "contamination" for one in rejections)
    return {
        "pairs": len(pairs),
        "rows": len(left),
        "dropped": _sort(Counter(one.reason for one in rejections)),
        "dropped_by_task": {task: _sort(by_task[task]) for task in sorted(by_task)},
        "confidence": describe_confidences(known.confidences, kept, params.boundary),
        "clusters": _describe_clusters(thinned.clusters, kept, params.clusters.cap),
        "quotas": thinned.quotas,
        "coverage": thinned.coverage,
        "gold": {**find_same_facts(left, known.chunks, gold), "copies_dropped": copied},
        "tags": _sort(counted),
    }


def _describe_clusters(clusters: Mapping[str, int], kept: frozenset[str], cap: int | None) -> Json:
    """Return the sizes of clusters; ``evenness`` is their entropy over that of equal ones, in [0, 1]."""
    if not clusters:
        return None
    pairs = Counter(clusters.values())
    rows = Counter(cluster for one, cluster in clusters.items() if one in kept)
    sizes = [{"cluster": one, "pairs": pairs[one], "rows": rows[one]} for one in sorted(pairs)]
    return {"count": len(pairs), "cap": cap, "evenness": _measure_evenness(rows), "sizes": sizes}


def _measure_evenness(counts: Mapping[int, int]) -> float | None:
    """Return Pielou's index: Shannon's entropy of the shares over the logarithm of how many there are."""
    total = sum(counts.values())
    if len(counts) < 2:
        return None
    shares = [count / total for _, count in sorted(counts.items())]
    return round(-sum(share * log(share) for share in shares) / log(len(shares)), 4)


def _sort(counts: Mapping[str, int]) -> dict[str, Json]:
    return dict(sorted(counts.items()))
