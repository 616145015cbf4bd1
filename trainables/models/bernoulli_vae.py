"""The discrete variational auto-encoder of the CatLog-Derivative trick, Section 6.3, as a pack of P."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from estimators.score_function import ObjectiveDraw
from estimators.score_function.objective import chunks
from estimators.softmax import with_cheap_softmax
from trainables.models.bernoulli_reconstruction import BernoulliReconstruction, LearntReconstruction
from trainables.models.discrete_vae import NegElbo, Sampler, kl_to_uniform, kl_to_uniform_and_gradient
from trainables.models.network_sizes import BERNOULLI_VAE, Architecture
from trainables.models.networks import joined_networks


class BernoulliVAE:
    """P auto-encoders with L binary variables; in the paper 784-384-256-L-256-384-784.

    A Bernoulli variable with logit θ is the categorical one with logits (0, θ), whose category is its value:
    estimators see two categories, the networks one unit. The prior is uniform.

    Args:
        latent_dim: Number L of variables.
        num_samples: Samples N of each image that a pathwise estimator is averaged over; none for one that
            calls f itself, which chooses its own.
        generators: One CPU generator for each member, for the initial parameters.
        device: Where the parameters are.
        architecture: Of encoder and decoder.

    Attributes:
        parameters: Every parameter of every member, shape (P, n).
        gradients: Gradients of each member's mean negative ELBO, shape (P, n).
    """

    categorical_dim = 2

    def __init__(
        self,
        latent_dim: int,
        num_samples: int | None,
        generators: Sequence[torch.Generator],
        device: str | torch.device = "cpu",
        architecture: Architecture = BERNOULLI_VAE,
    ) -> None:
        self.latent_dim = latent_dim
        self._num_samples = num_samples
        self.parameters, self.gradients, (self.encoder, self.decoder) = joined_networks(
            architecture.widths(latent_dim), generators, device, architecture.activation
        )

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Map images, shape (P or 1, B, N), bytes, to logits (0, θ), shape (P, B, L, 2)."""
        batch_size = images.shape[1]
        self.encoder.inputs(batch_size).copy_(images).div_(255)
        theta = self.encoder.forward(batch_size)
        return with_cheap_softmax(torch.stack((torch.zeros_like(theta), theta), -1))

    def decode(self, sample: torch.Tensor) -> torch.Tensor:
        """Map a sample, shape (P, B, L, 2), to pixel logits, shape (P, B, N)."""
        batch_size = sample.shape[1]
        self.decoder.inputs(batch_size).copy_(sample[..., 1])
        return self.decoder.forward(batch_size)

    def evaluate(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
        """Return the negative ELBO of the images, with one sample of each.

        Args:
            images: Grey levels, shape (P or 1, B, N), uint8.
            sampler: The estimator.
        """
        logits = self.encode(images)
        f = BernoulliReconstruction(self.decoder, self.encoder.inputs(images.shape[1]))
        losses = f(sampler(logits).sample.unsqueeze(0))
        return NegElbo(losses.sum((0, -1)), kl_to_uniform(logits).sum(-1))

    def differentiate(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
        """Return the negative ELBO of the images, and leave the gradient of its mean in `gradients`.

        The decoder's own gradient is that of the mean loss of the samples that the estimator draws, or of
        its first one where it does not hand them over (`LossesOfDraws`).

        Args:
            images: Grey levels, shape (P or 1, B, N), uint8.
            sampler: The estimator.
        Returns:
            Sums over the images; the reconstruction term is the mean over those samples.
        """
        logits = self.encode(images)
        f = LearntReconstruction(self.decoder, self.encoder.inputs(images.shape[1]))
        grad_theta = self._recon_gradient(logits, sampler, f)
        kl, grad_kl = kl_to_uniform_and_gradient(logits)
        self.encoder.backward(grad_theta + grad_kl[..., 1], 1 / images.shape[1])
        return NegElbo(f.mean_losses.sum(-1), kl)

    def recon_gradient(self, images: torch.Tensor, sampler: Sampler) -> torch.Tensor:
        """Estimate the gradient of each image's reconstruction term with respect to θ.

        Args:
            images: Grey levels, shape (P or 1, B, N), uint8.
            sampler: The estimator.
        Returns:
            The estimate, shape (P, B, L); `gradients` are left as they are.
        """
        logits = self.encode(images)
        f = BernoulliReconstruction(self.decoder, self.encoder.inputs(images.shape[1]))
        return self._recon_gradient(logits, sampler, f)

    def _recon_gradient(
        self, logits: torch.Tensor, sampler: Sampler, f: BernoulliReconstruction
    ) -> torch.Tensor:
        if self._num_samples is not None:
            parts = [
                self._pathwise(logits, sampler, f, stop - start, self._num_samples)
                for start, stop in chunks(self._num_samples, f.chunk_size)
            ]
            return torch.stack(parts).sum(0) / self._num_samples
        draw = sampler(logits)
        if not isinstance(draw, ObjectiveDraw):
            raise ValueError("num_samples must be given for an estimator that does not call f itself")
        gradient = draw.rule(f, f.chunk_size).gradient[..., 1]
        if isinstance(f, LearntReconstruction) and not f.has_learnt:
            f.losses_of_draws(draw.sample.argmax(-1).unsqueeze(0))
        return gradient

    def _pathwise(
        self,
        logits: torch.Tensor,
        sampler: Sampler,
        f: BernoulliReconstruction,
        num_samples: int,
        num_in_all: int,
    ) -> torch.Tensor:
        """Return the sum of so many of all pathwise estimates, each of a sample of its own, (P, B, L)."""
        num_members, batch_size, latent_dim, _ = logits.shape
        draw = sampler(with_cheap_softmax(logits.repeat(1, num_samples, 1, 1)))
        if isinstance(draw, ObjectiveDraw):
            raise ValueError("num_samples must be left out for an estimator that calls f itself")
        by_sample = (num_members, num_samples, batch_size, latent_dim)
        values = draw.sample[..., 1].reshape(by_sample).movedim(1, 0)
        grad_values = f.input_gradient(values, num_in_all).movedim(0, 1).flatten(1, 2)
        # The networks read category 1 alone: the gradient with respect to the other is zero.
        grad_sample = torch.stack((torch.zeros_like(grad_values), grad_values), -1)
        return draw.rule(with_cheap_softmax(grad_sample))[..., 1].reshape(by_sample).sum(1)
