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


class RecordedTrainer(ABC):
    """A pack of P members at work by epochs. P = 1 is the ordinary case and runs the same lines.

    Every member has generators of its own, so that its noise does not depend on who else is in the pack.

    Args:
        pack: The members; their params settle everything about the results.
        device: Where to train.

    Attributes:
        history: A record for each epoch done.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        self.pack = pack
        self.history: list[EpochRecord] = []
        self._device = torch.device(device)
        self._seeds = [member.seed for member in pack.members]
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
    def _run(self) -> Sequence[Mapping[str, float]]:
        """Do an epoch; return the metrics of each member."""

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """Return what is added to the state."""

    @abstractmethod
    def _load_own(self, state: Mapping[str, Any]) -> None:
        """Take over what was added to a state that is laid out as its own."""


class EpochTrainer(RecordedTrainer):
    """A pack of P models in training on the images of a data set; arguments as for `RecordedTrainer`.

    A subclass makes the model, and then calls `_start`.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        super().__init__(pack, device)
        cpu = torch.device("cpu")
        self._initial = [torch.Generator(cpu).manual_seed(seed) for seed in self._seeds]
        self._order = [seeded_generator(seed, "order", cpu) for seed in self._seeds]
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
        """Return what each member logs besides; it leaves the training, and its seconds, as they are."""
        return [{}] * len(self.pack)

    def _run(self) -> list[dict[str, float]]:
        start = time.perf_counter()
        train, test = self._train(), self._evaluate()
        seconds = {EPOCH_SECONDS: time.perf_counter() - start}
        parts = zip(train, test, self._measure(), strict=True)
        return [{**of_train, **of_test, **seconds, **measured} for of_train, of_test, measured in parts]

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds of each part; keeps no record."""
        moments = [time.perf_counter()]
        for part in (self._train, self._evaluate, self._measure):
            part()
            moments.append(time.perf_counter())
        return EpochSeconds(*(end - start for start, end in pairwise(moments)))

    def _own_state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "parameters": self._parameters,
            "optimizer": self._optimizer.state_dict(),
            "order_generators": [generator.get_state() for generator in self._order],
        }

    def _load_own(self, state: Mapping[str, Any]) -> None:
        self._parameters.copy_(state["parameters"])
        self._optimizer.load_state_dict(state["optimizer"])
        load_generators(self._order, state["order_generators"])


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
