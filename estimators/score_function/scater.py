"""The SCateR estimator, for distributions in which later variables depend on earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from estimators.hyperparameter import NUM_SAMPLES
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators, uniform
from estimators.sampling import checked_arguments, sample_one_hot, widened
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    check_objective,
    where_distributed,
)
from estimators.score_function.samples import (
    inverse_cumulative,
    losses_at,
    mean_over_samples,
    one_hot,
)
from estimators.score_function.surrogate import surrogate_of
from estimators.softmax import softmax
from estimators.softmax_vjp import less_common_part, possible_part, softmax_vjp

Conditional = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""p(X_d | X_<d): maps logits (..., L, C) and a prefix, the one-hot values (S, ..., d, C) of the variables
before d, to the logits (S, ..., C) of variable d, counted from 0."""


def independent(logits: torch.Tensor, prefix: torch.Tensor) -> torch.Tensor:
    """Return the logits of a variable that does not depend on the prefix: p(X_d | X_<d) = p(X_d)."""
    variable = logits[..., prefix.shape[-2], :]
    return variable.expand(len(prefix), *variable.shape)


@named_arguments
def scater(
    logits: torch.Tensor,
    f: Objective,
    conditional: Conditional = independent,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Every variable summed out in turn, those after it drawn anew given its value (SCateR).

        grad = Σ_d Σ_v (1/N) Σ_n ∇p(v | x_n,<d) f(x_n,<d, v, x_>d),   x_n ~ p,   x_>d ~ p(X_>d | v, x_n,<d)

    Unlike its relatives this takes the distribution as a function: logits are parameters that `conditional`
    may use as it likes, and the surrogate has a gradient with respect to whatever that depends on. The N
    prefixes are the same for every d. For independent variables, the default, it has the expectation of
    `indecater`, and more variance, since the later variables are drawn anew for each v.

    Args:
        logits: Parameters of the distribution, shape (..., L, C), float; by default each variable's own
            unnormalised log-probabilities.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        conditional: Maps logits and a prefix (S, ..., d, C) to the logits (S, ..., C) of variable d.
        num_samples: Number N of samples, each L·C evaluations of f, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        An estimate of E[f], shape (...), made of the same evaluations, and the surrogate that equals it and
        has the gradient.
    Raises:
        ValueError: If num_samples < 1, the result of f or conditional has another shape or logits has fewer
            than two dimensions.
    Cost: L·C·N evaluations of f, forward only, and 2·L - 1 of `conditional`; N·L + C·N·L·(L - 1)/2 random
        numbers; memory for L·C·N samples of L numbers, and for f with `chunk_size` of them.
    Use: Where variables depend on earlier ones; for independent variables `indecater`.
    Source: CatLog-Derivative trick, Eq. 3.5.
    """
    checked_arguments(logits, {NUM_SAMPLES: num_samples}, generator)
    check_objective(f, chunk_size, logits)
    chains = _draw_chains(logits, conditional, int(num_samples), generator)
    estimate = _summed_out(chains, f, logits, chunk_size)
    estimate = where_distributed(estimate, chains.conditional_logits.detach())
    return Estimate(
        mean_over_samples(estimate.value),
        mean_over_samples(surrogate_of(estimate.value, estimate.gradient, chains.conditional_logits)),
    )


def draw_scater(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `scater` for independent variables; arguments as there, unchecked."""

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        chains = _draw_chains(logits, independent, num_samples, generator)
        estimate = _summed_out(chains, f, logits, chunk_size)
        return ObjectiveGradient(mean_over_samples(estimate.value), mean_over_samples(estimate.gradient))

    return ObjectiveDraw(sample_one_hot(logits, generator), rule)


@dataclass(frozen=True)
class _Chains:
    """Samples, and what becomes of each where a variable is set.

    Args:
        conditional_logits: Logits of p(X_d | x_n,<d), shape (N, ..., L, C), with the graph of `conditional`.
        categories: Samples with one variable set and the later ones drawn anew, shape (L·C·N, ..., L),
            numbered (variable, category, sample), the last running fastest.
    """

    conditional_logits: torch.Tensor
    categories: torch.Tensor


def _draw_chains(
    logits: torch.Tensor, conditional: Conditional, num_samples: int, generator: Generators
) -> _Chains:
    """Walk through the variables once, all chains side by side."""
    *batch, latent_dim, categorical_dim = logits.shape
    empty = torch.empty(0, *batch, 0, dtype=torch.int64, device=logits.device)
    prefix, chains = empty.new_empty(num_samples, *batch, 0), empty
    conditional_logits = []

    def next_logits(given: torch.Tensor) -> torch.Tensor:
        result = conditional(logits, one_hot(given, categorical_dim, logits.dtype))
        shape = (*given.shape[:-1], categorical_dim)
        if not isinstance(result, torch.Tensor) or result.shape != shape:
            got = (
                f"shape {tuple(result.shape)}" if isinstance(result, torch.Tensor) else type(result).__name__
            )
            raise ValueError(f"conditional must return logits of shape {shape}, got {got}")
        return result

    def drawn(given: torch.Tensor, next_: torch.Tensor) -> torch.Tensor:
        noise = uniform((*batch, len(given)), generator, like=logits).movedim(-1, 0).unsqueeze(-1)
        return torch.cat((given, inverse_cumulative(next_.detach(), noise)), -1)

    labels = torch.arange(categorical_dim, device=logits.device)
    for _ in range(latent_dim):
        conditional_logits.append(next_logits(prefix))
        # One chain for every value of this variable, after each of the prefixes.
        values = labels.view(-1, *(1 for _ in prefix.shape)).expand(categorical_dim, *prefix.shape[:-1], 1)
        branches = torch.cat((prefix.expand(categorical_dim, *prefix.shape), values), -1).flatten(0, 1)
        if len(chains):
            with torch.no_grad():
                branches = torch.cat((drawn(chains, next_logits(chains)), branches))
        chains, prefix = branches, drawn(prefix, conditional_logits[-1])
    return _Chains(torch.stack(conditional_logits, -2), chains)


def _summed_out(
    chains: _Chains, f: Objective, logits: torch.Tensor, chunk_size: int | None
) -> ObjectiveGradient:
    """Return for each prefix an estimate of E[f], (N, ...), and its gradient by the conditional logits."""
    losses = losses_at(f, chains.categories, logits.detach(), chunk_size)
    num_samples, *_, latent_dim, categorical_dim = chains.conditional_logits.shape
    by_state = losses.view(latent_dim, categorical_dim, num_samples, *losses.shape[1:])
    probs = softmax(widened(chains.conditional_logits.detach()))
    by_state = possible_part(probs, by_state.movedim((0, 1), (-2, -1)).contiguous())
    value = (probs * by_state).sum(-1).mean(-1)
    return ObjectiveGradient(value, softmax_vjp(probs, less_common_part(probs, by_state.detach())))
