"""A student's folder where it does not lie in the working directory: made of the cache's objects."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from stillhouse.auditing.places import Places


def open_folder(stack: ExitStack, places: Places, md5: str) -> Path | None:
    """Return a folder of links to the cached files of an md5, for as long as the stack is open.

    None where the listing or a file is not in the cache. What the files hold is not looked at.
    """
    listing = places.list_folder(md5)
    found = {name: places.look_up(own) for name, own in (listing or {}).items()}
    if not found or None in found.values():
        return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    for name, path in found.items():
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if path is not None:
            link.symlink_to(path.resolve())
    return folder
