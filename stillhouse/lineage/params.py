"""The section ``register`` of ``params.yaml``."""

from pydantic import Field

from stillhouse.base.params import Params


class Register(Params):
    """Under which names MLflow knows the runs and the models of this project, and what it is told.

    ``diff``: whether the rows that changed since a student's previous version go there, word by word;
    without it MLflow gets hashes, parameters and scores, and no text.
    """

    experiment: str = Field(min_length=1)
    model_prefix: str = Field(pattern=r"^[\w.-]*$")
    diff: bool = True

    def name_model(self, student: str) -> str:
        """Return the name of a student's registered model."""
        return f"{self.model_prefix}{student}"
