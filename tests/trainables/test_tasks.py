"""The registry of tasks: every entry is whole, and an entry and a trainer are all that a task needs."""

from __future__ import annotations

import pytest

from tests.trainables.members import data, images, member, trainer_of
from trainables.pack import Pack
from trainables.tasks import METRIC, TASKS, task_of
from trainables.tasks.task import OPTIONAL, REQUIRED, Task

ALL = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def test_every_metric_is_of_a_task_and_has_one_name() -> None:
    assert set(METRIC) == {name for task in TASKS.values() for name in task.metrics}
    texts = [metric.text for metric in METRIC.values()]
    assert len(set(texts)) == len(texts)


@ALL
def test_what_a_task_shows_selects_and_draws_are_metrics_that_it_logs(task: Task) -> None:
    shown = {task.headline, *(name for figure in task.figures for name in figure.metrics)}
    assert shown | {*task.selection_metrics, *task.search_metrics} <= set(task.metrics)
    assert task.progress in {metric.name for metric in task.epoch_metrics}
    assert not any(name.startswith("test_") for name in task.selection_metrics)


@ALL
def test_a_task_knows_how_many_epochs_there_are_and_takes_data_exactly_where_it_names_data_sets(
    task: Task,
) -> None:
    assert ("epochs" in task.keys) != ("epochs" in task.fixed)
    assert ("dataset" in task.keys) == bool(task.datasets)
    assert not task.datasets or task.keys["dataset"] in (*task.datasets, REQUIRED)
    assert bool(task.measure_keys) == ("measure" in task.keys)


@ALL
def test_defaults_of_a_block_are_lists(task: Task) -> None:
    defaults = [value for value in task.block_keys.values() if value not in (REQUIRED, OPTIONAL)]
    assert all(isinstance(value, list) for value in defaults)


def test_an_unknown_task_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(ValueError, match=r"task must be one of mnist_vae, gradient_quality.*, got 'vae'"):
        task_of("vae")


def test_a_trainer_is_given_images_with_their_labels() -> None:
    given = data(30, 20)
    assert given.train_labels.tolist() == [number % 10 for number in range(30)]
    assert given.first(12, 5).test_labels.tolist() == [0, 1, 2, 3, 4]
    assert given.first(12, 5).train_images.equal(images(30)[:12])


def test_a_trainer_without_the_data_that_it_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="a pack of task mnist_vae must be given its data, got None"):
        trainer_of(Pack((member(),)))
