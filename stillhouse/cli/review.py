"""``stillhouse review``."""

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.reviewing.desk import Desk
    from stillhouse.reviewing.guard import Guard

_SCREENS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


def review(
    reviewer: Annotated[str, typer.Option(help="Your name; git's user.name if not given.")] = "",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    open_page: Annotated[
        bool | None,
        typer.Option("--open/--no-open", help="Open the page; if not given, where a screen is."),
    ] = None,
    status: Annotated[
        bool,
        typer.Option("--status", help="Say how far the review is; 1 where the gate is red by it."),
    ] = False,
    gold: Annotated[
        bool, typer.Option("--gold", help="Turn held-out rows into gold questions instead.")
    ] = False,
    dev: Annotated[
        bool, typer.Option("--dev", help="With --gold: into eval/dev.jsonl, to tune by.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at rows beside their passages and judge them.

    A page on this machine alone, by keyboard: accept, reject, fix, undo. Each verdict is in
    data/seed/review.jsonl at once, and `dvc repro` applies it. Which rows: `review.sample`.

    Example: stillhouse review --reviewer Ada
    """
    from stillhouse.base.errors import InputError
    from stillhouse.base.params import check_project
    from stillhouse.reviewing import opening

    check_project()
    if dev and not gold:
        raise InputError("`--dev` says where gold questions go", expected="`--gold --dev`")
    if status:
        _say_status(as_json)
        return
    if as_json:
        raise InputError("`--json` is a form of `--status`", expected="`--status --json`")
    if not 0 <= port <= 65535:
        raise InputError(f"no port {port}", expected="0 to 65535")
    desk: Desk
    if gold:
        desk = opening.open_gold_desk(opening.DEV if dev else opening.GOLD)
        named = str(desk.path)
    else:
        desk = opening.open_verdict_desk(opening.find_reviewer(reviewer))
        named = f"{desk.path}, by {desk.reviewer}"
    shown = _has_screen() if open_page is None else open_page
    _serve(desk, port, named, open_page=shown)


def _say_status(as_json: bool) -> None:
    from stillhouse.reviewing.opening import read_status
    from stillhouse.reviewing.status import to_json, to_text

    found = read_status()
    if as_json:
        print_json(to_json(found))
    else:
        for line in to_text(found):
            typer.echo(line)
    if found.over:
        raise typer.Exit(1)


def _serve(desk: "Desk", port: int, named: str, *, open_page: bool) -> None:
    from stillhouse.reviewing.guard import Guard
    from stillhouse.reviewing.server import open_socket, serve

    with open_socket(port) as listening:
        guard = Guard(listening.getsockname()[1])
        link: list[Path] = []

        def begin() -> None:
            typer.echo(guard.url)
            typer.echo(f"Saves into {named}; Ctrl-C ends it.", err=True)
            if open_page:
                link.append(_open_link(guard))

        try:
            serve(desk, listening, guard, begin)
        finally:
            for path in link:
                path.unlink(missing_ok=True)
    typer.echo(f"\nEverything is saved in {named}. `dvc repro` applies it.", err=True)


def _has_screen() -> bool:
    """Whether a browser can open a window; one in the terminal would take it over."""
    return sys.stdout.isatty() and (
        sys.platform == "darwin" or any(os.environ.get(name) for name in _SCREENS)
    )


def _open_link(guard: "Guard") -> Path:
    """Open the page by a file that only this user can read: other users see a program's arguments."""
    from stillhouse.base.home import home

    path = home() / f"review-{guard.port}.html"
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={guard.url}">\n')
    with suppress(webbrowser.Error):
        webbrowser.open(path.as_uri())
    return path
