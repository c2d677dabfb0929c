"""TRL's ``SFTTrainer`` with a loss that computes nothing twice and nothing in vain.

Off CUDA, TRL 1.16 scores every position, prompt and padding included, and runs the head's backward
pass in float32; here only the learned positions are scored. What all rows of a batch begin with (the
template's system message) is computed once, and short rows do not carry the padding of long ones.
The losses are equal; ``bench/train.py`` measures both.
"""

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer
from trl.trainer.sft_trainer import SFTTrainer

from stillhouse.distill.batches import IGNORED
from stillhouse.distill.losses import sparse_forward_kl

# What a further run through the backbone costs, in tokens: all weights are read, and their gradients
# written, once more. At 48 a step on two cores took longer than with one run, for all the padding saved.
_RUN_COST: Final = 150


class StudentTrainer(SFTTrainer):
    """Cross-entropy on completions, plus ``replay_weight`` × KL to the base's own distribution."""

    def __init__(self, *args: Any, replay_weight: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.replay_weight = replay_weight

    @property
    def train_tokens(self) -> int:
        """How many tokens have been trained on, padding not counted."""
        return self._total_train_tokens

    @train_tokens.setter
    def train_tokens(self, count: int) -> None:
        self._total_train_tokens = count

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the batch's loss; cross-entropy is a mean over the labels of the optimiser step."""
        labels = inputs["labels"][:, 1:]
        soft = inputs["soft_mask"][:, 1:]
        hard = labels != IGNORED
        with self.accelerator.autocast():  # the backbone is called past the wrapper that autocasts
            logits = _score(model, inputs, hard | soft)
        is_soft = soft[hard | soft]
        count = hard.sum() if num_items_in_batch is None else num_items_in_batch
        ce = functional.cross_entropy(
            logits[~is_soft].float(), labels[hard], reduction="sum"
        ) / torch.as_tensor(count).clamp(min=1)
        loss = ce
        mode = "train" if model.training else "eval"
        self._metrics[mode]["cross_entropy"].append(ce.item())
        if is_soft.any():
            kl = sparse_forward_kl(
                logits[is_soft], inputs["soft_ids"], inputs["soft_log_probs"]
            ).mean()
            self._metrics[mode]["replay_kl"].append(kl.item())
            loss = loss + self.replay_weight * kl
        self._count_tokens(mode, inputs["attention_mask"])
        return (loss, {"loss": loss}) if return_outputs else loss

    def _count_tokens(self, mode: str, attention_mask: torch.Tensor) -> None:
        if mode == "train":
            self._total_train_tokens += int(attention_mask.sum())
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["index"]  # type: ignore[assignment]  # Trainer starts it as None


def _score(model: Any, inputs: dict[str, torch.Tensor], wanted: torch.Tensor) -> torch.Tensor:
    """Return logits [wanted positions, vocabulary]; ``wanted`` is [rows, length − 1].

    Models that scale or cap their logits after the head are scored by their own forward pass.
    """
    core = model.module if hasattr(model, "module") else model
    config = core.config.get_text_config()
    marks = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
    passed = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    if any(getattr(config, mark, None) is not None for mark in marks) or core is not model:
        logits: torch.Tensor = model(**passed, use_cache=False).logits[:, :-1][wanted]
        return logits
    inner = core.get_base_model() if hasattr(core, "peft_config") else core
    cached = not (
        inner.is_activation_checkpointing and inner.training
    )  # which runs without a cache
    shared = count_shared(passed["input_ids"], wanted) if cached else 0
    hidden = _run_backbone(inner.base_model, passed, wanted, shared)
    scored: torch.Tensor = inner.get_output_embeddings()(hidden)
    return scored


def count_shared(input_ids: torch.Tensor, wanted: torch.Tensor) -> int:
    """Return how many tokens all rows begin with, short of the first wanted position of any row.

    ``input_ids`` is [rows, length], ``wanted`` [rows, length - 1]. With a chat template it is the
    system message at least: about half of a short row.
    """
    differs = (input_ids != input_ids[:1]).any(0)
    needed = wanted.any(0)
    first = torch.nonzero(differs[:-1] | needed)
    return int(first[0]) if len(first) else input_ids.shape[1] - 1


def group_rows(lengths: Sequence[int]) -> list[slice]:
    """Return runs of rows, sorted by length, that cost least when each is padded to its longest.

    A run of its own costs ``_RUN_COST`` tokens more. Least cost over all ways to cut, by dynamic
    programming: n² steps for the n rows of a batch.
    """
    best: list[tuple[int, int]] = [(0, 0)]  # for the first k rows: cost, start of the last run
    for end in range(1, len(lengths) + 1):
        tried = (
            (best[start][0] + (end - start) * lengths[end - 1] + _RUN_COST, start)
            for start in range(end)
        )
        best.append(min(tried))
    runs: list[slice] = []
    end = len(lengths)
    while end:
        runs.append(slice(best[end][1], end))
        end = best[end][1]
    return runs[::-1]


def _run_backbone(
    backbone: Any, passed: dict[str, torch.Tensor], wanted: torch.Tensor, shared: int
) -> torch.Tensor:
    """Return the hidden states of the wanted positions, [wanted positions, hidden], row by row.

    The shared beginning is run once and its keys and values are handed to every row. A causal model
    computes the same for each row anyway, and the gradients of all rows add up in the one run. The
    rest runs in groups of rows of like length, each without the padding that the others need.
    """
    lengths = passed["attention_mask"].sum(1).tolist()
    beginning = passed["input_ids"][:1, :shared]
    first = backbone(input_ids=beginning, use_cache=True).past_key_values if shared else None
    if first is not None and any(type(layer) is not DynamicLayer for layer in first.layers):
        first, shared = None, 0  # a sliding or recurrent memory cannot simply be handed out
    found = []
    for rows in group_rows([length - shared for length in lengths]):
        end = lengths[rows.stop - 1]
        cache = None if first is None else _hand_out(first, rows.stop - rows.start)
        states = backbone(
            input_ids=passed["input_ids"][rows, shared:end],
            attention_mask=passed["attention_mask"][rows, :end],
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        mask = wanted[rows, shared:end]
        found.append(states[:, : mask.shape[1]][mask])
    return torch.cat(found)


def _hand_out(first: DynamicCache, rows: int) -> DynamicCache:
    """Return the memory of one row as that of several; gradients flow back into the one."""
    layers: list[Any] = list(first.layers)
    pairs = ((layer.keys, layer.values) for layer in layers)
    return DynamicCache(
        [(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)) for keys, values in pairs]
    )
