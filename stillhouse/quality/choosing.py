"""A number of rows chosen out of all that are good, each of the others told which one stands for it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
from pydantic import Field

from stillhouse.base.ids import Json
from stillhouse.base.params import Params
from stillhouse.base.records import Pair
from stillhouse.quality.duplicates import name
from stillhouse.quality.material import KINDS, Drop, Material
from stillhouse.quality.selecting import By, find_nearest, measure_coverage, select
from stillhouse.quality.vectors import Vectors


class SelectParams(Params):
    """How many rows to choose (null: all stay), and by what."""

    target: int | None = Field(default=None, ge=1)
    by: By = "facility_location"


def choose(
    pool: Sequence[Pair],
    vectors: Vectors,
    preferred: Sequence[bool],
    params: SelectParams,
    seed: int,
) -> tuple[list[Drop], list[int], npt.NDArray[np.float64]]:
    """Return what is not chosen, the places of what is, and the cosine of each pair to the nearest chosen one.

    Args:
        pool: the pairs, the best first.
        vectors: theirs.
        preferred: which of them are chosen before any other.
        params: how many, by what; ``target`` is set.
        seed: of the draws.
    """
    ranks = np.array([not one for one in preferred], dtype=np.int64)
    chosen = select(vectors, ranks, params.target or len(pool), params.by, seed)
    nearest, cosines = find_nearest(vectors, chosen)
    stay = set(chosen)
    drops: list[Drop] = [
        (pair, "not_selected", _explain(cosines[at], pool[nearest[at]]))
        for at, pair in enumerate(pool)
        if at not in stay
    ]
    return drops, chosen, cosines


def describe_choice(
    pool: Sequence[Pair],
    vectors: Vectors,
    chosen: Sequence[int],
    cosines: npt.NDArray[np.float64],
    known: Material,
    params: SelectParams,
    seed: int,
) -> Mapping[str, Json]:
    """Return how well the chosen rows cover the pool, and how well as many drawn at random would."""
    drawn = random.Random(seed).sample(range(len(pool)), len(chosen))
    told: dict[str, Json] = {
        "by": params.by,
        "pool": len(pool),
        "chosen": len(chosen),
        **asdict(measure_coverage(cosines)),
        "random": asdict(measure_coverage(find_nearest(vectors, drawn)[1])),
    }
    names: dict[str, list[str]] = {"fact": [pair.fact_id for pair in pool]}
    for kind in KINDS:
        names[kind] = [known.value_of(kind, pair) for pair in pool]
    for what, values in names.items():
        covered = {values[at] for at in chosen} - {""}
        told[what] = {"pool": len(set(values) - {""}), "chosen": len(covered)}
    return told


def _explain(cosine: float, winner: Pair) -> str:
    return f"{cosine:.2f} close to {name(winner)}, which was chosen"
