"""A member run as read from a store: the common form of the readers of sweep and analysis, SQL and HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trainables.schema import Cell, Member

MLFLOW_INFINITY = 1.7976931348623157e308
"""What MLflow's database store writes for an infinite metric."""


class LastValue(NamedTuple):
    """A metric's value at its last step."""

    value: float
    step: int

    @classmethod
    def from_store(cls, value: float, step: int, is_nan: bool = False) -> LastValue:
        """Undo MLflow's encoding: NaN is a flag beside a zero, infinity the largest float."""
        if is_nan:
            return cls(math.nan, step)
        if abs(value) >= MLFLOW_INFINITY:
            return cls(math.copysign(math.inf, value), step)
        return cls(value, step)


@dataclass(frozen=True)
class RunRecord:
    """One member run.

    Args:
        run_id: MLflow's id.
        experiment: Name of the experiment.
        status: MLflow's status, for example FINISHED.
        start_time: Milliseconds since 1970, or None.
        end_time: Milliseconds since 1970, or None.
        params: The run's params as logged.
        tags: At least the schema's tags that say how the run went; the hashes only where there are no params.
        metrics: At least the asked metrics that were logged, at their last step.
    """

    run_id: str
    experiment: str
    status: str
    start_time: int | None
    end_time: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, LastValue]


class MemberReader:
    """Builds members from the params of runs; those of one cell share it, and what its hash takes."""

    def __init__(self) -> None:
        self._cells: dict[tuple[tuple[str, str], ...], Cell] = {}

    def __call__(self, params: Mapping[str, str]) -> Member:
        """Return the member that these params are of.

        Raises:
            ValueError: If the seed is missing or a value is not of its param's type.
        """
        others = dict(params)
        others.pop("seed", None)
        key = tuple(others.items())  # in another order it is another key, which costs time alone
        member = Member.from_params(params, self._cells.get(key))
        self._cells[key] = member.cell
        return member
