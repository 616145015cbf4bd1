"""What the trainers of tasks without a data set share: epochs, records, and the state to go on from."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch

from trainables.epochs import STATE_FORMAT, EpochRecord, EpochSeconds, read_history, seeded_generator
from trainables.gradient_estimate import GradientEstimate
from trainables.pack import Pack
from trainables.state_layout import check_layout


class SyntheticTrainer(ABC):
    """A pack of P members, each with its own generators; P = 1 is the ordinary case and runs the same lines.

    Args:
        pack: The members.
        device: Where to train.

    Attributes:
        epoch: Number of epochs done.
        history: A record for each of them.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        self.pack = pack
        self.history: list[EpochRecord] = []
        self._device = torch.device(device)
        self._seeds = [member.seed for member in pack.members]
        self._latent_dim = int(pack.shared["latent_dim"])
        self._categorical_dim = int(pack.shared["categorical_dim"])
        self._num_draws = int(pack.shared["num_draws"])
        self._estimate = GradientEstimate(pack)
        self._noise = self._generators("noise")

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
        diverged = [
            before or (None if all(map(math.isfinite, one.values())) else epoch)
            for before, one in zip(previous, values, strict=True)
        ]
        metrics = tuple(one if end is None else None for one, end in zip(values, diverged, strict=True))
        record = EpochRecord(epoch, time.time_ns() // 1_000_000, metrics, tuple(diverged))
        self.history.append(record)
        return record

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
            ValueError: If the state is of another format, belongs to other members, or is laid out otherwise;
                nothing of it has been taken over then.
        """
        history = read_history(state, self.pack)
        check_layout({**state, "history": []}, {**self.state_dict(), "history": []})
        for generator, saved in zip(self._noise, state["noise_generators"], strict=True):
            generator.set_state(saved.cpu())
        self._load_own(state)
        self.history = history

    def _generators(self, stream: str) -> list[torch.Generator]:
        """Return a generator for each member; their noise does not depend on who else is in the pack."""
        return [seeded_generator(seed, stream, self._device) for seed in self._seeds]

    @abstractmethod
    def _run(self) -> list[dict[str, float]]:
        """Do an epoch; return the metrics of each member."""

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """Return what the task adds to the state."""

    @abstractmethod
    def _load_own(self, state: Mapping[str, Any]) -> None:
        """Take over what the task added to a state that is laid out as its own."""
