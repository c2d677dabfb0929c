"""At registration: what changed in the data since the student's previous version, beside its run.

No output of a stage tells of it: on another machine the previous version is another one.
"""

import json
import tempfile
from pathlib import Path
from typing import Final

from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import write_text
from stillhouse.diffing.diff import Diff, make_diff
from stillhouse.diffing.show import say_counts, to_json, to_markdown, write_html
from stillhouse.diffing.tables import find_table
from stillhouse.history.resolve import resolve
from stillhouse.lineage.artifacts import find_previous, keep_files, list_files, note, read_notes
from stillhouse.lineage.registry import Registered

FOLDER: Final = "diff"
AGAINST: Final = "diff_against"
UNAVAILABLE: Final = "diff_unavailable"
_PAGE, _MARKDOWN, _JSON = "diff.html", "diff.md", "diff.json"
_MOST: Final = 20_000  # rows of which every column is written


def attach_diff(root: Path, made: Registered) -> str:
    """Keep the diff of the training rows against the student's previous version as artifacts.

    It is made once: a version whose run has it is left alone. Where it cannot be made the run says why
    in the tag ``diff_unavailable``, and the registration stands; the next one tries again.

    Returns:
        One line about it, or nothing where there is nothing new to tell.
    """
    try:
        against = read_notes(made).get(AGAINST)
        if against and _PAGE in list_files(made, FOLDER):
            return ""
        previous = against or find_previous(made)
        if not previous:
            return ""
        said = _attach(root, made, previous)
        note(made, {AGAINST: previous, UNAVAILABLE: None})
    except StillhouseError as exc:
        return _say_unavailable(made, str(exc))
    return f"diff against {previous}: {said}"


def _attach(root: Path, made: Registered, previous: str) -> str:
    diff = make_diff(resolve(root, previous), resolve(root, made.uri), find_table("train"))
    with tempfile.TemporaryDirectory(prefix="stillhouse-diff-") as name:
        _write(Path(name), diff)
        keep_files(made, FOLDER, Path(name))
    return say_counts(diff)


def _write(folder: Path, diff: Diff) -> None:
    write_html(folder / _PAGE, diff)
    write_text(folder / _MARKDOWN, "\n".join(to_markdown(diff, link=_PAGE)) + "\n")
    if len(diff.changes) <= _MOST:  # of more the page alone, which is written row by row
        text = json.dumps(to_json(diff), sort_keys=True, indent=1, ensure_ascii=False)
        write_text(folder / _JSON, text + "\n")


def _say_unavailable(made: Registered, why: str) -> str:
    try:
        note(made, {UNAVAILABLE: why})
    except StillhouseError as exc:  # the store itself has gone since: then it keeps no note
        why = f"{why}; {exc}"
    return f"no diff against the previous version: {why}"
