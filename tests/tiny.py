"""A tiny, randomly initialised student: real weights, tokenizer and chat template, under 1 MB."""

from pathlib import Path
from typing import Final

TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
POSITIONS: Final = 2048  # a passage and its question, with room
SENTENCES: Final = (
    "The standard annual leave entitlement for full-time staff is 27.5 days a year.",
    "What is the capital of Italy? The capital of Italy is Rome.",
    "How many days in advance must a leave request be entered? Nineteen working days.",
    "The handbook does not say. A visitor must be met by the person who invited them.",
    "Which code does the travel policy carry? Its document code is HB-021.",
)


def build_tiny_model(
    folder: Path,
    seed: int = 0,
    *,
    layers: int = 2,
    hidden_size: int = 32,
    words: tuple[str, ...] = SENTENCES,
) -> None:
    """Write a Llama, by default of two layers, hidden size 32 and about 600 byte-level tokens to ``folder``.

    It is an ordinary Hugging Face folder, of the same kind as SmolLM2: ``<|im_start|>`` and
    ``<|im_end|>`` around turns, ``<|im_end|>`` ends a reply, ``<|endoftext|>`` pads.
    The tokenizer is trained on ``words``.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_train_tokenizer(words),
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=POSITIONS,
    )
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train_tokenizer(words: tuple[str, ...]):  # type: ignore[no-untyped-def]
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    return tokenizer
