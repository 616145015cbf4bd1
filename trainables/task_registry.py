"""The registry of tasks: what is done with a cell.

A task is one file of `trainables.tasks`, with its record and its trainer, and one line here; one of a user's
is registered in each process. The files are loaded by their names, as users' are: nothing below the tasks
imports one. Nothing here needs torch, so that specs and analysis can use it where that is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from estimators import registry
from estimators.hyperparameter import TEMPERATURE
from trainables.schema.metrics import Metric
from trainables.task import Task

SHIPPED = (
    "mnist_vae",
    "gradient_quality",
    "synthetic_gradient",
    "synthetic_optimisation",
    "bernoulli_vae",
    "mnist_addition",
)
"""The tasks that catsweep has itself: each the name of a file of `trainables.tasks`, whose `TASK` it is."""

_tasks: dict[str, Task] = {}
_metrics: dict[str, Metric] = {}
TASKS: Mapping[str, Task] = MappingProxyType(_tasks)
"""Every task by its name: those that ship, and then those of users that this process knows."""
METRIC: Mapping[str, Metric] = MappingProxyType(_metrics)
"""Every metric that a task logs, by its name in the store, in the order of the tasks."""


def register(task: Task) -> None:
    """Add a task to the registry of this process, in place of another of a user's of its name.

    Raises:
        ValueError: If the name is that of one that ships, or a metric has the name of another task's that is
            not equal.
    """
    if task.name in SHIPPED:
        raise ValueError(f"task {task.name} ships with catsweep; yours must have another name")
    others = [one for one in _tasks.values() if one.name != task.name]
    for metric in task.records:
        for other in others:
            if any(one.name == metric.name and one != metric for one in other.records):
                raise ValueError(
                    f"metric {metric.name} of task {task.name} must have another name, or be what task "
                    f"{other.name} declares"
                )
    _put(task)


def unregister(name: str) -> None:
    """Forget a task that does not ship."""
    if name not in SHIPPED and name in _tasks:
        del _tasks[name]
        _put()


def task_of(name: str) -> Task:
    """Return a task.

    Raises:
        ValueError: If there is no such task.
    """
    if name not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {name!r}")
    return TASKS[name]


def metric_of(name: str) -> Metric:
    """Return what is known of a metric: of one of no task nothing but its name."""
    return METRIC.get(name) or Metric(name, name)


def takes_temperature(estimator: str) -> bool:
    """Say whether an estimator has a temperature."""
    return TEMPERATURE.name in {one.name for one in registry.get(estimator).hyperparameters}


def _put(*tasks: Task) -> None:
    _tasks.update({task.name: task for task in tasks})
    _metrics.clear()
    _metrics.update({metric.name: metric for task in _tasks.values() for metric in task.records})


_put(*(import_module(f"trainables.tasks.{name}").TASK for name in SHIPPED))
