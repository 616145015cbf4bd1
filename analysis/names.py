"""What the tables call things: estimators and their order as in the papers, metrics with their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from estimators.registry import REGISTRY
from trainables import schema
from trainables.schema import Cell
from trainables.task import Task
from trainables.task_registry import METRIC, TASKS, metric_of

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
    "disarm": "DisARM",
    "disarm_tree": "DisARM-Tree",
    "arm": "ARM",
    "arms": "ARMS",
    "gst_p": "GST-p",
    "exact": "Exact",
}
"""Display names, in the order of the rows of Tables 2 and 3 of Beyond ReinMax, then those not in them.

An estimator that is not here goes by its id, after these."""

IN_THE_NAME = ("gst", "gap")
"""An estimator, and the hyperparameter that its name holds."""

PAPER_LATENTS = ("8x4", "4x24", "8x16", "16x12", "64x8", "10x30")
"""The columns of Tables 2 and 3, categories x variables."""

_EVERYWHERE = frozenset({"task_version", "batch_size"})
_OF_SOME_TASKS = frozenset({"batch_size"})


def estimator_name(estimator: str) -> str:
    """Return the estimator's name as in the papers, or a user's label for it; an unknown one keeps its id."""
    own = REGISTRY[estimator].label if estimator in REGISTRY else ""
    return ESTIMATOR_NAMES.get(estimator, own or estimator)


def name_with_gap(cell: Cell) -> str:
    """Return the name of a cell's estimator; that of GST holds its gap: GST-1.0 has a gap of 1."""
    estimator, gap = IN_THE_NAME
    if cell.estimator != estimator:
        return estimator_name(cell.estimator)
    return f"GST-{cell.params.get(gap, schema.DEFAULTS[gap])}"


def applicable_defaults(cell: Cell) -> dict[str, str]:
    """Return the schema's defaults of the params that apply to a cell's estimator and task.

    A run of `st` that states no `eta` has none; a run of `reinmax_cv` that states none has the default.
    Of an estimator that is not in the registry, only the defaults that every run has are returned.
    """
    estimator, task = cell.estimator, TASKS.get(cell.params.get("task", ""))
    takes = () if estimator not in REGISTRY else REGISTRY[estimator].hyperparameters
    names = _EVERYWHERE | {hyperparameter.name for hyperparameter in takes}
    if task is not None:
        names -= _OF_SOME_TASKS - task.keys.keys()
    return {name: value for name, value in schema.DEFAULTS.items() if name in names}


def networks_of(task: Task | None) -> dict[str, str]:
    """Return the params that state the networks which a task has where a member's params say nothing."""
    if task is None or task.architecture is None:
        return {}
    return {name: task.architecture.stated(name) for name in schema.NETWORK_PARAMS}


@dataclass(frozen=True)
class MetricName:
    """What a metric is called in a table and on an axis, and its unit; empty where it has none."""

    text: str
    unit: str


def metric_name(metric: str) -> MetricName:
    """Return the name and unit of a metric; one of no task keeps its own name and states no unit."""
    if metric not in METRIC:
        return MetricName(metric, "the unit it was logged in")
    return MetricName(METRIC[metric].text, METRIC[metric].unit)


def form_of(metric: str) -> str:
    """Return the format of a metric's numbers, such as ".4f" or ".1e"; that of one of no task is ".2f"."""
    return metric_of(metric).form
