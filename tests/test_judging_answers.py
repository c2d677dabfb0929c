"""Judges' answers in the journal into judgements, block by block and in the pairs' order."""

from pathlib import Path

from stillhouse.base.records import Judgement, Pair, Rejection, Request, Response
from stillhouse.prompts.judging import make_panel, render_all, show_passages
from stillhouse.prompts.teacher import Member
from stillhouse.quality.consistency import agrees
from stillhouse.quality.judge import JudgeParams
from stillhouse.quality.judging import find_unjudged
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.judging import lay_requests, read_judgements, read_responses
from stillhouse.teachers.protocol import Failure
from tests.making import make_chunk, make_document, make_pair

LEAVE = make_chunk()
PASSAGES = show_passages([make_document()], [LEAVE])
PANEL = make_panel(
    [Member(provider="openai", model="m", temperature=0.8)],
    ["accuracy"],
    seed=0,
    samples=4,
    folder=Path(__file__).parent.parent / "prompts/judge",
)
JUDGE = "openai/m"


def answer(request: Request, text: str) -> Response:
    return Response(request.request_id, text, "", "end_turn", 0, 0, 0, request.model)


def read(
    tmp_path: Path, pairs: list[Pair], texts: dict[str, str], refused: tuple[str, ...] = ()
) -> list[Judgement | Rejection]:
    """Answer each request by its task and sample, and read what came of it."""
    requests, askings = lay_requests(render_all(pairs, PASSAGES, PANEL), tmp_path)
    keys = {one.request_id: f"{one.task} {one.sample}" for one in requests}
    failed = {
        name: Failure(name, "400", permanent=True) for name, key in keys.items() if key in refused
    }
    with Journal(tmp_path / "journal.sqlite") as journal:
        given = [one for one in requests if one.request_id not in failed]
        journal.record(
            [answer(one, texts[keys[one.request_id]]) for one in given], teacher="openai"
        )
        assert len(list(read_responses(requests, journal, failed))) == len(given)
        return list(read_judgements(pairs, askings, journal, failed, agrees))


def test_the_share_of_answers_given_anew_that_agree_is_the_confidence(tmp_path: Path) -> None:
    pair = make_pair("How many days of leave are there?", "27.5 days.", [LEAVE])
    texts = {
        "judge/accuracy 0": '{"rationale": "It  says so.", "score": 5}',
        "judge/confirm 0": '{"answer": "Staff have 27.5 days."}',
        "judge/confirm 1": '{"answer": "28 days"}',
        "judge/confirm 2": '{"answer": "27.5"}',
        "judge/confirm 3": "nonsense",
    }
    scored, sure = read(tmp_path, [pair], texts)
    assert isinstance(scored, Judgement)
    assert isinstance(sure, Judgement)
    assert (scored.criterion, scored.score, scored.rationale) == ("accuracy", 1.0, "It says so.")
    assert (sure.pair_id, sure.judge, sure.criterion, sure.score) == (
        pair.pair_id, JUDGE, "confidence", 0.6667,
    )  # fmt: skip
    assert (
        sure.rationale == "2 of 3 answers given anew from the passage agree; another one: 28 days"
    )


def test_a_pair_none_of_whose_answers_can_be_read_is_rejected_by_each_of_them(tmp_path: Path) -> None:  # fmt: skip
    pair = make_pair("How many days of leave are there?", "27.5 days.", [LEAVE])
    texts = {f"judge/confirm {n}": "[]" for n in range(4)}
    first, second = read(tmp_path, [pair], texts, refused=("judge/accuracy 0",))
    assert isinstance(first, Rejection)
    assert isinstance(second, Rejection)
    assert (first.rejected_id, first.kind, first.reason, first.detail) == (
        pair.pair_id, "judgement", "refused", f"{JUDGE} on accuracy: 400",
    )  # fmt: skip
    assert (second.reason, second.detail) == (
        "unconfirmed", f"{JUDGE} on confirm: none of 4 answers given anew could be read",
    )  # fmt: skip


def test_a_pair_without_a_confidence_is_judged_all_the_same() -> None:
    refused, unsure = (
        Rejection(name, "judgement", "", (), "judge", reason, "so")
        for name, reason in (("a", "refused"), ("b", "unconfirmed"))
    )
    assert find_unjudged([refused, unsure], JudgeParams()) == {"a": "refused: so"}


def test_equal_pairs_share_a_request_and_each_has_its_judgement(tmp_path: Path) -> None:
    twins = [
        make_pair("How many days of leave are there?", "27.5 days.", [LEAVE], slot=str(number), confidence=0.5)
        for number in range(700)  # more than are read at once
    ]  # fmt: skip
    everyday = make_pair("How are you?", "Well.", [], task="replay")
    pairs = sorted([*twins, everyday], key=lambda one: one.pair_id)
    texts = {"judge/accuracy 0": '{"rationale": "so", "score": 3}'}
    found = read(tmp_path, pairs, texts)
    assert [one.pair_id for one in found if isinstance(one, Judgement)] == [
        pair.pair_id for pair in pairs if pair.task != "replay"
    ]
    assert len({one.request_id for one in found if isinstance(one, Judgement)}) == 1
