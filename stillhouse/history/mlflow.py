"""Registered models: from a name, a run or hashes to what MLflow knows, and from data to models.

MLflow is asked and never told anything; where no store is, none comes to be.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from stillhouse.base.errors import InputError, suggest
from stillhouse.lineage.store import explain_store, hide_user, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MODELS: Final = "models:/"
_RUNS: Final = "runs:/"
_LATEST: Final = "latest"
_RUN: Final = re.compile(r"[0-9a-f]{32}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LOGGED: Final = re.compile(r"m-[0-9a-f]{32}")  # MLflow's own name of a model of a run
_UPSTREAM: Final = "upstream."
_PAGE: Final = 1000
_SHOWN: Final = 10  # names in one sentence
_FORMS: Final = "models:/NAME/VERSION, models:/NAME@ALIAS, models:/NAME/latest, the id of a run, or the sha256 of weights"


@dataclass(frozen=True, slots=True)
class Registered:
    """What MLflow knows of a student that Stillhouse registered.

    Attributes:
        name: as it was asked for; of models that were found by their data, ``uri``.
        uri: ``models:/NAME/VERSION``, or ``runs:/ID`` of a run that no version stands for.
        model_name: the registered model; empty for a run without a version.
        version: its number; 0 for a run without a version.
        run_id: MLflow's run, empty if the version names none.
        student: its name in ``params.yaml``.
        weights_sha256: over the weight files.
        provenance_sha256: of ``provenance.json``.
        model_md5: DVC's md5 of ``models/<student>``, with ``.dir``.
        dataset_md5: DVC's md5 of the training table.
        upstream: path -> md5 of what the dataset was made of, seeds and code too where they were known.
        commit: HEAD when it was last registered, empty without one. Its ``dvc.lock`` may be an older
            one: the commit that holds this model is the one whose lock names ``model_md5``.
        aliases: of the model that stand at this version.
        tracking_uri: of the store, without a password.
    """

    name: str
    uri: str
    model_name: str
    version: int
    run_id: str
    student: str
    weights_sha256: str
    provenance_sha256: str
    model_md5: str
    dataset_md5: str
    upstream: Mapping[str, str]
    commit: str
    aliases: tuple[str, ...]
    tracking_uri: str

    def names_data(self, digest: str) -> bool:
        """Whether the training table or anything that it was made of has this md5."""
        known = {self.dataset_md5, *self.upstream.values()}
        return digest.removesuffix(".dir") in {md5.removesuffix(".dir") for md5 in known}


def find_registered(root: Path, name: str) -> Registered:
    """Return the registered student that a name means.

    Args:
        root: the project, below which the default store lies.
        name: ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, ``models:/NAME/latest`` (the highest
            version), the id of a run, or the sha256 of weights (of several versions with equal
            weights the newest). A DVC md5 looks like the id of a run: look for data first.

    Raises:
        InputError: there is no store or it cannot be used; nothing in it is called so; or it was not
            registered by Stillhouse.
    """
    if not is_registered_name(name):
        raise InputError(f"`{name}` is no name of a registered model", expected=f"one of {_FORMS}")
    client, uri = open_store(root)
    with explain_store(root):
        return _find(client, name, hide_user(uri))


def find_models(root: Path, digest: str) -> list[Registered]:
    """Return the registered models that were made of some data, by name and version.

    Args:
        root: the project, below which the default store lies.
        digest: DVC's md5 of a table of the dataset, of its folder, or of anything upstream of it.

    Raises:
        InputError: there is no store, or it cannot be used.
    """
    client, uri = open_store(root)
    with explain_store(root):
        runs = _find_runs(client, digest)
        found = [
            _describe_version(version, "", hide_user(uri))
            # Of a tag only the key can be asked for without its value, and the key holds a path.
            for version in _list_versions(client, "tags.weights_sha256 LIKE '%'")
        ]
    meant = [model for model in found if model.names_data(digest) or model.run_id in runs]
    return sorted(meant, key=lambda model: (model.model_name, model.version))


def is_registered_name(name: str) -> bool:
    """Whether a text has the form of a name that ``find_registered`` knows."""
    return name.startswith((_MODELS, _RUNS)) or bool(
        _RUN.fullmatch(name) or _SHA256.fullmatch(name)
    )


def _find(client: "MlflowClient", name: str, store: str) -> Registered:
    if name.startswith(_MODELS):
        return _find_model(client, name, store)
    if _SHA256.fullmatch(name):
        versions = _list_versions(client, f"tags.weights_sha256 = '{name}'")
        newest = max(versions, key=lambda version: int(version.creation_timestamp), default=None)
        if newest is None:
            raise InputError(
                f"no registered model has weights of the sha256 {name}",
                where=store,
                remedy="run `stillhouse register` where its files lie",
            )
        return _describe_version(_with_aliases(client, newest), name, store)
    return _find_run(client, name, name.removeprefix(_RUNS), store)


def _find_model(client: "MlflowClient", name: str, store: str) -> Registered:
    wanted = name.removeprefix(_MODELS)
    if _LOGGED.fullmatch(wanted):
        return _find_run(client, name, _find_source(client, wanted, store), store)
    model, at, alias = wanted.partition("@")
    number = ""
    if not at:
        model, _, number = wanted.rpartition("/")
    if not model or "/" in model or not (alias or number):
        raise InputError(
            f"`{name}` names no version of a model",
            expected=f"one of {_FORMS}",
            remedy=f"say which: models:/{number}/latest" if number and not model else None,
        )
    registered = _ask(client.get_registered_model, model)
    if registered is None:
        _refuse_unknown("registered model", model, _list_names(client), store)
    if alias:
        number = registered.aliases.get(alias)
        if number is None:
            _refuse_unknown(
                f"alias of `{model}`", alias, list(registered.aliases), store, "name a version"
            )
    version = _find_version(client, model, str(number))
    if version is None:
        known = sorted(int(one.version) for one in _list_versions(client, f"name = '{model}'"))
        _refuse_unknown(f"version of `{model}`", str(number), [str(one) for one in known], store)
    return _describe_version(version, name, store)


def _find_version(client: "MlflowClient", model: str, number: str) -> Any:
    if number == _LATEST:
        newest = client.search_model_versions(
            f"name = '{model}'", max_results=1, order_by=["version_number DESC"]
        )
        return _with_aliases(client, newest[0]) if newest else None
    return _ask(lambda one: client.get_model_version(model, one), number)


def _find_source(client: "MlflowClient", model_id: str, store: str) -> str:
    logged = _ask(client.get_logged_model, model_id)
    if logged is None or not logged.source_run_id:
        raise InputError(f"no logged model has the id {model_id}", where=store)
    return str(logged.source_run_id)


def _find_run(client: "MlflowClient", name: str, run_id: str, store: str) -> Registered:
    versions = _list_versions(client, f"run_id = '{run_id}'") if _RUN.fullmatch(run_id) else []
    if versions:
        newest = max(versions, key=lambda version: int(version.version))
        return _describe_version(_with_aliases(client, newest), name, store)
    run = _ask(client.get_run, run_id)
    if run is None:
        raise InputError(f"no run has the id {run_id}", where=store, expected=f"one of {_FORMS}")
    return _describe(run.data.tags, name, store, uri=f"{_RUNS}{run_id}", run_id=run_id)


def _find_runs(client: "MlflowClient", digest: str) -> frozenset[str]:
    """Return the runs that list a dataset of this digest among their inputs."""
    experiments = [one.experiment_id for one in _turn_pages(client.search_experiments, None)]
    bare = digest.removesuffix(".dir")
    if not re.fullmatch(r"[0-9a-f]+", bare):
        return frozenset()
    found: set[str] = set()
    for one in (bare, f"{bare}.dir"):
        token = None
        while True:
            page = client.search_runs(
                experiments, f"dataset.digest = '{one}'", max_results=_PAGE, page_token=token
            )
            found |= {run.info.run_id for run in page}
            if not (token := page.token):
                break
    return frozenset(found)


def _list_versions(client: "MlflowClient", query: str) -> list[Any]:
    return list(_turn_pages(client.search_model_versions, query))


def _list_names(client: "MlflowClient") -> list[str]:
    return [model.name for model in _turn_pages(client.search_registered_models, None)]


def _turn_pages(search: Any, query: str | None) -> Iterator[Any]:
    token = None
    while True:
        page = search(filter_string=query, max_results=_PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _with_aliases(client: "MlflowClient", version: Any) -> Any:
    """Return a version with its aliases, which a search leaves out."""
    return client.get_model_version(version.name, str(version.version))


def _ask(get: Any, key: str) -> Any:
    """Return what MLflow has under a key; None where it has nothing or refuses such a key."""
    from mlflow.exceptions import MlflowException

    try:
        return get(key)
    except MlflowException as exc:
        if exc.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
            return None
        raise


def _describe_version(version: Any, name: str, store: str) -> Registered:
    uri = f"{_MODELS}{version.name}/{version.version}"
    return _describe(
        version.tags,
        name or uri,
        store,
        uri=uri,
        run_id=version.run_id or "",
        model_name=version.name,
        version=int(version.version),
        aliases=tuple(sorted(version.aliases)),
    )


def _describe(
    tags: Mapping[str, str],
    name: str,
    store: str,
    *,
    uri: str,
    run_id: str,
    model_name: str = "",
    version: int = 0,
    aliases: tuple[str, ...] = (),
) -> Registered:
    wanted = ("student", "weights_sha256", "provenance_sha256", "model_md5", "dataset_md5")
    if missing := next((key for key in wanted if key not in tags), None):
        raise InputError(
            f"was not registered by Stillhouse (its tag `{missing}` is missing)",
            where=uri,
            remedy="run `stillhouse register`, which writes the tags of its students anew",
        )
    commit = tags.get("git_commit", "")
    return Registered(
        name=name,
        uri=uri,
        model_name=model_name,
        version=version,
        run_id=run_id,
        student=tags["student"],
        weights_sha256=tags["weights_sha256"],
        provenance_sha256=tags["provenance_sha256"],
        model_md5=tags["model_md5"],
        dataset_md5=tags["dataset_md5"],
        upstream={
            key.removeprefix(_UPSTREAM): md5
            for key, md5 in sorted(tags.items())
            if key.startswith(_UPSTREAM)
        },
        commit=commit if commit != "none" else "",
        aliases=aliases,
        tracking_uri=store,
    )


def _refuse_unknown(
    what: str, name: str, known: list[str], store: str, without: str = "run `stillhouse register`"
) -> NoReturn:
    shown = known if len(known) <= _SHOWN else [*known[:_SHOWN], f"{len(known) - _SHOWN} more"]
    raise InputError(
        f"no {what} is called `{name}`",
        where=store,
        expected=f"one of {', '.join(shown)}" if known else None,
        remedy=suggest(name, known) or (None if known else without),
    )
