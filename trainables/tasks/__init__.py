"""The tasks: what is done with a cell, and all that a spec, a pack, a table and a figure must know of it.

One entry of `TASKS` and one trainer in `trainables/tasks/trainers.py` add a task. Standard library and rules
of estimators only, so that specs and analysis can use it where torch is not installed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from estimators import registry
from estimators.hyperparameter import TEMPERATURE
from trainables.models.network_sizes import (
    num_bernoulli_vae_parameters,
    num_digit_network_parameters,
    num_vae_parameters,
)
from trainables.schema import FREE_IN_PACKS
from trainables.schema.dataset_names import DATASET_NAMES
from trainables.schema.metrics import (
    BERNOULLI_VAE_METRICS,
    GRADIENT_QUALITY_METRICS,
    MEASUREMENT,
    MNIST_ADDITION_METRICS,
    SECONDS,
    SYNTHETIC_GRADIENT_METRICS,
    SYNTHETIC_OPTIMISATION_METRICS,
    VAE_METRICS,
    names_of,
)
from trainables.tasks.task import OPTIONAL, REQUIRED, Figure, Keys, Task

MNIST_VAE = "mnist_vae"
GRADIENT_QUALITY = "gradient_quality"
SYNTHETIC_GRADIENT = "synthetic_gradient"
SYNTHETIC_OPTIMISATION = "synthetic_optimisation"
BERNOULLI_VAE = "bernoulli_vae"
MNIST_ADDITION = "mnist_addition"


_VAE_KEYS: Keys = {"dataset": "mnist", "epochs": REQUIRED, "batch_size": 100, "precision": "float32"}
_TRAINING_KEYS: Keys = {"optimizer": ["adam"], "lr": REQUIRED}

_TASKS = (
    Task(
        MNIST_VAE,
        (*VAE_METRICS, SECONDS),
        headline="test_neg_elbo",
        progress="train_neg_elbo",
        free_params=FREE_IN_PACKS | {"seed"},
        free_on_gpu=frozenset({"lr"}),
        num_parameters=num_vae_parameters,
        keys=_VAE_KEYS,
        block_keys=_TRAINING_KEYS,
        datasets=DATASET_NAMES,
        search_metrics=names_of(*VAE_METRICS),
        draws_pictures=True,
    ),
    Task(
        GRADIENT_QUALITY,
        (*VAE_METRICS, SECONDS),
        measured_metrics=(*GRADIENT_QUALITY_METRICS, MEASUREMENT),
        headline="gradient_cosine_batch",
        progress="train_neg_elbo",
        free_params=frozenset({"estimator", *registry.SHIPPED_HYPERPARAMETERS}),
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
        least_draws=2,
        table_metrics=("gradient_bias", "estimate_seconds", "function_evaluations"),
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
        table_metrics=("near_optimum_iteration",),
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
        free_params=FREE_IN_PACKS | {"seed"},
        free_on_gpu=frozenset({"lr"}),
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
        least_draws=2,
        averages_draws=True,
        comparable_params=("num_draws",),
        label_params=("num_samples",),
        draws_pictures=True,
        figures=(Figure(("train_neg_elbo", "test_neg_elbo", "estimate_variance"), "seconds"),),
    ),
    Task(
        MNIST_ADDITION,
        MNIST_ADDITION_METRICS,
        headline="test_sum_accuracy",
        progress="test_sum_accuracy",
        free_params=frozenset({"seed"}),
        free_on_gpu=frozenset({"lr"}),
        num_parameters=lambda _categorical_dim, _latent_dim: num_digit_network_parameters(),
        keys={**_VAE_KEYS, "batch_size": 10},
        block_keys={**_TRAINING_KEYS, "epochs": OPTIONAL},
        datasets=("mnist",),
        categorical_dim=10,
        has_image_per_variable=True,
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
    return TEMPERATURE.name in {one.name for one in registry.get(estimator).hyperparameters}
