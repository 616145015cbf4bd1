"""Work by epochs: what one gave, who has diverged, and the state from which a pack goes on."""

from __future__ import annotations

import hashlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from trainables.pack import Pack
from trainables.training.state_layout import check_layout

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


def seeded_generator(seed: int, stream: str, device: torch.device) -> torch.Generator:
    """Return a generator for one of a member's random streams, data order or noise.

    Members with the same seed share their data order whatever their estimator, so that estimators are
    compared on equal terms. (They share their initial parameters too: those that `torch.manual_seed` with
    the seed gives to the same network of `torch.nn.Linear` layers.)

    Args:
        seed: The member's seed.
        stream: What the numbers are for; streams of one seed are independent.
        device: Where the numbers are drawn.
    """
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big", signed=True))


class Recorder(ABC):
    """A pack of P members at work by epochs. P = 1 is the ordinary case and runs the same lines.

    A member of which a parameter or any metric is not finite has diverged, and has no metrics from then on.

    Args:
        pack: The members; their params settle everything about the results.

    Attributes:
        history: A record for each epoch done.
        parameters: Every parameter of each member, shape (P, ...), or of the one model that all share,
            (1, ...); to be set by a subclass.
    """

    parameters: torch.Tensor

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.history: list[EpochRecord] = []

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.history)

    @property
    def is_finished(self) -> bool:
        """Whether every epoch is done, or every member has diverged."""
        if self.epoch >= self.pack.epochs:
            return True
        return bool(self.history) and all(epoch is not None for epoch in self.history[-1].diverged)

    def run_epoch(self) -> EpochRecord:
        """Do an epoch, and return (and keep) its record."""
        previous = self.history[-1].diverged if self.history else (None,) * len(self.pack)
        values, epoch = self._run(), self.epoch + 1
        # NaN logits draw a category like any others: a loss may be finite where the parameters are not.
        of_models = self.parameters.flatten(1).isfinite().all(1).expand(len(self.pack)).tolist()
        diverged = [
            before or (None if is_finite and one and all(map(math.isfinite, one.values())) else epoch)
            for before, is_finite, one in zip(previous, of_models, values, strict=True)
        ]
        metrics = tuple(one if end is None else None for one, end in zip(values, diverged, strict=True))
        record = EpochRecord(epoch, time.time_ns() // 1_000_000, metrics, tuple(diverged))
        self.history.append(record)
        return record

    @abstractmethod
    def _run(self) -> Sequence[Mapping[str, float] | None]:
        """Do an epoch; return the metrics of each member, or none of one that has nothing finite to show."""


class RecordedTrainer(Recorder):
    """A pack of P members with random generators, and its state.

    Every member has generators of its own, so that its noise does not depend on who else is in the pack.

    Args:
        pack: The members.
        device: Where to train.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        super().__init__(pack)
        self._device = torch.device(device)
        self._seeds = [member.seed for member in pack.members]
        self._noise = self._generators("noise")

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds; keeps no record."""
        start = time.perf_counter()
        self._run()
        return EpochSeconds(0.0, 0.0, time.perf_counter() - start)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from, tensors and plain containers only."""
        return {
            "format": STATE_FORMAT,
            "members": [member.hash for member in self.pack.members],
            "history": [record.to_state() for record in self.history],
            "noise_generators": [generator.get_state() for generator in self._noise],
            **self._own_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is of another format, belongs to other members, or is laid out otherwise,
                as one of another device is; nothing of it has been taken over then.
        """
        history = read_history(state, self.pack)
        check_layout({**state, "history": []}, {**self.state_dict(), "history": []})
        if state.get("epoch", len(history)) != len(history):
            raise ValueError(
                f"the state must have {state['epoch']} records, one an epoch, got {len(history)}"
            )
        load_generators(self._noise, state["noise_generators"])
        self._load_own(state)
        self.history = history

    def _generators(self, stream: str) -> list[torch.Generator]:
        """Return a generator for each member, of one of its random streams."""
        return [seeded_generator(seed, stream, self._device) for seed in self._seeds]

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """Return what is added to the state."""

    @abstractmethod
    def _load_own(self, state: Mapping[str, Any]) -> None:
        """Take over what was added to a state that is laid out as its own."""


def load_generators(generators: Sequence[torch.Generator], states: Sequence[torch.Tensor]) -> None:
    """Set generators to the states that they had."""
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state.cpu())


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
