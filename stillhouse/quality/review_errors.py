"""What ``reports/review.json`` says of the errors that reviewers found, as the gate reads it."""

import json
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text


@dataclass(frozen=True, slots=True)
class ReviewErrors:
    """The share of rows that reviewers rejected or mended, the upper end of its 95 % interval, the limit.

    ``rate`` and ``high`` are None where nothing was reviewed, ``limit`` where none is set.
    """

    rate: float | None
    high: float | None
    limit: float | None


def read_review_errors(path: Path) -> ReviewErrors:
    """Return the error rate of a review; a report of a version that measured none has none.

    Raises:
        InputError: the file is missing, no JSON, or holds something else than numbers there.
    """
    try:
        value = json.loads(read_text(path))
        found = [value.get(name) for name in ("error_rate", "high", "max_error_rate")]
        return ReviewErrors(*(None if one is None else float(one) for one in found))
    except (json.JSONDecodeError, AttributeError, TypeError, ValueError) as exc:
        raise InputError(
            f"not a report of a review ({exc})", where=str(path), remedy="run `dvc repro review`"
        ) from exc
