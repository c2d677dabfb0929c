"""An empty MLflow store for tests: laid out once and copied, since its tables take seconds to make."""

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from stillhouse.base.alone import hold
from stillhouse.base.files import replace_file

_PATIENCE = 300.0  # seconds; other workers wait for the first one


def place_store(home: Path, factory: pytest.TempPathFactory) -> Path:
    """Put an empty store where the default one of a ``$STILLHOUSE_HOME`` lies; return that home."""
    shared = factory.getbasetemp().parent  # of all workers
    template = shared / f"mlflow-{version('mlflow')}.db"
    with hold(shared / "mlflow-template.lock", "mlflow-template", _PATIENCE):
        if not template.exists():
            _lay_out(template)
    database = home / ".stillhouse/mlflow.db"
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, database)
    return home


def _lay_out(template: Path) -> None:
    from stillhouse.lineage.store import prepare_mlflow

    prepare_mlflow()
    from mlflow import MlflowClient

    with replace_file(template) as part:
        MlflowClient(f"sqlite:///{part}")
