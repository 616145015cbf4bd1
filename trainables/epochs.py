"""Training by epochs: what one gave, and a pack in training with the state from which it goes on."""

from __future__ import annotations

import hashlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import torch

import estimators
from estimators.hyperparameter import Hyperparameter
from trainables.discrete_vae import Sampler
from trainables.optimizers import OPTIMIZERS
from trainables.pack import Pack, free_params
from trainables.schema import DEFAULTS, EPOCH_SECONDS
from trainables.state_layout import check_layout

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
        diverged: For each member the epoch in which its loss was not finite, or none.
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


class Model(Protocol):
    """What is trained: every parameter of every member, and where their gradients are left, (P, n)."""

    parameters: torch.Tensor
    gradients: torch.Tensor


class EpochTrainer(ABC):
    """A pack of P models in training. P = 1 is the ordinary case and runs the same lines.

    A subclass makes the model, and then calls `_start`.

    Args:
        pack: The members; their params settle everything about the results.
        device: Where to train.

    Attributes:
        epoch: Number of epochs done.
        history: A record for each of them.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        self.pack = pack
        self.epoch = 0
        self.history: list[EpochRecord] = []
        self._device = torch.device(device)
        self._seeds = [member.seed for member in pack.members]
        cpu = torch.device("cpu")
        self._initial = [torch.Generator(cpu).manual_seed(seed) for seed in self._seeds]
        self._order = [seeded_generator(seed, "order", cpu) for seed in self._seeds]
        self._noise = [seeded_generator(seed, "noise", self._device) for seed in self._seeds]
        self._precision = pack.shared.get("precision", DEFAULTS["precision"])

    def _start(self, model: Model) -> None:
        """Take over a model, whose initial parameters came from `_initial`, and make its optimiser."""
        shared = self.pack.shared
        self._parameters = model.parameters
        self._optimizer = OPTIMIZERS[shared["optimizer"]](
            model.parameters, model.gradients, float(shared["lr"])
        )

    def _make_sampler(self, generators: Sequence[torch.Generator]) -> Sampler:
        """Return the estimator with the hyperparameters of the epoch that follows."""
        draw = estimators.get(self.pack.shared["estimator"]).draw
        return partial(draw, **self._hyperparameters(), generator=generators)

    def _hyperparameters(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for hyperparameter in estimators.get(self.pack.shared["estimator"]).hyperparameters:
            name = hyperparameter.name
            values = self._values(hyperparameter)
            if name in free_params(self.pack.shared["task"]):
                arguments[name] = torch.tensor(values, device=self._device).view(-1, 1, 1, 1)
            else:
                arguments[name] = hyperparameter.number(values[0])
        return arguments

    def _values(self, hyperparameter: Hyperparameter) -> list[float]:
        """Return every member's value of a hyperparameter in the epoch that follows."""
        name = hyperparameter.name
        return [float(member.params.get(name, DEFAULTS[name])) for member in self.pack.members]

    @abstractmethod
    def _train(self) -> Sequence[Mapping[str, float]]:
        """Run one pass over the training set; return each member's metrics of its updates."""

    @abstractmethod
    def _evaluate(self) -> Sequence[Mapping[str, float]]:
        """Run one pass over the test set; return each member's metrics."""

    def _measure(self) -> Sequence[Mapping[str, float]]:
        """Return what each member logs besides, after an epoch; leaves the training as it is."""
        return [{}] * len(self.pack)

    @property
    def is_finished(self) -> bool:
        """Whether every epoch is done, or every member has diverged."""
        if self.epoch >= self.pack.epochs:
            return True
        return bool(self.history) and all(epoch is not None for epoch in self.history[-1].diverged)

    def run_epoch(self) -> EpochRecord:
        """Train for one epoch, evaluate on the test set, and return (and keep) the record."""
        start = time.perf_counter()
        train = self._train()
        test = self._evaluate()
        seconds = time.perf_counter() - start
        self.epoch += 1
        measured = self._measure()
        previous = self.history[-1].diverged if self.history else (None,) * len(self.pack)
        metrics: list[dict[str, float] | None] = []
        diverged: list[int | None] = []
        for member, diverged_before in enumerate(previous):
            values = {**train[member], **test[member]}
            is_finite = all(math.isfinite(value) for value in values.values())
            diverged.append(diverged_before or (None if is_finite else self.epoch))
            logged = {**values, EPOCH_SECONDS: seconds, **measured[member]}
            metrics.append(logged if diverged[-1] is None else None)
        record = EpochRecord(self.epoch, time.time_ns() // 1_000_000, tuple(metrics), tuple(diverged))
        self.history.append(record)
        return record

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds of each part; keeps no record."""
        moments = [time.perf_counter()]
        for part in (self._train, self._evaluate, self._measure):
            part()
            moments.append(time.perf_counter())
        return EpochSeconds(*(end - start for start, end in pairwise(moments)))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from, tensors and plain containers only."""
        return {
            "format": STATE_FORMAT,
            "members": [member.hash for member in self.pack.members],
            "epoch": self.epoch,
            "history": [record.to_state() for record in self.history],
            "parameters": self._parameters,
            "optimizer": self._optimizer.state_dict(),
            "order_generators": [generator.get_state() for generator in self._order],
            "noise_generators": [generator.get_state() for generator in self._noise],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is of another format, belongs to other members, or is laid out otherwise,
                as one of another device is; nothing of it has been taken over then.
        """
        history = read_history(state, self.pack)
        check_layout({**state, "history": []}, {**self.state_dict(), "history": []})
        if state["epoch"] != len(history):
            raise ValueError(
                f"the state must have {state['epoch']} records, one an epoch, got {len(history)}"
            )
        self._parameters.copy_(state["parameters"])
        self._optimizer.load_state_dict(state["optimizer"])
        saved = (*state["order_generators"], *state["noise_generators"])
        for generator, generator_state in zip((*self._order, *self._noise), saved, strict=True):
            generator.set_state(generator_state.cpu())
        self.epoch = state["epoch"]
        self.history = history


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
