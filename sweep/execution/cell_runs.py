"""Runs of cells: what a table shows of a cell, so that the MLflow UI can sort and plot it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from trainables.schema import CHOOSABLE, DEFAULTS, NETWORK_PARAMS, NUM_SEEDS, Cell, own_names, param_of
from trainables.task_registry import METRIC, TASKS

_NAMED = ("lr", "temperature", "eta")


def cell_name(cell: Cell) -> str:
    """Return a name for people, for example "reinmax 8x4 adam lr=0.0005 τ=1.3".

    Beside what most cells differ in it holds what is at no default, hyperparameters of users' estimators too.
    """
    params = cell.params
    task = TASKS.get(params.get("task", ""))
    usual = (*_NAMED, *(task.label_params if task else ()))
    optional = (*CHOOSABLE, *NETWORK_PARAMS, *own_names(params))
    others = (name for name in optional if params.get(name) != DEFAULTS.get(name))
    names = dict.fromkeys(name for name in (*usual, *others) if name in params and name != "optimizer")
    settings = [f"{param_of(name).heading}={params[name]}" for name in names]
    optimizer = [params["optimizer"]] if "optimizer" in params else []
    return " ".join((cell.estimator, cell.latent, *optimizer, *settings))


def changed_values(values: Mapping[str, float], written: Mapping[str, float]) -> dict[str, float]:
    """Return what has to be written of a cell's values, given those that were.

    A metric cannot be deleted: one that is no longer defined becomes NaN.
    """
    wanted = {**dict.fromkeys(written, math.nan), **values}
    return {key: value for key, value in wanted.items() if not _is_same(value, written.get(key))}


def _is_same(value: float, written: float | None) -> bool:
    if written is None:
        return False
    return value == written or (math.isnan(value) and math.isnan(written))


def cell_values(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return mean, sample standard deviation (from two seeds on) and number of seeds of every metric.

    Args:
        results: Metrics of the last epoch, one mapping for each member with a result.
    """
    values: dict[str, float] = {NUM_SEEDS: len(results)}
    for name in METRIC:
        column = [result[name] for result in results if math.isfinite(result.get(name, math.nan))]
        if column:
            values[f"{name}_mean"] = statistics.fmean(column)
        if len(column) > 1:
            values[f"{name}_std"] = statistics.stdev(column)
    return values
