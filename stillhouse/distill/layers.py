"""A model's decoder layers: which of them a smaller student keeps, and how fast each one learns."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch
from transformers import PreTrainedModel

from stillhouse.base.errors import InputError

_LAYER: Final = re.compile(r"(?:^|\.)layers\.(\d+)\.")


def choose_layers(count: int, keep: int | Sequence[int]) -> tuple[int, ...]:
    """Return which of ``count`` layers are kept: those named, or so many at even distances.

    The first and the last are always among the even ones: what they do differs most from what their
    neighbours do (Sajjad et al. 2020, arXiv:2004.03844; Muralidharan et al. 2024, arXiv:2407.14679).

    Raises:
        InputError: more are asked for than there are, fewer than two, or a layer that is not there.
    """
    if isinstance(keep, int):
        if not 2 <= keep <= count:
            raise InputError(
                f"{keep} layers cannot be kept of {count}",
                where="students.<name>.keep_layers",
                expected=f"from 2 to {count}",
            )
        return tuple(round(place * (count - 1) / (keep - 1)) for place in range(keep))
    chosen = tuple(keep)
    if list(chosen) != sorted(set(chosen)) or not chosen or chosen[0] < 0 or chosen[-1] >= count:
        raise InputError(
            f"the layers {list(chosen)} cannot be kept of {count}",
            where="students.<name>.keep_layers",
            expected=f"numbers from 0 to {count - 1}, each once, in order",
        )
    return chosen


def drop_layers(model: PreTrainedModel, kept: Sequence[int]) -> PreTrainedModel:
    """Return a new model of the layers ``kept``, with their weights and all that is not a layer.

    Raises:
        InputError: the model's layers are not found where those of decoders stand.
    """
    values = model.config.to_dict()
    total = values["num_hidden_layers"]
    values["num_hidden_layers"] = len(kept)
    if isinstance(values.get("layer_types"), list):
        values["layer_types"] = [values["layer_types"][number] for number in kept]
    smaller = type(model)(type(model.config)(**values))
    places = {old: new for new, old in enumerate(kept)}
    weights: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        found = _LAYER.search(name)
        if found is None:
            weights[name] = tensor
        elif int(found[1]) in places:
            new = f"{places[int(found[1])]}"
            weights[f"{name[: found.start(1)]}{new}{name[found.end(1) :]}"] = tensor
    if set(weights) != set(smaller.state_dict()):
        raise InputError(
            f"the {total} layers of a {type(model).__name__} cannot be told apart by their names",
            where="students.<name>.keep_layers",
            remedy="choose a decoder whose weights are called `…layers.<number>.…`",
        )
    smaller.load_state_dict(weights)
    return smaller


def find_layer(name: str) -> int | None:
    """Return the number of the layer that a parameter belongs to, by its name; None outside of all."""
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def scale_rates(model: Any, rate: float) -> Iterator[tuple[str, torch.nn.Parameter, float]]:
    """Yield each parameter that learns, with its name and the factor of its learning rate.

    The last layer, and what stands behind it, has 1, each layer below ``rate`` times that of the one
    above, and the embeddings ``rate`` times that of the first (Howard & Ruder 2018, arXiv:1801.06146).
    A head that is tied to the embeddings learns as they do.
    """
    layers = [
        number for name, _ in model.named_parameters() if (number := find_layer(name)) is not None
    ]
    count = max(layers, default=-1) + 1
    embeddings = {id(weight) for weight in model.get_input_embeddings().parameters()}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        number = find_layer(name)
        if number is not None:
            yield name, weight, rate ** (count - 1 - number)
        else:
            yield name, weight, rate**count if id(weight) in embeddings else 1.0
