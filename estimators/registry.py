"""The registry: every estimator with its hyperparameters and traits. One line adds one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch

from estimators.gst import draw_gst, gst
from estimators.gumbel_rao import draw_gumbel_rao, gumbel_rao
from estimators.hyperparameter import ETA, GAP, NUM_MC_SAMPLES, TEMPERATURE, Hyperparameter
from estimators.reinmax import draw_reinmax, reinmax
from estimators.reinmax_cv import draw_reinmax_cv, reinmax_cv
from estimators.reinmax_cv_alg2 import draw_reinmax_cv_alg2, reinmax_cv_alg2
from estimators.reinmax_rao import draw_reinmax_rao, reinmax_rao
from estimators.sampling import Draw
from estimators.st import draw_st, st
from estimators.stgs import draw_stgs, stgs


@dataclass(frozen=True)
class Estimator:
    """An estimator and what is known about it.

    Args:
        function: Maps logits (..., L, C) to a sample (..., L, C) with the estimator's gradient.
        draw: The same without a graph and without checks: maps logits to a `Draw`. Takes every
            hyperparameter, and the generator, by name.
        hyperparameters: What the function takes besides logits and generator.
        is_one_hot: Whether the sample is exactly one-hot.
        uses_monte_carlo: Whether the backward pass averages over further random draws.
    """

    function: Callable[..., torch.Tensor]
    draw: Callable[..., Draw]
    hyperparameters: tuple[Hyperparameter, ...] = (TEMPERATURE,)
    is_one_hot: bool = True
    uses_monte_carlo: bool = False

    @property
    def name(self) -> str:
        """The id, which is the function's name."""
        return self.function.__name__


_ESTIMATORS = (
    Estimator(stgs, draw_stgs),
    Estimator(gumbel_rao, draw_gumbel_rao, (TEMPERATURE, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator(st, draw_st),
    Estimator(gst, draw_gst, (TEMPERATURE, GAP)),
    Estimator(reinmax, draw_reinmax),
    Estimator(reinmax_rao, draw_reinmax_rao, (TEMPERATURE, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator(reinmax_cv, draw_reinmax_cv, (TEMPERATURE, ETA, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator(
        reinmax_cv_alg2, draw_reinmax_cv_alg2, (TEMPERATURE, ETA, NUM_MC_SAMPLES), uses_monte_carlo=True
    ),
)

REGISTRY: Mapping[str, Estimator] = MappingProxyType({entry.name: entry for entry in _ESTIMATORS})
"""Every estimator by its id."""


def get(name: str) -> Estimator:
    """Return the estimator with this id.

    Raises:
        ValueError: If there is none; the message lists the nearest ids.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    near = difflib.get_close_matches(name, REGISTRY, n=3) or sorted(REGISTRY)
    raise ValueError(f"estimator must be a known id, got {name!r}; nearest: {', '.join(near)}")
