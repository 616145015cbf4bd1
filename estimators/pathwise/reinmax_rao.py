"""The ReinMax-Rao estimator."""

from __future__ import annotations

import torch

from estimators.gumbel import averaged_softmax_vjp
from estimators.hyperparameter import NUM_MC_SAMPLES, TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.pathwise.heun import heun_logits
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.softmax_vjp import tempered_softmax_vjp


@named_arguments
def reinmax_rao(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    num_mc_samples: int = 100,
    generator: Generators = None,
) -> torch.Tensor:
    """ReinMax with its noisy first term replaced by Gumbel-Rao at θ_D (ReinMax-Rao).

        grad = 2 (1/K) Σ_k J_τ(Y_k) g - ½ J_1(θ) g,   Y_k ~ θ_D + G given D,   θ_D = log((π + D) / 2)

    Less variance than ReinMax, more bias. The last term is at θ and temperature 1: the paper prints θ_D in
    Eq. 17 and J_τ(θ) in Algorithm 1, and neither reproduces its results. The K draws are made in the
    backward pass, anew each time it runs.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature τ of the first term, > 0; a number, or a tensor broadcastable to
            (..., 1, 1).
        num_mc_samples: Number K of conditional Gumbel draws, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0, num_mc_samples < 1 or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward; L random numbers for the draw and L·C·K in the backward
        pass; memory O(L·C) and for the draws, of which a CPU makes about 2^19 at a time.
    Use: Where `reinmax` is too noisy and more bias is bearable; τ, to be tuned, trades one for the other.
    Source: Beyond ReinMax, Eq. 17 and Algorithm 1, with the last term as in the published runs.
    """
    values = {TEMPERATURE: temperature, NUM_MC_SAMPLES: num_mc_samples}
    return sample_with_gradient(draw_reinmax_rao, logits, values, generator)


def draw_reinmax_rao(
    logits: torch.Tensor, *, temperature: float | torch.Tensor, num_mc_samples: int, generator: Generators
) -> Draw:
    """Draw, and the rule that `reinmax_rao` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(
        sample,
        lambda g: reinmax_rao_gradient(logits, sample, g, temperature, num_mc_samples, generator),
    )


def reinmax_rao_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Return 2 (1/K) Σ_k J_τ(Y_k) g - ½ J_1(θ) g, shape (..., L, C); arguments as in `reinmax_rao`."""
    second_order = averaged_softmax_vjp(
        heun_logits(logits, sample), sample, grad_sample, temperature, num_mc_samples, generator
    )
    return 2 * second_order - 0.5 * tempered_softmax_vjp(logits, grad_sample, 1.0)
