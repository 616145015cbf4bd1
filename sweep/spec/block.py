"""A block of a spec's grid: settings that multiply."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

import estimators
from estimators.hyperparameter import NUM_SAMPLES, TEMPERATURE, Hyperparameter
from estimators.own import OwnEstimator
from estimators.registry import SHIPPED_HYPERPARAMETERS, hyperparameter_names, hyperparameters
from sweep.spec.exclude import check_exclude, is_excluded
from sweep.spec.values import (
    MISSING,
    ActivationName,
    Decoder,
    Encoder,
    Epochs,
    EstimatorName,
    Exclude,
    Label,
    Latent,
    LearningRate,
    Many,
    Note,
    OptimizerName,
    SpecValueError,
    TemperatureDecay,
    TemperatureFloor,
    as_list,
    checked_number,
)
from trainables.schema import NETWORK_PARAMS, PARAMS
from trainables.task import Task
from trainables.task_registry import takes_temperature

HYPERPARAMETERS = "hyperparameters"
"""Where a block keeps those of estimators; in a spec each is a key of its own."""
ANNEALING = ("temperature_decay", "temperature_floor")
"""Keys that only an estimator with a temperature can have."""


class SpecModel(BaseModel):
    """A part of a spec: unknown keys are errors, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys that a spec may have here."""
        return list(cls.model_fields)


def _checked(stated: tuple[str, Any], info: ValidationInfo) -> float:
    """Return a value of a hyperparameter, given with its name, if the rule of its name allows it.

    That is the one that ships, else that of the block's first estimator which takes it.
    """
    name, value = stated
    of_block = (estimators.get(one).hyperparameters for one in info.data.get("estimator", ()))
    own = [one for several in of_block for one in several if one.name == name]
    rule = SHIPPED_HYPERPARAMETERS.get(name) or (own or hyperparameters(name))[0]
    return checked_number(name, rule)(value)


def _of_every_estimator(
    stated: tuple[str, Any], check: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> list[float]:
    """Return the values of a hyperparameter, given with its name, if all of the block's estimators take them.

    How many samples an estimator may draw, its task says too.
    """
    name, values = stated
    numbers: list[float] = check([(name, value) for value in as_list(values)])
    for estimator in info.data.get("estimator", ()) if name != NUM_SAMPLES.name else ():
        check_hyperparameter(name, numbers, estimator, estimators.get(estimator).hyperparameters)
    return numbers


Values = Annotated[
    list[Annotated[float, BeforeValidator(_checked)]],
    Field(min_length=1),
    WrapValidator(_of_every_estimator),
]


class Block(SpecModel):
    """A block of a grid: lists multiply. A hyperparameter left out is at its default.

    What a task may require or refuse of it is checked by the spec, which fills the task's defaults in.
    Where the task anneals temperatures, that of an epoch is max(floor, τ exp(-decay · epochs done)).

    `encoder` and `decoder` are the widths of a network's hidden layers, or several such lists.
    `epochs`, where the task takes it, is how long these cells train instead of the others.
    `note` says why cells are there that are no ordinary ones; tables show them apart and do not rank them.
    `label` is what rows of tables call them. `exclude` lists combinations to leave out: each says values
    under some of the block's keys, and a cell that has one under every key is left out.
    """

    estimator: Many[EstimatorName]
    latent: Many[Latent]
    optimizer: Many[OptimizerName] | None = None
    lr: Many[LearningRate] | None = None
    hyperparameters: dict[str, Values] = {}
    temperature_decay: Many[TemperatureDecay] | None = None
    temperature_floor: Many[TemperatureFloor] | None = None
    encoder: Encoder | None = None
    decoder: Decoder | None = None
    activation: Many[ActivationName] | None = None
    epochs: Many[Epochs] | None = None
    note: Note = ""
    label: Label = ""
    exclude: Exclude = ()

    @model_validator(mode="before")
    @classmethod
    def _takes_hyperparameters_of_any_name(cls, stated: Any) -> Any:
        """Put hyperparameters, each with its name, where the model has room for them."""
        if not isinstance(stated, dict):
            return stated
        if HYPERPARAMETERS in stated:
            value = stated[HYPERPARAMETERS]
            raise SpecValueError(f"unknown key {HYPERPARAMETERS!r}", value, place=(HYPERPARAMETERS,))
        names = hyperparameter_names()
        own = {name: (name, stated[name]) for name in names if stated.get(name) is not None}
        return {**{key: value for key, value in stated.items() if key not in names}, HYPERPARAMETERS: own}

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys of a block: a hyperparameter of any estimator is one."""
        names = super().keys()
        place = names.index(HYPERPARAMETERS)
        return [*names[:place], *hyperparameter_names(), *names[place + 1 :]]

    def lists(self) -> dict[str, list[Any]]:
        """Return what is stated under each key that takes several values."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        stated = {**fields, **self.hyperparameters}
        return {key: stated[key] for key in self.keys() if isinstance(stated.get(key), list)}

    def with_values(self, chosen: Mapping[str, object]) -> Block:
        """Return the same with one value, unchecked, under each of some keys."""
        lists = {key: [value] for key, value in chosen.items()}
        own = {**self.hyperparameters, **{key: lists.pop(key) for key in self.hyperparameters.keys() & lists}}
        return self.model_copy(update={**lists, HYPERPARAMETERS: own})

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

    @field_validator("temperature_decay", "temperature_floor")
    @classmethod
    def _anneals_a_temperature(cls, values: list[float] | None, info: ValidationInfo) -> list[float] | None:
        name = info.field_name or ""
        for estimator in info.data.get("estimator", ()):
            if values is not None and not takes_temperature(estimator):
                raise SpecValueError(f"{name} must be left out: {estimator} takes no temperature", values)
        stated = info.data.get(HYPERPARAMETERS, {})
        lowest = min(stated.get(TEMPERATURE.name, [TEMPERATURE.default]))
        if name == "temperature_floor" and values is not None and max(values) > lowest:
            raise SpecValueError(f"{name} must be at most the temperature, {lowest:g}", max(values))
        return values

    def num_settings(self, task: Task) -> int:
        """Return how many combinations there are before any is excluded, none of which is made for it."""
        choices = (self._choices(task, estimator) for estimator in self.estimator)
        return len(self.latent) * sum(math.prod(map(len, one.values())) for one in choices)

    def settings(self, task: Task) -> Iterator[dict[str, object]]:
        """Yield the params that the block settles, one dictionary for each combination."""
        for estimator, latent in itertools.product(self.estimator, self.latent):
            categorical_dim, latent_dim = latent.split("x")
            choices = self._choices(task, estimator)
            is_left_out = is_excluded(self.exclude, _offered(estimator, latent, choices))
            for values in itertools.product(*choices.values()):
                setting = dict(zip(choices, values, strict=True))
                if is_left_out(setting):
                    continue
                yield {
                    "estimator": estimator,
                    **_identity(estimator),
                    "categorical_dim": categorical_dim,
                    "latent_dim": latent_dim,
                    **_networks(task, setting),
                }

    def check_exclude(self, task: Task, index: int) -> None:
        """Refuse entries of `exclude` that leave nothing out, or everything.

        Args:
            task: The task.
            index: The block's place in the grid.
        Raises:
            SpecValueError: If there is one.
        """
        if not self.exclude:
            return
        offers = (
            _offered(estimator, latent, self._choices(task, estimator))
            for estimator, latent in itertools.product(self.estimator, self.latent)
        )
        check_exclude(self.exclude, self.keys(), offers, index)
        if next(self.settings(task), None) is None:
            raise SpecValueError("exclude must leave a cell of its block", MISSING, place=(index, "exclude"))

    def _choices(self, task: Task, estimator: str) -> Mapping[str, Sequence[object]]:
        """Return what an estimator's settings are combined from."""
        choices: dict[str, Sequence[object]] = {
            key: getattr(self, key)
            for key in task.block_keys
            if (key not in ANNEALING or takes_temperature(estimator)) and getattr(self, key) is not None
        }
        for own in task.hyperparameters_of(estimator):
            stated = self.hyperparameters.get(own.name, [own.default])
            choices[own.name] = [own.number(value) for value in stated]
        return choices


def _offered(
    estimator: str, latent: str, choices: Mapping[str, Sequence[object]]
) -> Mapping[str, Sequence[object]]:
    return {"estimator": [estimator], "latent": [latent], **choices}


def _networks(task: Task, setting: Mapping[str, object]) -> dict[str, object]:
    """Return a setting without what it states of networks that the task's are anyway."""
    own = task.architecture
    return {
        name: value
        for name, value in setting.items()
        if own is None or name not in NETWORK_PARAMS or value != own.stated(name)
    }


def _identity(estimator: str) -> dict[str, object]:
    """Return the params that say which code an estimator of a user's is, and which names it brings."""
    entry = estimators.get(estimator)
    if not isinstance(entry, OwnEstimator):
        return {}
    own = [one.name for one in entry.hyperparameters if one.name not in PARAMS]
    return {"estimator_version": entry.version, HYPERPARAMETERS: ",".join(own) or None}


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
