"""What the tables call things: estimators and their order as in the papers, metrics with their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from estimators.registry import REGISTRY
from trainables import schema

ESTIMATOR_NAMES: Mapping[str, str] = {
    "stgs": "Gumbel",
    "gumbel_rao": "Gumbel-Rao",
    "st": "ST",
    "gst": "GST-1.0",
    "reinmax": "ReinMax",
    "reinmax_rao": "ReinMax-Rao",
    "reinmax_cv": "ReinMax-CV",
    "reinmax_cv_alg2": "ReinMax-CV (Alg. 2)",
    "reinmax_argmax": "ReinMax-Argmax",
    "reinmax_rk2": "ReinMax-RK2",
    "concrete": "Concrete",
    "reinforce": "REINFORCE",
    "rloo": "RLOO",
    "rebar": "REBAR",
    "indecater": "IndeCateR",
    "indecater_per_variable": "IndeCateR (per variable)",
    "scater": "SCateR",
    "exact": "Exact",
}
"""Display names, in the order of the rows of Tables 2 and 3 of Beyond ReinMax, then those not in them.

An estimator that is not here goes by its id, after these."""

PAPER_LATENTS = ("8x4", "4x24", "8x16", "16x12", "64x8", "10x30")
"""The columns of Tables 2 and 3, categories x variables."""

_EVERYWHERE = frozenset({"task_version", "batch_size"})


def estimator_name(estimator: str) -> str:
    """Return the estimator's name as in the papers; an unknown one keeps its id."""
    return ESTIMATOR_NAMES.get(estimator, estimator)


def applicable_defaults(estimator: str) -> dict[str, str]:
    """Return the schema's defaults of the params that apply to an estimator.

    A run of `st` that states no `eta` has none; a run of `reinmax_cv` that states none has the default.
    Of an estimator that is not in the registry, only the defaults that every run has are returned.
    """
    takes = REGISTRY[estimator].hyperparameters if estimator in REGISTRY else ()
    names = _EVERYWHERE | {hyperparameter.name for hyperparameter in takes}
    return {name: value for name, value in schema.DEFAULTS.items() if name in names}


@dataclass(frozen=True)
class MetricName:
    """What a metric is called in a table and on an axis, and its unit; empty where it has none."""

    text: str
    unit: str


_GRADIENT_METRICS = {
    "gradient_cosine": MetricName("cosine with the exact gradient, per image", ""),
    "gradient_cosine_batch": MetricName("cosine with the exact gradient, of the batch", ""),
    "gradient_variance": MetricName("gradient variance over mean", "nats per image"),
    "gradient_relative_std": MetricName("gradient standard deviation over mean", ""),
    "gradient_std": MetricName("gradient standard deviation", "nats per image"),
    schema.MEASUREMENT_SECONDS: MetricName("time per measurement", "seconds"),
}
_SPLITS = {"train": "train", "test": "test"}
_QUANTITY_NAMES = {"neg_elbo": "negative ELBO", "recon": "reconstruction term", "kl": "KL term"}


def metric_name(metric: str) -> MetricName:
    """Return the name and unit of a metric; one outside the schema keeps its own name and states no unit."""
    if metric == schema.EPOCH_SECONDS:
        return MetricName("time per epoch", "seconds")
    if metric in _GRADIENT_METRICS:
        return _GRADIENT_METRICS[metric]
    split, _, quantity = metric.partition("_")
    if split in _SPLITS and quantity in _QUANTITY_NAMES:
        return MetricName(f"{_SPLITS[split]} {_QUANTITY_NAMES[quantity]}", "nats per image")
    return MetricName(metric, "the unit it was logged in")


def digits_of(metric: str) -> int:
    """Return how many digits after the point a metric is shown with: 4 of a gradient's measures, else 2."""
    return 4 if metric in (*schema.GRADIENT_COSINES, *schema.GRADIENT_SPREADS) else 2
