"""SIGKILL of what Ray runs on one machine beside the processes that train: it takes the driver with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.conftest import Drive
from tests.chaos.sweeps import Sweep

Check = Callable[[Sweep], None]

GOES_ON = "going on from the checkpoints"


def check_goes_on(victim: str, sweep: Sweep, drive: Drive) -> None:
    command = drive(sweep)
    command.wait_for(sweep.has_checkpoint)
    with command.training_held():
        command.kill_in_ray(victim)
        command.wait_until_it_says(GOES_ON)
    assert command.finish().count(GOES_ON) == 1


def test_a_killed_agent(sweep: Sweep, drive: Drive, check_equals_undisturbed: Check) -> None:
    check_goes_on("ray::Dashboard", sweep, drive)
    check_equals_undisturbed(sweep)


@pytest.mark.parametrize("victim", ["ray::RuntimeEnv", "raylet", "gcs_server"])
@pytest.mark.slow
def test_another_process_of_ray_is_killed(
    victim: str, sweep: Sweep, drive: Drive, check_equals_undisturbed: Check
) -> None:
    check_goes_on(victim, sweep, drive)
    check_equals_undisturbed(sweep)
