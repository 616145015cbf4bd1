"""What trains the packs of each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from trainables.gradient_quality import GradientQualityTrainer
from trainables.pack import Pack
from trainables.schema import GRADIENT_QUALITY, MNIST_VAE
from trainables.training import EpochRecord, EpochSeconds, PackTrainer


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

    def pictures(self) -> list[bytes | None]:
        """Return a PNG of what each member has learned, where there is one to show."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""


class MakeTrainer(Protocol):
    """Makes a trainer; arguments as for `PackTrainer`."""

    def __call__(
        self,
        pack: Pack,
        train_images: torch.Tensor,
        test_images: torch.Tensor,
        device: str | torch.device = "cpu",
    ) -> Trainer:
        """Make it."""


TRAINERS: Mapping[str, MakeTrainer] = {
    MNIST_VAE: PackTrainer,
    GRADIENT_QUALITY: GradientQualityTrainer,
}
"""The trainer of each task."""


def trainer_of(
    pack: Pack,
    train_images: torch.Tensor,
    test_images: torch.Tensor,
    device: str | torch.device = "cpu",
) -> Trainer:
    """Return a trainer of a pack; arguments as for `PackTrainer`."""
    return TRAINERS[pack.shared["task"]](pack, train_images, test_images, device)
