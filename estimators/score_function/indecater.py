"""The IndeCateR estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import NUM_SAMPLES
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators
from estimators.sampling import sample_one_hot
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    estimate_with_objective,
)
from estimators.score_function.samples import samples_with
from estimators.score_function.substitution import means_per_category
from estimators.softmax import softmax
from estimators.softmax_vjp import less_common_part, possible_part, softmax_vjp


@named_arguments
def indecater(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Every variable summed out in turn while the others keep their draws (IndeCateR).

        grad = Σ_d Σ_v ∇p_d(v) F_dv,   F_dv = (1/N) Σ_n f(x_n with variable d set to v),   x_n ~ p

    The same N samples for every variable; `indecater_per_variable` draws fresh ones. Unbiased; exact for
    one variable, and for any f that is a sum over variables. For independent variables, which these are,
    local expectation gradients (LEG) and RAM are this same estimator.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        num_samples: Number N of samples, each L·C evaluations of f, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The estimate (1/L) Σ_d Σ_v p_d(v) F_dv of E[f], shape (...), made of the same evaluations, and the
        surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 1, f's result has another shape or logits has fewer than two dimensions.
    Cost: L·C·N evaluations of f, forward only; N·L random numbers; memory for L·C·N losses, and for f with
        `chunk_size` samples.
    Use: Where the gradient must be unbiased and many evaluations of f can be made at once; N = 1 is often
        enough.
    Source: CatLog-Derivative trick, Eq. 4.1.
    """
    return estimate_with_objective(
        draw_indecater, logits, f, {NUM_SAMPLES: num_samples}, generator, chunk_size
    )


def draw_indecater(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `indecater`; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        categories = samples_with(sample, logits, num_samples, generator)
        means = means_per_category(f, categories, logits, chunk_size, is_shared=True)
        return summed_out(logits, means)

    return ObjectiveDraw(sample, rule)


def summed_out(logits: torch.Tensor, means: torch.Tensor) -> ObjectiveGradient:
    """Return (1/L) Σ_d Σ_v p_d(v) F_dv and Σ_d Σ_v ∇p_d(v) F_dv.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), without a graph.
        means: F, shape (..., L, C).
    """
    probs = softmax(logits)
    means = possible_part(probs, means)
    value = (probs * means).sum(-1).mean(-1)
    return ObjectiveGradient(value, softmax_vjp(probs, less_common_part(probs, means.detach())))
