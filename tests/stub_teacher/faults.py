"""Which attempt of which request goes wrong, and how: a hash of seed, fingerprint and attempt."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from tests.stub_teacher.calls import draw

TRANSPORT: Final = ("429", "500", "529", "slow", "cut")
CONTENT: Final = ("truncated_json", "wrong_schema", "refusal", "content_filter")
BATCH: Final = ("batch_api_error", "batch_invalid", "batch_expired", "batch_canceled")
FOREVER: Final = "forever_400"

DIRECT_CALL: Final = TRANSPORT + CONTENT
BATCH_SUBMISSION: Final = TRANSPORT
BATCH_ITEM: Final = CONTENT + BATCH


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong; the package's docstring says what each key means."""

    seed: int = 0
    shares: Mapping[str, float] = field(default_factory=dict)
    slow_seconds: float = 5.0
    retry_after: float | None = None
    forever_400: float = 0
    forever_400_containing: str = ""
    die_after: int | None = None
    hold: bool = False
    only_first_attempts: bool = True

    def find_fault(self, fingerprint: str, attempt: int, kinds: tuple[str, ...]) -> str:
        """Return the fault of this attempt, one of ``kinds``, or an empty text."""
        if not self.shares or (self.only_first_attempts and attempt > 1):
            return ""
        drawn = draw(self.seed, fingerprint, attempt)
        for kind in kinds:
            drawn -= self.shares.get(kind, 0.0)
            if drawn < 0:
                return kind
        return ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Doomed:
    """The requests that get 400 for ever under a plan; ``known`` survive a new plan's seed."""

    def __init__(self, plan: Plan, known: set[str]) -> None:
        self._plan, self._known = plan, known

    def holds(self, fingerprint: str, texts: tuple[str, ...], answered: bool) -> bool:
        """Say whether a request is refused for ever; one that was answered before is not."""
        plan = self._plan
        if plan.forever_400_containing and any(plan.forever_400_containing in t for t in texts):
            return True
        if not plan.forever_400:
            return False
        if plan.forever_400 < 1:
            return draw(plan.seed, "forever", fingerprint) < plan.forever_400
        if len(self._known) < plan.forever_400 and not answered:
            self._known.add(fingerprint)
        return fingerprint in self._known


def read_plan(given: object) -> Plan:
    """Return the plan that a JSON object describes.

    Raises:
        ValueError: an unknown key, fault or type; the message names it.
    """
    if not isinstance(given, dict):
        raise ValueError("a plan is a JSON object")  # noqa: TRY004 - one kind of error for a bad plan
    known = {one.name for one in fields(Plan)}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"unknown key {unknown[0]!r}; a plan has {', '.join(sorted(known))}")
    shares = given.get("shares", {})
    kinds = TRANSPORT + CONTENT + BATCH
    if unknown := sorted(set(shares) - set(kinds)):
        raise ValueError(f"unknown fault {unknown[0]!r}; there are {', '.join(kinds)}")
    if any(not 0 <= share <= 1 for share in shares.values()):
        raise ValueError("each share is a number from 0 to 1")
    for group in (DIRECT_CALL, BATCH_ITEM):
        if sum(shares.get(kind, 0) for kind in group) > 1 + 1e-9:
            raise ValueError(f"the shares of {', '.join(group)} add up to more than 1")
    return Plan(**given)
