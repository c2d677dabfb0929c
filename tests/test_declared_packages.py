"""What the library imports is declared: another package's dependency may go with its next release."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_graph(*packages: str) -> grimp.ImportGraph:
    """Return what imports what, read anew: grimp's cache mixes up graphs of different packages."""
    return grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)


def test_every_imported_package_is_declared() -> None:
    graph = read_graph("stillhouse", "stages")
    tops = {module.partition(".")[0] for module in graph.modules} - {"stillhouse", "stages"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {normalise(re.split(r"[<>=\[;]", d)[0]) for d in project["dependencies"]}
    givers = packages_distributions()
    undeclared = {
        top
        for top in tops - set(sys.stdlib_module_names)
        if not declared & {normalise(name) for name in givers.get(top, [top])}
    }
    assert "packaging" in tops
    assert undeclared == set()
