"""Files and notes beside a registered student: what can be computed only once it is registered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stillhouse.base.errors import InputError
from stillhouse.base.secrets import hide_secrets
from stillhouse.lineage.registry import Registered, connect, name_version
from stillhouse.lineage.store import explain_store

_TAG = 500  # characters of a note


def find_previous(made: Registered) -> str:
    """Return the URI of the version before, by number, of the same student; empty for the first."""
    client, _ = connect()
    with explain_store():
        found = client.search_model_versions(
            f"name = '{made.model_name}'", max_results=1000, order_by=["version_number DESC"]
        )
        for version in found:
            number = int(version.version)
            if number < made.version and version.tags.get("student") == made.student:
                return name_version(made.model_name, number)
    return ""


def read_notes(made: Registered) -> Mapping[str, str]:
    """Return the tags of a student's run."""
    client, _ = connect()
    with explain_store():
        tags: Mapping[str, str] = client.get_run(made.run_id).data.tags
        return tags


def note(made: Registered, notes: Mapping[str, str | None]) -> None:
    """Set tags of run and version; one of None is taken away."""
    client, _ = connect()
    with explain_store():
        known = client.get_run(made.run_id).data.tags
        version = str(made.version)
        for key, value in notes.items():
            if value is not None:
                client.set_tag(made.run_id, key, value[:_TAG])
                client.set_model_version_tag(made.model_name, version, key, value[:_TAG])
            elif key in known:
                client.delete_tag(made.run_id, key)
                client.delete_model_version_tag(made.model_name, version, key)


def list_files(made: Registered, folder: str) -> frozenset[str]:
    """Return the names of the files that a run keeps in a folder of its artifacts.

    Raises:
        InputError: the place of the artifacts cannot be read. So does ``keep_files``.
    """
    client, _ = connect()
    found = _try(lambda: client.list_artifacts(made.run_id, folder), made)
    return frozenset(Path(file.path).name for file in found)


def keep_files(made: Registered, folder: str, files: Path) -> None:
    """Copy all files of a local folder into a folder of a run's artifacts, over what has their name."""
    client, _ = connect()
    _try(lambda: client.log_artifacts(made.run_id, str(files), folder), made)


def _try(action: Any, made: Registered) -> Any:
    """Do it; whatever the library of an artifact store raises becomes one sentence."""
    try:
        return action()
    except Exception as exc:
        said = " ".join(hide_secrets(str(exc)).split()) or type(exc).__name__
        raise InputError(
            f"MLflow's artifacts cannot be reached ({said})",
            where=made.tracking_uri,
            remedy="see that its artifact store is there, then run `stillhouse register`",
        ) from exc
