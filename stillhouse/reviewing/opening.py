"""The desks of the project in the working directory, from the tables and files that lie there."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.git import ask_git
from stillhouse.base.params import load_section
from stillhouse.base.questions import list_questions, read_measuring
from stillhouse.base.records import Chunk, Row
from stillhouse.base.tables import read_all, read_table
from stillhouse.evaluation.values import common_words
from stillhouse.prompts.focus import load_focus
from stillhouse.quality.curate import CurateParams
from stillhouse.quality.error_rate import measure_agreement, measure_errors
from stillhouse.quality.review import (
    FILE,
    ReviewParams,
    aim_at_rows,
    read_verdicts,
    settle_verdicts,
)
from stillhouse.quality.sample import Sample, draw_sample
from stillhouse.reviewing.gold import Corpus, GoldDesk, list_candidates
from stillhouse.reviewing.status import Status, make_status
from stillhouse.reviewing.verdicts import VerdictDesk, Wording

EVAL: Final = Path("data/seed/eval")
GOLD: Final = EVAL / "gold.jsonl"
DEV: Final = EVAL / "dev.jsonl"
_CURATED: Final = Path("data/curated/rows.parquet")
_CHUNKS: Final = Path("data/corpus/chunks.parquet")
_TEST: Final = Path("data/dataset/test.parquet")
_LONGEST: Final = 80  # characters of a name


def find_reviewer(given: str) -> str:
    """Return who reviews: the name given, else that of git's user.

    Raises:
        InputError: there is none, or it is no name.
    """
    name = (given or ask_git(Path(), "config", "user.name")).strip()
    if not name:
        raise InputError(
            "nobody says who reviews", remedy="name yourself: `stillhouse review --reviewer NAME`"
        )
    if len(name) > _LONGEST or not name.isprintable():
        raise InputError(
            "the reviewer's name is no name", expected=f"at most {_LONGEST} characters in one line"
        )
    return name


def open_verdict_desk(reviewer: str) -> VerdictDesk:
    """Return the desk of a reviewer of curated rows.

    Raises:
        InputError: a table or file is missing, unreadable or wrong.
    """
    params, limits = load_section("review", ReviewParams), load_section("curate", CurateParams)
    read_verdicts(FILE)
    return VerdictDesk(
        path=FILE,
        reviewer=reviewer,
        sample=_draw(params),
        chunks=_read_chunks(),
        wording=Wording(read_measuring(EVAL), limits.copied_words, limits.copied_similarity),
    )


def open_gold_desk(path: Path) -> GoldDesk:
    """Return the desk where held-out rows become gold questions in a file; errors as above."""
    limits, chunks = load_section("curate", CurateParams), _read_chunks()
    params = load_section("review", ReviewParams)
    test = read_all(_TEST, Row)
    settled = settle_verdicts(aim_at_rows(read_verdicts(FILE), test), params.combine)
    refused = frozenset(one for one, verdict in settled.items() if verdict.verdict == "reject")
    corpus = Corpus(
        chunks=chunks,
        focus=load_focus(Path("data/seed/focus.yaml")),
        asked=[
            asked
            for row in read_table(_CURATED, Row)
            for asked in list_questions(row.prompt, row.context)
        ],
        measuring=read_measuring(EVAL),
        common=common_words(_join_documents(chunks.values())),
        run=limits.copied_words,
        similarity=limits.copied_similarity,
    )
    taken = frozenset(_list_made(DEV if path == GOLD else GOLD))
    return GoldDesk(path, list_candidates(test, refused, taken), corpus)


def read_status() -> Status:
    """Return how far the review of the sample is, and what it says so far; errors as above."""
    params = load_section("review", ReviewParams)
    sample = _draw(params)
    drawn = sample.in_order()
    verdicts = aim_at_rows(read_verdicts(FILE), drawn)
    return make_status(
        sample,
        verdicts,
        measure_errors(sample, verdicts, params.combine),
        measure_agreement(verdicts, drawn),
        params.max_error_rate,
    )


def _list_made(path: Path) -> Iterator[str]:
    """Yield the ids of the rows that became questions of a file."""
    for _, record in read_jsonl(path) if path.exists() else ():
        if row_id := record.get("row_id"):
            yield str(row_id)


def _draw(params: ReviewParams) -> Sample:
    return draw_sample(read_table(_CURATED, Row), params.sample)


def _read_chunks() -> dict[str, Chunk]:
    return {chunk.chunk_id: chunk for chunk in read_all(_CHUNKS, Chunk)}


def _join_documents(chunks: Iterable[Chunk]) -> list[str]:
    texts: dict[str, list[str]] = {}
    for chunk in chunks:
        texts.setdefault(chunk.source, []).append(chunk.text)
    return ["\n".join(parts) for parts in texts.values()]
