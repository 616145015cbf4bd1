"""People: Ctrl-C, a request to end, a run deleted by hand, and a driver that dies alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from tests.chaos.conftest import Drive
from tests.chaos.servers import MlflowServer
from tests.chaos.sweeps import Command, Sweep

Check = Callable[[Sweep], None]

REPORTED = "reported from checkpoints, without training them again"

pytestmark = pytest.mark.slow


def press_ctrl_c(driver: Command) -> None:
    """Do what a terminal does."""
    os.killpg(driver.process.pid, signal.SIGINT)


def test_ctrl_c_once(sweep: Sweep, drive: Drive, check_equals_undisturbed: Check) -> None:
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    press_ctrl_c(driver)
    ended = driver.end()
    assert ended.status == 130
    assert "interrupted; to go on: " in ended.said
    assert sweep.recorded().sweep_status == "KILLED"
    drive(sweep).finish()
    check_equals_undisturbed(sweep)


def test_ctrl_c_twice(sweep: Sweep, drive: Drive, check_equals_undisturbed: Check) -> None:
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    press_ctrl_c(driver)
    press_ctrl_c(driver)
    ended = driver.end()
    assert ended.status == 130
    assert "Traceback" not in ended.said
    drive(sweep).finish()
    check_equals_undisturbed(sweep)


def test_a_request_to_end(sweep: Sweep, drive: Drive, check_equals_undisturbed: Check) -> None:
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    driver.process.terminate()
    assert driver.end().status != 0
    drive(sweep).finish()
    check_equals_undisturbed(sweep)


def test_a_driver_that_dies_while_the_store_is_away(
    served_sweep: Sweep, server: MlflowServer, drive: Drive, check_equals_undisturbed: Check
) -> None:
    driver = drive(served_sweep)
    driver.wait_for(served_sweep.has_epoch)
    server.kill()
    driver.wait_for(served_sweep.is_trained)
    driver.kill()
    alone = drive(served_sweep).end()
    assert alone.status == 2
    assert "does not answer" in alone.said
    server.start()
    assert REPORTED in drive(served_sweep).finish()
    check_equals_undisturbed(served_sweep)


def test_a_run_that_someone_deletes_while_its_member_trains(
    served_sweep: Sweep, drive: Drive, check_equals_undisturbed: Check
) -> None:
    driver = drive(served_sweep)
    driver.wait_for(served_sweep.has_epoch)
    client = MlflowClient(served_sweep.tracking_uri)
    experiment = client.get_experiment_by_name("chaos")
    assert experiment is not None
    running = "status = 'RUNNING' and tags.`catsweep.kind` = 'member'"
    victim, *_ = client.search_runs([experiment.experiment_id], running)
    client.delete_run(victim.info.run_id)
    ended = driver.end()
    assert ended.status == 2
    assert "the tracking store refuses a write for good" in ended.said
    assert "Traceback" not in ended.said
    statuses = served_sweep.recorded().statuses
    assert victim.data.tags["catsweep.member"] not in statuses
    assert set(statuses.values()) == {"FINISHED"}
    assert "1 members finished" in drive(served_sweep).finish()
    check_equals_undisturbed(served_sweep)
