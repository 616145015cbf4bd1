"""What the trainers of tasks without a data set share."""

from __future__ import annotations

import torch

from trainables.pack import Pack
from trainables.training.epochs import RecordedTrainer
from trainables.training.gradient_estimate import GradientEstimate


class SyntheticTrainer(RecordedTrainer):
    """A pack of P members with a function of samples alone; arguments as for `RecordedTrainer`."""

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        super().__init__(pack, device)
        self._latent_dim = int(pack.shared["latent_dim"])
        self._categorical_dim = int(pack.shared["categorical_dim"])
        self._num_draws = int(pack.shared["num_draws"])
        self._estimate = GradientEstimate(pack)
