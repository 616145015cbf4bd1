"""The task `mnist_vae`: variational auto-encoders with categorical latents in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from trainables.models.network_sizes import VAE
from trainables.schema import FREE_IN_PACKS, NETWORK_PARAMS
from trainables.schema.dataset_names import DATASET_NAMES
from trainables.schema.metrics import SECONDS, Metric, names_of
from trainables.task import OPTIONAL, REQUIRED, Keys, Task
from trainables.training.vae_trainer import VaeTrainer

if TYPE_CHECKING:
    import torch

    from trainables.models.discrete_vae import DiscreteVAE, NegElbo
    from trainables.models.gradient_step import GradientStep

MNIST_VAE = "mnist_vae"
NATS = "nats per image"
VAE_METRICS = (
    Metric("train_neg_elbo", "train negative ELBO", NATS, may_select=True, is_steep=True),
    Metric("train_recon", "train reconstruction term", NATS, may_select=True, is_steep=True),
    Metric("train_kl", "train KL term", NATS, may_select=True),
    Metric("test_neg_elbo", "test negative ELBO", NATS, is_steep=True),
    Metric("test_recon", "test reconstruction term", NATS, is_steep=True),
    Metric("test_kl", "test KL term", NATS),
)
"""The negative evidence lower bound and the two terms that it is the sum of."""
IMAGE_KEYS: Keys = {"dataset": "mnist", "epochs": REQUIRED, "batch_size": 100, "precision": "float32"}
TRAINING_KEYS: Keys = {"optimizer": ["adam"], "lr": REQUIRED}
NETWORK_KEYS: Keys = dict.fromkeys(NETWORK_PARAMS, OPTIONAL)


def num_vae_parameters(params: Mapping[str, str]) -> int:
    """Return how many numbers the parameters of a member's model take."""
    return VAE.of(params).num_parameters(int(params["categorical_dim"]) * int(params["latent_dim"]))


class DiscreteVaeTrainer(VaeTrainer):
    """A pack of P discrete VAEs (`trainables.models.discrete_vae`) in training; arguments as for `Trainer`.

    Source: Beyond ReinMax, Section 4.
    """

    model: DiscreteVAE

    def _make_model(self, generators: Sequence[torch.Generator]) -> DiscreteVAE:
        from trainables.models.discrete_vae import DiscreteVAE

        shared = self.pack.shared
        latent = int(shared["categorical_dim"]), int(shared["latent_dim"])
        return DiscreteVAE(*latent, generators, self._device, VAE.of(shared))

    @cached_property
    def _gradient_step(self) -> GradientStep:
        from trainables.models.gradient_step import GradientStep

        return GradientStep(self.model, self._sampler, self._estimator.noise)

    def _differentiate(self, images: torch.Tensor) -> NegElbo:
        if self.pack.shared.get("estimator_version"):  # a user's own may do what no recording can
            return self.model.differentiate(images, self._sampler)
        return self._gradient_step(images)


TASK = Task(
    MNIST_VAE,
    DiscreteVaeTrainer,
    (*VAE_METRICS, SECONDS),
    headline="test_neg_elbo",
    progress="train_neg_elbo",
    keys=IMAGE_KEYS,
    block_keys={**TRAINING_KEYS, **NETWORK_KEYS},
    datasets=DATASET_NAMES,
    free_params=FREE_IN_PACKS | {"seed"},
    free_on_gpu=frozenset({"lr"}),
    num_parameters=num_vae_parameters,
    architecture=VAE,
    search_metrics=names_of(*VAE_METRICS),
    draws_pictures=True,
)
