"""The section ``report`` of ``params.yaml``."""

from typing import Annotated

from pydantic import Field

from stillhouse.base.params import Params


class Report(Params):
    """What the page shows of long tables; a seed draws it, so that nobody picks the good ones."""

    title: str = Field(min_length=1)
    samples: Annotated[int, Field(ge=0)]
    failures: Annotated[int, Field(ge=0)]
    seed: int
