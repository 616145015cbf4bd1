"""What MLflow's pages show of a sweep: a description, and a view of the cells with their means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainables.schema import KIND_CELL, KIND_MEMBER, NUM_SEEDS, TAG_KIND
from trainables.task import Task
from trainables.task_registry import metric_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

VIEW = "cells"
"""Name of the view, as a link has it."""
_TAG_VIEW = f"mlflow.sharedViewState.{VIEW}"
# Without the first, MLflow's pages open an experiment with what is for language models.
_TAG_KIND_OF_EXPERIMENT = "mlflow.experimentKind"
_TAG_DESCRIPTION = "mlflow.note.content"


def page_tags(task: Task) -> dict[str, str]:
    """Return the tags of an experiment from which MLflow makes its page."""
    return {
        _TAG_KIND_OF_EXPERIMENT: "custom_model_development",
        _TAG_DESCRIPTION: _description(task),
        _TAG_VIEW: json.dumps(_view(task)),
    }


def complete_page(client: MlflowClient, experiment_id: str, tags: Mapping[str, str], task: Task) -> None:
    """Give an experiment those of its page's tags that it lacks; what people have written there stays."""
    for name, value in page_tags(task).items():
        if name not in tags:
            client.set_experiment_tag(experiment_id, name, value)


def cells_address(server: str, experiment_id: str) -> str:
    """Return the address of the cells with their means in MLflow's pages.

    Args:
        server: Where MLflow's pages are, such as "http://127.0.0.1:5000".
        experiment_id: The sweep's experiment.
    """
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?viewStateShareKey={VIEW}"


def _filter(kind: str) -> str:
    return f"tags.`{TAG_KIND}` = '{kind}'"


def _description(task: Task) -> str:
    better = "highest" if metric_of(task.headline).is_higher_better else "lowest"
    return f"""A sweep of the task {task.name}: members (one seed each) under cells, cells under the sweep.

- The numbers of the tables are the cells': search for ``{_filter(KIND_CELL)}`` and sort by
  `{task.headline}_mean`, of which the {better} is the best. `catsweep ui` prints a link that does so.
- Their metrics are curves, mean and standard deviation over the seeds after every epoch, for the charts.
- Members: ``{_filter(KIND_MEMBER)}``; each says who made it, from what code, and on which device.
"""


def _view(task: Task) -> dict[str, object]:
    """Return the state of MLflow's table of runs that shows the cells, the best first."""
    metrics = dict.fromkeys((task.headline, *task.default_tables, task.progress))
    numbers = [f"{name}_{part}" for name in metrics for part in ("mean", "std")]
    return {
        "searchFilter": _filter(KIND_CELL),
        "orderByKey": f"metrics.`{task.headline}_mean`",
        "orderByAsc": not metric_of(task.headline).is_higher_better,
        "selectedColumns": [f"metrics.`{name}`" for name in (*numbers, NUM_SEEDS)],
        "runListHidden": False,
        "viewMaximized": False,
    }
