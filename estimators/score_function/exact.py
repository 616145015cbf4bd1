"""The exact gradient, by enumeration."""

from __future__ import annotations

import math

import torch

from estimators.named_arguments import named_arguments
from estimators.randomness import Generators
from estimators.sampling import sample_one_hot
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    States,
    estimate_with_objective,
    evaluate,
)
from estimators.score_function.samples import one_hot
from estimators.softmax import log_softmax
from estimators.softmax_vjp import possible_part

MAX_STATES = 2**20
"""Most states C^L that are enumerated."""


@named_arguments
def exact(
    logits: torch.Tensor,
    f: Objective,
    *,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Exact gradient by enumeration of all C^L states: what every unbiased estimator is judged by.

        grad = Σ_x p(x) f(x) ∇log p(x),   over all x

    For few states: at most 2^20. It takes a generator for the sake of the common interface; the estimate
    does not depend on it.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        generator: Source of randomness of the sample that training's forward pass needs; PyTorch's default
            generator where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        E[f], shape (...), and the surrogate that equals it and has the gradient.
    Raises:
        ValueError: If there are more than 2^20 states, f's result has another shape or logits has fewer than
            two dimensions.
    Cost: C^L evaluations of f, forward only; no random numbers but L for the sample of training's forward
        pass; memory for C^L losses, and for f with `chunk_size` samples.
    Use: To judge other estimators, or to train models with few states.
    Source: Beyond ReinMax, Eq. 2.
    """
    return estimate_with_objective(draw_exact, logits, f, {}, generator, chunk_size)


def draw_exact(logits: torch.Tensor, *, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `exact`; arguments as there, and without a graph.

    Raises:
        ValueError: If there are more than 2^20 states.
    """
    latent_dim, categorical_dim = logits.shape[-2:]
    num_states = categorical_dim**latent_dim
    if num_states > MAX_STATES:
        raise ValueError(
            f"exact must have at most {MAX_STATES} states C^L to enumerate, "
            f"got {categorical_dim}^{latent_dim}, about 10^{latent_dim * math.log10(categorical_dim):.0f}"
        )

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        losses = evaluate(f, _all_states(logits), num_states, chunk_size).movedim(0, -1).contiguous()
        probs = _state_probs(logits)
        losses = possible_part(probs, losses)
        value = (probs * losses).sum(-1)
        # Of f - E[f], whose weighted sum is zero, so that nothing is left of the term with π in x - π.
        centred = probs * (losses - value.unsqueeze(-1)).detach()
        marginals = [_marginal(centred, variable, logits.shape) for variable in range(latent_dim)]
        return ObjectiveGradient(value, torch.stack(marginals, -2))

    return ObjectiveDraw(sample_one_hot(logits, generator), rule)


def _all_states(logits: torch.Tensor) -> States:
    """Number the states as digits to the base C, the first variable's being the highest."""
    latent_dim, categorical_dim = logits.shape[-2:]
    place = categorical_dim ** torch.arange(latent_dim - 1, -1, -1, device=logits.device)

    def states(start: int, stop: int) -> torch.Tensor:
        number = torch.arange(start, stop, device=logits.device)
        categories = number.unsqueeze(-1) // place % categorical_dim
        leading = (1 for _ in logits.shape[:-2])
        alike = one_hot(categories, categorical_dim, logits.dtype).view(
            stop - start, *leading, latent_dim, categorical_dim
        )
        return alike.expand(stop - start, *logits.shape).contiguous()

    return states


def _state_probs(logits: torch.Tensor) -> torch.Tensor:
    """Return the probability of every state, shape (..., C^L)."""
    log_probs = log_softmax(logits).contiguous()
    total = log_probs.new_zeros(*logits.shape[:-2], 1)
    for of_variable in log_probs.unbind(-2):
        total = (total.unsqueeze(-1) + of_variable.unsqueeze(-2)).flatten(-2)
    return total.exp()


def _marginal(terms: torch.Tensor, variable: int, shape: torch.Size) -> torch.Tensor:
    """Sum terms of states, (..., C^L), over all variables but one of logits' (..., L, C); shape (..., C)."""
    *batch, latent_dim, categorical_dim = shape
    before, after = categorical_dim**variable, categorical_dim ** (latent_dim - 1 - variable)
    by_category = terms.view(*batch, before, categorical_dim, after)
    return by_category.sum(-1).sum(-2)
