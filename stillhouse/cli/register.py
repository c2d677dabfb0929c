"""``stillhouse register``."""

from pathlib import Path
from typing import Annotated

import typer

from stillhouse.cli.output import AsJson, print_json


def register(
    student: Annotated[
        str, typer.Argument(help="A student of params.yaml; without one, all of them.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write the students' MLflow entries from their files.

    It can be repeated: after a clone and `dvc pull` this rebuilds MLflow; an entry that is there is brought up to date.
    What changed in the rows since a student's previous version is kept beside its run (artifacts, `diff`).

    Example: stillhouse register smollm2
    """
    from dataclasses import asdict

    from stillhouse.base.formats import check_formats
    from stillhouse.base.params import choose_student, list_keys, load_section
    from stillhouse.diffing.attach import attach_diff
    from stillhouse.lineage.params import Register
    from stillhouse.lineage.registry import register_student

    check_formats()
    params = load_section("register", Register)
    names = (choose_student([student]),) if student else list_keys("students")
    made = []
    for name in names:
        made.append(register_student(name, Path(), params))
        if params.diff and (said := attach_diff(Path(), made[-1])):
            typer.echo(f"{name}: {said}", err=True)
    if as_json:
        print_json([asdict(item) for item in made])
        return
    for item in made:
        verb = "registered" if item.created else "up to date"
        typer.echo(f"{item.student}: {verb} as {item.uri}, run {item.run_id}")
