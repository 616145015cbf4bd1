"""The package's backward rules under one signature, the one that the oracles have.

`RULES[name](draw, grad, hyperparameters, generator)` returns the gradient; the Monte-Carlo rules take their
conditional Gumbels from the generator.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from estimators import Estimator
from estimators.gumbel import averaged_softmax_vjp, sample_gumbel
from estimators.pathwise.concrete import concrete_gradient
from estimators.pathwise.gst import gst_gradient
from estimators.pathwise.gst_p import gst_p_gradient
from estimators.pathwise.heun import heun_logits
from estimators.pathwise.reinmax import reinmax_gradient
from estimators.pathwise.reinmax_argmax import reinmax_argmax_gradient
from estimators.pathwise.reinmax_cv import reinmax_cv_gradient
from estimators.pathwise.reinmax_cv_alg2 import reinmax_cv_alg2_gradient
from estimators.pathwise.reinmax_rao import reinmax_rao_gradient
from estimators.pathwise.reinmax_rk2 import reinmax_rk2_gradient
from estimators.pathwise.st import st_gradient
from estimators.pathwise.stgs import stgs_gradient
from estimators.sampling import sample_one_hot
from tests.estimators.oracles import Draw, Hyperparameters, conditional_gumbels

Rule = Callable[[Draw, Tensor, Hyperparameters, torch.Generator], Tensor]


def _reinmax_cv(d: Draw, g: Tensor, h: Hyperparameters, generator: torch.Generator) -> Tensor:
    relaxed = d.relaxed(h.temperature)
    return reinmax_cv_gradient(
        d.logits, d.sample, relaxed, g, h.temperature, h.eta, h.num_mc_samples, generator
    )


def _reinmax_cv_alg2(d: Draw, g: Tensor, h: Hyperparameters, generator: torch.Generator) -> Tensor:
    return reinmax_cv_alg2_gradient(
        d.logits, d.sample, d.gumbels, g, h.temperature, h.eta, h.num_mc_samples, generator
    )


RULES: dict[str, Rule] = {
    "st": lambda d, g, h, _: st_gradient(d.logits, g, h.temperature),
    "stgs": lambda d, g, h, _: stgs_gradient(d.perturbed, g, h.temperature),
    "concrete": lambda d, g, h, _: concrete_gradient(d.relaxed(h.temperature), g, h.temperature),
    "gst": lambda d, g, h, _: gst_gradient(d.logits, d.sample, g, h.temperature, h.gap),
    "gst_p": lambda d, g, h, _: gst_p_gradient(d.logits, d.sample, g, h.temperature),
    "reinmax": lambda d, g, h, _: reinmax_gradient(d.logits, d.sample, g, h.temperature),
    "reinmax_argmax": lambda d, g, h, _: reinmax_argmax_gradient(d.logits, g, h.temperature),
    "reinmax_rk2": lambda d, g, h, _: reinmax_rk2_gradient(d.logits, d.sample, g, h.beta),
    "gumbel_rao": lambda d, g, h, generator: averaged_softmax_vjp(
        d.logits, d.sample, g, h.temperature, h.num_mc_samples, generator
    ),
    "reinmax_rao": lambda d, g, h, generator: reinmax_rao_gradient(
        d.logits, d.sample, g, h.temperature, h.num_mc_samples, generator
    ),
    "reinmax_cv": _reinmax_cv,
    "reinmax_cv_alg2": _reinmax_cv_alg2,
}


def conditional_draws(name: str, d: Draw, num_mc_samples: int, generator: torch.Generator) -> Tensor:
    """The conditional Gumbels that the rule `name` draws from a generator in this state."""
    logits = d.logits if name == "gumbel_rao" else heun_logits(d.logits, d.sample)
    return conditional_gumbels(logits, d.sample, num_mc_samples, generator)


WITH_GUMBELS = frozenset({"stgs", "concrete", "reinmax_cv", "reinmax_cv_alg2"})
"""Rules that need the Gumbels that made the draw; the other draws invert the cumulative distribution."""


def replayed_draw(name: str, logits: Tensor, generator: torch.Generator) -> Draw:
    """The forward draw that the estimator `name` makes from a generator in this state."""
    if name in WITH_GUMBELS:
        return Draw(logits, sample_gumbel(logits.shape, generator, like=logits))
    any_that_make_it_win = 1e3 * sample_one_hot(logits, generator)
    return Draw(logits, any_that_make_it_win)


def forward_value(estimator: Estimator, d: Draw, h: Hyperparameters) -> Tensor:
    """What the estimator returns for this draw."""
    return d.sample if estimator.is_one_hot else d.relaxed(h.temperature)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
