"""Gumbel noise: free draws, and averages over draws conditional on the category that won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from estimators.randomness import Generators, exponential, fill_exponential


def sample_gumbel(shape: Sequence[int], generator: Generators, *, like: torch.Tensor) -> torch.Tensor:
    """Draw from Gumbel(0, 1).

    Args:
        shape: Shape of the result.
        generator: Source of randomness; PyTorch's default generator where none is given.
        like: Tensor whose device the result takes, and whose dtype where that is at least float32.
    """
    return exponential(shape, generator, like=like).log_().neg_()


def averaged_softmax_vjp(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Average the tempered softmax's vector-Jacobian product over conditional Gumbel draws.

        (1/K) Σ_k J_τ(Y_k) g,   Y_k ~ logits + G given the sample

    With E ~ Exp(1), log p = log_softmax(logits) and i the category of the sample,

        Y_i = -log E_i,        Y_j = -log(E_j / p_j + E_i)  for j ≠ i,

    so that argmax Y = i always. The derivative through Y's own dependence on logits is left out, as in the
    paper. On a GPU with Triton one kernel makes draws of its own and averages them
    (`estimators.fused_gumbel`).

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        sample: One-hot category to condition on, shape (..., L, C).
        grad_sample: Gradient with respect to the sample, shape (..., L, C).
        temperature: Softmax temperature τ > 0, broadcastable to (..., 1, 1).
        num_mc_samples: Number K of draws.
        generator: Source of randomness; PyTorch's default generator where none is given.
    Returns:
        Averaged product, shape (..., L, C).
    Source: Beyond ReinMax, Eq. 6 and 7, with logits normalised so that Z = 1.
    """
    if not logits.numel():
        return torch.zeros_like(logits)
    if logits.is_cuda:
        from estimators import fused_gumbel  # by way of Triton, which takes a hundred MiB

        if fused_gumbel.takes(logits):
            return fused_gumbel.fused_averaged_softmax_vjp(
                logits, sample, grad_sample, temperature, num_mc_samples, generator
            )
    shape = logits.shape
    # Members, each with a generator of its own, x rows, the independent variables x categories.
    num_members = 1 if isinstance(generator, torch.Generator | None) else shape[0]
    rows = (num_members, -1, shape[-1])
    variables = _Variables(
        torch.log_softmax(logits.reshape(rows), -1),
        sample.reshape(rows),
        grad_sample.reshape(rows),
        _spread(temperature, shape, num_members),
    )
    size = _rows_at_once(variables.log_probs, num_mc_samples)
    noise = logits.new_empty(num_members * size * shape[-1] * num_mc_samples)
    chunks = [
        variables.part(start, size).averaged_vjp(noise, num_mc_samples, generator)
        for start in range(0, variables.log_probs.shape[1], size)
    ]
    return torch.cat(chunks, 1).view(shape)


@dataclass(frozen=True)
class _Variables:
    """Variables of each member, a row each.

    With E ~ Exp(1) and i the sampled category, exp(-Y_i) = E_i and exp(-Y_j) = E_j / p_j + E_i, so that, up
    to a factor that the softmax loses, exp(Y_j / τ) is

        r_i = 1,        r_j = (1 + E_j / (p_j E_i))^(-1/τ)  for j ≠ i.

    Args:
        log_probs: log p, shape (P, rows, C).
        sample: One-hot category, shape (P, rows, C).
        grad_sample: Gradient with respect to the sample, shape (P, rows, C).
        temperature: τ, a number or of shape (P, rows, 1).
    """

    log_probs: torch.Tensor
    sample: torch.Tensor
    grad_sample: torch.Tensor
    temperature: float | torch.Tensor

    def part(self, start: int, count: int) -> _Variables:
        """Return some of the rows."""
        rows = slice(start, start + count)
        tau = self.temperature
        return _Variables(
            self.log_probs[:, rows],
            self.sample[:, rows],
            self.grad_sample[:, rows],
            tau[:, rows] if isinstance(tau, torch.Tensor) else tau,
        )

    def averaged_vjp(self, noise: torch.Tensor, num_mc_samples: int, generator: Generators) -> torch.Tensor:
        """Return the average, shape (P, rows, C); the draws are made in `noise`, of P·rows·C·K numbers."""
        num_members, num_rows, categorical_dim = shape = self.log_probs.shape
        ratio = noise[: shape.numel() * num_mc_samples].view(*shape, num_mc_samples)
        fill_exponential(ratio, generator)
        flat = ratio.view(-1, num_mc_samples)
        winner = self.sample.argmax(-1).flatten()
        winner += torch.arange(len(winner), device=winner.device) * categorical_dim
        ratio /= flat.index_select(0, winner).view(num_members, num_rows, 1, num_mc_samples)
        inverse_probs, factor = self._inverse_probs()
        ratio *= inverse_probs.unsqueeze(-1)
        tau = self.temperature
        power = -1 / (tau.unsqueeze(-1) if isinstance(tau, torch.Tensor) else tau)
        weights = ratio.add_(1).log_().mul_(power).exp_().view(-1, categorical_dim, num_mc_samples)

        factor_and_gradient = torch.stack((factor, factor * self.grad_sample), -2).flatten(0, 1)
        normaliser, gradient = torch.bmm(factor_and_gradient, weights).chunk(2, 1)
        inverse = normaliser.reciprocal_()
        moments = torch.cat((inverse, gradient.mul_(inverse).mul_(inverse)), 1)
        mean, mean_times_gradient = torch.bmm(weights, moments.mT).view(*self.log_probs.shape, 2).unbind(-1)
        product = factor * (self.grad_sample * mean - mean_times_gradient)
        return product / (num_mc_samples * tau)

    def _inverse_probs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return 1 / p_j, 0 for the winner, and the factor by which r_j is too large then.

        1 / p_j overflows where p_j is small. It is cut off where E_j / (p_j E_i) dwarfs 1: whatever E is in
        float32, but for a few draws in 10¹¹ in float64. What was cut off is a mere factor of r_j.
        """
        cut_off = 60.0
        is_loser = 1 - self.sample
        inverse_probs = self.log_probs.clamp(min=-cut_off).neg_().exp_().mul_(is_loser)
        excess = (self.log_probs + cut_off).clamp_(max=0).mul_(is_loser)
        return inverse_probs, excess.div_(self.temperature).exp_()


def _spread(temperature: float | torch.Tensor, shape: torch.Size, num_members: int) -> float | torch.Tensor:
    """Return a temperature that broadcasts to (..., 1, 1) as one for each row, (P, rows, 1)."""
    if not isinstance(temperature, torch.Tensor):
        return temperature
    return temperature.expand(*shape[:-1], 1).reshape(num_members, -1, 1)


def _rows_at_once(log_probs: torch.Tensor, num_mc_samples: int) -> int:
    """Return of how many rows of each member draws are made at once: 2 MiB of them, 64 on an accelerator.

    Not of fewer in a larger pack: on a GPU a member's draws depend on how many are made at once.
    """
    _, num_rows, categorical_dim = log_probs.shape
    numbers = 2**19 if log_probs.device.type == "cpu" else 2**24
    return max(1, min(num_rows, numbers // (categorical_dim * num_mc_samples)))
