"""What trains the packs of each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from trainables.pack import Pack
from trainables.tasks import (
    BERNOULLI_VAE,
    GRADIENT_QUALITY,
    MNIST_ADDITION,
    MNIST_VAE,
    SYNTHETIC_GRADIENT,
    SYNTHETIC_OPTIMISATION,
)
from trainables.tasks.bernoulli_vae import BernoulliVaeTrainer
from trainables.tasks.gradient_quality import GradientQualityTrainer
from trainables.tasks.mnist_addition import MnistAdditionTrainer
from trainables.tasks.synthetic_gradient import SyntheticGradientTrainer
from trainables.tasks.synthetic_optimisation import SyntheticOptimisationTrainer
from trainables.training.epochs import EpochRecord, EpochSeconds
from trainables.training.training_data import TrainingData
from trainables.training.vae_trainer import PackTrainer, VaeTrainer


class Trainer(Protocol):
    """A pack in training, an epoch at a time."""

    history: list[EpochRecord]

    @property
    def epoch(self) -> int:
        """Number of epochs done."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to train."""

    def run_epoch(self) -> EpochRecord:
        """Train for one epoch; return (and keep) its record."""

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds; keeps no record."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""


class MakeTrainer(Protocol):
    """Makes a trainer of a pack from the task's data, which a task without data sets has none of."""

    def __call__(
        self, pack: Pack, data: TrainingData | None, device: str | torch.device = "cpu", /
    ) -> Trainer:
        """Make it."""


def _vae(pack: Pack, data: TrainingData | None, device: str | torch.device = "cpu") -> Trainer:
    train, test = _needed(pack, data).images
    return PackTrainer(pack, train, test, device)


def _gradient_quality(pack: Pack, data: TrainingData | None, device: str | torch.device = "cpu") -> Trainer:
    train, test = _needed(pack, data).images
    return GradientQualityTrainer(pack, train, test, device)


def _synthetic_gradient(
    pack: Pack, _data: TrainingData | None, device: str | torch.device = "cpu"
) -> Trainer:
    return SyntheticGradientTrainer(pack, device)


def _synthetic_optimisation(
    pack: Pack, _data: TrainingData | None, device: str | torch.device = "cpu"
) -> Trainer:
    return SyntheticOptimisationTrainer(pack, device)


def _bernoulli_vae(pack: Pack, data: TrainingData | None, device: str | torch.device = "cpu") -> Trainer:
    train, test = _needed(pack, data).images
    return BernoulliVaeTrainer(pack, train, test, device)


def _mnist_addition(pack: Pack, data: TrainingData | None, device: str | torch.device = "cpu") -> Trainer:
    return MnistAdditionTrainer(pack, _needed(pack, data), device)


TRAINERS: Mapping[str, MakeTrainer] = {
    MNIST_VAE: _vae,
    GRADIENT_QUALITY: _gradient_quality,
    SYNTHETIC_GRADIENT: _synthetic_gradient,
    SYNTHETIC_OPTIMISATION: _synthetic_optimisation,
    BERNOULLI_VAE: _bernoulli_vae,
    MNIST_ADDITION: _mnist_addition,
}
"""The trainer of each task."""


def trainer_of(pack: Pack, data: TrainingData | None, device: str | torch.device = "cpu") -> Trainer:
    """Return a trainer of a pack.

    Args:
        pack: The members.
        data: Images and labels; none for a task that needs no data set.
        device: Where to train.
    Raises:
        ValueError: If the task needs data and has none.
    """
    return TRAINERS[pack.task.name](pack, data, device)


def pictures_of(trainer: Trainer, pack: Pack) -> list[bytes | None]:
    """Return a PNG of what each member has learned, where the task draws any (`Task.draws_pictures`)."""
    if not pack.task.draws_pictures:
        return [None] * len(pack)
    if not isinstance(trainer, VaeTrainer):
        raise ValueError(f"task {pack.task.name} draws pictures, and its trainer must be able to")
    return trainer.pictures()


def _needed(pack: Pack, data: TrainingData | None) -> TrainingData:
    if data is None:
        raise ValueError(f"a pack of task {pack.task.name} must be given its data, got None")
    return data
