"""Replies: the shared-beginning loop says exactly what plain greedy generation says."""

from pathlib import Path

import pytest

from stillhouse.base.runtime import Runtime
from stillhouse.evaluation.answering import (
    Answering,
    Model,
    answer_prompts,
    encode_prompt,
    load_model,
    share_prefixes,
)
from tests.tiny import build_tiny_model

SETTINGS = Answering(dtype="float32", batch=4, max_new_tokens=12)
PASSAGE = "Passage:\nThe leave year begins on 1 March and ends in February.\n\nQuestion: "
PROMPTS = [
    "What is the capital of Italy?",
    PASSAGE + "When does the leave year begin?",
    "Which code?",
    PASSAGE + "When does it end?",
    "How many days in advance must a leave request be entered by a person on probation?",
    "Which code?",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder: Path = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return load_model(folder, SETTINGS, Runtime(device="cpu", threads=1))


def test_replies_equal_plain_greedy_generation_of_one_prompt_at_a_time(model: Model) -> None:
    import torch

    expected = []
    for prompt in PROMPTS:
        ids = torch.tensor([encode_prompt(model, prompt)])
        out = model.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12
        )
        expected.append(
            model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()
        )
    assert answer_prompts(model, PROMPTS, SETTINGS) == expected


def test_a_row_that_ends_early_changes_no_other_reply(model: Model) -> None:
    whole = answer_prompts(model, PROMPTS, SETTINGS)
    first = encode_prompt(model, PROMPTS[0])
    # Let the token with which most replies begin be an end: those rows leave at once.
    import torch

    with torch.inference_mode():
        logits = model.model(torch.tensor([first])).logits
    ending = Model(model.model, model.tokenizer, "cpu", (*model.ends, int(logits[0, -1].argmax())))
    cut = answer_prompts(ending, PROMPTS, SETTINGS)
    assert cut[0] == ""
    assert all(full.startswith(part) for full, part in zip(whole, cut, strict=True))


def test_prompts_with_one_passage_share_its_tokens(model: Model) -> None:
    rows = share_prefixes([encode_prompt(model, prompt) for prompt in PROMPTS[:4]])
    passages = [row for row in rows if row.place in (1, 3)]
    assert passages[0].prefix == passages[1].prefix
    assert len(passages[0].prefix) > len(encode_prompt(model, PROMPTS[2])) - 5
    for row in rows:
        assert row.prefix + row.suffix == encode_prompt(model, PROMPTS[row.place])
        assert row.suffix


def test_no_prompts_give_no_replies(model: Model) -> None:
    assert answer_prompts(model, [], SETTINGS) == []
