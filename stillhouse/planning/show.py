"""A plan as JSON, as lines for a terminal, and as Markdown for a comment under a pull request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from shlex import quote
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.text import fold
from stillhouse.planning.evolving import Evolving
from stillhouse.planning.judging import Judging
from stillhouse.planning.plan import Plan, TimedRerun
from stillhouse.planning.sorting import Count
from stillhouse.teachers.follow import KEY, describe_requests
from stillhouse.teachers.money import word_limit

_MARGIN: Final = 12
_NAMED: Final = 3  # prompts, documents and tasks that a cause names
_STAGE: Final = 22


def to_json(plan: Plan) -> dict[str, Json]:
    """Return the plan as `stillhouse plan --json` prints it."""
    cost, budget = plan.cost, plan.budget
    low, high = add_times(plan.reruns)
    return {
        "requests": {
            **asdict(plan.requests),
            "paid": asdict(plan.paid),
            "free": asdict(plan.free),
        },
        "by_task": {name: asdict(count) for name, count in plan.count_tasks().items()},
        "by_teacher": {name: asdict(count) for name, count in plan.count_teachers().items()},
        "causes": {str(cause): count for cause, count in plan.caused.counts.items()},
        "causes_by_name": {cause: dict(named) for cause, named in plan.caused.named.items()},
        "tokens": {
            "input": cost.input_tokens,
            "output": cost.output_tokens,
            "learned_from_calls": cost.calls,
        },
        "cost_usd": {"direct": cost.direct, "batch": cost.batch},
        "models": [asdict(model) for model in cost.models],
        "budget_usd": budget.usd,
        "budget": {
            "window": budget.window,
            "spent_usd": budget.spent,
            "reserved_usd": budget.reserved,
            "left_usd": budget.left,
            "over": budget.over,
        },
        "evolve": {
            "requests": [0, plan.evolving.more],
            "cost_usd": [0.0, plan.evolving.most.direct],
        },
        "judge": _judging_to_json(plan.judging),
        # No evaluation calls a teacher that costs.
        "evaluation": {"requests": [0, 0], "cost_usd": [0.0, 0.0]},
        "stages": {
            "rerun": [_stage_to_json(timed) for timed in plan.reruns],
            "restored": list(plan.restored),
            "seconds": [low, high],
        },
        "obstacles": list(plan.obstacles),
    }


def to_file(plan: Plan) -> dict[str, Json]:
    """Return the plan as `--out` writes it: with the requests that it allows to be sent.

    Among them are those in batches: whose batch is lost or expires is asked anew.
    """
    return {
        **to_json(plan),
        KEY: describe_requests(plan.to_be_sent | plan.submitted, plan.evolving.more),
    }


def add_times(reruns: Sequence[TimedRerun]) -> tuple[float | None, float | None]:
    """Return the seconds of the stages that run for sure, and of all that may; None if unknown."""
    sure = [timed.seconds for timed in reruns if timed.rerun.why != "maybe"]
    return _add(sure), _add([timed.seconds for timed in reruns])


def to_text(plan: Plan, written: str = "") -> Iterator[str]:
    """Yield the plan as lines of 80 columns; ``written`` is the file that holds it as well."""
    yield from _lines("Requests", _say_requests(plan))
    if plan.requests.new:
        yield from _lines("New", _list(_count_new(plan.count_tasks())))
        yield from _lines("Because of", _say_causes(plan))
    if plan.cost.models:
        yield from _lines("Tokens", _say_tokens(plan))
    yield from _lines("Cost", _say_cost(plan))
    yield from _lines("Budget", _say_budget(plan))
    if plan.evolving.more:
        yield from _lines("Evolve", _say_evolving(plan.evolving))
    yield from _lines("Judges", _say_judging(plan.judging))
    for obstacle in plan.obstacles:
        yield from _lines("Obstacle", obstacle)
    yield from _lines("Stages", _say_stages(plan))
    for timed in plan.reruns:
        rerun = timed.rerun
        label = f"  {rerun.stage:<{_STAGE - 1}} {_say_time(timed.seconds):>9}  "
        yield from fold(_say_why(timed), label, len(label))
    yield from _lines("Time", _say_times(plan))
    if not written:
        yield "Nothing was sent, run or written."
        return
    yield from fold(
        f"Nothing was sent or run. `STILLHOUSE_PLAN={quote(written)} dvc repro` follows this plan.",
        "",
        0,
    )


def to_markdown(plan: Plan) -> Iterator[str]:
    """Yield the plan as lines of Markdown."""
    cost, budget, whole = plan.cost, plan.budget, plan.requests
    yield "### Plan of the next `dvc repro`"
    yield ""
    price = f"{_dollars(cost.direct)} (in batches {_dollars(cost.batch)})"
    yield f"**{plan.paid.new:,} requests** to teachers that cost: {price}."
    if budget.usd is not None:
        over = "**Over budget.** " if budget.over else ""
        yield f"{over}Budget: {_cell(_say_budget(plan))}."
    yield ""
    yield "| task | requests | answered | new |"
    yield "| --- | ---: | ---: | ---: |"
    for task, count in plan.count_tasks().items():
        yield f"| {_cell(task)} | {count.total:,} | {count.answered:,} | {count.new:,} |"
    yield f"| **all** | {whole.total:,} | {whole.answered:,} | {whole.new:,} |"
    yield ""
    for title, said in (
        ("Free", f"{plan.free.new:,} of the new requests cost nothing but time"),
        ("Because of", _say_causes(plan)),
        ("Tokens", _say_tokens(plan)),
        *((("Evolve", _say_evolving(plan.evolving)),) if plan.evolving.more else ()),
        *((("Judges", _say_judging(plan.judging)),) if plan.judging.high else ()),
        ("Time", _say_times(plan)),
        *(("Obstacle", obstacle) for obstacle in plan.obstacles),
    ):
        if said:
            yield f"* {title}: {_cell(said)}"
    yield ""
    if plan.reruns:
        yield "| stage | time | why |"
        yield "| --- | ---: | --- |"
        for timed in plan.reruns:
            seconds, why = _say_time(timed.seconds), _cell(_say_why(timed))
            yield f"| {_cell(timed.rerun.stage)} | {seconds} | {why} |"


def _say_evolving(evolving: Evolving) -> str:
    price = f", up to {_dollars(evolving.most.direct)}" if evolving.most.models else ""
    return (
        f"up to {evolving.more:,} requests more develop pairs{price}: how many there are is known when "
        "these are answered"
    )


def _judging_to_json(judging: Judging) -> dict[str, Json]:
    return {
        "requests": [judging.low, judging.high],
        "cost_usd": [judging.least.direct, judging.most.direct],
        "cost_usd_batch": [judging.least.batch, judging.most.batch],
        "models": [asdict(model) for model in judging.most.models],
    }


def _say_judging(judging: Judging) -> str:
    if not judging.high:
        return "0 requests: judges and evaluation ask no teacher that costs"
    low, high = _dollars(judging.least.direct), _dollars(judging.most.direct)
    batch = f"{_dollars(judging.least.batch)} to {_dollars(judging.most.batch)} in batches"
    if judging.low == judging.high:
        return f"{judging.low:,} requests, {low} direct, {_dollars(judging.least.batch)} in batches"
    return (
        f"{judging.low:,} to {judging.high:,} requests, {low} to {high} direct, {batch}: how many "
        "hangs on answers yet to come"
    )


def _stage_to_json(timed: TimedRerun) -> Json:
    rerun = timed.rerun
    return {
        "stage": rerun.stage,
        "why": rerun.why,
        "changed": list(rerun.changed),
        "upstream": list(rerun.upstream),
        "seconds": timed.seconds,
    }


def _say_requests(plan: Plan) -> str:
    whole, paid, free = plan.requests, plan.paid, plan.free
    said = f"{whole.total:,}: {whole.answered:,} answered, {whole.new:,} new"
    if whole.submitted:
        said += f", {whole.submitted:,} in batches that were submitted"
    if whole.refused:
        said += f", {whole.refused:,} refused for good"
    if not whole.new:
        return said
    if not free.new:
        return f"{said}, and all of the new ones cost money"
    if not paid.new:
        return f"{said}, and the new ones cost only time"
    return f"{said}; {paid.new:,} of the new ones cost money, {free.new:,} only time"


def _say_causes(plan: Plan) -> str:
    said = []
    for cause, count in sorted(plan.caused.counts.items(), key=lambda one: (-one[1], one[0])):
        named = plan.caused.named[cause]
        first = sorted(named, key=lambda name: (-named[name], name))
        shown = ", ".join(first[:_NAMED]) + f" and {len(first) - _NAMED} more" * (
            len(first) > _NAMED
        )
        said.append(f"{_EXPLAINED[cause]} {count:,} ({shown})")
    return "; ".join(said)


_EXPLAINED: Final[Mapping[str, str]] = {
    "prompt": "prompt",
    "document": "document",
    "teacher": "teacher",
    "parameters": "parameters",
    "sampling": "sampling",
    "unanswered": "unanswered in an earlier run",
    "first": "the first run",
    "unknown": "unknown, as the requests of the last run are not here:",
}


def _say_tokens(plan: Plan) -> str:
    cost = plan.cost
    said = f"{cost.input_tokens:,} in, {cost.output_tokens:,} out"
    if not cost.models:
        return said
    learned = f"learnt from {cost.calls:,} calls" if cost.calls else "guessed: no call was made yet"
    return f"{said} ({learned})"


def _say_cost(plan: Plan) -> str:
    cost = plan.cost
    if not cost.models:
        return "nothing: no teacher that costs is asked"
    said = f"{_dollars(cost.direct)} direct, {_dollars(cost.batch)} in batches"
    if len(cost.models) > 1:
        each = (f"{one.model} {one.requests:,} for {_dollars(one.direct)}" for one in cost.models)
        said += f" ({'; '.join(each)})"
    unpriced = [model.model for model in cost.models if model.direct is None]
    if unpriced:
        named = ", ".join(f"`{name}`" for name in unpriced)
        said += f"; no price is known for {named}: set it under `teachers.prices` of params.yaml"
    return said


def _say_budget(plan: Plan) -> str:
    budget = plan.budget
    if budget.usd is None or budget.left is None:
        return "none (`runtime.budget_usd`)"
    verdict = {True: "OVER BUDGET", False: "enough", None: "unknown whether that is enough"}
    within = "ever" if budget.window == "all" else f"within {budget.window}"
    held = f", ${budget.reserved:,.4f} reserved" if budget.reserved else ""
    return (
        f"{word_limit(budget.usd)} {within}: ${budget.spent:,.4f} spent{held}, "
        f"${max(0.0, budget.left):,.4f} left: {verdict[budget.over]}"
    )


def _say_stages(plan: Plan) -> str:
    sure = sum(timed.rerun.why != "maybe" for timed in plan.reruns)
    maybe = len(plan.reruns) - sure
    if not plan.reruns and not plan.restored:
        return "none runs: nothing has changed"
    said = f"{sure} will run" + f", {maybe} may" * bool(maybe)
    if plan.restored:
        said += f"; from DVC's cache: {', '.join(plan.restored)}"
    return said


def _say_why(timed: TimedRerun) -> str:
    rerun = timed.rerun
    if rerun.why == "new":
        return "new: it never ran"
    if rerun.why == "changed":
        shown = ", ".join(rerun.changed[:_NAMED])
        more = len(rerun.changed) - _NAMED
        return f"changed: {shown}" + f" and {more} more" * (more > 0)
    behind = ", ".join(rerun.upstream)
    return f"upstream: {behind}" if rerun.why == "upstream" else f"maybe, behind {behind}"


def _say_time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _say_times(plan: Plan) -> str:
    low, high = add_times(plan.reruns)
    if not plan.reruns:
        return "none"
    untimed = [timed.rerun.stage for timed in plan.reruns if timed.seconds is None]
    if untimed:
        shown = ", ".join(untimed[:_NAMED]) + f" and {len(untimed) - _NAMED} more" * (
            len(untimed) > _NAMED
        )
        known = sum(timed.seconds or 0.0 for timed in plan.reruns)
        rest = f"; the others took {_say_time(known)}" if len(untimed) < len(plan.reruns) else ""
        return f"unknown: of {shown} no run was measured here{rest}"
    if low == high:
        return f"about {_say_time(high)}, as the last runs here took"
    return f"{_say_time(low)} to {_say_time(high)}, as the last runs here took"


def _count_new(counts: Mapping[str, Count]) -> dict[str, int]:
    return {name: count.new for name, count in counts.items() if count.new}


def _list(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)


def _dollars(amount: float | None) -> str:
    if amount is None:
        return "unknown"
    return f"${amount:,.2f}" if abs(amount) >= 100 or not amount else f"${amount:,.4f}"


def _add(seconds: Sequence[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return sum(known) if len(known) == len(seconds) else None


def _cell(text: str) -> str:
    """Return a text that ends no cell of a table and no line."""
    return " ".join(text.split()).replace("|", "\\|")


def _lines(label: str, text: str) -> list[str]:
    return fold(text, f"{label:<{_MARGIN - 1}} ", _MARGIN)
