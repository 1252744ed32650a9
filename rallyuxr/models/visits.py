"""Visits: how many came, by hour, so that orders can be read as a part of them."""

from typing import Self

from pydantic import Field, model_validator

from rallyuxr.models.base import Record, Timestamp
from rallyuxr.models.order import Arm, ExperimentId, Outcome


class VisitCount(Record):
    """How many visits a merchant had in one hour; with an arm, how many of them an experiment's arm had.

    A count is the whole hour's and stands in place of the one before, it is never added to it. Of two counts of the
    same hour and arm the one counted later stands, of two counted at once the larger, in whatever order they come.

    Attributes:
        hour: the start of an hour on the merchant's clock.
        counted_at: when it was counted; when it was received, unless it says.
    """

    hour: Timestamp
    visits: int = Field(ge=0, le=10**12)
    experiment_id: ExperimentId | None = None
    arm: Arm | None = None
    counted_at: Timestamp | None = None

    @model_validator(mode="after")
    def _whole_arm(self) -> Self:
        if (self.experiment_id is None) != (self.arm is None):
            raise ValueError("experimentId and arm go together: give both or neither")
        return self

    @property
    def counts(self) -> tuple[Timestamp, str, str]:
        """What is counted: two counts of the same are alternatives."""
        return self.hour, self.experiment_id or "", self.arm or ""


class VisitReceipt(Record):
    """What became of one count that was sent; `unchanged`: the count that stands says the same, or is later."""

    hour: str | None = None
    experiment_id: str | None = None
    arm: str | None = None
    outcome: Outcome
    reason: str | None = None
