"""Every metric that a task logs: its name in the store, what people call it, its unit, and what is good.

Standard library only, so that analysis can use it where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trainables.schema import EPOCH_SECONDS, MEASUREMENT_SECONDS


@dataclass(frozen=True)
class Reference:
    """A value to compare a metric with, drawn as a line across its curves.

    Args:
        label: What the legend calls it.
        value: Maps categories and variables to it.
    """

    label: str
    value: Callable[[int, int], float]


@dataclass(frozen=True)
class Metric:
    """A number that members log.

    Args:
        name: Its name in the store.
        text: What tables and axes call it.
        unit: Its unit; empty where it has none.
        is_higher_better: Whether the highest mean is the best; of all others the lowest is.
        may_select: Whether cells may be chosen by it: a metric of a test set never is.
        digits: How many digits after the point a table shows.
        is_scientific: Whether a table shows it as 1.2e-05.
        has_log_axis: Whether figures draw it on a logarithmic axis.
        has_log_x: Whether its curves are drawn against the logarithm of epochs or seconds.
        reference: What its curves are compared with.
        is_own: Whether each cell's value is of a quantity of its own, so that cells are not ranked by it.
        is_steep: Whether it falls so fast at first that figures of a long training cut that part off.
    """

    name: str
    text: str
    unit: str = ""
    is_higher_better: bool = False
    may_select: bool = False
    digits: int = 2
    is_scientific: bool = False
    has_log_axis: bool = False
    has_log_x: bool = False
    reference: Reference | None = None
    is_own: bool = False
    is_steep: bool = False

    @property
    def form(self) -> str:
        """The format of its numbers where people read them, such as ".4f" or ".1e"."""
        return ".1e" if self.is_scientific else f".{self.digits}f"


_NATS = "nats per image"

VAE_METRICS = (
    Metric("train_neg_elbo", "train negative ELBO", _NATS, may_select=True, is_steep=True),
    Metric("train_recon", "train reconstruction term", _NATS, may_select=True, is_steep=True),
    Metric("train_kl", "train KL term", _NATS, may_select=True),
    Metric("test_neg_elbo", "test negative ELBO", _NATS, is_steep=True),
    Metric("test_recon", "test reconstruction term", _NATS, is_steep=True),
    Metric("test_kl", "test KL term", _NATS),
)
"""The negative evidence lower bound and the two terms that it is the sum of."""

SECONDS = Metric(EPOCH_SECONDS, "time per epoch", "seconds")
MEASUREMENT = Metric(MEASUREMENT_SECONDS, "time per measurement", "seconds")


def _cosine(name: str, of: str) -> Metric:
    text = f"cosine with the exact gradient, {of}"
    return Metric(name, text, is_higher_better=True, may_select=True, digits=4)


def _spread(name: str, text: str, unit: str = "") -> Metric:
    return Metric(name, text, unit, may_select=True, digits=4, has_log_axis=True)


GRADIENT_QUALITY_METRICS = (
    _cosine("gradient_cosine", "per image"),
    _cosine("gradient_cosine_batch", "of the batch"),
    _spread("gradient_variance", "gradient variance over mean", _NATS),
    _spread("gradient_relative_std", "gradient standard deviation over mean"),
    _spread("gradient_std", "gradient standard deviation", _NATS),
)
"""Of `estimators.diagnostics`, for a batch of images."""


SYNTHETIC_GRADIENT_METRICS = (
    Metric("gradient_bias", "1 - cosine with the exact gradient", may_select=True, is_scientific=True),
    Metric(
        "cosine_variance",
        "variance of the cosine with the exact gradient",
        may_select=True,
        is_scientific=True,
        has_log_axis=True,
    ),
    Metric("function_evaluations", "function evaluations per estimate", digits=0),
    Metric("estimate_seconds", "time per estimate", "seconds", is_scientific=True),
    SECONDS,
)
"""Over repeated estimates of one gradient. The seconds are those of a whole pack."""

EXPECTED_VALUE = Metric("expected_value", "expected value", is_higher_better=True, may_select=True, digits=6)
ESTIMATE_VARIANCE = Metric(
    "estimate_variance",
    "variance of the gradient",
    is_own=True,
    is_scientific=True,
    has_log_axis=True,
)
"""Of an estimate over draws, at the parameters that the cell has come to: the mean over the coordinates of
their variances (ddof=1)."""
SYNTHETIC_OPTIMISATION_METRICS = (
    EXPECTED_VALUE,
    ESTIMATE_VARIANCE,
    Metric("near_optimum_iteration", "first iteration near the optimum", "iterations", digits=1),
    SECONDS,
    MEASUREMENT,
)
"""The iteration is there from when a value above 0.2505 is reached."""
BERNOULLI_VAE_METRICS = (*VAE_METRICS, ESTIMATE_VARIANCE, SECONDS, MEASUREMENT)


def _accuracy(name: str, text: str, reference: Reference) -> Metric:
    return Metric(name, text, is_higher_better=True, digits=4, has_log_x=True, reference=reference)


_SUMS_OF_GOOD_DIGITS = Reference("0.99^D: each digit right 99 % of the time", lambda _, digits: 0.99**digits)
_GOOD_DIGITS = Reference("0.99", lambda _categories, _digits: 0.99)
MNIST_ADDITION_METRICS = (
    Metric(
        "train_loss",
        "train -log of the estimated probability of the sum",
        "nats",
        may_select=True,
        is_own=True,
    ),
    _accuracy("test_sum_accuracy", "test accuracy of the sum", _SUMS_OF_GOOD_DIGITS),
    _accuracy("test_digit_accuracy", "test accuracy of a digit", _GOOD_DIGITS),
    SECONDS,
)
"""The loss is each estimator's own: estimates with fewer samples are of a higher one."""


def names_of(*metrics: Metric) -> tuple[str, ...]:
    """Return the names of metrics."""
    return tuple(metric.name for metric in metrics)


TRAINING_METRICS = names_of(*VAE_METRICS, SECONDS)
"""What a member that trains a VAE logs, every epoch."""
GRADIENT_METRICS = names_of(*GRADIENT_QUALITY_METRICS, MEASUREMENT)
"""What a member of the task `gradient_quality` logs besides, at its measured epochs."""

ALL_METRICS = tuple(
    dict.fromkeys(
        (
            *VAE_METRICS,
            SECONDS,
            *GRADIENT_QUALITY_METRICS,
            MEASUREMENT,
            *SYNTHETIC_GRADIENT_METRICS,
            *SYNTHETIC_OPTIMISATION_METRICS,
            *BERNOULLI_VAE_METRICS,
            *MNIST_ADDITION_METRICS,
        )
    )
)
"""Those of every task, each once."""

METRIC: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in ALL_METRICS})
"""Every metric by its name in the store."""

METRICS = tuple(METRIC)
OWN = frozenset(metric.name for metric in ALL_METRICS if metric.is_own)
"""Metrics by which nobody is ranked or tested."""
HIGHER_IS_BETTER = frozenset(metric.name for metric in ALL_METRICS if metric.is_higher_better)
