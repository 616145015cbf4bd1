from __future__ import annotations

import json
import re

import pytest

from sweep.execution.experiment_page import cells_address, page_tags
from sweep.execution.tracking import open_experiment
from sweep.home import Home
from sweep.store.store import Store
from trainables.task_registry import TASKS

HIGHEST_FIRST = ("gradient_quality", "synthetic_optimisation", "mnist_addition")


@pytest.mark.parametrize("name", TASKS)
def test_the_page_speaks_of_the_task_and_shows_its_cells_the_best_first(name: str) -> None:
    task, tags = TASKS[name], page_tags(TASKS[name])
    view = json.loads(tags["mlflow.sharedViewState.cells"])
    assert view["orderByKey"] == f"metrics.`{task.headline}_mean`"
    assert view["orderByAsc"] is (name not in HIGHEST_FIRST)
    assert {f"metrics.`{task.headline}_mean`", f"metrics.`{task.headline}_std`"} <= {*view["selectedColumns"]}
    assert view["searchFilter"] == "tags.`catsweep.kind` = 'cell'"
    assert f"`{task.headline}_mean`" in tags["mlflow.note.content"]


def test_an_experiment_keeps_what_people_wrote_and_gets_what_it_lacks(home: Home) -> None:
    client = Store(home).client
    experiment = open_experiment(client, "small", home)
    client.set_experiment_tag(experiment, "mlflow.note.content", "mine")
    assert open_experiment(client, "small", home, task=TASKS["mnist_vae"]) == experiment
    tags = client.get_experiment(experiment).tags
    assert tags["mlflow.note.content"] == "mine"
    assert json.loads(tags["mlflow.sharedViewState.cells"])["orderByAsc"] is True


def test_the_address_is_that_of_the_view() -> None:
    address = cells_address("http://127.0.0.1:5000/", "7")
    assert re.fullmatch(r"http://127\.0\.0\.1:5000/#/experiments/7/runs\?viewStateShareKey=cells", address)
