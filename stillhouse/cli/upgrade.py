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
    """Say what newer code would ask and train again, or accept it.

    After a merge or an upgrade the stages refuse to run where a format has another number than
    `formats:` of params.yaml, or the code another hash than library.yaml. Ends with 1 while there is
    something to accept.

    Example: stillhouse upgrade --accept
    """
    from stillhouse.base.library import LIBRARY
    from stillhouse.base.params import PARAMS, load_yaml
    from stillhouse.base.stage import check_copy
    from stillhouse.scaffold.upgrade import accept_upgrade, compare_project

    load_yaml(PARAMS)  # outside of a project that is what is wrong, not the library's place
    if not LIBRARY.exists():
        check_copy()
    found = compare_project(Path())
    accepted = accept_upgrade(Path(), found) if accept and found.pending else None
    if as_json:
        print_json({**_to_json(found), **_tell(accepted)})
    else:
        for line in (*_describe(found), *_conclude(found, accepted)):
            typer.echo(line)
    if found.pending and not accepted:
        raise typer.Exit(1)


def _describe(found: "Upgrade") -> "Iterator[str]":
    for change in found.changes:
        yield f"formats.{change.name}: {change.pinned} -> {change.installed}"
        words = change.effect.words
        yield f"  {words[:1].upper()}{words[1:]}."
        for number, sentence in change.list_bumps():
            yield f"  {number}: {sentence}"
        if change.installed < change.pinned:
            yield "  The installed code is older than the one that the project was made with."
    for name, number in found.unpinned.items():
        yield f"formats.{name}: not pinned, installed is {number}"
    if found.unpinned:
        yield (
            "How many requests that affects cannot be told: params.yaml has no `formats`, which says "
            "what the data was made with. --accept appends it, with the installed numbers."
        )
    if found.asked or any(change.effect.asks != "none" for change in found.changes):
        yield from _describe_asked(found)
    if library := found.library:
        versions = f"{library.recorded} -> {library.installed}"
        if library.stages:
            yield f"library.yaml: {versions}, other code for {', '.join(library.stages)}"
            yield "  These stages run again; what they ask is looked up in the journal first."
        else:
            yield f"library.yaml: {versions}, the same code"
        if library.pipeline:
            yield "dvc.yaml: the installed library comes with another one"


def _describe_asked(found: "Upgrade") -> "Iterator[str]":
    if found.asked:
        if found.changes:
            yield _count(found.asked)
    else:
        yield (
            "How many requests that affects cannot be told: there is no data/requests.parquet here "
            "(`dvc checkout` or `dvc pull` brings back an earlier one)."
        )


def _count(asked: "AskedAgain") -> str:
    if not asked.count:
        return f"Of {asked.total:,} requests here, none is asked again."
    teachers = ", ".join(f"{count:,} of `{name}`" for name, count in asked.by_teacher.items())
    price = "All of that is free."
    if asked.unpriced:
        price = f"What {', '.join(f'`{n}`' for n in asked.unpriced)} costs is not known here."
    most = "" if asked.exact else "at most "
    return f"Of {asked.total:,} requests here {most}{asked.count:,} are asked again: {teachers}. {price}"


def _conclude(found: "Upgrade", accepted: "Updated | None") -> "Iterator[str]":
    if not found.pending:
        yield "Nothing to accept: the installed code is what this project was made with."
    elif not accepted:
        yield (
            "Nothing was changed. `stillhouse upgrade --accept` goes on with the installed code, and "
            "`dvc repro` then does the above; or go back to the version that the project was made with."
        )
    else:
        from stillhouse.scaffold.update import BESIDE

        *names, last = ("", *(name for name in accepted.written if name != BESIDE))
        named = f"{', '.join(names[1:])} and {last}" if names[1:] else last
        done = f"Accepted: {named} rewritten; commit that, then" if last else "Accepted; now"
        yield f"{done} `dvc repro`."
    if accepted and accepted.beside:
        yield (
            "dvc.yaml was edited and stays as it is; the new one is dvc.yaml.new: take over what "
            "differs, then remove it."
        )


def _tell(accepted: "Updated | None") -> "dict[str, Json]":
    if accepted is None:
        return {"accepted": False, "written": [], "beside": False}
    return {"accepted": True, "written": list(accepted.written), "beside": accepted.beside}


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
        "unpinned": dict(found.unpinned),
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
            "pipeline": library.pipeline,
        },
    }
