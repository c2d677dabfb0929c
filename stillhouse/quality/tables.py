"""Every table of the pipeline side by side, as the gate looks at them."""

from collections.abc import Sequence
from dataclasses import dataclass

from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Pair,
    Rejection,
    Request,
    Response,
    Row,
)


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table whose ids are checked, in the order in which the pipeline writes them.

    Those of ``judging`` are what models were asked about pairs; they are empty where no model judges.
    """

    documents: Sequence[Document]
    chunks: Sequence[Chunk]
    skipped: Sequence[Rejection]
    requests: Sequence[Request]
    responses: Sequence[Response]
    pairs: Sequence[Pair]
    unused: Sequence[Rejection]
    judgements: Sequence[Judgement]
    curated: Sequence[Row]
    dropped: Sequence[Rejection]
    reviewed: Sequence[Row]
    train: Sequence[Row]
    validation: Sequence[Row]
    test: Sequence[Row]
    judging_requests: Sequence[Request] = ()
    judging_responses: Sequence[Response] = ()
    judging_rejections: Sequence[Rejection] = ()

    def dataset(self) -> list[Row]:
        """Return the rows of all parts of the dataset."""
        return [*self.train, *self.validation, *self.test]

    def parts(self) -> dict[str, Sequence[Row]]:
        """Return the dataset's parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
