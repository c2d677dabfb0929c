"""Whoever answers requests, what has been answered before, and how an answer becomes pairs."""
