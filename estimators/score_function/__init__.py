"""The score-function family: estimators that call f itself, at samples of their own choosing.

Here are the types that they share; the estimators themselves are in `estimators`, as all are.

>>> from estimators import rloo
>>> estimate = rloo(logits, f, num_samples=4, generator=generator)
>>> estimate.surrogate.mean().backward()
"""

from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
)

__all__ = ["Estimate", "Objective", "ObjectiveDraw", "ObjectiveGradient"]
