"""The offline judge: three criteria, each a score in [0, 1] with a rationale in plain words.

A judgement depends on nothing but the pair and its chunks, so that a changed neighbour never
changes a score.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.params import Params
from stillhouse.base.questions import question_of
from stillhouse.base.records import Chunk, Judgement, Pair
from stillhouse.base.tasks import CONFIRM
from stillhouse.base.text import words
from stillhouse.execution.json_child import read_json
from stillhouse.execution.sql import clean_query
from stillhouse.execution.tasks import EXECUTES, EXTRACTION, VERIFIED
from stillhouse.prompts.teacher import Member
from stillhouse.quality.arithmetic import find_equations
from stillhouse.quality.claims import Evidence, extract_claims, gather_evidence
from stillhouse.quality.wording import find_faults

JUDGE: Final = f"offline/{versions.JUDGE}"
REPLAY: Final = "replay"
# These tasks ask about a case of the asker's own ("if I have worked 10 weeks"): its numbers are the
# question's, not the passage's, and an answer may repeat them.
_CASE_TASKS: Final = ("multi_step", "edge_cases", "exceptions")

_NUMBER: Final = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")

Scored = tuple[float, str]


# Criteria whose scores come from elsewhere than a rubric.
_TAKEN: Final = (CONFIRM, "confidence", EXECUTES, "length", "likelihood")


class LikelihoodParams(Params):
    """Which local model reads answers with their passage and without, and which share of the pairs."""

    model: str | None = Field(default=None, min_length=1)
    fraction: float = Field(default=1.0, gt=0, le=1)


class JudgeParams(Params):
    """What judges do.

    The offline judge goes through every pair; its bounds are in words, and rows of the task
    ``replay`` are exempt from them: the base may speak as it does. Beside it stand the models of
    ``judges``, by the rubrics of ``prompts/judge``.
    ``seed`` draws whether a model sees the passage or the pair first, and from which end the scores are listed.
    ``samples``: how often the first model answers a question anew where no confidence is known.
    ``unjudged``: what becomes of a pair that a model gave no readable score.
    ``likelihood``: a local model that says how far the passage makes the answer likelier.
    ``execute_code``: whether programs are run, and not only parsed. ``execute_seconds`` and
    ``execute_memory_mb`` (MiB) are what one execution may take; answers that are executed have no
    bounds in words.
    """

    question_words_min: int = 3
    question_words_max: int = 40
    answer_words_min: int = 1
    answer_words_max: int = 60
    execute_code: bool = False
    execute_seconds: float = Field(default=10.0, gt=0)
    execute_memory_mb: int = Field(default=1024, ge=256)
    judges: tuple[Member, ...] = ()
    rubrics: tuple[str, ...] = ("accuracy", "groundedness")
    seed: int = Field(default=0, ge=0)
    samples: int = Field(default=0, ge=0)
    unjudged: Literal["reject", "keep"] = "reject"
    tolerate_refusals: int = Field(default=0, ge=0)
    ask_again: int = Field(default=1, ge=0)
    likelihood: LikelihoodParams = LikelihoodParams()

    @field_validator("rubrics")
    @classmethod
    def _are_names_once(cls, rubrics: tuple[str, ...]) -> tuple[str, ...]:
        for name in rubrics:
            if not name.isidentifier():
                raise ValueError(f"`{name}` is no name of a file in prompts/judge")
            if name in _TAKEN:
                raise ValueError(f"`{name}` is taken: no rubric can be called so")
            if rubrics.count(name) > 1:
                raise ValueError(f"`{name}` stands there twice")
        return rubrics

    @model_validator(mode="after")
    def _judges_are_different(self) -> "JudgeParams":
        names = [(judge.provider, judge.model_name) for judge in self.judges]
        if len(set(names)) < len(names):
            raise ValueError("two of the judges are the same model")
        if any("share" in judge.model_fields_set for judge in self.judges):
            raise ValueError("a judge has no `share`: each of them judges every pair")
        return self

    @model_validator(mode="after")
    def _judges_have_work(self) -> "JudgeParams":
        if self.models and not self.rubrics and not self.samples:
            raise ValueError("`judges` names models, and neither `rubrics` nor `samples` asks them")
        return self

    @model_validator(mode="after")
    def _samples_can_differ(self) -> "JudgeParams":
        if not self.samples:
            return self
        if not self.models:
            raise ValueError(
                "`samples` are answered by the first of `judges`, which names no model"
            )
        first = self.models[0]
        greedy = first.temperature == 0 or (
            first.provider == "huggingface" and not first.temperature
        )
        if greedy:
            raise ValueError("`samples` at temperature 0 are all the same: give the judge another")
        return self

    @property
    def models(self) -> tuple[Member, ...]:
        """The judges beside the offline one, which always judges."""
        return tuple(judge for judge in self.judges if judge.provider != "offline")


def judge_pairs(
    pairs: Iterable[Pair], chunks: Mapping[str, Chunk], params: JudgeParams
) -> Iterator[Judgement]:
    """Yield one judgement for each pair and each criterion that applies to it, pair by pair.

    Raises:
        InputError: a pair names a chunk that is not in ``chunks``.
    """
    known: dict[str, Evidence] = {}
    for pair in pairs:
        evidence = _look_up(pair, chunks, known)
        scores = {"format": score_format(pair), "length": score_length(pair, params)}
        if evidence is not None and pair.task == EXTRACTION:
            said = "\n".join(chunks[chunk_id].text for chunk_id in pair.chunk_ids)
            values = replace(pair, response=list_values(pair.response, said))
            scores["groundedness"] = score_groundedness(values, evidence)
        elif evidence is not None and pair.task not in VERIFIED:
            scores["groundedness"] = score_groundedness(pair, evidence)
        for criterion, (score, rationale) in sorted(scores.items()):
            yield Judgement(pair.pair_id, JUDGE, criterion, score, rationale, request_id="")


def score_groundedness(pair: Pair, evidence: Evidence) -> Scored:
    """Score how far the answer stands in its passages.

    A number, code or name that is not there makes the score 0: a wrong value is worse than none.
    Else it is the share of the answer's other words that the passages or the question use.
    """
    claims = extract_claims(pair.response)
    asked = gather_evidence([question_of(pair.messages, pair.context)])
    known = evidence | asked if pair.task in _CASE_TASKS else evidence
    missing = [value for value in claims.values if not known.has_value(value)]
    computed = _computed_values(pair.reasoning, evidence | asked) if missing else frozenset()
    if unfounded := [value for value in missing if value.replace(",", "") not in computed]:
        return 0.0, f"{_quote(unfounded)}: not in the passage and not worked out from it"
    strange = [word for word in claims.words if not (evidence | asked).has_word(word)]
    score = 1.0 - len(strange) / len(claims.words) if claims.words else 1.0
    if strange:
        return round(score, 4), f"{_quote(strange)}: neither in the passage nor in the question"
    if not claims.values and not claims.words:
        return 1.0, "the answer names nothing that could be looked up"
    return 1.0, "every value and word of the answer is in the passage or follows from it"


def list_values(text: str, passage: str) -> str:
    """Return the texts and numbers of a JSON answer, its keys left out; another text as it is.

    A number that the passage writes otherwise (``1,240.50`` for 1240.5) is left out, too: it is there.
    """
    try:
        value = read_json(clean_query(text))
    except (ValueError, RecursionError):
        return text
    known = {float(found.replace(",", "")) for found in _NUMBER.findall(passage)}
    return "; ".join(_walk(value, known))


def _walk(value: object, known: Collection[float]) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _walk(part, known)
    elif isinstance(value, str) or (
        isinstance(value, int | float) and not isinstance(value, bool) and value not in known
    ):
        yield str(value)


def score_format(pair: Pair) -> Scored:
    """Score 1 for a question and answer that are cleanly worded, 0 for any fault."""
    faults = find_faults(
        question_of(pair.messages, pair.context),
        pair.response,
        closed_book=not pair.context and pair.task != REPLAY,
        plain_answer=pair.task != REPLAY,
    )
    if pair.task in VERIFIED:
        faults = [fault for fault in faults if not fault.startswith("the answer ")]
    if faults:
        return 0.0, "; ".join(faults)
    return 1.0, "the question and the answer are cleanly worded"


def score_length(pair: Pair, params: JudgeParams) -> Scored:
    """Score 1 where question and answer have a length within the bounds, else 0."""
    asked = len(words(question_of(pair.messages, pair.context)))
    answered = len(words(pair.response))
    said = f"question {asked} words, answer {answered} words"
    if pair.task == REPLAY:
        return 1.0, f"{said}; answers of the base itself have no bounds"
    if pair.task in VERIFIED:
        answered = params.answer_words_min
    fits = (
        params.question_words_min <= asked <= params.question_words_max
        and params.answer_words_min <= answered <= params.answer_words_max
    )
    bounds = (
        f"allowed {params.question_words_min} to {params.question_words_max} "
        f"and {params.answer_words_min} to {params.answer_words_max}"
    )
    return float(fits), f"{said}; {bounds}"


def _look_up(
    pair: Pair, chunks: Mapping[str, Chunk], known: dict[str, Evidence]
) -> Evidence | None:
    """Return the evidence of a pair's chunks with their headings; None where it has no chunk."""
    found: Evidence | None = None
    for chunk_id in pair.chunk_ids:
        if chunk_id not in known:
            known[chunk_id] = _chunk_evidence(pair, chunk_id, chunks)
        found = known[chunk_id] if found is None else found | known[chunk_id]
    return found


def _chunk_evidence(pair: Pair, chunk_id: str, chunks: Mapping[str, Chunk]) -> Evidence:
    chunk = chunks.get(chunk_id)
    if chunk is None:
        raise InputError(
            f"pair {pair.pair_id} names the chunk {chunk_id}, which the corpus does not have",
            remedy="run `dvc repro` so that pairs and corpus are of one version",
        )
    return gather_evidence([*chunk.headings, chunk.text, chunk.source])


def _computed_values(reasoning: str, evidence: Evidence) -> frozenset[str]:
    """Return the results of right sums whose operands are given, or are such results themselves."""
    results: set[str] = set()
    for equation in find_equations(reasoning):
        operands = (number.replace(",", "") for number in equation.operands)
        if equation.holds and all(n in results or evidence.has_value(n) for n in operands):
            results.add(equation.result.replace(",", ""))
    return frozenset(results)


def _quote(tokens: Iterable[str]) -> str:
    return ", ".join(f'"{token}"' for token in tokens)
