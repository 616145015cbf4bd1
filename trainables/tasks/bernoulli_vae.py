"""The task `bernoulli_vae`: auto-encoders with binary latents in training, and their gradients' variance."""

from __future__ import annotations

import time

import torch

import estimators
from estimators.hyperparameter import TEMPERATURE, Hyperparameter
from trainables.models.bernoulli_vae import BernoulliVAE
from trainables.models.discrete_vae import NegElbo
from trainables.pack import Pack
from trainables.schema import DEFAULTS, MEASUREMENT_SECONDS
from trainables.schema.metrics import ESTIMATE_VARIANCE
from trainables.tasks import temperature_after
from trainables.training.epochs import seeded_generator
from trainables.training.process import set_precision
from trainables.training.vae_trainer import VaeTrainer

BINARISED = frozenset({"mnist", "omniglot"})
"""The data sets whose pixels become 0 or 1; those of Fashion-MNIST stay grey."""
NUM_MEASURED_IMAGES = 20


def binarised(images: torch.Tensor) -> torch.Tensor:
    """Map grey levels, bytes, to 0 and 255: those of at least one half to 255."""
    return torch.where(images >= 128, 255, 0).to(torch.uint8)


class BernoulliVaeTrainer(VaeTrainer):
    """A pack of P auto-encoders of `trainables.models.bernoulli_vae` in training.

    After every epoch the variance of the estimator's gradient is measured: that of the reconstruction term
    with respect to θ, over `num_draws` draws at some images that the seed chooses. It is no part of the
    epoch's seconds, and leaves the training as it is.

    Args:
        pack: The members.
        train_images: Grey levels, shape (N, 784), uint8.
        test_images: Grey levels, shape (M, 784), uint8.
        device: Where to train.
    Source: CatLog-Derivative trick, Section 6.3.
    """

    model: BernoulliVAE

    def __init__(
        self,
        pack: Pack,
        train_images: torch.Tensor,
        test_images: torch.Tensor,
        device: str | torch.device = "cpu",
    ) -> None:
        if pack.shared["dataset"] in BINARISED:
            train_images, test_images = binarised(train_images), binarised(test_images)
        super().__init__(pack, train_images, test_images, device)
        self._num_draws = int(pack.shared["num_draws"])
        choosers = [seeded_generator(seed, "measured images", torch.device("cpu")) for seed in self._seeds]
        chosen = [
            torch.randperm(len(train_images), generator=chooser)[:NUM_MEASURED_IMAGES] for chooser in choosers
        ]
        self._measured_images = self._train_images[torch.stack(chosen).to(self._device)]

    def _make_model(self) -> BernoulliVAE:
        shared = self.pack.shared
        averages = not estimators.get(shared["estimator"]).needs_objective
        num_samples = int(shared.get("num_samples", DEFAULTS["num_samples"])) if averages else None
        return BernoulliVAE(int(shared["latent_dim"]), num_samples, self._initial, self._device)

    def _values(self, hyperparameter: Hyperparameter) -> list[float]:
        """Return every member's value; a temperature falls from epoch to epoch."""
        values = super()._values(hyperparameter)
        if hyperparameter.name != TEMPERATURE.name:
            return values
        decay, floor = (
            float(self.pack.shared.get(name, DEFAULTS[name]))
            for name in ("temperature_decay", "temperature_floor")
        )
        return [temperature_after(self.epoch, value, decay, floor) for value in values]

    def _train(self) -> list[dict[str, float]]:
        self._sampler = self._make_sampler(self._noise)
        return super()._train()

    def _differentiate(self, images: torch.Tensor) -> NegElbo:
        return self.model.differentiate(images, self._sampler)

    def _measure(self) -> list[dict[str, float]]:
        """Return the mean over images and variables of the variance over draws."""
        set_precision(self._precision)
        start = time.perf_counter()
        sampler = self._make_sampler(self._generators(f"gradients after epoch {self.epoch + 1}"))
        draws = [self.model.recon_gradient(self._measured_images, sampler) for _ in range(self._num_draws)]
        variance = torch.stack(draws).double().var(0).mean((-1, -2)).tolist()
        seconds = time.perf_counter() - start
        return [{ESTIMATE_VARIANCE.name: one, MEASUREMENT_SECONDS: seconds} for one in variance]
