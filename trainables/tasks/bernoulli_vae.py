"""The task `bernoulli_vae`: auto-encoders with binary latents in training, and their gradients' variance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trainables.models.network_sizes import BERNOULLI_VAE as ARCHITECTURE
from trainables.schema import FREE_IN_PACKS, MEASUREMENT_SECONDS
from trainables.schema.dataset_names import DATASET_NAMES
from trainables.schema.metrics import MEASUREMENT, SECONDS
from trainables.task import OPTIONAL, Figure, Task
from trainables.tasks.mnist_vae import IMAGE_KEYS, NETWORK_KEYS, TRAINING_KEYS, VAE_METRICS
from trainables.tasks.synthetic_optimisation import ESTIMATE_VARIANCE
from trainables.training.generators import generators_of
from trainables.training.vae_trainer import VaeTrainer

if TYPE_CHECKING:
    import torch

    from trainables.models.bernoulli_vae import BernoulliVAE
    from trainables.models.discrete_vae import NegElbo

BERNOULLI_VAE = "bernoulli_vae"
BINARISED = frozenset({"mnist", "omniglot"})
"""The data sets whose pixels become 0 or 1; those of Fashion-MNIST stay grey."""
NUM_MEASURED_IMAGES = 20


def binarised(images: torch.Tensor) -> torch.Tensor:
    """Map grey levels, bytes, to 0 and 255: those of at least one half to 255."""
    return (images >= 128).to(images.dtype).mul_(255)


class BernoulliVaeTrainer(VaeTrainer):
    """A pack of P auto-encoders of `trainables.models.bernoulli_vae` in training; arguments as for `Trainer`.

    After every epoch the variance of the estimator's gradient is measured: that of the reconstruction term
    with respect to θ, over `num_draws` draws at some images that the seed chooses. It is no part of the
    epoch's seconds, and leaves the training as it is.

    Source: CatLog-Derivative trick, Section 6.3.
    """

    model: BernoulliVAE

    def _start(self) -> None:
        import torch

        if self.pack.shared["dataset"] in BINARISED:
            train, test = map(binarised, self.data.images)
            self._data = replace(self.data, train_images=train, test_images=test)
        super()._start()
        self._num_draws = int(self.pack.shared["num_draws"])
        count = len(self._train_images)
        chosen = [
            torch.randperm(count, generator=chooser)[:NUM_MEASURED_IMAGES]
            for chooser in generators_of(self.pack, "measured images")
        ]
        self._measured_images = self._train_images[torch.stack(chosen).to(self._device)]

    def _make_model(self, generators: Sequence[torch.Generator]) -> BernoulliVAE:
        from trainables.models.bernoulli_vae import BernoulliVAE

        shared, num_draws = self.pack.shared, self._estimator.num_draws
        architecture = ARCHITECTURE.of(shared)
        return BernoulliVAE(int(shared["latent_dim"]), num_draws, generators, self._device, architecture)

    def _train(self) -> list[dict[str, float]]:
        self._sampler = self._estimator.sampler(self.epoch)
        return super()._train()

    def _differentiate(self, images: torch.Tensor) -> NegElbo:
        return self.model.differentiate(images, self._sampler)

    def _measure(self) -> list[dict[str, float]]:
        """Return the mean over images and variables of the variance over draws."""
        import torch

        start = time.perf_counter()
        generators = self._generators(f"gradients after epoch {self.epoch + 1}")
        sampler = self._estimator.sampler(self.epoch, generators)
        draws = [self.model.recon_gradient(self._measured_images, sampler) for _ in range(self._num_draws)]
        variance = torch.stack(draws).double().var(0).mean((-1, -2)).tolist()
        seconds = time.perf_counter() - start
        return [{ESTIMATE_VARIANCE.name: one, MEASUREMENT_SECONDS: seconds} for one in variance]


TASK = Task(
    BERNOULLI_VAE,
    BernoulliVaeTrainer,
    (*VAE_METRICS, ESTIMATE_VARIANCE, SECONDS, MEASUREMENT),
    headline="test_neg_elbo",
    progress="train_neg_elbo",
    keys={**IMAGE_KEYS, "measure": {"draws": 10}},
    measure_keys={"draws": 10},
    block_keys={
        **TRAINING_KEYS,
        **NETWORK_KEYS,
        "temperature_decay": [0.0],
        "temperature_floor": [0.0],
        "epochs": OPTIONAL,
    },
    datasets=DATASET_NAMES,
    categorical_dim=2,
    free_params=FREE_IN_PACKS | {"seed"},
    free_on_gpu=frozenset({"lr"}),
    num_parameters=lambda params: ARCHITECTURE.of(params).num_parameters(int(params["latent_dim"])),
    architecture=ARCHITECTURE,
    least_draws=2,
    averages_draws=True,
    comparable_params=("num_draws",),
    label_params=("num_samples",),
    draws_pictures=True,
    figures=(Figure(("train_neg_elbo", "test_neg_elbo", "estimate_variance"), "seconds"),),
)
