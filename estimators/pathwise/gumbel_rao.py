"""The Gumbel-Rao estimator."""

from __future__ import annotations

import torch

from estimators.gumbel import averaged_softmax_vjp
from estimators.hyperparameter import NUM_MC_SAMPLES, TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot


@named_arguments
def gumbel_rao(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    num_mc_samples: int = 100,
    generator: Generators = None,
) -> torch.Tensor:
    """Gumbel-Rao gradient: STGS averaged over the Gumbel noise that agrees with the draw.

        grad = (1/K) Σ_k J_τ(Y_k) g,   Y_k ~ θ + G given D

    The derivative through Y's own dependence on θ is ignored, as in every public implementation: not a
    Rao-Blackwellisation of STGS in the strict sense. The K draws are made in the backward pass,
    anew each time it runs.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature of the backward pass, > 0; a number, or a tensor broadcastable to
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
    Use: In place of `stgs`, with τ tuned, where evaluations of f are dear and random numbers are cheap.
    Source: Beyond ReinMax, Eq. 6 and 7; Paulus et al. (2021).
    """
    values = {TEMPERATURE: temperature, NUM_MC_SAMPLES: num_mc_samples}
    return sample_with_gradient(draw_gumbel_rao, logits, values, generator)


def draw_gumbel_rao(
    logits: torch.Tensor, *, temperature: float | torch.Tensor, num_mc_samples: int, generator: Generators
) -> Draw:
    """Draw, and the rule that `gumbel_rao` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(
        sample,
        lambda g: averaged_softmax_vjp(logits, sample, g, temperature, num_mc_samples, generator),
    )
