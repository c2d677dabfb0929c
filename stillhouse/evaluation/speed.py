"""What a clock touches: latency, tokens a second, memory; and size, against the base."""

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.evaluation.answering import Answering, Model, answer_prompts, count_tokens

_SECONDS: Final = 12.0  # single questions are timed for so long at most
_QUESTIONS: Final = 20


def measure_speed(
    model: Model, folder: Path, base: Path, questions: Sequence[str], settings: Answering
) -> dict[str, Json]:
    """Return latency of single short questions, throughput, peak memory and size.

    Args:
        model: the loaded student.
        folder: its folder.
        base: the folder of its base.
        questions: short ones; the first is asked once beforehand, so that nothing cold is timed.
        settings: as in the evaluation.
    """
    parameters, base_parameters = count_parameters(folder), count_parameters(base)
    size, base_size = weights_bytes(folder), weights_bytes(base)
    return {
        **_time_questions(model, questions, settings),
        "parameters": parameters,
        "bytes_on_disk": size,
        "peak_memory_bytes": peak_memory(),
        "compression": {
            "parameters": round(base_parameters / parameters, 4),
            "bytes": round(base_size / size, 4),
        },
    }


def _time_questions(model: Model, questions: Sequence[str], settings: Answering) -> dict[str, Json]:
    import numpy as np

    if not questions:
        return {"questions": 0}
    answer_prompts(model, questions[:1], settings)
    times: list[float] = []
    tokens = 0
    for question in questions[:_QUESTIONS]:
        start = time.perf_counter()
        reply = answer_prompts(model, [question], settings)[0]
        times.append(time.perf_counter() - start)
        tokens += count_tokens(model, reply)
        if sum(times) > _SECONDS:
            break
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "questions": len(times),
        "latency_p50_s": round(float(p50), 4),
        "latency_p95_s": round(float(p95), 4),
        "tokens_per_s": round(tokens / sum(times), 2),
    }


def count_parameters(folder: Path) -> int:
    """Return how many numbers the weight files of a folder hold; only their headers are read."""
    import math

    from safetensors import safe_open

    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="np") as weights:
            total += sum(math.prod(weights.get_slice(k).get_shape()) for k in weights.keys())  # noqa: SIM118
    return total


def weights_bytes(folder: Path) -> int:
    """Return the size of a folder's weight files."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes (macOS counts bytes, Linux KiB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
