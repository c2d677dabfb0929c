"""The files of a new project as texts by path. Nothing is written here.

Parameters, prompts, everyday questions and stages are those of the repository; only what must differ
without the bundled firm is named here. The templates hold what the repository has no file for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

import stillhouse
from stillhouse.base.files import read_text
from stillhouse.base.formats import SECTION, list_installed
from stillhouse.base.ids import sha256_text
from stillhouse.base.library import (
    LIBRARY,
    PIPELINE,
    Library,
    find_repository,
    hash_stages,
    is_code,
)
from stillhouse.base.params import load_yaml

TEMPLATES: Final = Path(__file__).with_name("templates")

_COPIED: Final = (
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitattributes",
    ".gitignore",
    "data/seed/everyday.jsonl",
    "data/seed/instructions.jsonl",
    "data/seed/nothing.txt",
)
_RENDERED: Final = {
    "README.md": "README.md",
    "gitlab-ci.yml": ".gitlab-ci.yml",
    "github.yml": ".github/workflows/stillhouse.yml",
    "sources.yaml": "data/seed/sources.yaml",
    "focus.yaml": "data/seed/focus.yaml",
}
# The stages read them, so they must be there; what belongs into them only the user knows.
_EMPTY: Final = (
    "data/seed/documents/.gitkeep",
    "data/seed/tables/.gitkeep",
    "data/seed/schemas/.gitkeep",
    "data/seed/unanswered.jsonl",
    "data/seed/prompts.jsonl",
    "data/seed/review.jsonl",
    "data/seed/eval/gold.jsonl",
    "data/seed/eval/general.jsonl",
    "data/seed/eval/dev.jsonl",
)

# Dotted key of params.yaml -> what it is without a focus, with documents of any number and kind.
SETTINGS: Final[Mapping[str, object]] = {
    # The rows of a step are mixed by `batch`, whatever the table's shares; fewer questions are
    # enough beside a small corpus, and answering all of them costs minutes.
    "render.plan.questions.replay.fraction": 0.4,
    "validate.replay_share_max": 0.9,
    # Of documents that nobody has looked through: not taught, and no reason to stop.
    "curate.personal": "drop",
    # Without a core every fact can be drawn as the negative control, which is never taught.
    "split.holdout_facts": 0.1,
    # A licence or a list of links may hold no fact that can be asked about; few documents hold
    # exceptions or facts that belong together. Neither makes the rest a bad dataset.
    "validate.rows_per_document_min": 0,
    "validate.rows_per_task_min": 0,
    "validate.train_rows_min": 50,
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose: the project's name and ``runtime.device``."""

    name: str
    device: str = "auto"


def build_files(choices: Choices) -> dict[str, str]:
    """Return every file of a new project: its path with forward slashes, and its text."""
    repository = find_repository()
    prompts = sorted(path for path in (repository / "prompts").rglob("*") if path.is_file())
    pipeline = build_pipeline()
    return {
        **{name: read_text(repository / name) for name in _COPIED},
        **{path.relative_to(repository).as_posix(): read_text(path) for path in prompts},
        **{path: _render(name, choices) for name, path in _RENDERED.items()},
        **dict.fromkeys(_EMPTY, ""),
        "data/seed/baseline.json": "{}\n",  # none is set
        "params.yaml": build_params(choices.device),
        PIPELINE: pipeline,
        str(LIBRARY): build_library(pipeline),
    }


def build_params(device: str) -> str:
    """Return the repository's ``params.yaml``, comments and all, for a new project.

    Other in it are ``SETTINGS`` and the device; the formats are those of the installed code.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), _represent_null)
    params = yaml.load(read_text(find_repository() / "params.yaml"))
    formats = {f"{SECTION}.{name}": number for name, number in list_installed().items()}
    for key, value in {**SETTINGS, "runtime.device": device, **formats}.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        assert last in section, key
        section[last] = value
    text = StringIO()
    yaml.dump(params, text)
    return text.getvalue()


def build_pipeline() -> str:
    """Return the repository's ``dvc.yaml`` without folders of code: ``library.yaml`` for them."""
    import yaml

    stages = load_yaml(find_repository() / PIPELINE)["stages"]
    assert isinstance(stages, dict)
    parts = [_PIPELINE_HEAD]
    for name, body in stages.items():
        mine = (
            {"foreach": body["foreach"], "do": _as_user(name, body["do"])}
            if "do" in body
            else _as_user(name, body)
        )
        text = yaml.safe_dump({name: mine}, sort_keys=False, width=4096)
        parts.append("".join(f"  {line}\n" for line in text.splitlines()))
    return "\n".join(parts)


def build_library(pipeline: str) -> str:
    """Return ``library.yaml`` for the installed library and a ``dvc.yaml`` with this text."""
    import yaml

    library = Library(
        version=stillhouse.__version__, pipeline=sha256_text(pipeline), stages=hash_stages()
    )
    return _LIBRARY_HEAD + yaml.safe_dump(library.model_dump(), sort_keys=False)


def _as_user(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stage that runs from the installed library and depends on its hash."""
    stage = {
        "cmd": body["cmd"].replace("python -m stages.", "stillhouse stage "),
        "deps": [dep for dep in body["deps"] if not is_code(dep)],
        "params": [*body.get("params", []), {str(LIBRARY): [f"stages.{name}"]}],
    }
    return {**stage, **{key: value for key, value in body.items() if key not in stage}}


def _render(template: str, choices: Choices) -> str:
    """Fill in a template; ``{{`` and ``$`` belong to the CI systems, so ours are ``[[`` and ``]]``."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown and YAML, no HTML
        undefined=StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    text = environment.from_string(read_text(TEMPLATES / template))
    return text.render(name=choices.name, device=choices.device, version=stillhouse.__version__)


def _represent_null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


_PIPELINE_HEAD: Final = """\
# The stages, what each reads and writes. They run from the installed library; `library.yaml` holds
# one hash for each stage's code and stands in for the code. Made by `stillhouse init`.
stages:
"""

_LIBRARY_HEAD: Final = """\
# The library that this project was last run with: its version, and one sha256 for the code of each
# stage, on which that stage depends. Written by `stillhouse init`, rewritten by `stillhouse upgrade --accept`.
"""
