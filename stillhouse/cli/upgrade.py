"""``stillhouse upgrade``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stillhouse.base.ids import Json
    from stillhouse.scaffold.update import Updated
    from stillhouse.scaffold.upgrade import AskedAgain, Upgrade


def upgrade(
    accept: Annotated[
        bool, typer.Option("--accept", help="Go on with the installed code: write its numbers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what newer code would ask and train again; nothing is changed without --accept.

    After a merge or an upgrade the stages refuse to run where a format has another number than
    `formats:` of params.yaml, or the code another hash than library.yaml. Ends with 1 while there is
    something to accept.

    Example: stillhouse upgrade --accept
    """
    from stillhouse.base.library import LIBRARY
    from stillhouse.base.stage import check_copy
    from stillhouse.scaffold.upgrade import accept_upgrade, compare_project

    if not LIBRARY.exists():
        check_copy()
    found = compare_project(Path())
    updated = accept_upgrade(Path(), found) if accept else None
    accepted = accept and found.pending
    if as_json:
        print_json({**_to_json(found), "accepted": accepted})
    else:
        for line in (*_describe(found), *_conclude(found, updated, accepted=accepted)):
            typer.echo(line)
    if found.pending and not accepted:
        raise typer.Exit(1)


def _describe(found: "Upgrade") -> "Iterator[str]":
    for change in found.changes:
        yield f"formats.{change.name}: {change.pinned} → {change.installed}"
        words = change.effect.words
        yield f"  {words[:1].upper()}{words[1:]}."
        for number, sentence in change.list_bumps():
            yield f"  {number}: {sentence}"
        if change.installed < change.pinned:
            yield "  The installed code is older than the one that the project was made with."
    if found.changes:
        yield _describe_asked(found.asked)
    if found.library:
        versions = f"{found.library.recorded} → {found.library.installed}"
        yield f"library.yaml: {versions}, other code for {', '.join(found.library.stages)}"
        yield "  These stages run again; what they ask is looked up in the journal first."


def _describe_asked(asked: "AskedAgain | None") -> str:
    if asked is None:
        return (
            "How many requests that are cannot be said: there is no data/requests.parquet here "
            "(`dvc checkout` or `dvc pull` brings back an earlier one)."
        )
    if not asked.count:
        return f"Of {asked.total:,} requests here none is asked again."
    teachers = ", ".join(f"{count:,} of `{name}`" for name, count in asked.by_teacher.items())
    price = "All of that is free."
    if asked.unpriced:
        price = f"What {', '.join(f'`{n}`' for n in asked.unpriced)} costs is not known here."
    most = "" if asked.exact else "at most "
    return f"Of {asked.total:,} requests here {most}{asked.count:,} are asked again: {teachers}. {price}"


def _conclude(found: "Upgrade", updated: "Updated | None", *, accepted: bool) -> "Iterator[str]":
    if not found.pending:
        yield "Nothing to accept: the installed code is what this project was made with."
    elif not accepted:
        yield (
            "Nothing was changed. `stillhouse upgrade --accept` goes on with the installed code, and "
            "`dvc repro` then does the above; or go back to the version that the project was made with."
        )
    else:
        names = [name for name, there in _written(found).items() if there]
        yield f"Accepted: {' and '.join(names)} rewritten; commit that, then `dvc repro`."
    if updated and updated.beside:
        yield (
            "dvc.yaml was edited and stays as it is; the new one is dvc.yaml.new: take over what "
            "differs, then remove it."
        )


def _written(found: "Upgrade") -> dict[str, bool]:
    return {"params.yaml": bool(found.changes), "library.yaml": found.library is not None}


def _to_json(found: "Upgrade") -> "dict[str, Json]":
    asked, library = found.asked, found.library
    return {
        "formats": [
            {
                "name": change.name,
                "pinned": change.pinned,
                "installed": change.installed,
                "changes": change.effect.words,
                "bumps": {str(number): sentence for number, sentence in change.list_bumps()},
            }
            for change in found.changes
        ],
        "requests": None
        if asked is None
        else {
            "total": asked.total,
            "asked_again": asked.count,
            "exact": asked.exact,
            "by_teacher": dict(asked.by_teacher),
            "may_cost": list(asked.unpriced),
        },
        "library": None
        if library is None
        else {
            "recorded": library.recorded,
            "installed": library.installed,
            "stages": list(library.stages),
        },
    }
