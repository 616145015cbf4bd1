"""Gradient estimators for categorical latent variables: the mathematics alone, on torch alone.

Each is a function importable under its id. Those of the pathwise family take the place of
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

from estimators.hyperparameter import Hyperparameter
from estimators.own import estimator
from estimators.registry import REGISTRY, Estimator, get

if TYPE_CHECKING:  # so that a checker knows their types; one that is not here is Any to it
    from estimators.pathwise.concrete import concrete as concrete
    from estimators.pathwise.gst import gst as gst
    from estimators.pathwise.gst_p import gst_p as gst_p
    from estimators.pathwise.gumbel_rao import gumbel_rao as gumbel_rao
    from estimators.pathwise.reinmax import reinmax as reinmax
    from estimators.pathwise.reinmax_argmax import reinmax_argmax as reinmax_argmax
    from estimators.pathwise.reinmax_cv import reinmax_cv as reinmax_cv
    from estimators.pathwise.reinmax_cv_alg2 import reinmax_cv_alg2 as reinmax_cv_alg2
    from estimators.pathwise.reinmax_rao import reinmax_rao as reinmax_rao
    from estimators.pathwise.reinmax_rk2 import reinmax_rk2 as reinmax_rk2
    from estimators.pathwise.st import st as st
    from estimators.pathwise.stgs import stgs as stgs
    from estimators.sampling import Draw as Draw
    from estimators.score_function.arm import arm as arm
    from estimators.score_function.arms import arms as arms
    from estimators.score_function.disarm import disarm as disarm
    from estimators.score_function.disarm_tree import disarm_tree as disarm_tree
    from estimators.score_function.exact import exact as exact
    from estimators.score_function.indecater import indecater as indecater
    from estimators.score_function.indecater_per_variable import (
        indecater_per_variable as indecater_per_variable,
    )
    from estimators.score_function.objective import Estimate as Estimate
    from estimators.score_function.rebar import rebar as rebar
    from estimators.score_function.reinforce import reinforce as reinforce
    from estimators.score_function.rloo import rloo as rloo
    from estimators.score_function.scater import scater as scater

__all__ = ["REGISTRY", "Draw", "Estimate", "Estimator", "Hyperparameter", "estimator", "get"]
__all__.extend(REGISTRY)


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
    if name == "Draw":
        return import_module("estimators.sampling").Draw
    if name == "Estimate":
        return import_module("estimators.score_function").Estimate
    raise AttributeError(f"module 'estimators' has no attribute {name!r}")
