"""The REBAR estimator."""

from __future__ import annotations

import torch

from estimators.conditional_gumbel import conditional_gumbels
from estimators.gumbel import sample_gumbel
from estimators.hyperparameter import ETA, NUM_SAMPLES, TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators, exponential
from estimators.sampling import one_hot_argmax
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    chunks,
    estimate_with_objective,
    evaluate,
    losses_of,
)
from estimators.score_function.samples import mean_over_samples
from estimators.softmax import log_softmax, softmax
from estimators.softmax_vjp import possible_part, softmax_vjp


@named_arguments
def rebar(
    logits: torch.Tensor,
    f: Objective,
    *,
    temperature: float | torch.Tensor = 1.0,
    eta: float | torch.Tensor = 1.0,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """REINFORCE with its own relaxation as a control variate, made unbiased again (REBAR).

    With D = onehot(argmax(θ + G)), Y ~ θ + G given D, both relaxed by s(x) = softmax(x / τ), and log p the
    joint log-probability of all L variables:

        grad = [f(D) - η f(s(Y))] ∇log p(D) + η ∇f(s(θ + G)) - η ∇f(s(Y))

    The last two gradients go through the reparameterisation, that of Y included: with D and the noise fixed,
    Y is a function of θ, and to hold it constant would be biased. Y's noise is independent of G. Averaged
    over N draws. Unbiased for any τ and η; f must be differentiable, and defined inside the simplex.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps samples (S, ..., L, C), one-hot or relaxed, to losses (S, ...), each that of its own sample.
        temperature: Softmax temperature τ of the relaxation, > 0; a number, or a tensor broadcastable to
            (..., 1, 1).
        eta: Weight η of the control variate; likewise. 0 is `reinforce`.
        num_samples: Number N of draws, each three evaluations of f, two of them with a gradient, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The mean loss of the one-hot samples, shape (...), and the surrogate that equals it and has the
        gradient.
    Raises:
        ValueError: If temperature <= 0, eta is not finite, num_samples < 1, f's result has another shape or
            no graph, or logits has fewer than two dimensions.
    Cost: 3·N evaluations of f: N at one-hot samples, forward only, and 2·N at relaxed ones, forward and
        backward; 2·N·L·C random numbers; memory O(N·L·C), and for f with `chunk_size` samples.
    Use: Where the gradient must be unbiased and f is differentiable and defined inside the simplex; τ and η
        change its variance alone.
    Source: Beyond ReinMax, Eq. 15; Tucker et al. (2017).
    """
    values = {TEMPERATURE: temperature, ETA: eta, NUM_SAMPLES: num_samples}
    return estimate_with_objective(draw_rebar, logits, f, values, generator, chunk_size)


def draw_rebar(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    num_samples: int,
    generator: Generators,
) -> ObjectiveDraw:
    """Draw, and the rule behind `rebar`; arguments as there, unchecked, and without a graph."""
    perturbed = logits + sample_gumbel(logits.shape, generator, like=logits)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        # Draws are the last axis, so that the first one stays the members', each with its own generator.
        more = sample_gumbel((*logits.shape, num_samples - 1), generator, like=logits).movedim(-1, 0)
        noise = exponential((*logits.shape, num_samples), generator, like=logits).movedim(-1, 0)
        free = torch.cat((perturbed.unsqueeze(0), logits + more))
        return _estimate(logits, free, noise, f, temperature, eta, chunk_size)

    return ObjectiveDraw(one_hot_argmax(perturbed), rule)


def _estimate(
    logits: torch.Tensor,
    free: torch.Tensor,
    exponentials: torch.Tensor,
    f: Objective,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    chunk_size: int | None,
) -> ObjectiveGradient:
    """Return the mean loss and Eq. 15 averaged over draws.

    Args:
        logits: θ, shape (..., L, C).
        free: θ + G of every draw, shape (N, ..., L, C).
        exponentials: Exp(1) noise of every conditional draw, shape (N, ..., L, C).
        f: The objective.
        temperature: τ, broadcastable to (..., 1, 1).
        eta: η, broadcastable to (..., 1, 1).
        chunk_size: Most samples that f is called with at once.
    """
    sample, probs = one_hot_argmax(free), softmax(logits)
    given, slope = conditional_gumbels(log_softmax(logits), sample, exponentials)
    relaxed = softmax(torch.cat((free, given)) / temperature)
    of_sample = evaluate(f, lambda start, stop: sample[start:stop].clone(), len(sample), chunk_size)
    of_relaxed, grad_relaxed = _losses_and_gradients(f, relaxed, chunk_size)
    of_given = of_relaxed[len(free) :]
    grad_relaxed = possible_part(relaxed, grad_relaxed)
    grad_free, grad_given = (softmax_vjp(relaxed, grad_relaxed) / temperature).chunk(2)
    # From Y to θ: each Y_j through log p_j, and log p = log_softmax(θ).
    grad_log_probs = slope * grad_given
    grad_given = grad_log_probs - probs * grad_log_probs.sum(-1, keepdim=True)
    weights = of_sample.detach()[..., None, None] - eta * of_given[..., None, None]
    gradient = weights * (sample - probs) + eta * (grad_free - grad_given)
    return ObjectiveGradient(mean_over_samples(of_sample), mean_over_samples(gradient))


def _losses_and_gradients(
    f: Objective, samples: torch.Tensor, chunk_size: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f of each sample, shape (S, ...), and its gradient, shape (S, ..., L, C), without a graph.

    Raises:
        ValueError: If f's losses have no graph, or another shape.
    """
    losses, gradients = [], []
    for start, stop in chunks(len(samples), chunk_size):
        with torch.enable_grad():
            of_chunk, gradient = _differentiated(f, samples[start:stop].detach())
        losses.append(of_chunk.detach())
        gradients.append(gradient)
    return torch.cat(losses), torch.cat(gradients)


def _differentiated(f: Objective, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses of samples without a graph, and the gradient of their sum."""

    def losses_with_graph(samples: torch.Tensor) -> torch.Tensor:
        losses = losses_of(f, samples.clone())  # f may work in place, on what is no leaf of a graph
        if not losses.requires_grad:
            raise ValueError(
                "f must be differentiable with respect to the samples, got losses without a graph"
            )
        return losses

    try:
        leaf = samples.requires_grad_()
    except RuntimeError:  # within torch.func's transformations, which allow no leaves
        losses, vjp, *_ = torch.func.vjp(losses_with_graph, samples)
        return losses, vjp(torch.ones_like(losses))[0]
    losses = losses_with_graph(leaf)
    return losses, torch.autograd.grad(losses.sum(), leaf)[0]
