"""Bytes from the default DVC remote into DVC's cache, as `dvc fetch` brings them, one at a time."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stillhouse.base.cache import is_whole, name_object
from stillhouse.base.dvc_config import read_dvc_config
from stillhouse.base.files import replace_file
from stillhouse.teachers.stores import Store, open_default_remote

_LOOK_SECONDS: Final = 0.2
_READ_ONLY: Final = 0o444  # as DVC protects what is in its cache


class _LackingError(Exception):
    """The remote has no such object, or not its bytes."""


def fetch_object(project: Path, md5: str) -> Path | None:
    """Bring the object of an md5 into the cache and return it; None where the remote lacks it.

    Bytes that do not hash to their name are not kept.

    Raises:
        UnreachableError: there is a remote, and it cannot be read.
    """
    store = open_default_remote(project)
    if store is None:
        return None
    target = read_dvc_config(project).cache / name_object(md5)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replace_file(target) as part, _show(part, f"fetching {md5[:8]}"):
            _fill(part, store, md5)
    except _LackingError:
        return None
    target.chmod(_READ_ONLY)
    return target


def _fill(part: Path, store: Store, md5: str) -> None:
    if not store.fetch(name_object(md5), part) or not is_whole(part, md5):
        raise _LackingError


@contextmanager
def _show(part: Path, what: str) -> Iterator[None]:
    """Show on a terminal how many bytes have come; how many there will be the remote does not say."""
    if not sys.stderr.isatty():
        yield
        return
    from tqdm import tqdm

    ended = threading.Event()
    with tqdm(desc=what, unit="B", unit_scale=True, leave=False) as bar:

        def look() -> None:
            while not ended.wait(_LOOK_SECONDS):
                if part.exists():
                    bar.update(part.stat().st_size - bar.n)

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
