"""Which layers a student keeps, that it keeps their weights, and how fast each layer learns."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stillhouse.base.errors import InputError
from stillhouse.distill.layers import choose_layers, drop_layers, scale_rates

COUNT = 7


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=COUNT,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


@pytest.mark.parametrize(
    ("count", "keep", "wanted"),
    [
        (30, 10, (0, 3, 6, 10, 13, 16, 19, 23, 26, 29)),
        (7, 3, (0, 3, 6)),
        (7, 2, (0, 6)),
        (7, 7, tuple(range(7))),
        (7, [0, 2, 5], (0, 2, 5)),
    ],
)
def test_even_layers_hold_the_first_and_the_last(
    count: int, keep: int | list[int], wanted: tuple[int, ...]
) -> None:
    assert choose_layers(count, keep) == wanted


@pytest.mark.parametrize("keep", [0, 1, 8, [], [3, 2], [1, 1], [0, 7], [-1, 3]])
def test_layers_that_are_not_there_are_refused(keep: int | list[int]) -> None:
    with pytest.raises(InputError, match="cannot be kept of 7"):
        choose_layers(7, keep)


def test_a_smaller_model_computes_with_the_layers_that_it_kept(model: LlamaForCausalLM) -> None:
    kept = (0, 3, 6)
    smaller = drop_layers(model, kept).eval()
    assert smaller.config.num_hidden_layers == 3
    tokens = torch.arange(12)[None]
    with torch.inference_mode():
        found = smaller(input_ids=tokens).logits
        whole = list(model.model.layers)
        model.model.layers = torch.nn.ModuleList([whole[number] for number in kept])
        try:
            wanted = model(input_ids=tokens, use_cache=False).logits
        finally:
            model.model.layers = torch.nn.ModuleList(whole)
        assert torch.allclose(found, wanted, atol=1e-6)
        assert not torch.allclose(found, model(input_ids=tokens).logits, atol=1e-2)


def test_all_layers_kept_is_the_same_model(model: LlamaForCausalLM, tmp_path: Path) -> None:
    same = drop_layers(model, range(COUNT)).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in model.state_dict().items())
    drop_layers(model, (0, 6)).save_pretrained(tmp_path)
    assert LlamaForCausalLM.from_pretrained(tmp_path).config.num_hidden_layers == 2


def test_lower_layers_learn_slower_and_the_embeddings_slowest(model: LlamaForCausalLM) -> None:
    factors = {name: factor for name, _, factor in scale_rates(model, 0.5)}
    assert factors["model.layers.6.mlp.up_proj.weight"] == 1.0
    assert factors["model.layers.5.mlp.up_proj.weight"] == 0.5
    assert factors["model.layers.0.self_attn.q_proj.weight"] == 0.5**6
    assert factors["model.embed_tokens.weight"] == 0.5**7
    assert factors["model.norm.weight"] == 1.0
    assert "lm_head.weight" not in factors  # tied


def test_what_is_frozen_has_no_rate(model: LlamaForCausalLM) -> None:
    model.get_input_embeddings().requires_grad_(False)
    try:
        assert "model.embed_tokens.weight" not in {name for name, *_ in scale_rates(model, 0.5)}
    finally:
        model.get_input_embeddings().requires_grad_(True)
