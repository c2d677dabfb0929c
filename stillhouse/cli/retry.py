"""``stillhouse retry``."""

from itertools import chain
from pathlib import Path
from typing import Annotated, Final

import typer

from stillhouse.cli.output import AsJson, print_json

_JUDGED_BY: Final = Path("data/judging/requests.parquet")


def retry(
    requests: Annotated[
        list[str] | None, typer.Argument(help="Ids of requests; without any, all of them.")
    ] = None,
    teacher: Annotated[str, typer.Option(help="Only requests to this teacher.")] = "",
    as_json: AsJson = False,
) -> None:
    """Forget what was refused for good: the next run asks it again.

    Where they were tolerated, `dvc repro --force --single-item generate` (or `judge`) is that next run.

    Example: stillhouse retry --teacher anthropic
    """
    from stillhouse.base.errors import InputError, suggest
    from stillhouse.base.home import find_home
    from stillhouse.base.records import Request
    from stillhouse.base.requests import REQUESTS, read_requests
    from stillhouse.base.tables import read_table
    from stillhouse.teachers.journal import Journal

    path = find_home(Path()) / "journal.sqlite"
    if not path.exists():
        raise InputError("no journal is there: nothing was asked yet", where=str(path))
    with Journal(path) as journal:
        refused = [failure.request_id for failure in journal.read_failures() if failure.permanent]
        for name in requests or ():
            if name not in refused:
                what = f"no request `{name}` was refused for good"
                raise InputError(what, where=str(path), remedy=suggest(name, refused))
        chosen = set(requests or refused)
        if teacher:
            asked: dict[str, set[str]] = {}
            judged = (read_table(path, Request) for path in (_JUDGED_BY,) if path.exists())
            for request in chain(read_requests(), *judged):
                asked.setdefault(request.teacher, set()).add(request.request_id)
            if teacher not in asked:
                what = f"no request goes to a teacher called `{teacher}`"
                raise InputError(
                    what,
                    where=str(REQUESTS),
                    expected=f"one of {', '.join(sorted(asked))}",
                    remedy=suggest(teacher, asked),
                )
            chosen &= asked[teacher]
        journal.forget_failures(chosen)
    forgotten = sorted(chosen)
    if as_json:
        print_json({"forgotten": list(forgotten)})
        return
    if not forgotten:
        of = f" by `{teacher}`" if teacher else ""
        typer.echo(f"nothing was refused for good{of}: there is nothing to forget")
        return
    for name in forgotten:
        typer.echo(name)
    typer.echo(f"{len(forgotten)} refusals forgotten: the next `dvc repro` asks again")
    typer.echo(
        "(where they were tolerated: `dvc repro --force --single-item generate`, or `judge`)"
    )
