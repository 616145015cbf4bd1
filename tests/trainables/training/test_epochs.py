"""What every task's trainer does from epoch to epoch: who has diverged, and what its generators are for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from tests.trainables.members import small_trainer, through_bytes, training_state, values_of
from trainables.task import Task
from trainables.task_registry import TASKS
from trainables.training.generators import seeded_generator

pytestmark = pytest.mark.usefixtures("one_thread")

every = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


# Divergence.


@every
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_member_whose_parameters_are_not_finite_has_diverged_and_the_others_go_on(
    task: Task, value: float
) -> None:
    """Whatever its metrics are: NaN logits draw a category, and losses of categories are finite."""
    trainer, calm = small_trainer(task), small_trainer(task)
    trainer.parameters[0, ..., 0] = value
    record = trainer.run_epoch()
    if task.trains_one_model:
        assert (record.diverged, record.metrics) == ((1, 1), (None, None))
    else:
        assert (record.diverged, record.metrics[0]) == ((1, None), None)
        assert values_of(record, 1) == values_of(calm.run_epoch(), 1)


@every
def test_a_member_with_any_metric_that_is_not_finite_has_diverged(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = small_trainer(task)
    one, other = trainer._run()
    for name, value in itertools.product(task.metrics, (math.nan, math.inf, -math.inf)):
        trainer.history.clear()
        monkeypatch.setattr(trainer, "_run", lambda name=name, value=value: [one, {**other, name: value}])
        record = trainer.run_epoch()
        assert (record.diverged, record.metrics) == ((None, 1), (one, None)), name


@every
def test_a_member_that_has_diverged_stays_so_and_a_pack_of_such_is_finished(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = small_trainer(task, **({} if "epochs" in task.fixed else {"epochs": 9}))
    values, lost = trainer._run(), {task.progress: math.nan}
    for epoch, (run, diverged) in enumerate(
        [(values, (None, None)), ([lost, values[1]], (2, None)), (values, (2, None)), ([lost, lost], (2, 4))]
    ):
        assert trainer.is_finished == (epoch >= trainer.pack.epochs)
        monkeypatch.setattr(trainer, "_run", lambda run=run: run)
        assert trainer.run_epoch().diverged == diverged
    assert trainer.is_finished


# Generators.


def generators_of(trainer: Any) -> dict[str, list[torch.Tensor]]:
    """Return the states of each stream's generators."""
    return {name: part for name, part in training_state(trainer).items() if name.endswith("_generators")}


def with_generators(state: Mapping[str, Any], **streams: list[torch.Tensor]) -> dict[str, Any]:
    """Return the state with other generators."""
    if "trainer" in state:
        return {**state, "trainer": {**state["trainer"], **streams}}
    return {**state, **streams}


@every
def test_every_stream_of_every_member_has_numbers_of_its_own(task: Task) -> None:
    streams = generators_of(small_trainer(task))
    assert set(streams) == {"noise_generators", *(["order_generators"] if task.datasets else [])}
    states = [state.numpy().tobytes() for of_stream in streams.values() for state in of_stream]
    assert len(set(states)) == len(states) == len(streams) * (1 if task.trains_one_model else 2)


@every
def test_no_epoch_has_the_numbers_of_the_one_before(task: Task) -> None:
    """Neither the order of the data nor the noise: to begin with the same ones again is another training."""
    trainer = small_trainer(task)
    at_start = generators_of(trainer)
    trainer.run_epoch()
    after_one = through_bytes(trainer.state_dict())
    second = values_of(trainer.run_epoch())
    for stream, states in at_start.items():
        again = small_trainer(task)
        again.load_state_dict(with_generators(after_one, **{stream: states}))
        assert values_of(again.run_epoch()) != second, stream


def test_streams_are_those_of_every_version() -> None:
    """Literals, so that no change goes unnoticed: members that are done would be others if trained again."""
    drawn = {
        (seed, stream): seeded_generator(seed, stream, torch.device("cpu")).initial_seed()
        for seed, stream in itertools.product(
            (0, 1), ("order", "noise", "pictures", "gradients after epoch 1")
        )
    }
    assert len(set(drawn.values())) == len(drawn)
    assert drawn[0, "order"] == 10463917295019098459
    assert drawn[1, "noise"] == 17756169949903963459
