"""The values that a spec may hold: one type each, with its rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

import estimators
from estimators.hyperparameter import (
    BETA,
    ETA,
    GAP,
    NUM_MC_SAMPLES,
    NUM_SAMPLES,
    TEMPERATURE,
    Hyperparameter,
)
from trainables.dataset_names import DATASET_NAMES
from trainables.optimizers import OPTIMIZERS
from trainables.tasks import TASKS

PRECISIONS = ("float32", "tf32")
SEARCHES = ("grid", "optuna")
SAMPLERS = ("tpe", "random")
STOPPINGS = ("asha",)
SEARCH_METRICS = tuple(dict.fromkeys(name for task in TASKS.values() for name in task.search_metrics))

_LATENT = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


MISSING = object()
"""Stands for what a spec does not say."""


class SpecValueError(ValueError):
    """A value of a spec breaks a rule.

    Args:
        rule: What must hold, for example "lr must be > 0".
        value: What the spec says instead, or `MISSING`.
        allowed: The valid names, where the value is a name.
        place: Keys that lead to the value from where the rule is checked.
    """

    def __init__(
        self, rule: str, value: object, allowed: Iterable[str] = (), place: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(rule if value is MISSING else f"{rule}, got {value!r}")
        self.value = value
        self.allowed = tuple(allowed)
        self.place = place


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)  # also "5e-4", which YAML takes for text
    except (TypeError, ValueError, OverflowError):
        raise SpecValueError(f"{name} must be a number", value) from None


def _hyperparameter(rule: Hyperparameter) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        number = _number(rule.name, value)
        if not rule.allows(number):
            raise SpecValueError(f"{rule.name} must be {rule.rule}", value)
        return number

    return check


def _name(what: str, allowed: Iterable[str]) -> Callable[[Any], str]:
    names = tuple(allowed)

    def check(value: Any) -> str:
        if value not in names:
            raise SpecValueError(f"{what} must be one of {', '.join(names)}", value, names)
        return str(value)

    return check


def _count(what: str, least: int = 1) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SpecValueError(f"{what} must be an integer >= {least}", value)
        return value

    return check


def _lr(value: Any) -> float:
    number = _number("lr", value)
    if not 0 < number < float("inf"):
        raise SpecValueError("lr must be > 0", value)
    return number


def _not_negative(what: str) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        number = _number(what, value)
        if not 0 <= number < float("inf"):
            raise SpecValueError(f"{what} must be >= 0", value)
        return number

    return check


def _latent(value: Any) -> str:
    if not isinstance(value, str) or not _LATENT.fullmatch(value):
        raise SpecValueError("latent must be categories x variables, such as 8x4", value)
    return value


def _seeds(value: Any) -> tuple[int, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return tuple(range(value))
    if not isinstance(value, list) or not value:
        raise SpecValueError("seeds must be a count >= 1 or a list of seeds", value)
    for seed in value:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise SpecValueError("a seed must be an integer >= 0", seed)
    repeated = sorted({seed for seed in value if value.count(seed) > 1})
    if repeated:
        raise SpecValueError(f"seeds must differ, but {', '.join(map(str, repeated))} occurs twice", value)
    return tuple(value)


def _measured_epochs(value: Any) -> tuple[int, ...]:
    epochs = value if isinstance(value, list) else [value]
    if not epochs or any(isinstance(one, bool) or not isinstance(one, int) or one < 1 for one in epochs):
        raise SpecValueError("epochs to measure after must be integers >= 1", value)
    if list(epochs) != sorted(set(epochs)):
        raise SpecValueError("epochs to measure after must differ and increase", value)
    return tuple(epochs)


def _sweep_name(value: Any) -> str:
    if not isinstance(value, str) or not _SWEEP_NAME.fullmatch(value):
        raise SpecValueError("name must consist of letters, digits, '.', '_' and '-'", value)
    return value


def _count_or_auto(what: str) -> Callable[[Any], int | None]:
    return lambda value: None if value in ("auto", None) else _count(what)(value)


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Item = TypeVar("Item")
Many = Annotated[list[Item], BeforeValidator(_as_list), Field(min_length=1)]
"""One value or a list of at least one."""

TaskName = Annotated[str, BeforeValidator(_name("task", TASKS))]
Dataset = Annotated[str, BeforeValidator(_name("dataset", DATASET_NAMES))]
EstimatorName = Annotated[str, BeforeValidator(_name("estimator", estimators.REGISTRY))]
Precision = Annotated[str, BeforeValidator(_name("precision", PRECISIONS))]
OptimizerName = Annotated[str, BeforeValidator(_name("optimizer", OPTIMIZERS))]
Latent = Annotated[str, BeforeValidator(_latent)]
LearningRate = Annotated[float, BeforeValidator(_lr)]
Temperature = Annotated[float, BeforeValidator(_hyperparameter(TEMPERATURE))]
Eta = Annotated[float, BeforeValidator(_hyperparameter(ETA))]
Beta = Annotated[float, BeforeValidator(_hyperparameter(BETA))]
NumMcSamples = Annotated[float, BeforeValidator(_hyperparameter(NUM_MC_SAMPLES))]
Gap = Annotated[float, BeforeValidator(_hyperparameter(GAP))]
NumSamples = Annotated[float, BeforeValidator(_hyperparameter(NUM_SAMPLES))]
TemperatureDecay = Annotated[float, BeforeValidator(_not_negative("temperature_decay"))]
TemperatureFloor = Annotated[float, BeforeValidator(_not_negative("temperature_floor"))]
Note = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
SweepName = Annotated[str, BeforeValidator(_sweep_name)]
Epochs = Annotated[int, BeforeValidator(_count("epochs"))]
IterationsPerEpoch = Annotated[int, BeforeValidator(_count("iterations_per_epoch"))]
BatchSize = Annotated[int, BeforeValidator(_count("batch_size"))]
Seeds = Annotated[tuple[int, ...], BeforeValidator(_seeds)]
Cpus = Annotated[int, BeforeValidator(_count("cpus"))]
Gpus = Annotated[float, BeforeValidator(_not_negative("gpus"))]
PackSize = Annotated[int | None, BeforeValidator(_count_or_auto("members_per_pack"))]
"""Members per pack; None stands for "auto"."""
MeasuredEpochs = Annotated[tuple[int, ...], BeforeValidator(_measured_epochs)]
NumDraws = Annotated[int, BeforeValidator(_count("draws"))]
SearchKind = Annotated[str, BeforeValidator(_name("kind", SEARCHES))]
Sampler = Annotated[str, BeforeValidator(_name("sampler", SAMPLERS))]
SearchMetric = Annotated[str, BeforeValidator(_name("metric", SEARCH_METRICS))]
Trials = Annotated[int, BeforeValidator(_count("trials"))]
SamplerSeed = Annotated[int, BeforeValidator(_count("seed", 0))]
Concurrency = Annotated[int | None, BeforeValidator(_count_or_auto("concurrency"))]
"""Cells in training at a time; None stands for "auto", what the cluster has room for."""
StoppingKind = Annotated[str, BeforeValidator(_name("kind", STOPPINGS))]
GraceEpochs = Annotated[int, BeforeValidator(_count("grace_epochs"))]
ReductionFactor = Annotated[int, BeforeValidator(_count("reduction_factor", 2))]
