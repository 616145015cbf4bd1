"""What epochs gave: records, which checkpoints keep and drivers report, and seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.pack import Pack

STATE_FORMAT = 1
"""Goes up when what a state holds changes its meaning, which its layout need not show."""


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave, for every member of a pack.

    Args:
        epoch: Number of the epoch, from 1.
        timestamp_ms: When it ended, milliseconds since 1970.
        metrics: For each member the metrics of the run schema, nats per image and seconds; none for a member
            that has diverged, in this epoch or before.
        diverged: For each member the epoch after which a parameter or a metric of it was not finite, or none.
    """

    epoch: int
    timestamp_ms: int
    metrics: tuple[Mapping[str, float] | None, ...]
    diverged: tuple[int | None, ...]

    def to_state(self) -> dict[str, Any]:
        """Return plain containers, from which `from_state` makes an equal record."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> EpochRecord:
        """Build a record from `to_state`'s result."""
        return cls(state["epoch"], state["timestamp_ms"], tuple(state["metrics"]), tuple(state["diverged"]))


@dataclass(frozen=True)
class EpochSeconds:
    """Seconds of an epoch: its pass over the training images, that over the test images, and all else."""

    train: float
    test: float
    other: float = 0.0

    @property
    def total(self) -> float:
        """Their sum."""
        return self.train + self.test + self.other


def read_history(state: Mapping[str, Any], pack: Pack) -> list[EpochRecord]:
    """Read the history of a pack's state.

    Raises:
        ValueError: If the state is of another format or of other members, or its history cannot be read.
    """
    if state.get("format") != STATE_FORMAT:
        raise ValueError(f"the state must be of format {STATE_FORMAT}, got {state.get('format')}")
    members = [member.hash for member in pack.members]
    if state.get("members") != members:
        raise ValueError(f"the state must be of members {members}, got {state.get('members')}")
    try:
        records = [EpochRecord.from_state(one) for one in state["history"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the history of the state cannot be read: {error!r}") from None
    if any({len(record.metrics), len(record.diverged)} != {len(pack)} for record in records):
        raise ValueError(f"every record of the state must be of {len(pack)} members")
    return records
