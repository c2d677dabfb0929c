"""Several processes that do one stage's work together: which of them this one is."""

import os


def is_worker() -> bool:
    """Say whether a launcher started this process as one of several (torch's and accelerate's mark)."""
    return "LOCAL_RANK" in os.environ and "WORLD_SIZE" in os.environ


def is_first() -> bool:
    """Say whether this process writes and speaks for all: the first of several, or the only one."""
    return rank_of_this() == 0


def rank_of_this() -> int:
    """Return this process's number among those that do the work together, from 0."""
    return int(os.environ.get("RANK", "0")) if is_worker() else 0


def spreads_weights() -> bool:
    """Say whether each process holds only a share of the weights (FSDP; accelerate's own mark)."""
    return is_worker() and os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def count_processes() -> int:
    """Return how many processes do this work together."""
    return int(os.environ["WORLD_SIZE"]) if is_worker() else 1
