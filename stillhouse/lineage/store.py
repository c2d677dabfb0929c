"""MLflow's store: which one it is, and what it refuses, told in one sentence without a password."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from stillhouse.base.errors import InputError
from stillhouse.base.home import find_home

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST: Final = 300  # characters of what MLflow itself says
_USER: Final = re.compile(r"(?<=//)[^\s/@]*@")
_FILE: Final = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]+)")
_NOISY: Final = ("alembic", "mlflow.store", "mlflow.tracking")


def find_store(root: Path = Path()) -> tuple[str, Path | None]:
    """Return the store's URI: ``MLFLOW_TRACKING_URI``, else a database, whose file comes with it.

    Nothing is made: the file may not be there yet.
    """
    database = find_home(root) / "mlflow.db"
    own = f"sqlite:///{database}"
    # MLflow sets the variable itself once a store was chosen in this process.
    named = os.environ.get("MLFLOW_TRACKING_URI") or own
    return named, database if named == own else None


def prepare_mlflow() -> None:
    """Import MLflow with its telemetry off and without its talk of tables and addresses."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # With a server it prints two lines for each run to stdout, which belongs to results.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    import mlflow  # noqa: F401

    logging.getLogger("alembic").setLevel(logging.WARNING)  # set again by the import


def open_store(root: Path) -> "tuple[MlflowClient, str]":
    """Return a client of the store that is there, and its URI; looking never makes one.

    Raises:
        InputError: there is none yet, or it cannot be used.
    """
    # MLflow's own patience with a server that is gone is of minutes; a question can be asked again.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    uri, _ = find_store(root)
    file = _FILE.fullmatch(uri)
    # MLflow would lay out its tables in a database that is missing or empty.
    if file and not (Path(file["path"]).is_file() and Path(file["path"]).stat().st_size):
        raise InputError(
            "there is no MLflow store yet, so no model is registered",
            where=file["path"],
            remedy="run `stillhouse register`, which writes it from the students' files, or name "
            "another one in MLFLOW_TRACKING_URI",
        )
    prepare_mlflow()
    from mlflow import MlflowClient

    with explain_store(root):
        return MlflowClient(uri), uri


@contextmanager
def explain_store(root: Path = Path()) -> Iterator[None]:
    """Turn what MLflow or the database under it refuses into an ``InputError``."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri, database = find_store(root)
    try:
        yield
    except (MlflowException, SQLAlchemyError, ImportError, ValueError) as exc:
        if isinstance(exc, ImportError | ValueError) and database:
            raise  # a driver that is missing, or a URI that is none, only a user can name
        said = hide_password(_say(exc), uri)
        raise InputError(
            f"MLflow's store cannot be used ({said})",
            where=str(database) if database else hide_user(uri),
            remedy="move it aside: `stillhouse register` writes all of it anew from the students' files"
            if database
            else "see that it is there and ready for this MLflow (`mlflow db upgrade`), or name "
            "another one in MLFLOW_TRACKING_URI",
        ) from exc


def hide_user(uri: str) -> str:
    """Return a URI without user, password and query.

    Not by ``urlsplit``: databases take a password with an unescaped ``/``, where it ends the host.
    So all up to the last ``@`` goes.
    """
    scheme, between, rest = uri.partition("://")
    if not between or rest.startswith("/"):
        return uri  # a file: no place for a user
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def hide_password(text: str, uri: str) -> str:
    """Return a message about a store without the user and password of its URI."""
    shown = _USER.sub("", text.replace(uri, hide_user(uri)))
    user = uri.partition("://")[2].rpartition("@")[0]
    password = user.partition(":")[2]
    for secret in filter(None, (user, unquote(user), password, unquote(password))):
        shown = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)@?", "…", shown)
    return shown


def _say(exc: Exception) -> str:
    """Return the first sentence of what an error says, without the SQL behind it."""
    cause = getattr(exc, "orig", None) or exc
    text = " ".join(str(getattr(cause, "message", cause)).split())
    text = text.rpartition("(Caused by ")[2].rstrip(")")  # why a server was not reached
    first = text.partition(". ")[0].partition(" [SQL:")[0].partition(" (Background on")[0]
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}…"
