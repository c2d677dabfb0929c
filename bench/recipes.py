"""The recipes of the distillation study: each a change of the shipped student's section of ``params.yaml``."""

from collections.abc import Mapping
from typing import Any, Final

BASE: Final = "smollm2-135m-instruct"
TAUGHT: Final = 6
UNTRAINED: Final = "base"  # beside the recipes: the base as it is
Recipe = Mapping[str, Any]


def _learn(replay: int = 0, **changes: Any) -> dict[str, Any]:
    batch = {"taught": TAUGHT, "abstain": 0.0, "abstain_from": 0.0, "replay": replay}
    return {"batch": batch, **changes}


def _distil(*, method: str = "logits", **soft: Any) -> dict[str, Any]:
    """Return a recipe that learns from its own base, which reads the passage."""
    teacher = {"teacher": BASE, "reads": "passage", "top_k": 64}
    return {"method": method, "soft": {**teacher, **soft}}


SEEDS_MIX: Final = {"temperature": 3.0, "alpha": 0.7}

# What is compared at equal steps. Every one trains the same taught rows in the same order.
FRONTIER: Final[Mapping[str, Recipe]] = {
    "sft": _learn(),
    "replay": _learn(replay=3),
    "context": _learn(**_distil(temperature=1.0, alpha=1.0)),
    "seeds": _learn(**_distil(**SEEDS_MIX)),
}

# One knob away from ``seeds`` each, unless it says otherwise.
ABLATIONS: Final[Mapping[str, Recipe]] = {
    "T-1": _learn(**_distil(temperature=1.0, alpha=0.7)),
    "T-7": _learn(**_distil(temperature=7.0, alpha=0.7)),
    "alpha-0.3": _learn(**_distil(temperature=3.0, alpha=0.3)),
    "alpha-0.9": _learn(**_distil(temperature=3.0, alpha=0.9)),
    "reverse": _learn(**_distil(**SEEDS_MIX, divergence="reverse")),
    "jensen-shannon": _learn(**_distil(**SEEDS_MIX, divergence="jensen_shannon")),
    "soft-then-hard": _learn(**_distil(temperature=3.0, alpha={"start": 0.9, "end": 0.1})),
    "hot-then-cold": _learn(**_distil(temperature=[4.0, 2.0, 1.0], alpha=0.7)),
    "layer-rates": _learn(layer_rate=0.95, **_distil(**SEEDS_MIX)),
    "hidden": _learn(**_distil(**SEEDS_MIX, hidden={"layers": [[15, 15], [30, 30]]})),
    "with-replay": _learn(replay=3, **_distil(**SEEDS_MIX)),
    "20-layers": _learn(keep_layers=20, **_distil(**SEEDS_MIX)),
    "20-layers-sft": _learn(keep_layers=20),
    "10-layers": _learn(keep_layers=10, **_distil(**SEEDS_MIX)),
    # Beside ``sft``: the same rows and steps; then fewer rows with as many tokens of completions as
    # its answers have in all, and the answers of those rows as often as takes as many.
    "reasoning-steps": _learn(reasoning="before_answer"),
    "reasoning-tokens": _learn(reasoning="before_answer"),
    "answers-tokens": _learn(),
}

EQUAL_TOKENS: Final = ("reasoning-tokens", "answers-tokens")  # the same rows, and tokens as ``sft``

RECIPES: Final[Mapping[str, Recipe]] = {**FRONTIER, **ABLATIONS}
