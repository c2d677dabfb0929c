"""Versions of everything whose change would change ids or recorded bytes.

Bump one only when its output changes for the same input; a refactor leaves them alone.
A test pins the output of each against a fixture, so that a change without a bump is noticed.
Projects pin these numbers in ``formats:`` of params.yaml: after a bump, write its sentence into ``BUMPS``
and run ``stillhouse upgrade --accept``.
"""

from collections.abc import Mapping
from typing import Final

IDS: Final = 1  # canonical JSON and the layout of every content id
NORMALISER: Final = 2  # document -> normalised text
CHUNKER: Final = 1  # normalised text -> chunks
DRAWS: Final = 1  # which passages a fraction of the plan asks about
ANSWER_FORMAT: Final = 1  # a teacher's JSON answer -> pairs
OFFLINE_TEACHER: Final = 4  # what the offline teacher answers to a request
JUDGE: Final = 2  # scores of the offline judge
FILTERS: Final = 3  # what curate rejects
PROVENANCE: Final = 1  # layout of models/<student>/provenance.json
JOURNAL: Final = 3  # layout of journal.sqlite; older ones are brought up when they are opened

# What each bump changed, in one sentence: `stillhouse upgrade` shows it to whoever crosses that bump.
BUMPS: Final[Mapping[str, Mapping[int, str]]] = {
    "NORMALISER": {
        2: "In HTML pages permalinks, copy buttons and navigation are no text any more; layout tables and "
        "forms are; merged cells of tables, in Word files too, stand in every place that they cover.",
    },
    "OFFLINE_TEACHER": {
        2: 'Set phrases such as "in charge" keep their noun.',
        3: "Questions are asked in other words, not only in other frames; shortened names, more synonyms.",
        4: "Sentences that need their section, samples and tables of contents are no longer asked about; "
        "numbers below zero keep their sign.",
    },
    "FILTERS": {
        2: 'A row whose question holds all of a short measuring question, such as behind "Please tell me:", '
        "is a copy of it; near-duplicates are found exactly, where MinHash missed a few below 0.7.",
        3: "A conversation that copies a measuring question in an earlier turn is dropped as well; conversations "
        "are near-duplicates by all that their users say, no longer by the last question alone; a short measuring question "
        "within a longer one is copied only where nothing but stop words and courtesy is beside it.",
    },
    "JUDGE": {
        2: "A number below zero is another value than the same number above it.",
    },
}
