"""Two drivers with the same spec and one store, each in a home of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.conftest import Drive
from tests.chaos.sweeps import Sweep

Check = Callable[[Sweep], None]

pytestmark = pytest.mark.slow


@pytest.fixture
def rival(served_sweep: Sweep, sweep_in: Callable[..., Sweep], tmp_path: Path) -> Sweep:
    """The same sweep on the same store from another home."""
    own = {"tracking_uri": served_sweep.tracking_uri, "database": served_sweep.database}
    return sweep_in(tmp_path / "rival", **own)


def test_a_second_driver_is_turned_away_until_the_first_one_is_dead(
    served_sweep: Sweep, rival: Sweep, drive: Drive, check_equals_undisturbed: Check
) -> None:
    served_sweep, rival = served_sweep.of_all_estimators(), rival.of_all_estimators()
    first = drive(served_sweep)
    first.wait_for(served_sweep.has_epoch)
    with first.training_held():
        turned_away = drive(rival).end()
    assert turned_away.status == 2
    assert "another catsweep run is at work on this sweep" in turned_away.said
    assert "Traceback" not in turned_away.said
    first.wait_for(served_sweep.has_finished_member)
    first.kill()
    finished = served_sweep.recorded().ends
    assert "is dead; taking over" in drive(rival).finish()
    check_equals_undisturbed(rival)
    assert finished.items() <= rival.recorded().ends.items()
    assert "0 members finished" in drive(served_sweep).finish()
    check_equals_undisturbed(served_sweep)


def test_a_driver_that_was_paused_harms_nothing_when_it_goes_on(
    served_sweep: Sweep, rival: Sweep, drive: Drive, check_equals_undisturbed: Check
) -> None:
    paused = drive(served_sweep)
    paused.wait_for(served_sweep.has_epoch)
    stopped = paused.driver
    stopped.suspend()
    successor = drive(rival)
    successor.wait_until_it_says("is dead; taking over")
    successor.wait_for(rival.has_checkpoint)
    stopped.resume()
    ended = paused.end()
    assert ended.status == 2
    assert f"process {successor.driver.pid}, took the sweep over" in ended.said
    assert "Traceback" not in ended.said
    successor.finish()
    check_equals_undisturbed(rival)
    assert "0 members finished" in drive(served_sweep).finish()
    check_equals_undisturbed(served_sweep)
