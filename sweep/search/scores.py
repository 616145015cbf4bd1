"""What a cell is worth to a search: the mean of a metric over its seeds, told to Optuna as a verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sweep.store.store import StoredMember
from trainables.schema import CellRequest, Member
from trainables.training.epochs import EpochRecord


class Fate(Enum):
    """What became of a cell."""

    COMPLETE = "complete"
    DIVERGED = "diverged"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """What is told of a cell.

    Args:
        fate: What became of it.
        value: Mean of the metric over the seeds at the last epoch, finite; only where it is complete.
        epoch: Epoch after which the cell was given up; only where it was pruned.

    Raises:
        ValueError: If the value does not go with the fate.
    """

    fate: Fate
    value: float | None = None
    epoch: int | None = None

    def __post_init__(self) -> None:
        is_finite = self.value is not None and math.isfinite(self.value)
        if is_finite != (self.fate is Fate.COMPLETE) or (self.value is not None and not is_finite):
            raise ValueError(f"a verdict must have a finite value if and only if it is complete, got {self}")


def epoch_score(record: EpochRecord, metric: str) -> float | None:
    """Return the mean of a metric over the members of a pack, or none where one has diverged."""
    return _mean(metrics.get(metric) if metrics is not None else None for metrics in record.metrics)


def verdict_from_store(
    request: CellRequest, stored: Mapping[str, StoredMember], metric: str
) -> Verdict | None:
    """Return what the store says of a cell, or none where something of it is left to train.

    Args:
        request: The cell, with the seeds whose mean counts.
        stored: What the store holds, by member hash.
        metric: The metric.
    """
    members = [stored.get(member.hash) for member in request.members]
    known = [member for member in members if member is not None]
    if any(member.has_failed for member in known):
        return Verdict(Fate.FAILED)
    if any(member.is_finished and member.result is None for member in known):
        return Verdict(Fate.DIVERGED)
    if len(known) < len(members) or not all(member.is_finished for member in known):
        return None
    mean = _mean((member.result or {}).get(metric) for member in known)
    return Verdict(Fate.FAILED) if mean is None else Verdict(Fate.COMPLETE, mean)


def verdict_from_record(
    request: CellRequest,
    members: Sequence[Member],
    last: EpochRecord,
    stored: Mapping[str, StoredMember],
    metric: str,
) -> Verdict:
    """Return what the last record of a pack says of its cell.

    Args:
        request: The cell, with the seeds whose mean counts.
        members: The members of the pack, seeds of the cell.
        last: Their last record.
        stored: What the store held of the others.
        metric: The metric.
    """
    if any(epoch is not None for epoch in last.diverged):
        return Verdict(Fate.DIVERGED)
    if last.epoch < int(request.cell.params["epochs"]):
        return Verdict(Fate.PRUNED, epoch=last.epoch)
    trained = {member.hash: metrics for member, metrics in zip(members, last.metrics, strict=True)}
    mean = _mean(_result(member.hash, trained, stored).get(metric) for member in request.members)
    return Verdict(Fate.DIVERGED) if mean is None else Verdict(Fate.COMPLETE, mean)


def _result(
    key: str, trained: Mapping[str, Mapping[str, float] | None], stored: Mapping[str, StoredMember]
) -> Mapping[str, float]:
    """Return a member's last metrics; those of the store go first, since a finished member stays as it is."""
    kept = stored[key].result if key in stored else None
    return kept or trained.get(key) or {}


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean, or none where one is missing or not finite."""
    known = []
    for value in values:
        if value is None or not math.isfinite(value):
            return None
        known.append(value)
    return statistics.fmean(known)
