"""What the requests to be sent will use and cost, and whether the budget allows it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from stillhouse.base.records import Request
from stillhouse.base.runtime import Runtime
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal_view import JournalView


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What one model will be asked: tokens and dollars as estimated; None where it has no price."""

    teacher: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    direct: float | None
    batch: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Estimates over all models that cost, learnt from ``calls`` earlier ones.

    ``direct`` and ``batch`` are dollars without and with message batches; None where a model that
    will be asked has no price. ``spare_direct`` and ``spare_batch`` are what a budget must hold
    beside: a request is sent only while the most that it can cost is left.
    """

    models: tuple[ModelCost, ...]
    calls: int
    spare_direct: float = 0.0
    spare_batch: float = 0.0

    @property
    def input_tokens(self) -> int:
        """What all models will read."""
        return sum(model.input_tokens for model in self.models)

    @property
    def output_tokens(self) -> int:
        """What all models will write."""
        return sum(model.output_tokens for model in self.models)

    @property
    def direct(self) -> float | None:
        """Dollars when each request is sent by itself."""
        return _add(model.direct for model in self.models)

    @property
    def batch(self) -> float | None:
        """Dollars in message batches."""
        return _add(model.batch for model in self.models)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The budget, what of it is gone within its window, and whether the plan needs more than is left.

    ``usd`` and ``left`` are None without a budget; ``over`` is None where that cannot be told: a
    model has no price, or so little is left beside that the last requests may not be sent.
    """

    usd: float | None
    window: str
    spent: float
    reserved: float
    left: float | None
    over: bool | None


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    direct: float = 0.0
    batch: float = 0.0


def estimate_cost(
    requests: Iterable[Request],
    to_be_sent: Collection[str],
    costs: Mapping[str, bool],
    estimator: Estimator,
) -> Cost:
    """Return what the requests of ``to_be_sent`` to teachers that cost will use and cost."""
    sums: dict[tuple[str, str], _Sum] = {}
    spare = {True: 0.0, False: 0.0}
    for request in requests:
        if request.request_id not in to_be_sent or not costs.get(request.teacher, True):
            continue
        one = sums.setdefault((request.teacher, request.model), _Sum())
        usage = estimator.estimate(request)
        one.requests += 1
        one.input_tokens += usage.input_tokens
        one.output_tokens += usage.output_tokens
        alone, batched = estimator.reserve(request), estimator.reserve(request, batch=True)
        one.direct += alone.expected
        one.batch += batched.expected
        for batch, cost in ((False, alone), (True, batched)):
            spare[batch] = max(spare[batch], cost.at_most - cost.expected)
    models = []
    for (teacher, model), one in sorted(sums.items()):
        known = estimator.knows_price(model)
        models.append(
            ModelCost(
                teacher,
                model,
                one.requests,
                one.input_tokens,
                one.output_tokens,
                one.direct if known else None,
                one.batch if known else None,
            )
        )
    return Cost(tuple(models), estimator.calls, spare[False], spare[True])


def add_costs(one: Cost, other: Cost, times: int = 1) -> Cost:
    """Return what one and so many times the other cost together."""
    sums = {(model.teacher, model.model): model for model in one.models}
    for model in other.models:
        key = (model.teacher, model.model)
        sums[key] = _add_models(sums.get(key), model, times)
    return Cost(
        tuple(sums[key] for key in sorted(sums)),
        max(one.calls, other.calls),
        max(one.spare_direct, other.spare_direct),
        max(one.spare_batch, other.spare_batch),
    )


def _add_models(one: ModelCost | None, other: ModelCost, times: int) -> ModelCost:
    def add(amount: float | None, further: float | None) -> float | None:
        return None if amount is None or further is None else amount + times * further

    one = one or ModelCost(other.teacher, other.model, 0, 0, 0, 0.0, 0.0)
    return ModelCost(
        one.teacher,
        one.model,
        one.requests + times * other.requests,
        one.input_tokens + times * other.input_tokens,
        one.output_tokens + times * other.output_tokens,
        add(one.direct, other.direct),
        add(one.batch, other.batch),
    )


def weigh_budget(
    cost: Cost, runtime: Runtime, journal: JournalView, at_most: Cost | None = None
) -> BudgetState:
    """Return how the plan stands to the budget; with ``runtime.batch`` by the price of batches.

    ``at_most`` is what it may come to where ``cost`` is only what it comes to for sure.
    """
    state = _weigh(cost, runtime, journal)
    if state.over is False and at_most is not None:
        worst = _weigh(at_most, runtime, journal)
        return replace(state, over=None) if worst.over is not False else state
    return state


def _weigh(cost: Cost, runtime: Runtime, journal: JournalView) -> BudgetState:
    account = journal.read_account(runtime.window_seconds)
    needed, spare = (
        (cost.batch, cost.spare_batch) if runtime.batch else (cost.direct, cost.spare_direct)
    )
    if runtime.budget_usd is None:
        return BudgetState(
            None, runtime.budget_window, account.spent, account.reserved, None, over=False
        )
    left = runtime.budget_usd - account.spent - account.reserved
    over = _compare(needed, spare, left) if cost.models else False
    return BudgetState(
        runtime.budget_usd, runtime.budget_window, account.spent, account.reserved, left, over
    )


def _compare(needed: float | None, spare: float, left: float) -> bool | None:
    """Say whether more is needed than is left; None where that cannot be told."""
    if needed is None:
        return None
    if needed > left:
        return True
    return None if needed + spare > left else False


def _add(amounts: Iterable[float | None]) -> float | None:
    total = 0.0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
