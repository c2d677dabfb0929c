"""Which token a local model writes next: the most likely one, or one drawn, and how likely it was.

A draw adds Gumbel noise to ``logits / temperature`` and takes the largest: exactly a draw from
``softmax(logits / temperature)`` (the Gumbel-max trick; Maddison, Tarlow and Minka 2014, "A* Sampling").
Each row has a generator of its own, so that what it draws does not hang on its neighbours; and noise
that is fixed before the logits are known leaves a draw as it is where they differ in their last bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def make_seed(request_id: str, seed: int) -> int:
    """Return the seed of the draws for one request."""
    return int.from_bytes(hashlib.sha256(f"{request_id}\n{seed}".encode()).digest())


class Chooser:
    """Chooses the next token of each row; transformers' ``generate`` calls it as a logits processor.

    ``generate`` then takes the largest score. A temperature of 0 leaves the scores as they are.
    """

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self._draws = [np.random.default_rng(seed) for seed in seeds] if temperature else []
        self._temperature = temperature
        self._kept: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores whose largest is the choice, shape (rows, vocabulary) as they come."""
        del input_ids
        wanted = scores / self._temperature + self._draw_noise(scores) if self._draws else scores
        chosen = wanted.argmax(dim=-1, keepdim=True)
        # Of the model's own distribution, whatever the temperature.
        self._kept.append(scores.gather(1, chosen).squeeze(1) - scores.logsumexp(dim=-1))
        return wanted

    def read_logprobs(self) -> list[list[float]]:
        """Return the log-probability of each token that was chosen, by row."""
        import torch

        return torch.stack(self._kept, dim=1).tolist() if self._kept else []

    def _draw_noise(self, scores: torch.Tensor) -> torch.Tensor:
        """Return standard Gumbel noise: the negative logarithm of exponential noise."""
        import torch

        rows = [generator.standard_exponential(scores.shape[1]) for generator in self._draws]
        noise = torch.from_numpy(np.stack(rows).astype(np.float32)).to(scores.device)
        return -noise.clamp_(min=torch.finfo(torch.float32).tiny).log_()
