"""A plan that was approved, and how many requests it allows judges: which ones hangs on answers to come."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.teachers.follow import ToBeSent, read_followed


@dataclass(frozen=True, slots=True)
class AtMost(ToBeSent):
    """So many requests, whichever they are."""

    most: int = 0

    def check(self, wanted: Collection[str]) -> None:
        """Refuse to go on where more would be sent than the plan says at most.

        Raises:
            InputError: the plan is stale.
        """
        number = len(set(wanted))
        if number > self.most:
            raise InputError(
                f"judges would be asked {number} requests, and the plan that is to be followed says at "
                f"most {self.most}",
                where=self.where,
                expected="a plan of what lies here now",
                remedy="run `stillhouse plan --out FILE` again, look at it, and follow that",
            )


def read_allowance(path: Path) -> AtMost:
    """Return how many requests the plan at ``path`` allows judges.

    Raises:
        InputError: there is no such file, or it is not a whole plan.
    """
    followed = read_followed(path)
    try:
        most = int(json.loads(read_text(path))["judge"]["requests"][1])
    except (ValueError, LookupError, TypeError) as exc:
        raise InputError(
            "the plan says nothing of judges",
            where=str(path),
            expected="the whole file that `stillhouse plan --out FILE` wrote",
            remedy="write it anew",
        ) from exc
    return AtMost(followed.request_ids, followed.parameters_sha256, str(path), most=most)
