"""What the undisturbed sweep recorded is whole, and the check against it can fail."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.chaos.recorded import check_recorded, read_store
from tests.chaos.sweeps import EPOCHS, ESTIMATORS, Sweep
from trainables.task_registry import TASKS

TRAINING_METRICS = TASKS["mnist_vae"].metrics

OF_A_MEMBER = "run_uuid in (select run_uuid from tags where key = 'catsweep.member')"
LAST = f"rowid = (select max(rowid) from metrics where {OF_A_MEMBER} and key = 'test_kl' and step = {EPOCHS})"
FAULTS = {
    "a missing epoch": f"delete from metrics where {OF_A_MEMBER} and step = 1",
    "a missing number": f"delete from metrics where {LAST}",
    "a doubled number": (
        "insert into metrics (key, value, timestamp, run_uuid, step, is_nan) "
        f"select key, value, timestamp + 1, run_uuid, step, is_nan from metrics where {LAST}"
    ),
    "a changed last digit": f"update metrics set value = value * (1 + 2.3e-16) where {LAST}",
    "a number that is not one": f"update metrics set is_nan = 1 where {LAST}",
    "an older number shown": f"update latest_metrics set step = 1 where {OF_A_MEMBER}",
    "a mean of fewer seeds": "update latest_metrics set value = 1 where key = 'num_seeds'",
    "an unfinished member": f"update runs set status = 'RUNNING' where {OF_A_MEMBER}",
    "a deleted member": f"update runs set lifecycle_stage = 'deleted' where {OF_A_MEMBER}",
    "a second run of a member": (
        "update tags set value = (select min(value) from tags where key = 'catsweep.member') "
        "where key = 'catsweep.member'"
    ),
    "an unfinished sweep": "update runs set status = 'KILLED' where name = 'sweep'",
}


@pytest.fixture
def undisturbed_sweep(undisturbed: Callable[[Sequence[str]], Sweep]) -> Sweep:
    return undisturbed(ESTIMATORS[:1])


def test_the_undisturbed_sweep_has_every_epoch_of_every_member_once(undisturbed_sweep: Sweep) -> None:
    recorded = undisturbed_sweep.recorded()
    num_members = 2
    assert len(recorded.statuses) == num_members
    assert len(recorded.epochs) == num_members * EPOCHS * len(TRAINING_METRICS)
    assert len(recorded.values) == num_members * EPOCHS * (len(TRAINING_METRICS) - 1)
    check_recorded(recorded, recorded)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds(fault: str, undisturbed_sweep: Sweep, tmp_path: Path) -> None:
    copy = tmp_path / "mlflow.db"
    shutil.copy(undisturbed_sweep.home / "mlflow.db", copy)
    with sqlite3.connect(copy) as store:
        assert store.execute(FAULTS[fault]).rowcount > 0
    with pytest.raises(AssertionError):
        check_recorded(read_store(f"sqlite:///{copy}"), undisturbed_sweep.recorded())
