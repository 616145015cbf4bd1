"""The discrete variational auto-encoder of Beyond ReinMax, Section 4, as a pack of P."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from estimators.sampling import Draw
from estimators.score_function import ObjectiveDraw
from estimators.softmax import log_softmax, with_cheap_softmax
from trainables.models.network_sizes import VAE, Architecture
from trainables.models.networks import joined_networks
from trainables.models.reconstruction import Reconstruction

Sampler = Callable[[torch.Tensor], Draw | ObjectiveDraw]
"""Maps logits (P, B, L, C) to a draw: an estimator's `draw` with everything but the logits filled in."""


@dataclass(frozen=True)
class NegElbo:
    """The two terms of the negative ELBO summed over a batch of images, in nats, each of shape (P,)."""

    recon: torch.Tensor
    kl: torch.Tensor


class DiscreteVAE:
    """P auto-encoders with L categorical variables of C categories each.

    In the paper they are 784-512-256-(L·C)-256-512-784.

    The gradient is written out, but for the way through the sample: that is the rule of the estimator's draw.

    Args:
        categorical_dim: Number C of categories.
        latent_dim: Number L of variables.
        generators: One CPU generator for each member, for the initial parameters.
        device: Where the parameters are.
        architecture: Of encoder and decoder.

    Attributes:
        parameters: Every parameter of every member, shape (P, N).
        gradients: Gradients of each member's mean negative ELBO, shape (P, N).
    """

    def __init__(
        self,
        categorical_dim: int,
        latent_dim: int,
        generators: Sequence[torch.Generator],
        device: str | torch.device = "cpu",
        architecture: Architecture = VAE,
    ) -> None:
        self.categorical_dim = categorical_dim
        self.latent_dim = latent_dim
        self.parameters, self.gradients, (self.encoder, self.decoder) = joined_networks(
            architecture.widths(categorical_dim * latent_dim), generators, device, architecture.activation
        )

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Map images, shape (P or 1, B, N), bytes, to logits, shape (P, B, L, C).

        The next call may write over the result, which for some shapes is the network's own buffer.
        """
        batch_size = images.shape[1]
        self.encoder.inputs(batch_size).copy_(images).div_(255)
        return with_cheap_softmax(self._per_variable(self.encoder.forward(batch_size)))

    def decode(self, sample: torch.Tensor) -> torch.Tensor:
        """Map a sample, shape (P, B, L, C), to pixel logits, shape (P, B, N)."""
        batch_size = sample.shape[1]
        self._per_variable(self.decoder.inputs(batch_size)).copy_(sample)
        return self.decoder.forward(batch_size)

    def _per_variable(self, tensor: torch.Tensor) -> torch.Tensor:
        """View (P, B, L·C) as (P, B, L, C)."""
        return tensor.view(*tensor.shape[:2], self.latent_dim, self.categorical_dim)

    def evaluate(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
        """Return the negative ELBO of the images, with one sample of each.

        Args:
            images: Grey levels, shape (P or 1, B, N), uint8; they are not binarised.
            sampler: The estimator.
        """
        logits = self.encode(images)
        pixel_logits = self.decode(sampler(logits).sample)
        recon = bernoulli_nll(pixel_logits, self.encoder.inputs(images.shape[1]))
        return NegElbo(recon, kl_to_uniform(logits).sum(-1))

    def differentiate(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
        """Return the negative ELBO of the images, and leave the gradient of its mean in `gradients`.

        One sample per image, which is what the decoder's own gradient is taken at. The KL term is
        differentiated through the logits directly; only the reconstruction term's gradient passes through
        the estimator, as its gradient with respect to the sample or, where that asks for it, as itself.

        Args:
            images: Grey levels, shape (P or 1, B, N), uint8; they are not binarised.
            sampler: The estimator.
        """
        batch_size = images.shape[1]
        logits = self.encode(images)
        draw = sampler(logits)
        pixel_logits = self.decode(draw.sample)
        recon, grad_pixels = bernoulli_nll_and_gradient(pixel_logits, self.encoder.inputs(batch_size))
        # These are gradients of sums over the batch; the weight products divide them by its size.
        grad_first = self.decoder.backward(grad_pixels, 1 / batch_size)
        if isinstance(draw, ObjectiveDraw):
            # It writes over the decoder's buffers, of which nothing is needed any more.
            objective = Reconstruction(self.decoder, self.encoder.inputs(batch_size))
            grad_recon = draw.rule(objective, objective.chunk_size).gradient
            grad_logits = torch.empty(grad_recon.shape, device=grad_recon.device)
        else:
            grad_logits = self._per_variable(self.decoder.input_gradient(grad_first))
            grad_recon = draw.rule(with_cheap_softmax(grad_logits))
        kl, grad_kl = kl_to_uniform_and_gradient(logits)
        torch.add(grad_recon, grad_kl, out=grad_logits)
        self.encoder.backward(grad_logits.flatten(-2), 1 / batch_size)
        return NegElbo(recon, kl)


def kl_to_uniform(logits: torch.Tensor) -> torch.Tensor:
    """Return KL(softmax(logits) ‖ uniform) = Σ q log q + L log C in nats: (..., L, C) to (...)."""
    log_probs = log_softmax(logits)
    negative_entropy = (log_probs.exp() * log_probs).sum(-1)
    return (negative_entropy + math.log(logits.shape[-1])).sum(-1)


def kl_to_uniform_and_gradient(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `kl_to_uniform` summed over a batch, and its gradient.

    With H the entropy of one variable, the gradient is q (log q + H).

    Args:
        logits: Unnormalised log-probabilities, shape (P, B, L, C).
    Returns:
        The sum, shape (P,), in nats; its gradient with respect to the logits, shape (P, B, L, C).
    """
    log_probs = log_softmax(logits)
    probs = log_probs.exp()
    terms = probs * log_probs
    negative_entropy = terms.sum(-1, keepdim=True)
    gradient = terms.addcmul_(probs, negative_entropy, value=-1)
    return negative_entropy.add_(math.log(logits.shape[-1])).sum((-1, -2, -3)), gradient


def bernoulli_nll(pixel_logits: torch.Tensor, grey_levels: torch.Tensor) -> torch.Tensor:
    """Return -Σ [y log p + (1 - y) log(1 - p)] = Σ [softplus(x) - x y], in nats.

    Args:
        pixel_logits: Logits x of p, shape (P, B, N); finite ones give a finite result.
        grey_levels: y in [0, 1], shape (P, B, N).
    Returns:
        Negative log-likelihood summed over a batch and its pixels, shape (P,).
    """
    terms = functional.softplus(pixel_logits).addcmul_(pixel_logits, grey_levels, value=-1)
    return terms.sum((-1, -2))


def bernoulli_nll_and_gradient(
    pixel_logits: torch.Tensor, grey_levels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `bernoulli_nll` and its gradient p - y with respect to the logits, shape (P, B, N)."""
    return bernoulli_nll(pixel_logits, grey_levels), torch.sigmoid(pixel_logits).sub_(grey_levels)
