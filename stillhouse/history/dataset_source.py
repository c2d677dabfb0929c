"""MLflow's way from a run back to the very bytes of its datasets.

An entry point of the group ``mlflow.dataset_source`` names ``DvcDatasetSource``, so that
``mlflow.data.get_source(dataset_input).load()`` works wherever Stillhouse is installed.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow.data.dataset_source import DatasetSource

from stillhouse.base.errors import InputError
from stillhouse.base.files import replace_folder
from stillhouse.base.home import find_home
from stillhouse.base.ids import canonical_json
from stillhouse.history.fetching import fetch_object
from stillhouse.history.version import GoneError, Version
from stillhouse.lineage.inputs import hash_path
from stillhouse.lineage.sources import SOURCE_TYPE, Source, parse_source


class DvcDatasetSource(DatasetSource):
    """A table or folder that DVC keeps, by its md5."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @staticmethod
    def _get_source_type() -> str:
        return SOURCE_TYPE

    def load(self, project: Path | None = None) -> str:
        """Return the local path of exactly the bytes that the md5 names.

        They are looked for in the workspace, in DVC's cache and in the default DVC remote, and
        hashed. A folder that lies in the workspace no more is laid out below ``.stillhouse/datasets``.

        Args:
            project: its root; without it the one in or above the working directory.

        Raises:
            GoneError: they are nowhere. Other bytes are never returned.
            InputError: there is no project here.
        """
        root = project or _find_project(self.source)
        if self.source.md5.endswith(".dir"):
            return str(_load_folder(root, self.source))
        return str(_open_file(root, self.source.path, self.source.md5))

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:  # noqa: ARG004
        """Refuse: a path alone does not say which bytes. Only a registration writes such a source."""
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> "DvcDatasetSource":
        raise NotImplementedError

    def to_dict(self) -> dict[str, str]:
        """Return path, md5 and, where they are known, commit and repository."""
        return {key: value for key, value in asdict(self.source).items() if value}

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, Any]) -> "DvcDatasetSource":
        """Return the source that ``to_dict`` described; anything else is an ``InputError``."""
        return cls(parse_source(canonical_json(dict(source_dict))))


def _find_project(source: Source) -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    whose = f"a clone of {source.repository}" if source.repository else "the project's folder"
    raise InputError(
        "no project with DVC here or above",
        where=str(here),
        remedy=f"run this in {whose}, or say `load(project=…)`",
    )


def _load_folder(root: Path, source: Source) -> Path:
    """Return the folder in the workspace if it is the one, else one of the same bytes."""
    made = find_home(root) / "datasets" / source.md5.removesuffix(".dir")
    for folder in (root / source.path, made):
        if folder.is_dir() and hash_path(folder).md5 == source.md5:
            return folder
    listing = _list_folder(root, source)
    with replace_folder(made) as new:
        for name, md5 in listing.items():
            target = new / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_open_file(root, f"{source.path}/{name}", md5), target)
    return made


def _list_folder(root: Path, source: Source) -> Mapping[str, str]:
    version = _version(root, source.path, source.md5)
    listing = version.list_folder_md5(source.md5)
    if listing is None and fetch_object(root, source.md5):
        listing = version.list_folder_md5(source.md5)
    if listing is None:
        raise GoneError(
            f"the listing of the folder (md5 {source.md5}) is neither in DVC's cache nor in its remote",
            where=source.path,
            remedy="run `dvc fetch --all-commits` where it is, and `dvc push --all-commits`",
        )
    return listing


def _open_file(root: Path, path: str, md5: str) -> Path:
    return _version(root, path, md5).open(path)


def _version(root: Path, path: str, md5: str) -> Version:
    return Version(name=md5, title="the registered dataset", root=root, named={path: md5})
