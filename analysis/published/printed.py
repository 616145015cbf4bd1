"""The published numbers of Beyond ReinMax, as printed, with what is known about how they were made."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from trainables import schema
from trainables.schema import Cell
from trainables.tasks.gradient_quality import GRADIENT_QUALITY
from trainables.tasks.mnist_vae import MNIST_VAE

TABLE_1_SETTINGS = {"temperature": "1.3", "num_draws": "1024", "trained_with": "reinmax"}
"""What is known of how Table 1 was made, beside its epochs."""
TASK = MNIST_VAE
DATASET = "mnist"
EPOCHS = 160
EPOCHS_OF_TABLE_1 = 50
_NO_ERROR = {
    "Table 1": "of one model; the paper prints no ± and does not say whether it is relative to the mean",
    "Table 4": "in seconds on the authors' GPU; the paper prints no ±",
}
"""What the numbers of each table that prints no ± are."""

_SHARED_SETTINGS = {"batch_size": "100", "num_mc_samples": "100", "gap": "1.0", "precision": "float32"}
NUM_SEEDS = "num_seeds"
"""The field of a correction that is no param: how many runs were averaged."""
_NUM_SEEDS = 10
_SEEDS_IN_WORDS = "over 10 seeds, 5 for Gumbel-Rao at 8x16 and 16x12"


@dataclass(frozen=True)
class PublishedResult:
    """One number of Tables 1 to 4.

    Args:
        table: For example "Table 2".
        metric: Name of the metric; its unit is the metric's (Table 4: seconds on the authors' GPU).
        estimator: The estimator's id.
        latent: For example "8x4".
        value: The mean as printed.
        error: The printed ±, which is std(ddof=0) / sqrt(n); NaN where none is printed.
        num_seeds: How many runs were averaged; 1 where no ± is printed (of Table 4 the number is not known).
    """

    table: str
    metric: str
    estimator: str
    latent: str
    value: float
    error: float
    num_seeds: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it may be compared with.

        Table 1 prints a standard deviation and does not say whether it is relative to the mean: as such, ours
        agree with it in size, the others in their ratios only.
        """
        return (self.metric, "gradient_relative_std") if self.metric == "gradient_std" else (self.metric,)

    @property
    def epochs(self) -> int | None:
        """The epochs after which it was taken; None for Table 4, the time of an epoch."""
        if self.metric == schema.EPOCH_SECONDS:
            return None
        return EPOCHS_OF_TABLE_1 if self.task == GRADIENT_QUALITY else EPOCHS

    @property
    def has_error(self) -> bool:
        """Whether its table prints a ±."""
        return self.table not in _NO_ERROR

    @property
    def basis(self) -> str:
        """What the numbers of its table are of, as a sentence about them ends."""
        return _NO_ERROR.get(self.table, _SEEDS_IN_WORDS)

    @property
    def task(self) -> str:
        """The task whose members have the metric."""
        return GRADIENT_QUALITY if self.table == "Table 1" else TASK

    @property
    def sample_sem(self) -> float:
        """The standard error of the mean from the sample standard deviation (ddof=1)."""
        from analysis.statistics.spread import (
            sample_sem,  # brings pandas, which not every reader of this file needs
        )

        return sample_sem(self.error, self.num_seeds)


@dataclass(frozen=True)
class PublishedHyperparameters:
    """One line of Table 5; the values are strings as the run schema writes numbers, eta empty if unused."""

    estimator: str
    latent: str
    optimizer: str
    lr: str
    temperature: str
    eta: str


@dataclass(frozen=True)
class Correction:
    """Something that the paper says and the printed results were not made with.

    Args:
        estimator: The estimator's id.
        latent: For example "8x4".
        field: A hyperparameter of Table 5, or `NUM_SEEDS`.
        printed: Its value in the paper.
        as_run: Its value behind the printed result.
        evidence: How that is known.
    """

    estimator: str
    latent: str
    field: str
    printed: str
    as_run: str
    evidence: str


@dataclass(frozen=True)
class CurvePoint:
    """One epoch of a training curve at 8x4.

    Args:
        estimator: The estimator's id.
        epoch: From 1.
        num_seeds: How many of the authors' runs were averaged.
        mean: Mean of each metric, nats per image.
        std: Sample standard deviation (ddof=1) of each metric, nats per image.
    """

    estimator: str
    epoch: int
    num_seeds: int
    mean: Mapping[str, float]
    std: Mapping[str, float]


CURVE_METRICS = ("train_neg_elbo", "test_neg_elbo")
CURVE_LATENT = "8x4"


def _rows(name: str) -> list[dict[str, str]]:
    text = (resources.files("analysis") / "published" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def results() -> tuple[PublishedResult, ...]:
    """Return Tables 1 to 4 in the order of the paper."""
    fewer = {(fix.estimator, fix.latent): int(fix.as_run) for fix in result_corrections()}
    return tuple(
        PublishedResult(
            row["table"],
            row["metric"],
            row["estimator"],
            row["latent"],
            float(row["value"]),
            float(row["error"] or math.nan),
            1 if row["table"] in _NO_ERROR else fewer.get((row["estimator"], row["latent"]), _NUM_SEEDS),
        )
        for row in _rows("published_results.csv")
    )


def results_of(metric: str) -> tuple[PublishedResult, ...]:
    """Return the numbers that a metric may be compared with."""
    return tuple(result for result in results() if metric in result.metrics)


@cache
def hyperparameters() -> tuple[PublishedHyperparameters, ...]:
    """Return Table 5 as printed."""
    return tuple(PublishedHyperparameters(**row) for row in _rows("published_hyperparameters.csv"))


@cache
def corrections() -> tuple[Correction, ...]:
    """Return the settings of Table 5 that are not those of the printed results."""
    return tuple(Correction(**row) for row in _rows("hyperparameter_corrections.csv"))


@cache
def result_corrections() -> tuple[Correction, ...]:
    """Return the printed results that average fewer seeds than the paper says, after the raw logs."""
    return tuple(Correction(**row) for row in _rows("result_corrections.csv"))


@cache
def training_curves() -> tuple[CurvePoint, ...]:
    """Return the authors' training curves at 8x4."""
    return tuple(
        CurvePoint(
            row["estimator"],
            int(row["epoch"]),
            int(row["num_seeds"]),
            {metric: float(row[f"{metric}_mean"]) for metric in CURVE_METRICS},
            {metric: float(row[f"{metric}_std"]) for metric in CURVE_METRICS},
        )
        for row in _rows("training_curves_8x4.csv")
    )


def settings_as_printed(estimator: str, latent: str) -> dict[str, str]:
    """Return the params that Table 5 prints, and those that all runs share; empty where it has no line."""
    for line in hyperparameters():
        if (line.estimator, line.latent) == (estimator, latent):
            stated = {"optimizer": line.optimizer, "lr": line.lr, "temperature": line.temperature}
            return {**_SHARED_SETTINGS, **stated, **({"eta": line.eta} if line.eta else {})}
    return {}


def settings_as_run(estimator: str, latent: str) -> dict[str, str]:
    """Return the params behind a printed result: Table 5 with its corrections; empty where it has no line."""
    settings = settings_as_printed(estimator, latent)
    for fix in corrections():
        if (fix.estimator, fix.latent) == (estimator, latent):
            settings[fix.field] = fix.as_run
    return settings


def has_settings(cell: Cell, settings: Mapping[str, str]) -> bool:
    """Tell whether a cell has these params, counting those at their default as stated."""
    return Cell.from_params({**cell.params, **settings}).hash == cell.hash


def provenance(cell: Cell) -> str:
    """Return "as published" for a cell behind a printed result, "as printed" for one that only Table 5 has.

    Any other cell, also one of another task, dataset or number of epochs, is the empty string.
    """
    where = {"task": TASK, "task_version": "1", "dataset": DATASET, "epochs": str(EPOCHS)}
    as_run = settings_as_run(cell.estimator, cell.latent)
    if not as_run or not has_settings(cell, where):
        return ""
    if has_settings(cell, as_run):
        return "as published"
    return "as printed" if has_settings(cell, settings_as_printed(cell.estimator, cell.latent)) else ""
