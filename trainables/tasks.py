"""The tasks: what is done with a cell, and all that a spec, a pack, a table and a figure must know of it.

One entry of `TASKS` and one trainer in `trainables/trainers.py` add a task. Standard library and rules of
estimators only, so that specs and analysis can use it where torch is not installed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from estimators import registry
from estimators.hyperparameter import NUM_SAMPLES, TEMPERATURE, Hyperparameter
from trainables.dataset_names import DATASET_NAMES
from trainables.metrics import (
    BERNOULLI_VAE_METRICS,
    GRADIENT_QUALITY_METRICS,
    MEASUREMENT,
    MNIST_ADDITION_METRICS,
    SECONDS,
    SYNTHETIC_GRADIENT_METRICS,
    SYNTHETIC_OPTIMISATION_METRICS,
    VAE_METRICS,
    Metric,
    names_of,
)
from trainables.network_sizes import (
    num_bernoulli_vae_parameters,
    num_digit_network_parameters,
    num_vae_parameters,
)

MNIST_VAE = "mnist_vae"
GRADIENT_QUALITY = "gradient_quality"
SYNTHETIC_GRADIENT = "synthetic_gradient"
SYNTHETIC_OPTIMISATION = "synthetic_optimisation"
BERNOULLI_VAE = "bernoulli_vae"
MNIST_ADDITION = "mnist_addition"


class Stated(Enum):
    """How a spec states a key for which a task has no default."""

    REQUIRED = "required"
    OPTIONAL = "optional"


REQUIRED, OPTIONAL = Stated.REQUIRED, Stated.OPTIONAL

Keys = Mapping[str, object]
"""Keys of a spec with their defaults, `REQUIRED` where there is none, or `OPTIONAL` where none is needed."""


@dataclass(frozen=True)
class Figure:
    """A figure that is drawn of a task's cells where none is asked for.

    Args:
        metrics: A panel each.
        against: "epoch", "iteration" or "seconds"; or "estimator", for bars of two metrics.
    """

    metrics: tuple[str, ...]
    against: str = "epoch"


@dataclass(frozen=True)
class Task:
    """What is done with a cell.

    Args:
        name: Its name in specs and in the store.
        epoch_metrics: What a member logs after every epoch. An epoch is what lies between two checkpoints,
            and the step of the store: a pass over the training images, or, without images, whatever the task
            makes of it.
        headline: The metric that a table shows where none is asked for.
        progress: The metric that is shown while packs train.
        free_params: What members of one pack may differ in; everything else they share.
        num_parameters: Maps categories and variables to how many numbers a model's parameters take.
        keys: What a spec of it may state besides name, task, seeds, grid and resources. Any other key is
            refused.
        measure_keys: The same for the keys of `measure`, where the task takes it.
        block_keys: The same for a block's keys besides estimator, latent, the estimator's hyperparameters
            and the note; a default is a list of values, as a block's are.
        datasets: The data sets that it can be done with; none where it needs no images.
        fixed: Values of keys that no spec of it need state.
        measured_metrics: What a member logs besides, after the epochs at which gradients are measured.
        search_metrics: Metrics that a search may seek the lowest mean of; none where there is no searching.
        least_draws: Fewest estimates of a gradient that it measures by.
        trains_one_model: Whether the members of a pack share one model, in whose training they are judged.
        categorical_dim: How many categories its variables have; none means any number.
        is_differentiable: Whether f has a gradient with respect to the samples; where it has none, only
            estimators that evaluate it at one-hot samples alone can train.
        max_states: Most states C^L, where they are enumerated for exact gradients; none means any.
        averages_draws: Whether a pathwise estimator averages over `num_samples` draws here.
        comparable_params: Params that cells must share to be ranked, besides those that all must.
        label_params: Params that are part of every row's name, since they are an estimator's budget.
        figures: What is drawn where nothing is asked for and no hyperparameter is varied; where empty, what
            is varied decides first.
    """

    name: str
    epoch_metrics: tuple[Metric, ...]
    headline: str
    progress: str
    free_params: frozenset[str]
    num_parameters: Callable[[int, int], int]
    keys: Keys
    block_keys: Keys
    measure_keys: Keys = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    fixed: Mapping[str, object] = field(default_factory=dict)
    measured_metrics: tuple[Metric, ...] = ()
    search_metrics: tuple[str, ...] = ()
    least_draws: int = 1
    trains_one_model: bool = False
    categorical_dim: int | None = None
    is_differentiable: bool = True
    max_states: int | None = None
    averages_draws: bool = False
    comparable_params: tuple[str, ...] = ()
    label_params: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()

    def can_train_with(self, estimator: str) -> bool:
        """Say whether f is all that an estimator needs it to be."""
        own = registry.get(estimator)
        return self.is_differentiable or (own.needs_objective and not own.relaxes_samples)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all that its members log."""
        return names_of(*self.epoch_metrics, *self.measured_metrics)

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        """The metrics that cells may be chosen by; the first is the one where none is asked for."""
        metrics = (*self.epoch_metrics, *self.measured_metrics)
        return names_of(*(metric for metric in metrics if metric.may_select))

    def has_few_enough_states(self, categorical_dim: int, latent_dim: int) -> bool:
        """Say whether L variables of C categories have at most `max_states` states C^L."""
        return registry.has_few_enough_states(categorical_dim, latent_dim, self.max_states)

    def hyperparameters_of(self, estimator: str) -> tuple[Hyperparameter, ...]:
        """Return an estimator's hyperparameters here: with the number of draws that are averaged.

        Raises:
            ValueError: If there is no such estimator.
        """
        own = registry.get(estimator).hyperparameters
        is_added = self.averages_draws and NUM_SAMPLES.name not in {one.name for one in own}
        return (*own, NUM_SAMPLES) if is_added and registry.get(estimator).is_random else own


_VAE_KEYS: Keys = {"dataset": "mnist", "epochs": REQUIRED, "batch_size": 100, "precision": "float32"}
_TRAINING_KEYS: Keys = {"optimizer": ["adam"], "lr": REQUIRED}

_TASKS = (
    Task(
        MNIST_VAE,
        (*VAE_METRICS, SECONDS),
        headline="test_neg_elbo",
        progress="train_neg_elbo",
        free_params=frozenset({"seed", "temperature", "eta", "beta"}),
        num_parameters=num_vae_parameters,
        keys=_VAE_KEYS,
        block_keys=_TRAINING_KEYS,
        datasets=DATASET_NAMES,
        search_metrics=names_of(*VAE_METRICS),
    ),
    Task(
        GRADIENT_QUALITY,
        (*VAE_METRICS, SECONDS),
        measured_metrics=(*GRADIENT_QUALITY_METRICS, MEASUREMENT),
        headline="gradient_cosine_batch",
        progress="train_neg_elbo",
        free_params=frozenset(
            {"estimator", "temperature", "eta", "beta", "num_mc_samples", "gap", "num_samples"}
        ),
        num_parameters=num_vae_parameters,
        keys={**_VAE_KEYS, "measure": REQUIRED},
        measure_keys={
            "epochs": REQUIRED,
            "draws": 1024,
            "trained_with": "reinmax",
            "trained_temperature": OPTIONAL,
        },
        block_keys=_TRAINING_KEYS,
        datasets=DATASET_NAMES,
        trains_one_model=True,
        max_states=registry.get("exact").max_states,
        comparable_params=(
            "batch_size", "optimizer", "lr", "trained_with", "trained_temperature", "num_draws",
        ),
        figures=(Figure(("gradient_cosine_batch", "gradient_relative_std")),),
    ),
    Task(
        SYNTHETIC_GRADIENT,
        SYNTHETIC_GRADIENT_METRICS,
        headline="cosine_variance",
        progress="gradient_bias",
        free_params=frozenset({"seed"}),
        num_parameters=lambda _categorical_dim, _latent_dim: 0,
        keys={"measure": {"draws": 1000}},
        measure_keys={"draws": 1000},
        block_keys={},
        fixed={"epochs": 1},
        averages_draws=True,
        comparable_params=("num_draws",),
        label_params=("num_samples",),
        figures=(Figure(("gradient_bias", "cosine_variance"), against="estimator"),),
    ),
    Task(
        SYNTHETIC_OPTIMISATION,
        SYNTHETIC_OPTIMISATION_METRICS,
        headline="expected_value",
        progress="expected_value",
        free_params=frozenset({"seed"}),
        num_parameters=lambda _categorical_dim, latent_dim: latent_dim,
        keys={"epochs": REQUIRED, "iterations_per_epoch": 20, "measure": {"draws": 10}},
        measure_keys={"draws": 10},
        block_keys={
            "optimizer": ["rmsprop"],
            "lr": REQUIRED,
            "temperature_decay": [0.0],
            "temperature_floor": [0.0],
        },
        categorical_dim=2,
        least_draws=2,
        averages_draws=True,
        comparable_params=("iterations_per_epoch", "num_draws"),
        label_params=("num_samples",),
        figures=(
            Figure(("expected_value",), "iteration"),
            Figure(("expected_value",), "seconds"),
            Figure(("estimate_variance",), "iteration"),
        ),
    ),
    Task(
        BERNOULLI_VAE,
        BERNOULLI_VAE_METRICS,
        headline="test_neg_elbo",
        progress="train_neg_elbo",
        free_params=frozenset({"seed", "temperature", "eta", "beta"}),
        num_parameters=lambda _categorical_dim, latent_dim: num_bernoulli_vae_parameters(latent_dim),
        keys={**_VAE_KEYS, "measure": {"draws": 10}},
        measure_keys={"draws": 10},
        block_keys={
            **_TRAINING_KEYS,
            "temperature_decay": [0.0],
            "temperature_floor": [0.0],
            "epochs": OPTIONAL,
        },
        datasets=DATASET_NAMES,
        categorical_dim=2,
        averages_draws=True,
        comparable_params=("num_draws",),
        label_params=("num_samples",),
        figures=(Figure(("train_neg_elbo", "test_neg_elbo", "estimate_variance"), "seconds"),),
    ),
    Task(
        MNIST_ADDITION,
        MNIST_ADDITION_METRICS,
        headline="test_sum_accuracy",
        progress="test_sum_accuracy",
        free_params=frozenset({"seed"}),
        num_parameters=lambda _categorical_dim, _latent_dim: num_digit_network_parameters(),
        keys={**_VAE_KEYS, "batch_size": 10},
        block_keys={**_TRAINING_KEYS, "epochs": OPTIONAL},
        datasets=("mnist",),
        categorical_dim=10,
        is_differentiable=False,
        label_params=("num_samples",),
        figures=(Figure(("test_sum_accuracy",)),),
    ),
)  # fmt: skip

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _TASKS})
"""Every task by its name."""


def task_of(name: str) -> Task:
    """Return a task.

    Raises:
        ValueError: If there is no such task.
    """
    if name not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {name!r}")
    return TASKS[name]


def temperature_after(epoch: int, temperature: float, decay: float, floor: float) -> float:
    """Return the temperature of the epoch that follows so many: max(floor, τ exp(-decay · epoch)).

    Args:
        epoch: Epochs done.
        temperature: τ of the first epoch, > 0.
        decay: Rate an epoch, >= 0; 0 leaves the temperature as it is.
        floor: What it does not fall below, >= 0, and at most τ.
    """
    return max(floor, temperature * math.exp(-decay * epoch))


def takes_temperature(estimator: str) -> bool:
    """Say whether an estimator has a temperature."""
    return TEMPERATURE in registry.get(estimator).hyperparameters
