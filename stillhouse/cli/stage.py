"""``stillhouse stage``."""

import runpy
import sys
from typing import Annotated

import typer


def stage(
    name: Annotated[str, typer.Argument(help="A stage of dvc.yaml, without its `@student`.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="What it is given: the student, its options.")
    ] = None,
) -> None:
    """Run one stage of the pipeline here.

    `dvc repro` calls this, and knows what must run.

    Example: stillhouse stage train smollm2
    """
    from stillhouse.base.errors import InputError
    from stillhouse.base.library import find_stages, hash_stages
    from stillhouse.base.params import check_project

    check_project()
    known = list(hash_stages())
    if name not in known:
        raise InputError(f"no stage called `{name}`", expected=f"one of {', '.join(known)}")
    sys.argv[1:] = arguments or []
    runpy.run_module(f"{find_stages()}.{name}", run_name="__main__", alter_sys=True)
