"""A plan that was approved, and the refusal to send anything that it does not hold."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json, canonical_json, sha256_text
from stillhouse.base.params import PARAMS, load_yaml

VARIABLE: Final = "STILLHOUSE_PLAN"
KEY: Final = "to_be_sent"  # of the plan's file
# What shapes the requests beside documents and prompts.
_SECTIONS: Final = ("ingest", "render", "teacher", "generate")


@dataclass(frozen=True, slots=True)
class ToBeSent:
    """The requests that a plan says will be sent, and the parameters that they come of.

    ``derived_at_most`` requests more may develop pairs; ``spare`` of these may have been sent by the end of
    this round, and ``let`` are those that were, in any round.
    """

    request_ids: frozenset[str]
    parameters_sha256: str
    where: str
    derived_at_most: int = 0
    spare: int = 0
    let: set[str] = field(default_factory=set, compare=False)

    def in_round(self, number: int) -> "ToBeSent":
        """Return what may be sent in a round of `generate`: the first one is known request by request.

        Which pairs there are to develop a plan may not know before their parents are answered.
        """
        return replace(self, spare=self.derived_at_most if number else 0)

    def check(self, wanted: Collection[str]) -> None:
        """Refuse to go on where the plan does not hold every request of ``wanted``.

        Raises:
            InputError: the plan is stale.
        """
        beyond = set(wanted) - self.request_ids
        if beyond and len(beyond | self.let) > self.spare:
            changed = hash_parameters() != self.parameters_sha256
            raise InputError(
                f"{len(beyond)} of {len(wanted)} requests to be sent are not in the plan that is to be "
                f"followed{f' ({PARAMS} has changed since)' if changed else ''}",
                where=self.where,
                expected="a plan of what lies here now",
                remedy="run `stillhouse plan --out FILE` again, look at it, and follow that",
            )
        self.let.update(beyond)


def hash_parameters(path: Path = PARAMS) -> str:
    """Return one sha256 over the parameters that shape requests."""
    params = load_yaml(path)
    return sha256_text(canonical_json({name: _plain(params.get(name)) for name in _SECTIONS}))


def describe_requests(request_ids: Collection[str], derived: int = 0) -> dict[str, Json]:
    """Return what a plan's file says of the requests to be sent, under ``KEY``.

    ``derived`` is how many more may develop pairs whose answers are not known yet.
    """
    ordered = sorted(request_ids)
    return {
        "request_ids": ordered,
        "derived_at_most": derived,
        "sha256": _digest(ordered),
        "parameters_sha256": hash_parameters(),
    }


def read_followed(path: Path) -> ToBeSent:
    """Return what the plan at ``path`` allows.

    Raises:
        InputError: there is no such file, or it is not a whole plan.
    """
    try:
        said = json.loads(read_text(path))[KEY]
        ordered = [str(name) for name in said["request_ids"]]
        whole, parameters = said["sha256"] == _digest(ordered), str(said["parameters_sha256"])
        derived = int(said.get("derived_at_most", 0))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise _refuse(path) from exc
    if not whole:
        raise _refuse(path)
    return ToBeSent(frozenset(ordered), parameters, str(path), derived)


def _refuse(path: Path) -> InputError:
    return InputError(
        "not a plan that can be followed",
        where=str(path),
        expected="the whole file that `stillhouse plan --out FILE` wrote",
        remedy="write it anew",
    )


def _digest(ordered: Sequence[str]) -> str:
    return sha256_text("\n".join(ordered))


def _plain(value: object) -> Json:
    """Return a value of a YAML file as JSON has it: keys of texts, dates as they are written."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
