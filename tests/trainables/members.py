"""Members and images for tests of training: real code, few pixels of noise in place of MNIST."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from trainables import task_registry as tasks
from trainables.data import ImageDataset
from trainables.pack import Pack
from trainables.schema import Member
from trainables.task import Task
from trainables.task_registry import TASKS
from trainables.training.epochs import EpochRecord
from trainables.training.trainer import Trainer
from trainables.training.training_data import TrainingData


def member(seed: int = 0, **params: object) -> Member:
    """Return a member of a small sweep."""
    setting = {
        "task": "mnist_vae",
        "dataset": "mnist",
        "estimator": "reinmax",
        "categorical_dim": 8,
        "latent_dim": 4,
        "optimizer": "adam",
        "lr": 0.0005,
        "temperature": 1.0,
        "batch_size": 100,
        "epochs": 3,
        "seed": seed,
    }
    return Member.from_params({**setting, **params})


def images(count: int, seed: int = 0) -> torch.Tensor:
    """Return noise with the brightness of digits, shape (count, 784), uint8."""
    noise = torch.rand(count, 784, generator=torch.Generator().manual_seed(seed))
    return (noise**6 * 255).to(torch.uint8)


def dataset(num_train: int, num_test: int) -> ImageDataset:
    """Return noise with ten classes in turn, as a data set."""
    train, test = images(num_train).numpy(), images(num_test, seed=1).numpy()
    labels = [torch.arange(count).remainder(10).to(torch.uint8).numpy() for count in (num_train, num_test)]
    return ImageDataset("mnist", train, labels[0], test, labels[1])


def data(num_train: int, num_test: int) -> TrainingData:
    """Return the same as trainers are given it."""
    found = TrainingData.of(dataset(num_train, num_test))
    assert found is not None
    return found


def trainer_of(pack: Pack, given: TrainingData | None = None) -> Trainer:
    """Return what trains a pack, on the CPU."""
    return pack.task.trainer(pack, given)


def stand_in(monkeypatch: pytest.MonkeyPatch, task: str, make: Callable[..., Any]) -> None:
    """Let packs of a task be trained by what a function makes."""
    record = replace(TASKS[task], trainer=cast("type[Trainer]", make))
    monkeypatch.setitem(tasks._tasks, task, record)


def synthetic(estimator: str, seed: int = 0, task: str = "synthetic_gradient", **params: object) -> Member:
    """Return a member of a task without a data set."""
    own = {
        "synthetic_gradient": {"categorical_dim": 3, "latent_dim": 4, "epochs": 1, "num_draws": 30},
        "synthetic_optimisation": {
            "categorical_dim": 2, "latent_dim": 16, "epochs": 3, "num_draws": 4, "iterations_per_epoch": 5,
            "optimizer": "rmsprop", "lr": 0.5,
        },
    }[task]  # fmt: skip
    return Member.from_params({"task": task, "estimator": estimator, "seed": seed, **own, **params})


_SMALL: Mapping[str, Mapping[str, object]] = {
    "mnist_vae": {"estimator": "stgs", "categorical_dim": 4, "latent_dim": 4, "batch_size": 20},
    "gradient_quality": {
        "estimator": "stgs", "categorical_dim": 3, "latent_dim": 2, "batch_size": 20,
        "trained_with": "reinmax", "measured_epochs": "1,2", "num_draws": 4,
    },
    "synthetic_gradient": {"estimator": "rloo"},
    "synthetic_optimisation": {"estimator": "rloo"},
    "bernoulli_vae": {
        "estimator": "rloo", "categorical_dim": 2, "latent_dim": 8, "batch_size": 20, "num_draws": 3,
    },
    "mnist_addition": {
        "estimator": "rloo", "num_samples": 50, "categorical_dim": 10, "latent_dim": 2, "batch_size": 10,
    },
}  # fmt: skip
"""Of each task a member that trains in a moment, by a score-function estimator where that is possible."""


def small_trainer(task: Task, num_train: int = 50, num_test: int = 40, **params: object) -> Any:
    """Return the trainer of a small pack of any task: two seeds, or two temperatures where they share one."""
    setting = {"task": task.name, **_SMALL[task.name], **params}
    seeds = (0, 0) if task.trains_one_model else (0, 1)
    make = member if task.datasets else synthetic
    members = [
        make(seed=seed, temperature=temperature, **setting)  # type: ignore[arg-type]
        for seed, temperature in zip(seeds, (1.0, 0.5), strict=True)
    ]
    if "temperature" not in task.free_params:
        members[1] = Member(members[0].cell, seeds[1])
    return trainer_of(Pack(tuple(members)), data(num_train, num_test) if task.datasets else None)


def training_state(trainer: Any) -> Mapping[str, Any]:
    """Return the state of a trainer, or of the training that its pack shares."""
    state: Mapping[str, Any] = trainer.state_dict()
    of_training: Mapping[str, Any] = state.get("trainer", state)
    return of_training


def check_seconds_are_without(trainer: Trainer, measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of an epoch do not hold those of the method that measures."""
    method, seconds = getattr(trainer, measure), 2.0

    def slowly() -> object:
        time.sleep(seconds)
        return method()

    monkeypatch.setattr(trainer, measure, slowly)
    start = time.perf_counter()
    metrics = trainer.run_epoch().metrics[0] or {}
    assert metrics["epoch_seconds"] <= time.perf_counter() - start - seconds


def through_bytes(state: Mapping[str, object]) -> Mapping[str, Any]:
    """Return a state as a checkpoint gives it back."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    buffer.seek(0)
    loaded: Mapping[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


def values_of(record: EpochRecord, index: int = 0) -> dict[str, float]:
    """Return what an epoch gave a member that has not diverged; not the seconds, which are never the same."""
    metrics = record.metrics[index]
    assert metrics is not None
    return {name: value for name, value in metrics.items() if not name.endswith("_seconds")}
