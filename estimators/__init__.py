"""Gradient estimators for categorical latent variables: the mathematics alone, on torch alone.

Each is a function importable under its id. Those of the pathwise family are drop-ins for
`torch.nn.functional.gumbel_softmax(hard=True)`:

    >>> from estimators import reinmax
    >>> sample = reinmax(logits, temperature=1.3, generator=generator)

Those of the score-function family are given f, which maps samples (S, ..., L, C) to losses (S, ...):

    >>> from estimators import indecater
    >>> estimate = indecater(logits, f, num_samples=2, generator=generator)
    >>> estimate.surrogate.mean().backward()
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from estimators.registry import REGISTRY, Estimator, get

if TYPE_CHECKING:
    from estimators.concrete import concrete
    from estimators.gst import gst
    from estimators.gumbel_rao import gumbel_rao
    from estimators.reinmax import reinmax
    from estimators.reinmax_argmax import reinmax_argmax
    from estimators.reinmax_cv import reinmax_cv
    from estimators.reinmax_cv_alg2 import reinmax_cv_alg2
    from estimators.reinmax_rao import reinmax_rao
    from estimators.reinmax_rk2 import reinmax_rk2
    from estimators.score_function.exact import exact
    from estimators.score_function.indecater import indecater
    from estimators.score_function.indecater_per_variable import indecater_per_variable
    from estimators.score_function.objective import Estimate
    from estimators.score_function.rebar import rebar
    from estimators.score_function.reinforce import reinforce
    from estimators.score_function.rloo import rloo
    from estimators.score_function.scater import scater
    from estimators.st import st
    from estimators.stgs import stgs

__all__ = [
    "REGISTRY",
    "Estimate",
    "Estimator",
    "get",
    "concrete",
    "gst",
    "gumbel_rao",
    "reinmax",
    "reinmax_argmax",
    "reinmax_cv",
    "reinmax_cv_alg2",
    "reinmax_rao",
    "reinmax_rk2",
    "st",
    "stgs",
    "exact",
    "indecater",
    "indecater_per_variable",
    "rebar",
    "reinforce",
    "rloo",
    "scater",
]


class _Package(ModuleType):
    """This package, in which an estimator's id is its function, though a file has the same name.

    Whoever imports a submodule binds it in its package; of an estimator's file the function is bound instead.
    """

    def __setattr__(self, name: str, value: object) -> None:
        is_file = isinstance(value, ModuleType) and name in REGISTRY
        super().__setattr__(name, getattr(value, name) if is_file else value)

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    # A spec asks for names and rules alone, and must not wait for torch.
    if name in REGISTRY:
        return REGISTRY[name].function
    if name == "Estimate":
        return import_module("estimators.score_function").Estimate
    raise AttributeError(f"module 'estimators' has no attribute {name!r}")
