"""Training a pack of variational auto-encoders on images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import torch

from trainables.models.discrete_vae import DiscreteVAE, NegElbo, Sampler
from trainables.models.gradient_step import GradientStep
from trainables.pack import Pack
from trainables.training.epoch_trainer import EpochTrainer, Model
from trainables.training.pictures import NUM_IMAGES, Autoencoder, draw_pictures
from trainables.training.process import set_precision

EVALUATION_BATCH_SIZE = 1000
_STEPS_FETCHED_AT_ONCE = 10


class VAE(Model, Autoencoder, Protocol):
    """A pack of P auto-encoders that can be trained."""

    def evaluate(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
        """Return the negative ELBO of images, shape (P or 1, B, 784), uint8."""


class VaeTrainer(EpochTrainer):
    """A pack of P auto-encoders in training.

    Args:
        pack: The members; their params settle everything about the results.
        train_images: Grey levels, shape (N, 784), uint8.
        test_images: Grey levels, shape (M, 784), uint8.
        device: Where to train.
    """

    def __init__(
        self,
        pack: Pack,
        train_images: torch.Tensor,
        test_images: torch.Tensor,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(pack, device)
        self._train_images = train_images.to(self._device)
        self._test_images = test_images.to(self._device)
        self._batch_size = int(pack.shared["batch_size"])
        self.model = self._make_model()
        self._start(self.model)
        self._sampler = self._make_sampler(self._noise)

    @abstractmethod
    def _make_model(self) -> VAE:
        """Return the auto-encoders with their initial parameters."""

    @abstractmethod
    def _differentiate(self, images: torch.Tensor) -> NegElbo:
        """Leave the gradient of a batch's mean negative ELBO in the model; return its sum."""

    def _train(self) -> list[dict[str, float]]:
        """Run one pass over the training set; return each member's mean terms of its updates."""
        set_precision(self._precision)
        num_images = len(self._train_images)
        orders = [torch.randperm(num_images, generator=generator) for generator in self._order]
        order = torch.stack(orders).to(self._device)
        losses = []
        # Images lie all over the memory: to fetch those of several steps at once takes a third of the time.
        for indices in torch.split(order, self._batch_size * _STEPS_FETCHED_AT_ONCE, 1):
            fetched = self._train_images.index_select(0, indices.flatten()).view(*indices.shape, -1)
            for images in torch.split(fetched, self._batch_size, 1):
                losses.append(self._differentiate(images))
                self._optimizer.step()
        return _member_means("train", losses, num_images)

    def _evaluate(self) -> list[dict[str, float]]:
        """Run one pass over the test set, one sample per image; return each member's mean terms."""
        set_precision(self._precision)
        losses = [
            self.model.evaluate(images.unsqueeze(0), self._sampler)
            for images in torch.split(self._test_images, EVALUATION_BATCH_SIZE)
        ]
        return _member_means("test", losses, len(self._test_images))

    def pictures(self) -> list[bytes | None]:
        """Return a PNG of what each member has learned (`draw_pictures`); none of one that has diverged."""
        set_precision(self._precision)
        generators = self._generators("pictures")
        sampler = self._make_sampler(generators)
        drawn = draw_pictures(self.model, self._test_images[:NUM_IMAGES], sampler, generators)
        diverged = self.history[-1].diverged if self.history else (None,) * len(drawn)
        return [png if epoch is None else None for png, epoch in zip(drawn, diverged, strict=True)]


class PackTrainer(VaeTrainer):
    """A pack of P discrete VAEs (`trainables.models.discrete_vae`) in training; arguments as above."""

    model: DiscreteVAE

    def _make_model(self) -> DiscreteVAE:
        shared = self.pack.shared
        shape = int(shared["categorical_dim"]), int(shared["latent_dim"])
        return DiscreteVAE(*shape, self._initial, self._device)

    @cached_property
    def _gradient_step(self) -> GradientStep:
        return GradientStep(self.model, self._sampler, self._noise)

    def _differentiate(self, images: torch.Tensor) -> NegElbo:
        if self.pack.shared.get("estimator_version"):  # a user's own may do what no recording can
            return self.model.differentiate(images, self._sampler)
        return self._gradient_step(images)


def _member_means(split: str, losses: Sequence[NegElbo], num_images: int) -> list[dict[str, float]]:
    """Map the sums over each batch to each member's means over the images."""
    recon, kl = (
        torch.stack(terms).sum(0, dtype=torch.float64) / num_images
        for terms in ([loss.recon for loss in losses], [loss.kl for loss in losses])
    )
    return [_named(split, *terms) for terms in zip(recon.tolist(), kl.tolist(), strict=True)]


def _named(split: str, recon: float, kl: float) -> dict[str, float]:
    return {f"{split}_neg_elbo": recon + kl, f"{split}_recon": recon, f"{split}_kl": kl}
