"""Why each differing row of any table differs."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from stillhouse.base.packing import builder
from stillhouse.base.records import Request
from stillhouse.diffing.causes import Why
from stillhouse.diffing.compare import Compared
from stillhouse.diffing.explain import Explainer
from stillhouse.diffing.pairing import Rows
from stillhouse.diffing.settings import Settings
from stillhouse.diffing.tables import Table
from stillhouse.diffing.upstream import Upstream
from stillhouse.lineage.slots import Pairing

Whys: TypeAlias = Mapping[tuple[int | None, int | None], Why]


def explain_all(
    table: Table, compared: Compared, paired: Rows | Pairing, old: Upstream, new: Upstream
) -> tuple[Whys, tuple[str, ...], str]:
    """Return the causes of every difference, what settings differ, and why causes are missing.

    The keys are the places of a row among the differing ones of A and of B.
    """
    explainer = Explainer(old, new, table.name)
    whys: dict[tuple[int | None, int | None], Why] = {}
    if isinstance(paired, Rows):
        whys = dict(_explain_rows(explainer, paired))
    elif table.name == "judge_requests":
        whys = dict(_explain_judging(explainer, compared, paired))
    elif table.record is Request:
        whys = dict(_explain_requests(explainer, compared, paired))
    elif table.name in ("chunks", "documents"):
        whys = dict(_explain_sources(explainer, compared, paired))
    elif table.name in ("responses", "judgements", "judge_responses"):
        whys = dict(_explain_results(explainer, table, compared, paired))
    missing = {**new.missing, **old.missing}
    lost = any("unknown" in why.causes for why in whys.values())
    unknown = "; ".join(sorted(set(missing.values()))[:2]) if lost else ""
    return whys, tuple(list_settings(Settings(old.lock, new.lock))), unknown


def list_settings(settings: Settings) -> Iterator[str]:
    """Yield what differs in what the dataset was made with, whether a row shows it or not."""
    for stage, section in (
        ("ingest", "ingest"),
        ("render", "render"),
        ("render", "teacher"),
        ("generate", "generate"),
        ("judge", "judge"),
        ("curate", "curate"),
        ("split", "split"),
    ):
        yield from settings.list_params(stage, section)


def _explain_rows(
    explainer: Explainer, rows: Rows
) -> Iterator[tuple[tuple[int | None, int | None], Why]]:
    old, new, pairing = rows.old, rows.new, rows.pairing
    explainer.load(
        [(old[i], new[j]) for i, j in pairing.pairs],
        [old[i] for i in pairing.removed],
        [new[j] for j in pairing.added],
    )
    for i, j in pairing.pairs:
        yield (i, j), explainer.changed(old[i], new[j])
    for i in pairing.removed:
        yield (i, None), explainer.removed(old[i])
    for j in pairing.added:
        yield (None, j), explainer.added(new[j])


def _explain_requests(
    explainer: Explainer, compared: Compared, pairing: Pairing
) -> Iterator[tuple[tuple[int | None, int | None], Why]]:
    build: Any = builder(Request)
    old = [build(values) for values in compared.old.to_pylist()]
    new = [build(values) for values in compared.new.to_pylist()]
    explainer.load_requests([one.request_id for one in old], [one.request_id for one in new])
    for i, j in pairing.pairs:
        yield (i, j), explainer.request_changed(old[i], new[j])
    for i in pairing.removed:
        yield (i, None), explainer.request_absent(old[i].request_id, gone=True)
    for j in pairing.added:
        yield (None, j), explainer.request_absent(new[j].request_id, gone=False)


def _explain_judging(
    explainer: Explainer, compared: Compared, pairing: Pairing
) -> Iterator[tuple[tuple[int | None, int | None], Why]]:
    """Say why judges are asked something else: about another pair, by another judge or rubric."""
    build: Any = builder(Request)
    old = [build(values) for values in compared.old.to_pylist()]
    new = [build(values) for values in compared.new.to_pylist()]
    for i, j in pairing.pairs:
        yield (i, j), explainer.judging_changed(old[i], new[j])
    for i in pairing.removed:
        yield (i, None), explainer.judging_absent(old[i], gone=True)
    for j in pairing.added:
        yield (None, j), explainer.judging_absent(new[j], gone=False)


def _explain_sources(
    explainer: Explainer, compared: Compared, pairing: Pairing
) -> Iterator[tuple[tuple[int | None, int | None], Why]]:
    old, new = (rows.column("source").to_pylist() for rows in (compared.old, compared.new))
    for i, j in pairing.pairs:
        yield (i, j), explainer.document_differs(new[j])
    for i in pairing.removed:
        yield (i, None), explainer.document_differs(old[i])
    for j in pairing.added:
        yield (None, j), explainer.document_differs(new[j])


def _explain_results(
    explainer: Explainer, table: Table, compared: Compared, pairing: Pairing
) -> Iterator[tuple[tuple[int | None, int | None], Why]]:
    """Answers of one request were drawn again; scores of one pair were judged otherwise."""
    cause: Why = Why(("judge",)) if table.name == "judgements" else Why(("sampling",))
    for i, j in pairing.pairs:
        yield (i, j), cause
    if table.name == "judge_responses":
        alone = ((i, None) for i in pairing.removed), ((None, j) for j in pairing.added)
        yield from ((place, Why(("judge",))) for places in alone for place in places)
    if table.name != "responses":
        return
    old, new = (rows.column("request_id").to_pylist() for rows in (compared.old, compared.new))
    explainer.load_requests(old, new)
    for i in pairing.removed:
        yield (i, None), explainer.request_absent(old[i], gone=True)
    for j in pairing.added:
        yield (None, j), explainer.request_absent(new[j], gone=False)
