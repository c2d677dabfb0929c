"""The gate: expectations run by Great Expectations, and the report that ``train`` trusts."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.errors import DriftError, GateError
from stillhouse.base.ids import Json
from stillhouse.quality.expected import Expected

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Check:
    """An expectation and how it turned out; ``rows`` are the ids that break it, at most 20."""

    name: str
    meaning: str
    passed: bool
    observed: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """What the gate saw: the md5 of each file that was opened, and every check."""

    tables: Mapping[str, str]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def failed(self) -> list[Check]:
        """Return the checks that did not pass."""
        return [check for check in self.checks if not check.passed]


def run_checks(
    frames: Mapping[str, "pd.DataFrame"], expected: Sequence[Expected]
) -> tuple[Check, ...]:
    """Return the outcome of every expectation, in their order; each frame is one GX batch."""
    source = _open_source()
    found: dict[str, Check] = {}
    for name in dict.fromkeys(item.frame for item in expected):
        about = [item for item in expected if item.frame == name]
        if frames[name].empty:
            found |= {item.name: _check(item, True, "nothing to check", []) for item in about}
        else:
            found |= _evaluate(source, name, frames[name], about)
    return tuple(found[item.name] for item in expected)


def report_validation(validation: Validation) -> dict[str, Json]:
    """Return what ``reports/validation.json`` holds; no clock and no run id is in it."""
    return {
        "passed": validation.passed,
        "tables": dict(validation.tables),
        "checks": [{**asdict(check), "rows": list(check.rows)} for check in validation.checks],
        "versions": {name: version(name) for name in ("great_expectations", "pandas")},
    }


def refuse_drift(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Raise a ``DriftError`` where a file's md5 changed while the checks ran."""
    for path, md5 in before.items():
        if after[path] != md5:
            raise DriftError(
                "the file changed while it was being validated",
                where=path,
                expected=f"md5 {md5}",
                remedy="let no second process write there and run the stage again",
            )


def refuse_failed(validation: Validation) -> None:
    """Raise a ``GateError`` where a check did not pass."""
    if failed := validation.failed():
        names = ", ".join(check.name for check in failed)
        raise GateError(
            f"{len(failed)} of {len(validation.checks)} checks failed: {names}",
            where="reports/validation.html",
            remedy="mend the rows named above, or the limits under `validate:` in params.yaml",
        )


def describe_failed(check: Check) -> str:
    """Return a failed check as lines for the terminal: the sentence, what was seen, the ids."""
    rows = "".join(f"\n    {row}" for row in check.rows)
    return f"FAILED {check.name}: {check.meaning} Seen: {check.observed}.{rows}"


def _open_source() -> Any:
    """Return a pandas data source in a Great Expectations context that leaves nothing behind."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # Before the import, which alone would log hundreds of lines about its own registries.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # Without stores and sites of its own the context leaves no folder in the temporary directory.
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(
        store_backend_defaults=stores,
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(project_config=config, mode="ephemeral")
    return context.data_sources.add_pandas("stillhouse")


def _evaluate(
    source: Any, name: str, frame: "pd.DataFrame", expected: Sequence[Expected]
) -> dict[str, Check]:
    import great_expectations as gx

    definition = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    batch = definition.get_batch({"dataframe": frame})
    rules = [_build_rule(item, len(frame)) for item in expected]
    result = batch.validate(
        gx.ExpectationSuite(name=name, expectations=rules),
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]},
    )
    # Results come in another order than the expectations: each is known by its name.
    by_name = {item.name: item for item in expected}
    return {
        outcome.expectation_config.meta["name"]: _read_outcome(
            by_name[outcome.expectation_config.meta["name"]], outcome
        )
        for outcome in result.results
    }


def _build_rule(item: Expected, lines: int) -> Any:
    import great_expectations as gx

    arguments = dict(item.arguments)
    if item.allowed:
        # The tolerance is a share for GX and a number of rows here; the tiny term keeps rounding
        # from failing a frame that has exactly the allowed number.
        arguments["mostly"] = max(0.0, 1 - item.allowed / lines - 1e-9)
    rule = getattr(gx.expectations, item.rule)
    return rule(column=item.column, meta={"name": item.name}, **arguments)


def _read_outcome(item: Expected, outcome: Any) -> Check:
    if outcome.exception_info.get("raised_exception"):
        return _check(item, False, str(outcome.exception_info["exception_message"]), [])
    seen = outcome.result
    rows = sorted({str(entry["id"]) for entry in seen.get("unexpected_index_list") or ()})
    if "unexpected_count" in seen:
        observed = f"{seen['unexpected_count']} of {seen['element_count']} break it"
    else:
        observed = f"{seen['observed_value']:g}"
    return _check(item, bool(outcome.success), observed, rows)


def _check(item: Expected, passed: bool, observed: str, rows: Sequence[str]) -> Check:
    return Check(item.name, item.meaning, passed, observed, tuple(rows[:ROWS_SHOWN]))
