"""A block of a spec's grid: settings that multiply."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

import estimators
from estimators.hyperparameter import TEMPERATURE, Hyperparameter
from estimators.own import OwnEstimator
from sweep.spec.values import (
    Beta,
    Epochs,
    EstimatorName,
    Eta,
    Gap,
    Latent,
    LearningRate,
    Many,
    Note,
    NumMcSamples,
    NumSamples,
    OptimizerName,
    SpecValueError,
    Temperature,
    TemperatureDecay,
    TemperatureFloor,
    checked_hyperparameter,
)
from trainables.schema import MEMBER_PARAMS
from trainables.tasks import takes_temperature
from trainables.tasks.task import Task

ANNEALING = ("temperature_decay", "temperature_floor")
"""Keys that only an estimator with a temperature can have."""


class SpecModel(BaseModel):
    """A part of a spec: unknown keys are errors, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(SpecModel):
    """A block of a grid: lists multiply. A hyperparameter left out is at its default.

    What a task may require or refuse of it is checked by the spec, which fills the task's defaults in.
    Where the task anneals temperatures, that of an epoch is max(floor, τ exp(-decay · epochs done)).

    `epochs`, where the task takes it, is how long these cells train instead of the others.
    `note` says why cells are there that are no ordinary ones; tables show them apart and do not rank them.
    """

    estimator: Many[EstimatorName]
    latent: Many[Latent]
    optimizer: Many[OptimizerName] | None = None
    lr: Many[LearningRate] | None = None
    temperature: Many[Temperature] | None = None
    eta: Many[Eta] | None = None
    beta: Many[Beta] | None = None
    num_mc_samples: Many[NumMcSamples] | None = None
    gap: Many[Gap] | None = None
    num_samples: Many[NumSamples] | None = None
    temperature_decay: Many[TemperatureDecay] | None = None
    temperature_floor: Many[TemperatureFloor] | None = None
    epochs: Many[Epochs] | None = None
    note: Note = ""
    own: dict[str, list[float]] = {}
    """Of hyperparameters that only estimators of users have; in a spec each is a key of its own."""

    @model_validator(mode="before")
    @classmethod
    def _takes_keys_of_own_estimators(cls, stated: Any) -> Any:
        """Put the hyperparameters that estimators of users declare where the model has room for them."""
        if not isinstance(stated, dict):
            return stated
        names = stated.get("estimator", ())
        rules = {
            one.name: one
            for name in (names if isinstance(names, list) else [names])
            if isinstance(name, str) and isinstance(entry := estimators.REGISTRY.get(name), OwnEstimator)
            for one in entry.hyperparameters
            if one.name not in cls.model_fields
        }
        if "own" in stated and "own" not in rules:
            raise SpecValueError("unknown key 'own'", stated["own"], place=("own",))
        own = {key: _checked(rules[key], value) for key, value in stated.items() if key in rules}
        return {**{key: value for key, value in stated.items() if key not in rules}, "own": own}

    @field_validator("latent")
    @classmethod
    def _suits_every_estimator(cls, latents: list[str], info: ValidationInfo) -> list[str]:
        for estimator in map(estimators.get, info.data.get("estimator", ())):
            for latent in latents:
                categorical_dim, latent_dim = map(int, latent.split("x"))
                if estimator.categorical_dim not in (None, categorical_dim):
                    only = estimator.categorical_dim
                    rule = f"latent must have {only} categories for {estimator.name}"
                    raise SpecValueError(f"{rule}, such as {only}x{latent_dim}", latent)
                if not estimator.can_train(categorical_dim, latent_dim):
                    raise SpecValueError(
                        f"latent must have at most {estimator.max_states} states for {estimator.name}, which "
                        f"enumerates them, and {latent} has {categorical_dim}^{latent_dim}",
                        latent,
                    )
        return latents

    @field_validator("temperature", "eta", "beta", "num_mc_samples", "gap")
    @classmethod
    def _belongs_to_every_estimator(
        cls, values: list[float] | None, info: ValidationInfo
    ) -> list[float] | None:
        for estimator in info.data.get("estimator", ()):
            own = estimators.get(estimator).hyperparameters
            check_hyperparameter(info.field_name or "", values, estimator, own)
        return values

    @model_validator(mode="after")
    def _own_keys_belong_to_every_estimator(self) -> Block:
        for name, values in self.own.items():
            for estimator in self.estimator:
                known = estimators.get(estimator).hyperparameters
                check_hyperparameter(name, values, estimator, known, (name,))
        return self

    @field_validator("temperature_decay", "temperature_floor")
    @classmethod
    def _anneals_a_temperature(cls, values: list[float] | None, info: ValidationInfo) -> list[float] | None:
        name = info.field_name or ""
        for estimator in info.data.get("estimator", ()):
            if values is not None and not takes_temperature(estimator):
                raise SpecValueError(f"{name} must be left out: {estimator} takes no temperature", values)
        lowest = min(info.data.get("temperature") or [TEMPERATURE.default])
        if name == "temperature_floor" and values is not None and max(values) > lowest:
            raise SpecValueError(f"{name} must be at most the temperature, {lowest:g}", max(values))
        return values

    def num_settings(self, task: Task) -> int:
        """Return how many combinations there are, none of which is made for it."""
        choices = (self._choices(task, estimator) for estimator in self.estimator)
        return len(self.latent) * sum(math.prod(map(len, one.values())) for one in choices)

    def settings(self, task: Task) -> Iterator[dict[str, object]]:
        """Yield the params that the block settles, one dictionary for each combination."""
        for estimator, latent in itertools.product(self.estimator, self.latent):
            categorical_dim, latent_dim = latent.split("x")
            choices = self._choices(task, estimator)
            for values in itertools.product(*choices.values()):
                yield {
                    "estimator": estimator,
                    **_identity(estimator),
                    "categorical_dim": categorical_dim,
                    "latent_dim": latent_dim,
                    **dict(zip(choices, values, strict=True)),
                }

    def _choices(self, task: Task, estimator: str) -> Mapping[str, Sequence[object]]:
        """Return what an estimator's settings are combined from."""
        choices: dict[str, Sequence[object]] = {
            key: getattr(self, key)
            for key in task.block_keys
            if (key not in ANNEALING or takes_temperature(estimator)) and getattr(self, key) is not None
        }
        for own in task.hyperparameters_of(estimator):
            stated = self.own.get(own.name) or getattr(self, own.name, None)
            choices[own.name] = [own.number(value) for value in stated or [own.default]]
        return choices


def _checked(rule: Hyperparameter, value: Any) -> list[float]:
    check = checked_hyperparameter(rule)
    try:
        return [check(one) for one in (value if isinstance(value, list) else [value])]
    except SpecValueError as error:
        error.place = (rule.name,)
        raise


def _identity(estimator: str) -> dict[str, object]:
    """Return the params that say which code an estimator of a user's is, and which names it brings."""
    entry = estimators.get(estimator)
    if not isinstance(entry, OwnEstimator):
        return {}
    own = [one.name for one in entry.hyperparameters if one.name not in MEMBER_PARAMS]
    return {"estimator_version": entry.version, "hyperparameters": ",".join(own) or None}


def check_hyperparameter(
    name: str,
    values: Sequence[float] | None,
    estimator: str,
    hyperparameters: Sequence[Hyperparameter],
    place: tuple[str | int, ...] = (),
) -> None:
    """Refuse values of a hyperparameter that an estimator does not take, or does not allow.

    Args:
        name: The hyperparameter.
        values: What the spec states; None where it states nothing.
        estimator: The estimator's id.
        hyperparameters: What it takes.
        place: Keys that lead to the values from where the rule is checked.
    Raises:
        SpecValueError: If a value is stated that may not be.
    """
    known = {own.name: own for own in hyperparameters}
    own = known.get(name)
    if values is not None and own is None:
        takes = f"only {', '.join(known)}" if known else "none"
        rule = f"{name} must be left out: {estimator} takes {takes}"
        raise SpecValueError(rule, values, place=place)
    for value in values or ():
        if own is not None and not own.allows(value):
            raise SpecValueError(f"{name} must be {own.rule} for {estimator}", value, place=place)
