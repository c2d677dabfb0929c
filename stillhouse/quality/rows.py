"""A pair into a row, with the hashes that name the cause when the row changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json, content_id
from stillhouse.base.records import Chunk, Message, Pair, Request, Row

T = TypeVar("T")

# Declared versions and not source files: a refactor must leave every row as it was, byte for byte.
_CODE: Final = {
    "normaliser": versions.NORMALISER,
    "chunker": versions.CHUNKER,
    "answer_format": versions.ANSWER_FORMAT,
}


@dataclass(frozen=True, slots=True)
class Causes:
    """The hashes that are equal for all rows of one run of curate."""

    judge_sha256: str
    filter_sha256: str
    code_sha256: str


def name_causes(
    judge: Mapping[str, Json], thresholds: Mapping[str, float], filters: Json, combine: str = "min"
) -> Causes:
    """Return the hashes of the judge with its thresholds, of the filters, and of the formats.

    ``combine`` says how several judges count; ``min`` is told by no word, as before there was a choice.
    """
    judged: dict[str, Json] = {
        "version": versions.JUDGE,
        "params": judge,
        "thresholds": thresholds,
        **({} if combine == "min" else {"combine": combine}),
    }
    return Causes(
        judge_sha256=content_id("judge", judged),
        filter_sha256=content_id("filter", {"version": versions.FILTERS, "params": filters}),
        code_sha256=content_id("code", _CODE),
    )


def make_row(
    pair: Pair, requests: Mapping[str, Request], chunks: Mapping[str, Chunk], causes: Causes
) -> Row:
    """Return the pair as a row that no split has placed yet (``holdout`` is empty).

    Raises:
        InputError: the pair names a request or a chunk that the tables do not have.
    """
    request = _find(requests, pair.request_id, "request", pair)
    passages = [_find(chunks, chunk_id, "chunk", pair) for chunk_id in pair.chunk_ids]
    return Row(
        row_id=pair.pair_id,
        slot_id=pair.slot_id,
        request_id=pair.request_id,
        chunk_ids=pair.chunk_ids,
        document_ids=tuple(dict.fromkeys(chunk.document_id for chunk in passages)),
        task=pair.task,
        fact_id=pair.fact_id,
        prompt=pair.messages,
        completion=(Message("assistant", pair.response),),
        context=pair.context,
        reasoning=pair.reasoning,
        holdout="",
        prompt_sha256=request.prompt_sha256,
        document_sha256=content_id("passages", [chunk.text for chunk in passages]),
        teacher_sha256=content_id("teacher", [request.teacher, request.model]),
        parameters_sha256=_hash_parameters(request),
        judge_sha256=causes.judge_sha256,
        filter_sha256=causes.filter_sha256,
        code_sha256=causes.code_sha256,
    )


def _find(table: Mapping[str, T], wanted: str, kind: str, pair: Pair) -> T:
    found = table.get(wanted)
    if found is None:
        raise InputError(
            f"pair {pair.pair_id} names the {kind} {wanted}, which is not in its table",
            remedy="run `dvc repro` so that all tables are of one version",
        )
    return found


def _hash_parameters(request: Request) -> str:
    return content_id(
        "parameters",
        {
            "parameters": request.parameters,
            "variation": request.variation,
            "persona": request.persona,
            "sample": request.sample,
        },
    )
