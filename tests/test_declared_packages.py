"""What the code imports is declared (another package's dependency may go with its next release),
and none of it runs code that was stored as data.
"""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PICKLING = {"_pickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_graph(*packages: str) -> grimp.ImportGraph:
    """Return what imports what, read anew: grimp's cache mixes up graphs of different packages."""
    return grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)


def test_every_imported_package_is_declared() -> None:
    graph = read_graph("stillhouse", "stages")
    tops = {module.partition(".")[0] for module in graph.modules} - {"stillhouse", "stages"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [
        *project["dependencies"],
        *(d for name in set(extras) - {"dev"} for d in extras[name]),
    ]
    declared = {normalise(re.split(r"[<>=\[;]", d)[0]) for d in needed}
    givers = packages_distributions()
    undeclared = {
        top
        for top in tops - set(sys.stdlib_module_names)
        if not declared & {normalise(name) for name in givers.get(top, [top])}
    }
    assert "packaging" in tops
    assert undeclared == set()


def test_nothing_imports_a_package_that_pickles() -> None:
    graph = read_graph("stillhouse", "stages", "bench")
    assert {"sqlite3", "stages.ingest", "bench.ingest", "stillhouse.base.shelf"} <= graph.modules
    importers = {
        name: sorted(graph.find_modules_that_directly_import(name))
        for name in sorted(PICKLING & graph.modules)
    }
    assert importers == {}
