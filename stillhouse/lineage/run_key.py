"""The name of a training run: equal names, equal weights. Its checkpoints are filed under it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import stillhouse
from stillhouse.base.ids import Json, combine_sha256, content_id, sha256_file
from stillhouse.lineage.inputs import Digest
from stillhouse.lineage.provenance import list_packages

_PACKAGE: Final = Path(stillhouse.__file__).parent
_CODE: Final = ("base", "distill")  # what computes the weights


def training_key(
    opened: Mapping[str, Digest],
    base_sha256: str,
    parameters: Mapping[str, Json],
    device: str,
    processes: int = 1,
    spread: bool = False,
) -> str:
    """Return the id of everything that shapes a student's weights.

    Args:
        opened: what training reads, as it was when opened.
        base_sha256: the weights that it begins with.
        parameters: the student's section of ``params.yaml``.
        device: ``cpu`` or ``cuda``: they round differently.
        processes: how many share each step: sums over several round differently, too.
        spread: whether each holds a share of the weights, which makes other checkpoints.
    """
    return content_id(
        "training",
        {
            "inputs": {name: digest.sha256 for name, digest in opened.items()},
            "base": base_sha256,
            "parameters": parameters,
            "code": hash_code(_PACKAGE / folder for folder in _CODE),
            "packages": list_packages(),
            "device": device,
            "processes": processes,
            "spread": spread,
        },
    )


def hash_code(folders: Iterable[Path]) -> str:
    """Return one sha256 over the Python files below the folders, by their path below it."""
    files = [(folder, path) for folder in folders for path in folder.rglob("*.py")]
    return combine_sha256(
        {
            f"{folder.name}/{path.relative_to(folder).as_posix()}": sha256_file(path)
            for folder, path in files
        }
    )
