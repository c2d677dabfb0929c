"""``stillhouse ask``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.base.errors import InputError
from stillhouse.base.thoughts import Thoughts
from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.base.runtime import Runtime
    from stillhouse.evaluation.answering import Answering


def ask(
    models: Annotated[
        list[str],
        typer.Argument(help="Students by name, model folders, or the base a student began with."),
    ],
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    thoughts: Annotated[
        bool,
        typer.Option(
            "--thoughts", help="Show the reasoning of students that reason before they answer."
        ),
    ] = False,
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
    from stillhouse.evaluation.answering import Answering

    for folder in folders:
        check_base(folder)
    _hush()
    settings, runtime = Answering(), load_runtime() if PARAMS.exists() else Runtime()
    answers = [_answer(folder, question, settings, runtime) for folder in folders]
    if as_json:
        told = [_describe(name, said) for name, said in zip(models, answers, strict=True)]
        print_json({"question": question, "answers": told})
        return
    for name, said in zip(models, answers, strict=True):
        if thoughts and said.reasoning:
            typer.secho(said.reasoning, dim=True)
        answer = said.answer if said.finished else "(no answer: its reasoning did not end)"
        typer.echo(answer if len(models) == 1 else f"{name}: {answer}")


def _answer(folder: Path, question: str, settings: "Answering", runtime: "Runtime") -> Thoughts:
    from stillhouse.evaluation.answering import answer_prompts, load_model
    from stillhouse.evaluation.thinking import reasons_first, think_prompts

    room = _read_room() if reasons_first(folder) else None
    model = load_model(folder, settings, runtime)
    if room is not None:
        return think_prompts(model, [question], settings, room)[0]
    return Thoughts("", answer_prompts(model, [question], settings)[0])


def _read_room() -> int:
    """Return how many tokens a student may reason: as in the project's evaluation, where there is one."""
    from stillhouse.base.params import PARAMS, load_section
    from stillhouse.evaluation.evaluate import EvaluateParams
    from stillhouse.evaluation.thinking import ROOM

    return load_section("evaluate", EvaluateParams).reasoning_tokens if PARAMS.exists() else ROOM


def _describe(name: str, said: Thoughts) -> dict[str, str | bool]:
    told: dict[str, str | bool] = {"model": name, "answer": said.answer}
    if said.reasoning or not said.finished:
        told |= {"reasoning": said.reasoning, "finished": said.finished}
    return told


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
