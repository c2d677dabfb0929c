"""A local model as a judge: what a score hangs on, and that nothing is read twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.records import Judgement, Pair
from stillhouse.base.runtime import Runtime
from stillhouse.prompts.judging import show_passages
from stillhouse.quality.judge import JudgeParams, LikelihoodParams
from stillhouse.quality.judging import describe_judge
from stillhouse.quality.likelihood import Measured, Reader, judge_likelihood
from tests.making import LEAVE_TEXT, make_chunk, make_document, make_pair
from tests.test_teacher_huggingface import stir
from tests.tiny import build_tiny_model

LEAVE = make_chunk()
OTHER = make_chunk("money/hotels.md", "Rooms cost at most £96 in town and £131 elsewhere.")
PASSAGES = show_passages(
    [make_document(), make_document("money/hotels.md", OTHER.text)], [LEAVE, OTHER]
)
PAIRS = [
    make_pair(f"Question {n}: how many days of leave are there?", f"{n} days.", [chunk])
    for n in range(6)
    for chunk in (LEAVE, OTHER)
]
RUNTIME = Runtime(device="cpu", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    build_tiny_model(path)
    stir(path)
    return path


class Opened:
    """Opens readers and counts how often."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.count = folder, 0

    def __call__(self) -> Reader:
        self.count += 1
        return Reader(self._folder, RUNTIME)


def judge(
    pairs: Sequence[Pair], opened: Opened, store: Path, fraction: float = 1.0
) -> list[Judgement]:
    params = LikelihoodParams(model="tiny", fraction=fraction)
    found = judge_likelihood(pairs, PASSAGES, params, opened, ByteStore(store), "weights")
    return sorted(found, key=lambda one: one.pair_id)


def test_a_score_hangs_on_the_pair_alone(folder: Path, tmp_path: Path) -> None:
    together = judge(PAIRS, Opened(folder), tmp_path / "a")
    apart = [judge([pair], Opened(folder), tmp_path / pair.pair_id)[0] for pair in PAIRS[::-1]]
    assert sorted(apart, key=lambda one: one.pair_id) == together
    assert {one.criterion for one in together} == {"likelihood"}
    assert {one.judge for one in together} == {"likelihood/tiny"}
    assert len({one.score for one in together}) > 3


def test_what_was_read_is_not_read_again(folder: Path, tmp_path: Path) -> None:
    first, second = Opened(folder), Opened(folder)
    before = judge(PAIRS, first, tmp_path / "store")
    assert judge(PAIRS, second, tmp_path / "store") == before
    assert (first.count, second.count) == (1, 0)


def test_the_state_behind_a_passage_is_what_reading_all_of_it_gives(folder: Path) -> None:
    reader = Reader(folder, RUNTIME)
    kept = reader.measure(LEAVE_TEXT, "How many days?", "27.5 days.")
    asked = reader._render(f"Passage:\n{LEAVE_TEXT}\n\nQuestion: How many days?")
    whole = reader._read("", asked, "27.5 days.")
    assert kept.given == pytest.approx(whole, abs=1e-3)
    assert kept.alone != pytest.approx(kept.given, abs=1e-3)


def test_half_of_the_score_is_where_the_passage_tells_nothing() -> None:
    assert Measured(-1.0, -1.0).score == 0.5
    assert Measured(-1.0, -3.0).score == 0.8808
    assert Measured(-900.0, 0.0).score == 0.0


def test_a_smaller_share_is_part_of_a_larger_one_and_the_base_s_own_words_are_left_out(
    folder: Path, tmp_path: Path
) -> None:
    def read(fraction: float) -> set[str]:
        found = judge(PAIRS, Opened(folder), tmp_path / "store", fraction)
        return {one.pair_id for one in found}

    assert set() < read(0.4) < read(0.8) <= read(1.0) == {pair.pair_id for pair in PAIRS}
    everyday = make_pair("How are you?", "Well.", [], task="replay", context="Something.")
    assert judge([everyday, make_pair("What?", "That.", [])], Opened(folder), tmp_path / "s") == []


def test_the_model_is_part_of_a_row_s_judge_only_where_one_reads() -> None:
    off = JudgeParams.model_validate({"likelihood": {"model": None, "fraction": 0.5}})
    on = JudgeParams.model_validate({"likelihood": {"model": "tiny"}})
    assert describe_judge(off, {}) == describe_judge(JudgeParams(), {}) != describe_judge(on, {})
