"""Stillhouse: distil documents into a small language model, and prove what went into it."""

__version__ = "0.1.0"
