import dataclasses
import itertools
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from stillhouse.base.errors import InputError
from stillhouse.base.records import Message, Row
from stillhouse.distill.batches import IGNORED, Targets, collate, plan_batches
from stillhouse.distill.distributions import Captured, Distributions
from stillhouse.distill.encode import Encoded, encode_rows
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.params import BatchMix
from tests.tiny import build_tiny_model


def row_of(task: str, question: str, answer: str, row_id: str = "r") -> Row:
    empty = {field.name: "" for field in dataclasses.fields(Row)}
    messages = {
        "prompt": (Message("user", question),),
        "completion": (Message("assistant", answer),),
        "chunk_ids": (),
        "document_ids": (),
    }
    return Row(**{**empty, **messages, "task": task, "row_id": row_id})


def encoded(task: str, length: int, row_id: str = "r") -> Encoded:
    return Encoded(row_id, task, tuple(range(2, length + 2)), length // 2)


ROWS = (
    [encoded("recall", 6 + n % 5, f"t{n}") for n in range(20)]
    + [encoded("abstain", 6, f"a{n}") for n in range(3)]
    + [encoded("replay", 8, f"r{n}") for n in range(5)]
)
MIX = BatchMix(taught=4, abstain=0.2, replay=2)


def test_no_row_declines_before_the_first_step_that_may() -> None:
    late = MIX.model_copy(update={"abstain_from": 0.5})
    batches = plan_batches(ROWS, late, epochs=4, seed=1)
    declined = [sum(ROWS[i].task == "abstain" for i in batch) for batch in batches]
    half = round(len(batches) / 2)
    assert not any(declined[:half])
    assert sum(declined[half:]) == round((len(batches) - half) * late.taught * late.abstain)
    assert {len(batch) for batch in batches} == {late.taught + late.replay}


def test_the_plan_holds_each_kind_in_the_share_asked_for() -> None:
    batches = plan_batches(ROWS, MIX, epochs=2, seed=1)
    for batch in batches:
        kinds = Counter(ROWS[index].task for index in batch)
        assert (kinds["recall"] + kinds["abstain"], kinds["replay"]) == (4, 2)
    declined = sum(ROWS[index].task == "abstain" for batch in batches for index in batch)
    assert declined == round(len(batches) * 4 * 0.2)


def test_one_epoch_passes_each_taught_row_once() -> None:
    seen = Counter(i for batch in plan_batches(ROWS, MIX, epochs=1, seed=1) for i in batch)
    assert min(seen[index] for index in range(20)) == 1
    assert sum(seen[index] for index in range(20)) <= 20 + MIX.taught  # the last batch is filled up


def test_the_plan_depends_on_the_seed_alone() -> None:
    assert plan_batches(ROWS, MIX, 2, seed=1) == plan_batches(ROWS, MIX, 2, seed=1)
    assert plan_batches(ROWS, MIX, 2, seed=1) != plan_batches(ROWS, MIX, 2, seed=2)


def test_a_kind_without_rows_is_left_out_of_the_batches() -> None:
    batches = plan_batches(ROWS[:20], MIX, epochs=1, seed=1)
    assert {len(batch) for batch in batches} == {4}


def test_labels_cover_the_completion_alone() -> None:
    batch = collate([encoded("recall", 6), encoded("recall", 4)], pad=0)
    assert batch["labels"].tolist() == [
        [IGNORED, IGNORED, 4, 5, IGNORED, IGNORED],
        [IGNORED, IGNORED, IGNORED, 5, 6, 7],
    ]
    assert batch["attention_mask"].sum(1).tolist() == [4, 6]


def test_encoding_masks_the_prompt_and_ends_with_the_end_token(tmp_path: Path) -> None:
    build_tiny_model(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    (row,) = encode_rows([row_of("recall", "How many days?", "Nine days.")], tokenizer, 200)
    assert tokenizer.decode(row.input_ids[row.start : -1]) == "Nine days."
    assert row.input_ids[-1] == tokenizer.eos_token_id
    assert "How many days?" in tokenizer.decode(row.input_ids[: row.start])


def test_the_end_of_a_replay_answer_that_was_cut_is_not_learned_as_a_word(tmp_path: Path) -> None:
    build_tiny_model(tmp_path)
    said = [("replay", "Red or"), ("replay", 'Red or "blue."'), ("recall", "27 days")]
    rows = encode_rows(
        [row_of(task, "Which?", text, f"r{n}") for n, (task, text) in enumerate(said)],
        load_tokenizer(tmp_path),
        200,
    )
    learned = [collate([row], 0)["labels"][0, row.start :].tolist() for row in rows]
    assert [labels[-1] == IGNORED for labels in learned] == [True, False, False]
    assert [IGNORED in labels[:-1] for labels in learned] == [False, False, False]


def captured(*rows: Encoded) -> Distributions:
    """Distributions of rows whose ids count up, token by token and row by row."""
    found = SimpleNamespace(rows={row.row_id: None for row in rows})
    count = {row.row_id: len(row.input_ids) - row.start for row in rows}
    starts = dict(zip(count, itertools.accumulate(count.values(), initial=0), strict=False))

    def of_row(row_id: str) -> Captured:
        ids = torch.arange(starts[row_id], starts[row_id] + count[row_id])[:, None].expand(-1, 3)
        return Captured(ids, -ids.half(), -ids[:, :2].float(), torch.zeros(len(ids), 0, 0))

    found.of_row = of_row
    return found  # type: ignore[return-value]


def test_to_a_distribution_the_end_of_a_cut_answer_is_a_token_as_any_other() -> None:
    rows = [dataclasses.replace(encoded("replay", 6, "a"), cut=cut) for cut in (False, True)]
    targets = Targets(replay=captured(rows[0]))
    whole, cut = (collate([row], 0, targets) for row in rows)
    assert rows[0].tokens_id == rows[1].tokens_id
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_what_is_captured_lies_where_its_tokens_are() -> None:
    """Taught rows are learned as words and as a distribution, replay rows as a distribution alone."""
    rows = [encoded("recall", 8, "a"), encoded("replay", 6, "b"), encoded("recall", 4, "c")]
    targets = Targets(captured(rows[1]), captured(rows[0], rows[2]))
    batch = collate(rows, 0, targets)
    assert batch["taught_mask"].int().tolist() == [
        [0, 0, 1, 1, 0, 0, 0, 0], [0] * 8, [0, 0, 0, 0, 1, 1, 1, 1],
    ]  # fmt: skip
    assert batch["replay_mask"].int().tolist() == [[0] * 8, [0, 0, 0, 1, 1, 1, 0, 0], [0] * 8]
    assert torch.equal(batch["labels"] != IGNORED, batch["taught_mask"])
    assert batch["taught_ids"][:, 0].tolist() == [4, 5, 0, 1, 2, 3]  # the short row comes first
    assert batch["replay_ids"][:, 0].tolist() == [0, 1, 2]
    assert batch["taught_tails"].shape == (6, 2)


def test_a_row_that_does_not_fit_is_refused_and_never_cut(tmp_path: Path) -> None:
    build_tiny_model(tmp_path)
    with pytest.raises(InputError, match="expected at most 10"):
        encode_rows([row_of("recall", "word " * 50, "x")], load_tokenizer(tmp_path), 10)
