"""``stillhouse ask``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from stillhouse.base.errors import InputError
from stillhouse.cli.output import AsJson, print_json


def ask(
    models: Annotated[
        list[str],
        typer.Argument(help="Students by name, model folders, or the base a student began with."),
    ],
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    as_json: AsJson = False,
) -> None:
    """Let a student answer a question, or several models side by side.

    Example: stillhouse ask smollm2 "How many days of leave do apprentices have?"
    """
    folders = [find_model(name) for name in models]
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from stillhouse.base.params import PARAMS
    from stillhouse.base.runtime import Runtime, load_runtime
    from stillhouse.distill.bases import check_base
    from stillhouse.evaluation.answering import Answering, answer_prompts, load_model

    for folder in folders:
        check_base(folder)
    _hush()
    settings, runtime = Answering(), load_runtime() if PARAMS.exists() else Runtime()
    answers = [
        answer_prompts(load_model(folder, settings, runtime), [question], settings)[0]
        for folder in folders
    ]
    if as_json:
        told = [{"model": m, "answer": a} for m, a in zip(models, answers, strict=True)]
        print_json({"question": question, "answers": told})
        return
    for name, answer in zip(models, answers, strict=True):
        typer.echo(answer if len(models) == 1 else f"{name}: {answer}")


def find_model(name: str) -> Path:
    """Return the folder of a model folder, a trained student, or a student's base, by name.

    Raises:
        InputError: there is none.
    """
    from stillhouse.base.params import PARAMS, STUDENTS, check_project, list_keys, load_yaml

    for folder in (Path("models") / name, Path(name)):
        if (folder / "config.json").is_file():
            return folder
    check_project()  # a folder was found anywhere; a name means something in a project alone
    declared = list_keys(STUDENTS)
    sections = load_yaml(PARAMS)[STUDENTS]
    assert isinstance(sections, dict)
    if name in {body.get("model") for body in sections.values() if isinstance(body, dict)}:
        from stillhouse.base.home import home
        from stillhouse.distill.bases import open_base

        return open_base(name, home() / "bases").folder
    trained = [student for student in declared if (Path("models") / student).is_dir()]
    raise InputError(
        f"no model called `{name}`",
        expected=f"a model folder or one of: {', '.join(trained) or 'nothing is trained yet'}",
        remedy="run `dvc repro` to train the students" if not trained else None,
    )


def _hush() -> None:
    """Keep the progress bars and advice of transformers off the terminal."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
