"""The registry of tasks: what an entry must keep, and entries of users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.trainables.members import data, images, member, trainer_of
from trainables.pack import Pack
from trainables.schema.metrics import Metric
from trainables.task import Figure, Task
from trainables.task_registry import METRIC, TASKS, metric_of, register, task_of, unregister
from trainables.tasks.mnist_vae import VAE_METRICS
from trainables.tasks.synthetic_gradient import METRICS


def test_every_metric_is_of_a_task_and_has_one_name() -> None:
    assert set(METRIC) == {name for task in TASKS.values() for name in task.metrics}
    texts = [metric.text for metric in METRIC.values()]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"headline": "test_kld"}, "must log what it shows, test_kld too"),
        ({"table_metrics": ("gradient_std",)}, "must log what it shows, gradient_std too"),
        ({"figures": (Figure(("epoch_secs",)),)}, "must log what it shows, epoch_secs too"),
        ({"search_metrics": ("loss",)}, "must log what it shows, loss too"),
        ({"progress": "loss"}, "must log its progress after every epoch"),
        (
            {"epoch_metrics": (*VAE_METRICS, Metric("test_it", "it", may_select=True))},
            "must not select by a metric of a test set",
        ),
        ({"fixed": {"epochs": 1}}, "must have epochs either among its keys or fixed"),
        ({"datasets": ()}, "must have the key dataset if it has data sets"),
        ({"measure_keys": {"draws": 10}}, "must have the key measure if it has keys of it"),
        ({"block_keys": {"lr": 0.1}}, "must have lists as defaults of a block's keys"),
    ],
)
def test_a_task_whose_parts_do_not_go_together_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=f"^task mnist_vae {rule}$"):
        replace(TASKS["mnist_vae"], **changes)


@pytest.fixture
def own() -> Iterator[Task]:
    """A task of a user's, which is forgotten in the end."""
    yield replace(
        TASKS["synthetic_gradient"], name="own", epoch_metrics=(*METRICS, Metric("own_loss", "loss"))
    )
    unregister("own")


def test_a_task_of_a_user_s_is_one_like_any_other_until_it_is_forgotten(own: Task) -> None:
    before = dict(TASKS), dict(METRIC)
    register(own)
    assert (task_of("own"), metric_of("own_loss").text) == (own, "loss")
    assert list(TASKS) == [*before[0], "own"]
    register(replace(own, headline="own_loss"))
    assert task_of("own").headline == "own_loss"
    unregister("own")
    assert (dict(TASKS), dict(METRIC)) == before
    unregister("mnist_vae")
    assert "mnist_vae" in TASKS


def test_names_that_ship_are_refused(own: Task) -> None:
    with pytest.raises(ValueError, match="task mnist_vae ships with catsweep; yours must have another name"):
        register(replace(own, name="mnist_vae"))
    other = Metric("train_loss", "mine")
    with pytest.raises(ValueError, match="metric train_loss of task own must have another name, or be what"):
        register(replace(own, epoch_metrics=(*own.epoch_metrics, other)))
    assert ("own" in TASKS, METRIC["train_loss"].unit) == (False, "nats")


def test_of_a_metric_of_no_task_the_name_is_known() -> None:
    assert metric_of("gradient_norm") == Metric("gradient_norm", "gradient_norm")


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
