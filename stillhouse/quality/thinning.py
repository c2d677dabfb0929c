"""Fewer rows that teach as much: what is alike, too sure, too many of a kind or not chosen goes.

Rows of the task ``replay`` are left alone by all but a quota that names them: they do not teach the
documents, they keep what the base knew.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import Field, model_validator

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json, sha256_text
from stillhouse.base.params import Params
from stillhouse.base.records import Pair
from stillhouse.quality.boundary import BoundaryParams, Confidences
from stillhouse.quality.choosing import SelectParams, choose, describe_choice
from stillhouse.quality.clusters import find_clusters
from stillhouse.quality.duplicates import name
from stillhouse.quality.judge import REPLAY
from stillhouse.quality.material import KINDS, Drop, Kind, Material, Rank, text_of
from stillhouse.quality.quotas import QuotaParams, describe_quota, find_over_quota, refuse_unknown
from stillhouse.quality.semantic import find_semantic_duplicates
from stillhouse.quality.vectors import Embed, Vectors, quantise


class ClusterParams(Params):
    """Groups of questions that mean similar things, and the most rows of one; null: none, no limit."""

    count: int | None = Field(default=None, ge=2)
    cap: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _cap_needs_clusters(self) -> "ClusterParams":
        if self.cap is not None and self.count is None:
            raise ValueError("`cap` limits the rows of clusters, and `count` makes none")
        return self


class ThinningParams(Params):
    """What is thinned, and how; the defaults thin nothing."""

    semantic_duplicate: float | None = Field(default=None, gt=0, le=1)
    boundary: BoundaryParams = BoundaryParams()
    clusters: ClusterParams = ClusterParams()
    quotas: QuotaParams = QuotaParams()
    select: SelectParams = SelectParams()
    seed: int = 0

    @model_validator(mode="after")
    def _prefers_among_rows_that_compete(self) -> "ThinningParams":
        quotas = self.quotas.document or self.quotas.task or self.quotas.category
        limits = (self.clusters.cap, self.select.target, quotas or None)
        if self.boundary.prefer and all(one is None for one in limits):
            raise ValueError(
                "`boundary.prefer` decides among rows that compete: set `clusters.cap`, `quotas` or "
                "`select.target`, too"
            )
        return self

    @property
    def embeds(self) -> bool:
        """Whether anything compares what questions mean."""
        wanted = (self.semantic_duplicate, self.clusters.count, self.select.target)
        return any(value is not None for value in wanted)


@dataclass(slots=True)
class Thinned:
    """What goes, the cluster of each pair that came so far, and figures for the report."""

    drops: list[Drop] = field(default_factory=list)
    clusters: dict[str, int] = field(default_factory=dict)
    quotas: dict[str, Json] = field(default_factory=dict)
    coverage: Json = None
    _gone: set[str] = field(default_factory=set)

    def add(self, drops: Iterable[Drop]) -> None:
        """Note what goes."""
        news = list(drops)
        self.drops += news
        self._gone |= {pair.pair_id for pair, _, _ in news}

    def leave(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Return which of some pairs are still there."""
        return [pair for pair in pairs if pair.pair_id not in self._gone]


def describe_thinning(params: ThinningParams) -> dict[str, Json]:
    """Return what of the parameters is part of each row's ``filter_sha256``: what can drop a row.

    A step that is off is not told, so that rows keep the hash that they had before there was one.
    """
    told: dict[str, Json] = params.model_dump(mode="json")
    by_rank = {
        "quotas": any(params.quotas.find(kind) for kind in KINDS),
        "clusters": params.clusters.cap is not None,
        "select": params.select.target is not None,
    }
    active = {
        **by_rank,
        "semantic_duplicate": params.semantic_duplicate is not None,
        "boundary": params.boundary.outside == "drop"
        or (params.boundary.prefer and any(by_rank.values())),
        "seed": any(by_rank.values()),
    }
    return {key: value for key, value in told.items() if active.get(key)}


def thin(
    pairs: Sequence[Pair], known: Material, params: ThinningParams, embed: Embed | None
) -> Thinned:
    """Return which pairs go, in this order of steps: meaning, boundary, clusters, quotas, selection.

    Of pairs that compete, one inside the boundary stays first where that is preferred, then one of the
    higher mean score, then the one that the seed draws.

    Raises:
        InputError: a quota names something that was not asked about, or embeddings are needed and
            ``embed`` is None.
    """
    thinned = Thinned()
    ranks = _rank(pairs, known, params)
    taught = [pair for pair in pairs if pair.task != REPLAY]
    near = _Space(taught, embed) if params.embeds and taught else None
    if near and params.semantic_duplicate is not None:
        hits = find_semantic_duplicates(taught, near.take(taught), params.semantic_duplicate)
        thinned.add((hit.pair, "semantic_duplicate", hit.detail) for hit in hits)
    if params.boundary.outside == "drop":
        thinned.add(_find_outside(thinned.leave(taught), known.confidences, params.boundary))
    if near and params.clusters.count is not None:
        _thin_clusters(thinned, thinned.leave(taught), near, ranks, params)
    for kind in KINDS:
        if params.quotas.find(kind):
            _thin_quota(thinned, kind, thinned.leave(pairs), known, ranks, params.quotas)
    if near and params.select.target is not None:
        _thin_rest(thinned, thinned.leave(taught), near, known, ranks, params)
    return thinned


class _Space:
    """The vectors of pairs, in whatever order they are asked for."""

    def __init__(self, pairs: Sequence[Pair], embed: Embed | None) -> None:
        if embed is None:
            raise InputError(
                "`curate` compares what questions mean, and nothing is there that embeds them"
            )
        self._vectors = quantise(embed([text_of(pair) for pair in pairs]))
        self._places = {pair.pair_id: place for place, pair in enumerate(pairs)}

    def take(self, pairs: Iterable[Pair]) -> Vectors:
        return self._vectors.take([self._places[pair.pair_id] for pair in pairs])


def _rank(pairs: Iterable[Pair], known: Material, params: ThinningParams) -> dict[str, Rank]:
    def rank(pair: Pair) -> Rank:
        outside = params.boundary.prefer and not _is_inside(pair, known, params)
        drawn = sha256_text(f"{params.seed}\n{pair.slot_id}")
        return outside, -known.merits[pair.pair_id][0], drawn

    return {pair.pair_id: rank(pair) for pair in pairs}


def _is_inside(pair: Pair, known: Material, params: ThinningParams) -> bool:
    return params.boundary.place(known.confidences[pair.pair_id]) == "inside"


def _find_outside(
    pairs: Iterable[Pair], confidences: Confidences, params: BoundaryParams
) -> Iterable[Drop]:
    for pair in pairs:
        confidence = confidences[pair.pair_id]
        if params.place(confidence) in ("below", "above"):
            bounds = f"{params.low:.2f} to {params.high:.2f}"
            yield pair, "boundary", f"confidence {confidence:.2f} is outside {bounds}"


def _thin_clusters(
    thinned: Thinned,
    pool: Sequence[Pair],
    near: _Space,
    ranks: Mapping[str, Rank],
    params: ThinningParams,
) -> None:
    if not pool or params.clusters.count is None:
        return
    found = find_clusters(near.take(pool), params.clusters.count, params.seed).tolist()
    thinned.clusters = {pair.pair_id: one for pair, one in zip(pool, found, strict=True)}
    groups: dict[int, list[Pair]] = defaultdict(list)
    for pair in sorted(pool, key=lambda pair: ranks[pair.pair_id]):
        groups[thinned.clusters[pair.pair_id]].append(pair)
    if cap := params.clusters.cap:
        for cluster, group in sorted(groups.items()):
            said = f"cluster {cluster} has its {cap} rows; gives way to {name(group[:cap][-1])}"
            thinned.add((pair, "cluster_cap", said) for pair in group[cap:])


def _thin_quota(
    thinned: Thinned,
    kind: Kind,
    pairs: Sequence[Pair],
    known: Material,
    ranks: Mapping[str, Rank],
    params: QuotaParams,
) -> None:
    limits = params.find(kind)
    refuse_unknown(kind, limits, known.values_asked(kind))
    values = {pair.pair_id: known.value_of(kind, pair) for pair in pairs}
    ranked = sorted(pairs, key=lambda pair: ranks[pair.pair_id])
    over = find_over_quota(kind, ranked, values, limits)
    thinned.add(over)
    thinned.quotas[kind] = describe_quota(kind, values, thinned.leave(pairs), over, limits)


def _thin_rest(
    thinned: Thinned,
    pool: Sequence[Pair],
    near: _Space,
    known: Material,
    ranks: Mapping[str, Rank],
    params: ThinningParams,
) -> None:
    """Choose the target number, and note how well the chosen ones cover the pool."""
    ranked = sorted(pool, key=lambda pair: ranks[pair.pair_id])
    if not ranked:
        return
    vectors = near.take(ranked)
    preferred = [not params.boundary.prefer or _is_inside(one, known, params) for one in ranked]
    drops, chosen, cosines = choose(ranked, vectors, preferred, params.select, params.seed)
    thinned.coverage = describe_choice(
        ranked, vectors, chosen, cosines, known, params.select, params.seed
    )
    thinned.add(drops)
