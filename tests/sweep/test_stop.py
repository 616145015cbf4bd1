"""One cell stopped while the rest of a sweep goes on, on a real Ray and a real store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sweep.home import Home
from sweep.runner import run_sweep
from sweep.store.lease import Lease
from sweep.store.store import Store
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, spec_of
from tests.sweep.stand_in_gpu import STAND_IN, OnStandIn

Command = Callable[..., Answer]


class Slow(OnStandIn):
    """Takes its time over every epoch."""

    def step(self) -> dict[str, Any]:
        time.sleep(0.3)
        return super().step()


def driver_is_at_work(home: Home) -> bool:
    found = MlflowClient(home.tracking_uri).get_experiment_by_name("small")
    return found is not None and any(key.startswith("catsweep.driver.") for key in found.tags)


def test_a_stopped_cell_ends_and_the_others_finish_and_later_it_goes_on(
    home: Home, catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.runner.Lease", partial(Lease, beat_seconds=0.5))
    spec = spec_of({"lr": [0.001, 0.0005]}, seeds=2, epochs=16)
    bad, good = (request.cell.hash for request in spec.requests())
    text = SPEC_TEXT.replace("lr: 0.0005", "lr: [0.001, 0.0005]").replace("epochs: 2", "epochs: 16")
    Path("grid.yaml").write_text(text)
    training = type(STAND_IN)(Slow, STAND_IN.images, STAND_IN.gpu_problem)
    answers: list[Answer] = []

    def stop() -> None:
        while not driver_is_at_work(home):
            time.sleep(0.2)
        answers.append(catsweep("stop", "grid.yaml", "--cell", "lr=0.001", "--home", home.path))

    other = threading.Thread(target=stop, daemon=True)
    other.start()
    outcome = run_sweep(spec, text, home, training=training)
    other.join(60)
    assert answers[0].status == 0, answers
    assert answers[0].out.startswith("1 cells end after the epoch in progress; ")
    stored = Store(home).members()
    finished = {one.member.cell.hash for one in stored.values() if one.is_finished and one.member}
    assert finished == {good}
    assert all(one.epoch == 16 for one in stored.values() if one.is_finished)
    assert (outcome.num_run, outcome.num_failed, outcome.is_interrupted) == (2, 0, False)
    assert [
        key
        for key in MlflowClient(home.tracking_uri).get_experiment_by_name("small").tags
        if key.startswith("catsweep.stop")
    ] == []
    quick = type(STAND_IN)(OnStandIn, STAND_IN.images, STAND_IN.gpu_problem)
    again = run_sweep(spec, text, home, training=quick)
    assert (again.num_run, again.is_interrupted) == (2, False)
    assert {
        one.member.cell.hash for one in Store(home).members().values() if one.is_finished and one.member
    } == {
        bad,
        good,
    }


def test_where_no_run_is_at_work_there_is_nothing_to_stop(home: Home, catsweep: Command) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("stop", "grid.yaml", "--cell", "estimator=st", "--home", home.path)
    assert (answer.status, answer.err) == (
        2,
        "error: no catsweep run is at work on small, so that there is nothing to stop\n",
    )
    unknown = catsweep("stop", "grid.yaml", "--cell", "lr=7", "--home", home.path)
    assert unknown.status == 2
    assert "--cell lr=7 is none of the sweep's 1 cells" in unknown.err
