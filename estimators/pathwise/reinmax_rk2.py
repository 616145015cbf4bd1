"""The ReinMax-RK2 estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import BETA
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.softmax import softmax
from estimators.softmax_vjp import softmax_vjp


@named_arguments
def reinmax_rk2(
    logits: torch.Tensor, *, beta: float | torch.Tensor = 0.5, generator: Generators = None
) -> torch.Tensor:
    """ReinMax from any second-order Runge-Kutta method in place of Heun's (ReinMax-RK2).

    With π_D = (π + D) / 2 and π_β = β π + (1 - β) D, all at temperature 1:

        grad_k = 2 (π_D)_k (g_k - g·π_β) - β π_k (g_k - g·π)

    β = ½ is `reinmax` at temperature 1, to the last bit. Exact for linear f at any β, for quadratic f at ½
    alone. Its expectation is Eq. 35 of the paper's proof and not, as Theorem 1 has it, Eq. 26: from Eq. 34 to
    35 a term π_k Σ_ij π_i π_j [(1 - β) g(I_j) + β g(I_i)]·(I_i - I_j) is left out, which is 0 at β = ½ and
    for linear f. Away from ½ the gradient therefore does not sum to zero over categories.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        beta: Weight β of the second slope, finite; a number, or a tensor broadcastable to (..., 1, 1).
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If beta is not finite or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward; L random numbers; memory O(L·C).
    Use: To study other second-order methods than Heun's; to train with, `reinmax`.
    Source: Beyond ReinMax, Eq. 27.
    """
    return sample_with_gradient(draw_reinmax_rk2, logits, {BETA: beta}, generator)


def draw_reinmax_rk2(logits: torch.Tensor, *, beta: float | torch.Tensor, generator: Generators) -> Draw:
    """Draw, and the rule that `reinmax_rk2` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(
        sample,
        lambda g: reinmax_rk2_gradient(logits, sample, g, beta),
        lambda tangent: reinmax_rk2_tangent(logits, sample, tangent, beta),
    )


def reinmax_rk2_gradient(
    logits: torch.Tensor, sample: torch.Tensor, grad_sample: torch.Tensor, beta: float | torch.Tensor
) -> torch.Tensor:
    """Return the gradient of Eq. 27, shape (..., L, C); arguments as in `reinmax_rk2`."""
    probs = softmax(logits)
    midpoint = (probs + sample) / 2
    weighted = beta * probs + (1 - beta) * sample
    mean_slope = (weighted * grad_sample).sum(-1, keepdim=True)
    second_order = torch.addcmul(midpoint * grad_sample, midpoint, mean_slope, value=-1)
    return 2 * second_order - beta * softmax_vjp(probs, grad_sample)


def reinmax_rk2_tangent(
    logits: torch.Tensor, sample: torch.Tensor, tangent: torch.Tensor, beta: float | torch.Tensor
) -> torch.Tensor:
    """Return the transpose of Eq. 27's map times a tangent of the logits, shape (..., L, C)."""
    probs = softmax(logits)
    midpoint = (probs + sample) / 2
    weighted = beta * probs + (1 - beta) * sample
    mean = (midpoint * tangent).sum(-1, keepdim=True)
    return 2 * (midpoint * tangent - weighted * mean) - beta * softmax_vjp(probs, tangent)
