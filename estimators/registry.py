"""The registry: every estimator with its hyperparameters and traits. One line adds one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from estimators.hyperparameter import (
    BETA,
    ETA,
    GAP,
    NUM_MC_SAMPLES,
    NUM_SAMPLES,
    NUM_SAMPLES_OF_RLOO,
    SHARED,
    TEMPERATURE,
    Hyperparameter,
)

if TYPE_CHECKING:  # a spec needs names and rules alone, and torch takes seconds to import
    import torch

    from estimators.sampling import Draw
    from estimators.score_function.objective import Estimate, ObjectiveDraw

_MAX_STATES_IN_TRAINING = 2**14
"""Most states of a model that `exact` trains: each is decoded for every image of every step."""


@dataclass(frozen=True)
class Estimator:
    """An estimator and what is known about it.

    Args:
        name: The id, and the name of its function and of its file.
        hyperparameters: What the function takes besides logits, f and generator.
        is_one_hot: Whether the sample is exactly one-hot.
        uses_monte_carlo: Whether the backward pass averages over further random draws.
        needs_objective: Whether it calls f itself (the score-function family), rather than use ∂f/∂D.
        relaxes_samples: Whether it calls f at relaxed samples too, so that f must have a gradient there.
        ignores_constants: Whether f + c always has the very estimate that f has.
        is_random: Whether the estimate depends on the generator.
        max_states: Most states C^L of a model that it can train; none means any.
        categorical_dim: The only number C of categories that it is defined for; none means any.
        label: What tables call it where they have no name of their own for it.
        version: Which code it is, where that does not ship: a part of its members' identity.
    """

    name: str
    hyperparameters: tuple[Hyperparameter, ...] = (TEMPERATURE,)
    is_one_hot: bool = True
    uses_monte_carlo: bool = False
    needs_objective: bool = False
    relaxes_samples: bool = False
    ignores_constants: bool = True
    is_random: bool = True
    max_states: int | None = None
    categorical_dim: int | None = None
    label: str = ""
    version: str = ""

    @cached_property
    def function(self) -> Callable[..., torch.Tensor | Estimate]:
        """The estimator: maps logits (..., L, C) to a sample (..., L, C) with its gradient.

        Where it needs the objective, it maps logits and f to an `Estimate`.
        """
        return self._own(self.name)

    @cached_property
    def draw(self) -> Callable[..., Draw | ObjectiveDraw]:
        """The same without a graph and without checks: maps logits to a `Draw` or an `ObjectiveDraw`.

        Takes every hyperparameter, and the generator, by name.
        """
        return self._own(f"draw_{self.name}")

    def _own(self, function: str) -> Callable[..., Any]:
        """Import a function from the estimator's file."""
        package = f"estimators.{'score_function' if self.needs_objective else 'pathwise'}"
        own: Callable[..., Any] = getattr(import_module(f"{package}.{self.name}"), function)
        return own

    def can_train(self, categorical_dim: int, latent_dim: int) -> bool:
        """Say whether a model with L variables of C categories has few enough states C^L."""
        return has_few_enough_states(categorical_dim, latent_dim, self.max_states)


def has_few_enough_states(categorical_dim: int, latent_dim: int, most: int | None) -> bool:
    """Say whether L variables of C categories have at most so many states C^L; none means any number."""
    # In logarithms, since C^L may have millions of digits.
    return most is None or latent_dim * math.log(categorical_dim) <= math.log(most) + 1e-9


_ESTIMATORS = (
    Estimator("stgs"),
    Estimator("gumbel_rao", (TEMPERATURE, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator("st"),
    Estimator("gst", (TEMPERATURE, GAP)),
    Estimator("gst_p"),
    Estimator("reinmax"),
    Estimator("reinmax_rao", (TEMPERATURE, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator("reinmax_cv", (TEMPERATURE, ETA, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator("reinmax_cv_alg2", (TEMPERATURE, ETA, NUM_MC_SAMPLES), uses_monte_carlo=True),
    Estimator("reinmax_argmax"),
    Estimator("reinmax_rk2", (BETA,)),
    Estimator("concrete", is_one_hot=False),
    Estimator("reinforce", (NUM_SAMPLES,), needs_objective=True, ignores_constants=False),
    Estimator("rloo", (NUM_SAMPLES_OF_RLOO,), needs_objective=True),
    Estimator(
        "rebar",
        (TEMPERATURE, ETA, NUM_SAMPLES),
        needs_objective=True,
        relaxes_samples=True,
        ignores_constants=False,
    ),
    Estimator("indecater", (NUM_SAMPLES,), needs_objective=True),
    Estimator("indecater_per_variable", (NUM_SAMPLES,), needs_objective=True),
    Estimator("scater", (NUM_SAMPLES,), needs_objective=True),
    Estimator("disarm", (NUM_SAMPLES,), needs_objective=True, categorical_dim=2),
    Estimator("disarm_tree", (NUM_SAMPLES,), needs_objective=True),
    Estimator("arm", (NUM_SAMPLES,), needs_objective=True, categorical_dim=2),
    Estimator("arms", (NUM_SAMPLES_OF_RLOO,), needs_objective=True, categorical_dim=2),
    Estimator(
        "exact",
        (),
        needs_objective=True,
        is_random=False,
        max_states=_MAX_STATES_IN_TRAINING,
    ),
)

_ENTRIES: dict[str, Estimator] = {entry.name: entry for entry in _ESTIMATORS}
SHIPPED = tuple(_ENTRIES)
"""The ids of the estimators that catsweep has itself."""
REGISTRY: Mapping[str, Estimator] = MappingProxyType(_ENTRIES)
"""Every estimator by its id: those that ship, and then those of users that this process knows."""
_SHARED = {one.name: one for one in SHARED}
_OWN = {one.name: one for entry in _ESTIMATORS for one in entry.hyperparameters}
SHIPPED_HYPERPARAMETERS: Mapping[str, Hyperparameter] = MappingProxyType({**_SHARED, **_OWN, **_SHARED})
"""What the estimators that ship take, by name; of several rules of one name, that which most have."""


def register(entry: Estimator) -> None:
    """Add an estimator to the registry of this process, in place of another of its id.

    Raises:
        ValueError: If the id is that of one that ships.
    """
    if entry.name in SHIPPED:
        raise ValueError(f"estimator {entry.name} ships with catsweep; yours must have another name")
    _ENTRIES[entry.name] = entry


def unregister(name: str) -> None:
    """Forget an estimator that does not ship."""
    if name not in SHIPPED:
        _ENTRIES.pop(name, None)


@contextmanager
def registered(*entries: Estimator) -> Iterator[None]:
    """Have estimators in the registry for a while; then it is as it was, whatever was added meanwhile."""
    before = dict(_ENTRIES)
    try:
        for entry in entries:
            register(entry)
        yield
    finally:
        _ENTRIES.clear()
        _ENTRIES.update(before)


def hyperparameters(name: str) -> tuple[Hyperparameter, ...]:
    """Return how estimators in the registry declare a hyperparameter, those that ship first.

    There are none of a name that only a store knows.
    """
    shipped = SHIPPED_HYPERPARAMETERS.get(name)
    declared = [one for entry in _ENTRIES.values() for one in entry.hyperparameters if one.name == name]
    return (shipped, *declared) if shipped else tuple(declared)


def hyperparameter_names() -> tuple[str, ...]:
    """Return the names of all hyperparameters of estimators in the registry, those that ship first."""
    declared = (one.name for entry in _ENTRIES.values() for one in entry.hyperparameters)
    return tuple(dict.fromkeys((*SHIPPED_HYPERPARAMETERS, *declared)))


def get(name: str) -> Estimator:
    """Return the estimator with this id.

    Raises:
        ValueError: If there is none; the message lists the nearest ids.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    near = difflib.get_close_matches(name, REGISTRY, n=3) or sorted(REGISTRY)
    raise ValueError(f"estimator must be a known id, got {name!r}; nearest: {', '.join(near)}")
