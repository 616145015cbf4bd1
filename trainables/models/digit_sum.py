"""The sum of independent digits: whether it is the label, for samples and for changes of one digit."""

from __future__ import annotations

import torch

from estimators.sampling import Draw
from estimators.score_function import ObjectiveDraw

NUM_DIGITS = 10
LEAST_PROBABILITY = 1e-8
"""What is added to an estimated probability before its logarithm is taken."""


class IsSum:
    """f of a batch of examples: maps one-hot samples (S, P, B, D, 10) to 1 where their sum is the label.

    Args:
        labels: The sum of each example's D digits, shape (P, B), integers.
        dtype: Of the losses.
    """

    def __init__(self, labels: torch.Tensor, dtype: torch.dtype = torch.float32) -> None:
        self._labels = labels
        self._dtype = dtype
        self._digits = torch.arange(NUM_DIGITS, device=labels.device)

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return 1 or 0 for each sample, shape (S, P, B)."""
        return self.losses_of_draws(samples.argmax(-1))

    def losses_of_draws(self, categories: torch.Tensor) -> torch.Tensor:
        """Return 1 or 0 for each of samples, shape (N, P, B, D): shape (N, P, B)."""
        return (categories.sum(-1) == self._labels).to(self._dtype)

    def single_changes(self, categories: torch.Tensor) -> torch.Tensor:
        """Return 1 or 0 for each sample, digit and value of it, shape (N, P, B, D, 10), from one sum each."""
        return self._is_wanted(categories.sum(-1, keepdim=True) - categories, self._labels.unsqueeze(-1))

    def own_changes(self, categories: torch.Tensor) -> torch.Tensor:
        """The same for samples (D, N, P, B, D) that have a digit of their own: shape (D, N, P, B, 10)."""
        own = categories.diagonal(dim1=0, dim2=-1).movedim(-1, 0)
        return self._is_wanted(categories.sum(-1) - own, self._labels)

    def _is_wanted(self, others: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return 1 for the digit that the sum of the others lacks, and 0 for the rest: (...) to (..., 10)."""
        return (self._digits == (labels - others).unsqueeze(-1)).to(self._dtype)


def loss_and_gradient(draw: Draw | ObjectiveDraw, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return -log(p̂ + 1e-8) of each example, and its gradient.

    p̂ is the estimator's own estimate of the probability that the digits sum to the label: for IndeCateR
    (1/D) Σ_d Σ_v p_d(v) F_dv, of the same evaluations that its gradient Σ_d Σ_v ∇p_d(v) F_dv is of; for RLOO
    the share of samples that do.

    Args:
        draw: The estimator's, of logits (P, B, D, 10).
        labels: The sums, shape (P, B), integers.
    Returns:
        The losses, shape (P, B), nats; the gradient of each with respect to its logits, (P, B, D, 10).
    Raises:
        ValueError: If the estimator asks for the gradient with respect to the digits.
    """
    if not isinstance(draw, ObjectiveDraw):
        raise ValueError("a sum of digits has no gradient with respect to them")
    estimate = draw.rule(IsSum(labels, draw.sample.dtype), None)
    probability = estimate.value + LEAST_PROBABILITY
    return -probability.log(), -estimate.gradient / probability[..., None, None]


def sum_probs(probs: torch.Tensor) -> torch.Tensor:
    """Return the distribution of the sum of independent digits, by convolution.

    Args:
        probs: Of each digit, shape (..., D, C).
    Returns:
        Of each sum from 0 to D (C - 1), shape (..., D (C - 1) + 1); differentiable.
    """
    total = probs.new_ones(*probs.shape[:-2], 1)
    for digit in probs.unbind(-2):
        width = total.shape[-1]
        longer = total.new_zeros(*total.shape[:-1], width + digit.shape[-1] - 1)
        for value, prob in enumerate(digit.unbind(-1)):
            longer[..., value : value + width] += prob.unsqueeze(-1) * total
        total = longer
    return total
