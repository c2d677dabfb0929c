"""Sentence embeddings: where texts lie close to each other."""
