"""Where a dataset's bytes are, as MLflow is told: a path and md5 under DVC, and whose repository.

``history/dataset_source.py`` reads it back and finds the bytes. It stands higher because it looks into
DVC's cache and remote; a registration only writes this down.
"""

import json
from dataclasses import dataclass
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.ids import canonical_json

SOURCE_TYPE: Final = "stillhouse_dvc"
OLD_TYPE: Final = "local"  # what was written before: a path alone


@dataclass(frozen=True, slots=True)
class Source:
    """A table or folder that DVC keeps.

    Attributes:
        path: below the project's root, with forward slashes.
        md5: DVC's, with ``.dir`` for a folder.
        commit: HEAD when it was first registered; the lock that names the md5 may be a later one's.
        repository: its remote's URL without credentials; empty where it has none.
    """

    path: str
    md5: str
    commit: str = ""
    repository: str = ""

    def to_json(self) -> str:
        """Return it as MLflow keeps it; what is empty is left out."""
        told = {"path": self.path, "md5": self.md5}
        more = {"commit": self.commit, "repository": self.repository}
        return canonical_json({**told, **{key: value for key, value in more.items() if value}})


def parse_source(text: str) -> Source:
    """Return what ``to_json`` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        value = json.loads(text)
        told = {key: value.get(key, "") for key in ("path", "md5", "commit", "repository")}
    except (json.JSONDecodeError, AttributeError) as exc:
        raise InputError(f"not a dataset's source ({text[:80]})", expected="a JSON object") from exc
    if not (told["path"] and told["md5"]) or not all(isinstance(v, str) for v in told.values()):
        raise InputError(f"not a dataset's source ({text[:80]})", expected="`path` and `md5` in it")
    return Source(**told)
