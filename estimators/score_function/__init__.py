"""The score-function family: estimators that call f itself, at samples of their own choosing.

>>> from estimators import rloo
>>> estimate = rloo(logits, f, num_samples=4, generator=generator)
>>> estimate.surrogate.mean().backward()
"""

from estimators.score_function.exact import exact
from estimators.score_function.indecater import indecater
from estimators.score_function.indecater_per_variable import indecater_per_variable
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
)
from estimators.score_function.rebar import rebar
from estimators.score_function.reinforce import reinforce
from estimators.score_function.rloo import rloo
from estimators.score_function.scater import scater

__all__ = [
    "Estimate",
    "Objective",
    "ObjectiveDraw",
    "ObjectiveGradient",
    "exact",
    "indecater",
    "indecater_per_variable",
    "rebar",
    "reinforce",
    "rloo",
    "scater",
]
