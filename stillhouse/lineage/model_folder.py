"""What a student's folder may hold: weights, text, and nothing that knows this machine."""

import re
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from stillhouse.base.errors import GateError, InputError
from stillhouse.base.home import home
from stillhouse.base.ids import combine_sha256

PROVENANCE: Final = "provenance.json"
ROWS: Final = "rows.parquet"

# Names only: a pickle (training_args.bin, pytorch_model.bin, *.pt) runs code when it is opened.
ALLOWED: Final = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    PROVENANCE,
    ROWS,
)
_TEXT: Final = (".json", ".jinja", ".txt")
# A vocabulary holds fragments like `/tmp`; a path of a person's home or a scratch file goes deeper.
_ANYONES: Final = re.compile(r"(?:/home|/Users|/root|/tmp|[A-Za-z]:\\\\Users)[/\\]+\w[\w.-]+[/\\]")


def check_model_folder(folder: Path) -> None:
    """Refuse a model folder that holds a file of another kind or an absolute path.

    Raises:
        GateError: a name is not on the list, or a text file holds a path of this or any machine.
        InputError: there is no folder, or no weights in it.
    """
    if not any(folder.glob("*.safetensors")):
        raise InputError("no safetensors weights", where=str(folder), expected="a trained student")
    for path in sorted(folder.rglob("*")):
        _check_name(path, folder)
        if path.suffix in _TEXT:
            _check_text(path)


def weights_sha256(files: dict[str, str]) -> str:
    """Return one hash over the weight files, given every file's sha256 by name.

    The same formula as for a base.
    """
    return combine_sha256({n: sha for n, sha in files.items() if n.endswith(".safetensors")})


def _check_name(path: Path, folder: Path) -> None:
    name = path.relative_to(folder).as_posix()
    if not any(fnmatch(name, pattern) for pattern in ALLOWED) or path.is_dir():
        raise GateError(
            f"`{name}` may not lie in a model folder",
            where=str(folder),
            expected="weights (safetensors), configuration, tokenizer, provenance",
            remedy="remove it before the stage ends",
        )


def _check_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = next((root for root in _machine_paths() if _holds(text, root)), None)
    match = _ANYONES.search(text)
    if found or match:
        raise GateError(
            f"holds the absolute path `{found or (match.group() if match else '')}…`",
            where=str(path),
            expected="nothing that differs from machine to machine",
            remedy="drop that key before saving",
        )


def _machine_paths() -> Iterator[str]:
    for path in (Path.cwd(), home(), Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix)):
        if path != Path(path.anchor):
            yield str(path)


def _holds(text: str, root: str) -> bool:
    """Whether ``text`` names something at or below ``root``; `/app` alone may be a mere token."""
    start = re.escape(root)
    deep = root.count("/") > 1
    return bool(re.search(start + (r"(?![\w-])" if deep else r"/\w[\w.-]*"), text))
