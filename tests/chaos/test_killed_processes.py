"""SIGKILL of the driver and of the processes that train."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

from tests.chaos.conftest import Drive
from tests.chaos.sweeps import OWN, Sweep

Check = Callable[[Sweep], None]


def test_a_killed_driver(sweep: Sweep, drive: Drive, check_equals_undisturbed: Check) -> None:
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    driver.kill()
    drive(sweep).finish()
    check_equals_undisturbed(sweep)
    assert "0 members finished" in drive(sweep).finish()


def test_a_killed_driver_with_an_estimator_of_a_user(
    sweep: Sweep, drive: Drive, check_equals_undisturbed: Check
) -> None:
    sweep = replace(sweep, estimators=(OWN,))
    sweep.write_spec()
    driver = drive(sweep)
    driver.wait_for(sweep.has_checkpoint)
    driver.kill()
    drive(sweep).finish()
    check_equals_undisturbed(sweep)


def test_a_killed_trial(sweep: Sweep, drive: Drive, check_equals_undisturbed: Check) -> None:
    driver = drive(sweep)
    driver.wait_for(sweep.has_checkpoint)
    victims = driver.trials()
    assert victims
    for victim in victims:
        victim.send_signal(signal.SIGKILL)
    driver.finish()
    check_equals_undisturbed(sweep)
