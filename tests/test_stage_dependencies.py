"""DVC does not follow imports: what a stage declares must be what its code really uses."""

from pathlib import Path

import grimp
import pytest
import yaml

ROOT = Path(__file__).parent.parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
GRAPH = grimp.build_graph(
    "stillhouse",
    "stages",
    include_external_packages=False,
    cache_dir=None,  # grimp believes a cache that was stale before another graph was built
)


def declared(stage: str) -> set[str]:
    body = STAGES[stage].get("do", STAGES[stage])
    names = {dep if isinstance(dep, str) else next(iter(dep)) for dep in body["deps"]}
    return {name for name in names if name.startswith(("stillhouse/", "stages/"))}


def imported(stage: str) -> set[Path]:
    modules = GRAPH.find_upstream_modules(f"stages.{stage}") | {f"stages.{stage}"}
    modules |= {module.rsplit(".", 1)[0] for module in modules}  # their packages run as well
    return {path for module in modules if (path := file_of(module)).stat().st_size}


def file_of(module: str) -> Path:
    path = Path(*module.split("."))
    found = (path / "__init__.py", path.with_suffix(".py"))
    return next(candidate for candidate in found if (ROOT / candidate).exists())


def covers(name: str, path: Path) -> bool:
    return Path(name) == path or Path(name) in path.parents


def test_every_stage_file_is_a_stage_of_the_pipeline() -> None:
    files = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_every_module_that_it_imports(stage: str) -> None:
    missing = {
        str(path)
        for path in imported(stage)
        if not any(covers(name, path) for name in declared(stage))
        and path != Path("stillhouse/__init__.py")  # holds the version alone
    }
    assert missing == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_no_module_that_it_does_not_import(stage: str) -> None:
    used = imported(stage)
    idle = {name for name in declared(stage) if not any(covers(name, path) for path in used)}
    assert idle == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_as_a_module_and_never_lists_the_runtime(stage: str) -> None:
    body = STAGES[stage].get("do", STAGES[stage])
    assert body["cmd"].startswith(f"python -m stages.{stage}")
    assert not any(str(name).startswith("runtime") for name in body.get("params", []))
