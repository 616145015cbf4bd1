"""Estimators of users: functions in their own files, declared by one decorator.

    >>> from estimators import estimator
    >>> @estimator(label="Soft")
    ... def my_soft(logits, *, temperature=1.0, kappa=1.0, generator=None): ...

Torch is imported when one is called, since a spec needs names and rules alone.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from estimators.hyperparameter import Hyperparameter
from estimators.registry import SHIPPED, SHIPPED_HYPERPARAMETERS, Estimator

if TYPE_CHECKING:
    import torch

    from estimators.sampling import Draw
    from estimators.score_function.objective import Estimate, ObjectiveDraw

Function = TypeVar("Function", bound=Callable[..., Any])

DECLARED = "catsweep_estimator"
"""The attribute of a function that holds what was declared of it."""
_GENERATOR = "generator"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class EstimatorError(ValueError):
    """An estimator of a user's that breaks a rule; the message names it and says which."""


@overload
def estimator(function: Function) -> Function: ...
@overload
def estimator(
    *,
    name: str | None = ...,
    label: str | None = ...,
    hyperparameters: Iterable[Hyperparameter] = ...,
    version: str | None = ...,
    takes_packs: bool = ...,
    categorical_dim: int | None = ...,
) -> Callable[[Function], Function]: ...


def estimator(
    function: Function | None = None,
    *,
    name: str | None = None,
    label: str | None = None,
    hyperparameters: Iterable[Hyperparameter] = (),
    version: str | None = None,
    takes_packs: bool = False,
    categorical_dim: int | None = None,
) -> Function | Callable[[Function], Function]:
    """Declare a function to be an estimator, and return it as it is.

    The function maps logits, shape (..., L, C), to one of three things:

    - a sample of their shape whose gradient is the one that autograd finds: plain PyTorch;
    - a `Draw`: a sample, and a rule that maps ∂f/∂D to the estimate, which needs no graph;
    - where its second parameter is `f`, a pair: an estimate of E[f], shape (...), and of ∂E[f]/∂θ, shape
      (..., L, C). f maps samples (S, ..., L, C) to losses (S, ...).

    All else it takes by name: `generator`, which every draw must come from, and hyperparameters, whose
    defaults are those of the function. One whose default is an integer takes integers only.

    Args:
        function: The function, where the decorator stands without parentheses.
        name: Its id in specs; the function's name by default.
        label: What tables call it; its id by default.
        hyperparameters: Rules and symbols of hyperparameters; of others any finite number is allowed.
        version: Which version of it this is; by default a hash of the file that it is in. Members of another
            version are other members.
        takes_packs: Whether it is called once for all members of a pack, with logits (P, B, L, C), a list of
            P generators, and hyperparameters that may be tensors of shape (P, 1, 1, 1). By default it is
            called for each member with one generator and numbers.
        categorical_dim: The only number C of categories that it is defined for; none means any.
    Raises:
        EstimatorError: If the function or a name breaks a rule.
    """

    def declare(function: Function) -> Function:
        own = name or function.__name__
        known = {one.name: one for one in hyperparameters}
        entry = OwnEstimator(
            own,
            _hyperparameters(function, own, known),
            needs_objective=_takes_objective(function),
            relaxes_samples=False,
            ignores_constants=False,
            is_one_hot=False,
            label=label or own,
            version=version or "",
            takes_packs=takes_packs,
            categorical_dim=categorical_dim,
        )
        _check(entry)
        setattr(function, DECLARED, entry)
        return function

    return declare if function is None else declare(function)


@dataclass(frozen=True)
class OwnEstimator(Estimator):
    """An estimator of a user's.

    Args:
        takes_packs: As in `estimator`.
        code: The function; none where only the declaration is known, from a store.
    """

    takes_packs: bool = False
    code: Callable[..., Any] | None = field(default=None, compare=False)

    @cached_property
    def function(self) -> Callable[..., torch.Tensor | Estimate]:
        """The estimator as a function of logits, and of f where it needs the objective."""
        from functools import partial

        from estimators.own_draw import own_estimate, own_sample

        return partial(own_estimate if self.needs_objective else own_sample, self)

    @cached_property
    def draw(self) -> Callable[..., Draw | ObjectiveDraw]:
        """The same as training calls it."""
        from functools import partial

        from estimators.own_draw import draw_own

        return partial(draw_own, self)

    def called(self) -> Callable[..., Any]:
        """Return the function.

        Raises:
            EstimatorError: If it is not there.
        """
        if self.code is None:
            raise EstimatorError(f"the code of estimator {self.name} is not here; name its file in use:")
        return self.code

    def with_code(self, code: Callable[..., Any], version: str) -> OwnEstimator:
        """Return the entry of a function; its own version, where it states one, is the version."""
        return replace(self, code=code, version=self.version or version)

    def to_plain(self) -> dict[str, Any]:
        """Return the declaration as plain containers, for a store, which is read where the code is not."""
        rules = [
            {one.name: value for one in fields(rule) if (value := getattr(rule, one.name)) != one.default}
            for rule in self.hyperparameters
        ]
        return {
            "name": self.name,
            "label": self.label,
            "version": self.version,
            "needs_objective": self.needs_objective,
            "hyperparameters": rules,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> OwnEstimator:
        """Return a declaration that `to_plain` has written.

        Raises:
            EstimatorError: If it is none.
        """
        try:
            rules = tuple(Hyperparameter(**rule) for rule in plain["hyperparameters"])
            entry = cls(
                str(plain["name"]),
                rules,
                label=str(plain["label"]),
                version=str(plain["version"]),
                needs_objective=bool(plain["needs_objective"]),
                is_one_hot=False,
            )
        except (KeyError, TypeError) as error:
            raise EstimatorError(f"no declaration of an estimator ({error})") from None
        _check(entry)
        return entry


def declared_in(names: Mapping[str, object]) -> dict[str, Callable[..., Any]]:
    """Return the functions among these names that are declared to be estimators, by their id."""
    found: dict[str, Callable[..., Any]] = {}
    for value in names.values():
        entry = getattr(value, DECLARED, None)
        if isinstance(entry, OwnEstimator) and callable(value):
            found[entry.name] = value
    return found


def _hyperparameters(
    function: Callable[..., Any], name: str, declared: Mapping[str, Hyperparameter]
) -> tuple[Hyperparameter, ...]:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise EstimatorError(f"estimator {name} must take logits first")
    first = 2 if _takes_objective(function) else 1
    named = {one.name: one for one in parameters[first:]}
    if _GENERATOR not in named:
        raise EstimatorError(
            f"estimator {name} must take a generator by name: def {name}(logits, *, generator)"
        )
    if unknown := declared.keys() - named.keys():
        raise EstimatorError(
            f"estimator {name} declares {', '.join(sorted(unknown))}, which it does not take"
        )
    return tuple(_rule(one, name, declared) for key, one in named.items() if key != _GENERATOR)


def _rule(parameter: inspect.Parameter, name: str, declared: Mapping[str, Hyperparameter]) -> Hyperparameter:
    """Return the rule of a parameter: as declared, as known by its name, or that of its default's type."""
    own, default = parameter.name, parameter.default
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    rule = declared.get(own) or SHIPPED_HYPERPARAMETERS.get(own)
    if rule is None and is_number:
        rule = Hyperparameter(own, default, is_integer=isinstance(default, int))
    if rule is None or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
        raise EstimatorError(
            f"estimator {name} takes {own}, whose default must be a number, or which must be declared as a "
            f"Hyperparameter; got {default!r}"
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            else f"estimator {name} must name what it takes, got *{own}"
        )
    if is_number and own not in declared:
        rule = replace(rule, default=default)
    if not rule.allows(rule.default):
        raise EstimatorError(
            f"estimator {name}: {own} must be {rule.rule}, and its default is {rule.default!r}"
        )
    return rule


def _takes_objective(function: Callable[..., Any]) -> bool:
    return list(inspect.signature(function).parameters)[1:2] == ["f"]


def _check(entry: OwnEstimator) -> None:
    """See that an id can be an id, and that hyperparameters have names that no other param has."""
    from estimators.reserved_names import RESERVED

    if not _NAME.fullmatch(entry.name):
        raise EstimatorError(
            f"the id of an estimator must be up to 64 lower-case letters, digits and '_', got {entry.name!r}"
        )
    if entry.name in SHIPPED:
        raise EstimatorError(f"estimator {entry.name} ships with catsweep; give yours another name")
    for one in entry.hyperparameters:
        if one.name in RESERVED or not _NAME.fullmatch(one.name):
            raise EstimatorError(f"estimator {entry.name}: no hyperparameter can have the name {one.name!r}")
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in (one.default,)):
            raise EstimatorError(f"estimator {entry.name}: the default of {one.name} must be a finite number")
