"""Training a pack: one epoch, one evaluation, and the state from which it goes on."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

import estimators
from trainables.discrete_vae import DiscreteVAE, NegElbo
from trainables.gradient_step import GradientStep
from trainables.optimizers import OPTIMIZERS
from trainables.pack import Pack, free_params
from trainables.process import set_precision
from trainables.schema import DEFAULTS, EPOCH_SECONDS
from trainables.state_layout import check_layout

EVALUATION_BATCH_SIZE = 1000
STATE_FORMAT = 1
"""Goes up when what a state holds changes its meaning, which its layout need not show."""
_STEPS_FETCHED_AT_ONCE = 10


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


class PackTrainer:
    """A pack of P discrete VAEs in training. P = 1 is the ordinary case and runs the same lines.

    Args:
        pack: The members; their params settle everything about the results.
        train_images: Grey levels, shape (N, 784), uint8.
        test_images: Grey levels, shape (M, 784), uint8.
        device: Where to train.

    Attributes:
        epoch: Number of epochs done.
        history: A record for each of them.
    """

    def __init__(
        self,
        pack: Pack,
        train_images: torch.Tensor,
        test_images: torch.Tensor,
        device: str | torch.device = "cpu",
    ) -> None:
        self.pack = pack
        self.epoch = 0
        self.history: list[EpochRecord] = []
        self._device = torch.device(device)
        self._train_images = train_images.to(self._device)
        self._test_images = test_images.to(self._device)
        shared = pack.shared
        self._batch_size = int(shared["batch_size"])
        seeds = [member.seed for member in pack.members]
        cpu = torch.device("cpu")
        self._order = [seeded_generator(seed, "order", cpu) for seed in seeds]
        self._noise = [seeded_generator(seed, "noise", self._device) for seed in seeds]
        self.model = DiscreteVAE(
            int(shared["categorical_dim"]),
            int(shared["latent_dim"]),
            [torch.Generator(cpu).manual_seed(seed) for seed in seeds],
            self._device,
        )
        self._optimizer = OPTIMIZERS[shared["optimizer"]](
            self.model.parameters, self.model.gradients, float(shared["lr"])
        )
        self._sampler = partial(
            estimators.get(shared["estimator"]).draw,
            **self._hyperparameters(),
            generator=self._noise,
        )
        self._gradient_step = GradientStep(self.model, self._sampler, self._noise)
        self._precision = shared.get("precision", DEFAULTS["precision"])

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
        previous = self.history[-1].diverged if self.history else (None,) * len(self.pack)
        metrics: list[dict[str, float] | None] = []
        diverged: list[int | None] = []
        for member, diverged_before in enumerate(previous):
            values = {**_named("train", train[member]), **_named("test", test[member])}
            is_finite = all(math.isfinite(value) for value in values.values())
            diverged.append(diverged_before or (None if is_finite else self.epoch))
            metrics.append({**values, EPOCH_SECONDS: seconds} if diverged[-1] is None else None)
        record = EpochRecord(self.epoch, time.time_ns() // 1_000_000, tuple(metrics), tuple(diverged))
        self.history.append(record)
        return record

    def time_epoch(self) -> EpochSeconds:
        """Train on every image once, evaluate once, and return the seconds of each; keeps no record."""
        start = time.perf_counter()
        self._train()
        middle = time.perf_counter()
        self._evaluate()
        return EpochSeconds(middle - start, time.perf_counter() - middle)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from, tensors and plain containers only."""
        return {
            "format": STATE_FORMAT,
            "members": [member.hash for member in self.pack.members],
            "epoch": self.epoch,
            "history": [record.to_state() for record in self.history],
            "parameters": self.model.parameters,
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
        self.model.parameters.copy_(state["parameters"])
        self._optimizer.load_state_dict(state["optimizer"])
        saved = (*state["order_generators"], *state["noise_generators"])
        for generator, generator_state in zip((*self._order, *self._noise), saved, strict=True):
            generator.set_state(generator_state.cpu())
        self.epoch = state["epoch"]
        self.history = history

    def _hyperparameters(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for hyperparameter in estimators.get(self.pack.shared["estimator"]).hyperparameters:
            name = hyperparameter.name
            values = [float(member.params.get(name, DEFAULTS[name])) for member in self.pack.members]
            if name in free_params(self.pack.shared["task"]):
                arguments[name] = torch.tensor(values, device=self._device).view(-1, 1, 1, 1)
            else:
                arguments[name] = hyperparameter.number(values[0])
        return arguments

    def _train(self) -> list[tuple[float, float]]:
        """Run one pass over the training set; return each member's mean recon and kl of its updates."""
        set_precision(self._precision)
        num_images = len(self._train_images)
        orders = [torch.randperm(num_images, generator=generator) for generator in self._order]
        order = torch.stack(orders).to(self._device)
        losses = []
        # Images lie all over the memory: to fetch those of several steps at once takes a third of the time.
        for indices in torch.split(order, self._batch_size * _STEPS_FETCHED_AT_ONCE, 1):
            fetched = self._train_images.index_select(0, indices.flatten()).view(*indices.shape, -1)
            for images in torch.split(fetched, self._batch_size, 1):
                losses.append(self._gradient_step(images))
                self._optimizer.step()
        return _member_means(losses, num_images)

    def _evaluate(self) -> list[tuple[float, float]]:
        """Run one pass over the test set, one sample per image; return each member's mean recon and kl."""
        set_precision(self._precision)
        losses = [
            self.model.evaluate(images.unsqueeze(0), self._sampler)
            for images in torch.split(self._test_images, EVALUATION_BATCH_SIZE)
        ]
        return _member_means(losses, len(self._test_images))


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


def _member_means(losses: Sequence[NegElbo], num_images: int) -> list[tuple[float, float]]:
    """Map the sums over each batch to each member's means over the images."""
    recon, kl = (
        torch.stack(terms).sum(0, dtype=torch.float64) / num_images
        for terms in ([loss.recon for loss in losses], [loss.kl for loss in losses])
    )
    return list(zip(recon.tolist(), kl.tolist(), strict=True))


def _named(split: str, terms: Sequence[float]) -> dict[str, float]:
    recon, kl = terms
    return {f"{split}_neg_elbo": recon + kl, f"{split}_recon": recon, f"{split}_kl": kl}
