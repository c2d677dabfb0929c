"""Rows of many subjects and wordings for the alarms, and embeddings that are counts of words."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stillhouse.base.records import Row
from stillhouse.base.text import words
from stillhouse.quality.tables import Tables
from tests.making import make_chunk, make_document, make_pair, make_request, make_row

SUBJECTS = (
    "parking permit", "travel claim", "safety shoe", "pump seal", "night shift", "visitor badge",
    "laptop lease", "fire drill", "notice period", "sample jar", "delivery van", "meter reading",
)  # fmt: skip
OPENINGS = (
    "How long does a {} last", "Who signs for the {}", "What does a {} cost", "When is the {} due",
    "Where do I find the {}", "Which form is for a {}", "May I lend out my {}", "Name the limit of a {}",
)  # fmt: skip
DOCUMENT = make_document("rules.md")
CHUNKS = [
    make_chunk(
        "rules.md", f"{subject.capitalize()}: rule {number} of the {subject} binds all staff."
    )
    for subject in SUBJECTS
    for number in range(2)
]
REQUEST = make_request(CHUNKS[:1], category="factual")


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return unit vectors of the texts' words, each word in a place by its hash."""
    vectors = np.full((len(texts), 64), 1e-3, dtype=np.float32)
    for place, text in enumerate(texts):
        for word in words(text):
            vectors[place, hashlib.sha256(word.encode()).digest()[0] % 64] += 1
    lengths: npt.NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def make_rows(seed: int, count: int = 160, subjects: Sequence[str] = SUBJECTS) -> list[Row]:
    """Return rows with drawn openings about drawn subjects; every question is another one."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        subject, opening = draw.choice(subjects), draw.choice(OPENINGS)
        asked = opening.format(subject)
        question = draw.choice(
            (f"{asked} in case {number}?", f"In case {number}, {asked.lower()}?")
        )
        answer = f"{draw.randint(2, 99)} {draw.choice(('days', 'pounds', 'metres', 'litres'))}."
        rows.append(make_row(make_pair(question, answer, CHUNKS[:1], request=REQUEST), [DOCUMENT]))
    return rows


def make_tables(rows: Sequence[Row]) -> Tables:
    """Return tables whose train rows are these."""
    return Tables(
        documents=[DOCUMENT],
        chunks=CHUNKS,
        skipped=[],
        requests=[REQUEST],
        responses=[],
        pairs=[],
        unused=[],
        judgements=[],
        curated=rows,
        dropped=[],
        reviewed=rows,
        train=rows,
        validation=[],
        test=[],
    )


def repeat_rows(rows: Sequence[Row], count: int) -> list[Row]:
    """Return so many rows that only say what the first few say, each in a place of its own."""
    return [
        replace(rows[number % 3], slot_id=f"place {number}", row_id=f"{number:064x}")
        for number in range(count)
    ]
