"""Versions of the data: every way to name one, and the bytes of what it holds."""
