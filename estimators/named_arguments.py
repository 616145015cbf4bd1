"""Calls as other packages write them, answered by what to write here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_OTHER_NAMES = {"tau": "temperature"}
"""What `torch.nn.functional.gumbel_softmax` and public ReinMax code call a hyperparameter."""


def named_arguments(estimator: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let the TypeError say what to write where a hyperparameter has no name, or another than here."""
    parameters = inspect.signature(estimator).parameters
    named = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    unnamed = [name for name in parameters if name not in named]
    required = [name for name in unnamed if parameters[name].default is inspect.Parameter.empty]

    def written(values: dict[str, object]) -> str:
        arguments = [*required, *(f"{name}={value!r}" for name, value in values.items() if name in named)]
        return f"write {estimator.__name__}({', '.join(arguments)})"

    @wraps(estimator)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if len(args) > len(unnamed):
            surplus = dict(zip(named, args[len(unnamed) :], strict=False))
            raise TypeError(f"{estimator.__name__}() takes hyperparameters by name: {written(surplus)}")
        unknown = [name for name in kwargs if name not in parameters]
        if unknown:
            meant = {_OTHER_NAMES.get(name, name): value for name, value in kwargs.items()}
            raise TypeError(f"{estimator.__name__}() has no {' or '.join(unknown)}: {written(meant)}")
        return estimator(*args, **kwargs)

    return called
