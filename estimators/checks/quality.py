"""Bias, spread and cost of an estimator's gradient, on problems whose exact gradient is known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from estimators.diagnostics import exact_gradient, gradient_moments
from estimators.registry import Estimator
from estimators.sampling import Draw
from estimators.score_function.objective import Objective

NUM_DRAWS = 8192
_MOST_NUMBERS = 2**21
_DEGREES = (1, 2, 3, 4)
_TIMED_SHAPE = (1, 100, 4)
_TIMED_CALLS = 15


@dataclass(frozen=True)
class Problem:
    """Logits and an f.

    Args:
        name: What it is called.
        logits: Shape (B, L, C), float32.
        f: Maps samples (S, B, L, C) to losses (S, B); differentiable.
        num_draws: How many estimates are made.
    """

    name: str
    logits: torch.Tensor
    f: Objective
    num_draws: int = NUM_DRAWS


@dataclass(frozen=True)
class Quality:
    """How far estimates are from the exact gradient g, in units of its norm.

    Args:
        problem: Name of the problem.
        bias: |mean of the estimates - g| / |g|.
        noise: What `bias` would be about if there were none, since draws are finitely many and numbers round.
        spread: Root of the summed variances of the coordinates / |g|.
    """

    problem: str
    bias: float
    noise: float
    spread: float


def polynomials(categorical_dim: int = 4) -> Iterator[Problem]:
    """Yield (w·x)^d for the degrees d from 1 to 4, and a small network, of three variables."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, categorical_dim, generator=generator)
    weights = torch.randn(3, categorical_dim, generator=generator)
    for degree in _DEGREES:
        yield Problem(f"degree {degree}", logits, _polynomial(weights, degree))
    first, second = (
        torch.randn(weights.numel(), 16, generator=generator) / 2,
        torch.randn(16, generator=generator),
    )
    yield Problem("network", logits, lambda samples: (samples.flatten(-2) @ first).tanh() @ second)


def _polynomial(weights: torch.Tensor, degree: int) -> Objective:
    return lambda samples: (samples * weights).sum((-1, -2)).pow(degree)


def quality(entry: Estimator, problem: Problem) -> Quality:
    """Return bias and spread of an estimator on a problem, at the defaults of its hyperparameters."""
    exact = exact_gradient(problem.logits, problem.f, chunk_size=_chunk(problem))
    moments = gradient_moments(
        entry,
        problem.logits,
        problem.f,
        num_draws=problem.num_draws,
        generator=torch.Generator().manual_seed(1),
        chunk_size=_chunk(problem),
    )
    norm = exact.norm().item()
    total = moments.variance.sum().item()
    return Quality(
        problem.name,
        (moments.mean - exact).norm().item() / norm,
        math.hypot((total / moments.count) ** 0.5 / norm, torch.finfo(problem.logits.dtype).eps),
        total**0.5 / norm,
    )


def _chunk(problem: Problem) -> int:
    return max(1, _MOST_NUMBERS // problem.logits.numel() // 16)


def step_seconds(entries: Sequence[Estimator], categorical_dim: int = 8) -> list[float]:
    """Return the seconds of a draw and its gradient at Cx4 and a batch of 100, taken in turns; the median."""
    logits = torch.randn(*_TIMED_SHAPE, categorical_dim, generator=torch.Generator().manual_seed(0))
    calls = [_step(entry, logits) for entry in entries]
    seconds: list[list[float]] = [[] for _ in entries]
    for _ in range(_TIMED_CALLS):
        for own, call in zip(seconds, calls, strict=True):
            start = time.perf_counter()
            call()
            own.append(time.perf_counter() - start)
    return [median(own) for own in seconds]


def _step(entry: Estimator, logits: torch.Tensor) -> Callable[[], object]:
    generators = [torch.Generator().manual_seed(0)]
    values = {one.name: one.number(one.default) for one in entry.hyperparameters}
    grad = torch.ones_like(logits)

    def step() -> object:
        draw = entry.draw(logits, generator=generators, **values)
        if isinstance(draw, Draw):
            return draw.rule(grad)
        return draw.rule(lambda samples: samples.square().sum((-1, -2)), None)

    return step
