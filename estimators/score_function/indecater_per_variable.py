"""The IndeCateR estimator with fresh samples for every variable."""

from __future__ import annotations

import torch

from estimators.hyperparameter import NUM_SAMPLES
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators
from estimators.sampling import sample_one_hot
from estimators.score_function.indecater import summed_out
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    estimate_with_objective,
)
from estimators.score_function.samples import samples_with
from estimators.score_function.substitution import means_per_category


@named_arguments
def indecater_per_variable(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """IndeCateR with samples of its own for every variable that is summed out.

        grad = Σ_d Σ_v ∇p_d(v) (1/N) Σ_n f(x_dn with variable d set to v),   x_dn ~ p

    N·L samples in place of N, but as many evaluations of f as `indecater`, and independent errors for
    different variables. Neither LEG nor RAM, which have no such form.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        num_samples: Number N of samples for each variable, each C evaluations of f, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The estimate (1/L) Σ_d Σ_v p_d(v) F_dv of E[f], shape (...), made of the same evaluations, and the
        surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 1, f's result has another shape or logits has fewer than two dimensions.
    Cost: L·C·N evaluations of f, forward only; N·L² random numbers; memory for N·L samples of L numbers and
        L·C·N losses, and for f with `chunk_size` samples.
    Use: Where errors must be independent across variables; otherwise `indecater`, with fewer random numbers.
    Source: CatLog-Derivative trick, Eq. 4.1 and Section 6.4.
    """
    return estimate_with_objective(
        draw_indecater_per_variable, logits, f, {NUM_SAMPLES: num_samples}, generator, chunk_size
    )


def draw_indecater_per_variable(
    logits: torch.Tensor, *, num_samples: int, generator: Generators
) -> ObjectiveDraw:
    """Draw, and the rule behind `indecater_per_variable`; arguments as there, unchecked, without a graph."""
    sample = sample_one_hot(logits, generator)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        categories = samples_with(sample, logits, logits.shape[-2] * num_samples, generator)
        means = means_per_category(f, categories, logits, chunk_size, is_shared=False)
        return summed_out(logits, means)

    return ObjectiveDraw(sample, rule)
