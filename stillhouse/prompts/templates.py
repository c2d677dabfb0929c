"""Prompt files: YAML front matter, then a `## system` and a `## user` template in Jinja2.

Templates are strict (an unknown name is an error, before anything is sent) and sandboxed; every
error names the file and the line.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, ValidationError, model_validator

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.files import read_text
from stillhouse.base.ids import sha256_file
from stillhouse.base.params import Params, explain_mistake, load_yaml, parse_yaml

VARIABLES: Final = (
    "answer",
    "answer_block",
    "fact_block",
    "instruction",
    "pairs",
    "passages",
    "persona",
    "phrasings",
    "question",
    "question_block",
    "reasoning",
    "schema",
    "variation",
)
CATEGORIES: Final = ("factual", "analytical", "creative", "code", "conversation", "edge_case")
Category = Literal["factual", "analytical", "creative", "code", "conversation", "edge_case"]
_PART: Final = re.compile(r"^## (system|user)[ \t]*$", re.MULTILINE)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Values, filters and conditions; a text times a number could fill the memory."""

    intercepted_binops = frozenset({"*"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise SecurityError("only numbers may be multiplied")
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT: Final = _Sandbox(
    undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)
# Whatever could run without end, or read another file: prompts need none of it.
_REFUSED: Final = (
    nodes.For,
    nodes.Macro,
    nodes.CallBlock,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Pow,
)


class PromptMeta(Params):
    """A prompt file's front matter.

    ``teacher`` is whom ``teacher:`` in params.yaml names (``main``), or the offline teacher or the
    student's base whatever stands there. ``source`` says over what the prompt is rendered: chunks, the
    questions or conversations of a seed file, or tables. ``each``: once for each schema or seed
    instruction that goes with a chunk. ``shows``: the student sees the passage beside the question.
    ``reply``: the teacher answers the conversation itself instead of making questions.
    ``answer`` is the fixed answer of a task that has one (declining).
    """

    task: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    teacher: Literal["main", "offline", "base"] = "main"
    passages: Literal["one", "two", "none"] = "one"
    source: Literal["chunks", "everyday", "unanswered", "logs", "tables"] = "chunks"
    each: Literal["", "schemas", "instructions"] = ""
    category: Category = "factual"
    shows: bool = False
    reply: bool = False
    pairs: int = Field(default=1, ge=1)
    phrasings: int = Field(default=1, ge=1)
    reasoning: bool = True
    max_tokens: int = Field(default=1024, ge=1)
    variations: tuple[str, ...] = Field(default=("plain",), min_length=1)
    personas: tuple[str, ...] = Field(default=("staff",), min_length=1)
    answer: str = ""
    json_answer: bool = True

    @model_validator(mode="after")
    def _passages_come_from_chunks(self) -> "PromptMeta":
        if (self.passages == "none") == (self.source == "chunks"):
            raise ValueError("`passages: none` goes with questions, `one` or `two` with chunks")
        if self.each and self.source != "chunks":
            raise ValueError("`each` goes with `source: chunks`")
        return self


@dataclass(frozen=True, slots=True)
class Prompt:
    """A loaded prompt file; ``sha256`` is that of its bytes."""

    path: str
    sha256: str
    meta: PromptMeta
    system: Template | None
    user: Template


M = TypeVar("M", bound=Params)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[M]):
    """A prompt file of any kind: front matter of its own model, system and user template."""

    path: str
    sha256: str
    meta: M
    system: Template | None
    user: Template


class _Named(Protocol):
    @property
    def path(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Prompts:
    """All prompt files by task, and what each variation and persona says."""

    by_task: dict[str, Prompt]
    variations: dict[str, str]
    personas: dict[str, str]


def load_prompts(folder: Path) -> Prompts:
    """Return the prompts of a folder: ``*.md``, ``variations.yaml`` and ``personas.yaml``.

    Raises:
        InputError: a file is missing or broken, a name is unknown, or two files share a task.
    """
    if not folder.is_dir():
        raise InputError("folder not found", where=str(folder), expected="prompt files (*.md)")
    prompts = Prompts(
        {}, load_texts(folder / "variations.yaml"), load_texts(folder / "personas.yaml")
    )
    for path in sorted(folder.glob("*.md")):
        prompt = load_prompt(path)
        task = prompt.meta.task
        if task in prompts.by_task:
            other = prompts.by_task[task].path
            raise InputError(f"task `{task}` is that of {other} too", where=str(path))
        check_choices(prompts, prompt.meta.variations, prompt.meta.personas, where=str(path))
        prompts.by_task[task] = prompt
    if not prompts.by_task:
        raise InputError("there are no prompts", where=str(folder), expected="prompt files (*.md)")
    return prompts


def check_choices(
    prompts: Prompts, variations: tuple[str, ...], personas: tuple[str, ...], where: str
) -> None:
    """Raise ``InputError`` unless every variation and persona is defined."""
    for kind, names, known in (
        ("variation", variations, prompts.variations),
        ("persona", personas, prompts.personas),
    ):
        for name in names:
            if name not in known:
                raise InputError(
                    f"unknown {kind} `{name}`",
                    where=where,
                    expected="one of " + ", ".join(sorted(known)),
                    remedy=suggest(name, known) or f"define it in {kind}s.yaml",
                )


def load_prompt(path: Path) -> Prompt:
    """Return one prompt file; what is wrong in it is an ``InputError`` with file and line."""
    file = parse_file(path, PromptMeta, VARIABLES)
    return Prompt(file.path, file.sha256, file.meta, file.system, file.user)


def parse_file(path: Path, model: type[M], variables: Collection[str]) -> Parsed[M]:
    """Return a file in the form of prompts; what is wrong in it is an ``InputError`` with its line.

    Args:
        path: the file.
        model: what its front matter may say.
        variables: the names that its templates may use.
    """
    text = read_text(path)
    front, offset = _split_front_matter(text, path)
    meta = _parse_meta(front, path, model)
    parts = _split_parts(text, offset, path)
    if not parts.get("user", "").strip():
        what = "the user part is empty" if "user" in parts else "there is no user part"
        raise InputError(what, where=str(path), expected="a line `## user` and the text below it")
    system = parts.get("system", "")
    return Parsed(
        path.as_posix(),
        sha256_file(path),
        meta,
        _compile(system, path, variables) if system.strip() else None,
        _compile(parts["user"], path, variables),
    )


def fill(template: Template | None, prompt: _Named, values: dict[str, object]) -> str:
    """Return the text of a template, without white space around it; a failure names its file."""
    if template is None:
        return ""
    try:
        return template.render(values).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
        raise InputError(
            f"the template failed: {exc}", where=prompt.path, remedy="mend the expression"
        ) from exc


def load_texts(path: Path) -> dict[str, str]:
    """Return name -> text of ``variations.yaml`` or ``personas.yaml``; what is no text is an error."""
    texts: dict[str, str] = {}
    for name, text in load_yaml(path).items():
        if not isinstance(text, str):
            raise InputError(f"`{name}` is not a text", where=str(path), expected="`name: text`")
        texts[name] = text.strip()
    return texts


def _split_front_matter(text: str, path: Path) -> tuple[str, int]:
    """Return the front matter with its place's line breaks kept, and where the rest begins."""
    found = re.match(r"---[ \t]*\n(.*?^)---[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise InputError(
            "there is no front matter", where=f"{path}:1", expected="YAML between two `---` lines"
        )
    return "\n" + found[1], found.end()


def _parse_meta(front: str, path: Path, model: type[M]) -> M:
    value = parse_yaml(front, str(path), "the front matter is not valid YAML")
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as exc:
        raise _explain(exc, front, path, model) from exc


def _explain(exc: ValidationError, front: str, path: Path, model: type[Params]) -> InputError:
    """Return what is wrong in the front matter, with the line of the key."""
    location = exc.errors()[0]["loc"]
    lines = enumerate(front.split("\n"), 1)
    found = [n for n, line in lines if location and line.startswith(f"{location[0]}:")]
    where = f"{path}:{found[0]}" if found else str(path)
    return explain_mistake(exc, model, where, ("front matter",) if not location else ())


def _split_parts(text: str, offset: int, path: Path) -> dict[str, str]:
    """Return the parts by name, each after as many line breaks as stand before it in the file.

    So a line number within a template is the line of the file.
    """
    marks = list(_PART.finditer(text, offset))
    parts: dict[str, str] = {}
    for index, mark in enumerate(marks):
        if mark[1] in parts:
            raise InputError(
                f"a second `## {mark[1]}`", where=f"{path}:{_line(text, mark.start())}"
            )
        end = marks[index + 1].start() if index + 1 < len(marks) else len(text)
        parts[mark[1]] = "\n" * text.count("\n", 0, mark.end()) + text[mark.end() : end]
    return parts


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _compile(source: str, path: Path, variables: Collection[str]) -> Template:
    try:
        tree = _ENVIRONMENT.parse(source)
        unknown = find_undeclared_variables(tree) - set(variables)
        for name in tree.find_all(nodes.Name):
            if name.name in unknown:
                raise InputError(
                    f"unknown name `{name.name}`",
                    where=f"{path}:{name.lineno}",
                    expected="one of " + ", ".join(variables),
                    remedy=suggest(name.name, variables),
                )
        for node in tree.find_all(_REFUSED):
            raise InputError(
                f"a template may not use `{type(node).__name__.lower()}`",
                where=f"{path}:{node.lineno}",
                expected="values, filters and `if`",
                remedy="write the text out",
            )
        return _ENVIRONMENT.from_string(source)
    except TemplateSyntaxError as exc:
        where = f"{path}:{exc.lineno}"
        raise InputError(f"the template is broken ({exc.message})", where=where) from exc
