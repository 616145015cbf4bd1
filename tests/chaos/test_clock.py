"""The machine's clock jumps back by an hour in the middle."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.conftest import Drive
from tests.chaos.sweeps import Sweep
from tests.conftest import REPOSITORY

Check = Callable[[Sweep], None]

HOUR = 3600

pytestmark = pytest.mark.slow


def test_the_clock_jumps_back(
    sweep: Sweep, tmp_path: Path, drive: Drive, check_equals_undisturbed: Check
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    modules = os.pathsep.join((str(Path(__file__).parent / "jumping_clock"), str(REPOSITORY)))
    clock = {"CHAOS_CLOCK": str(offset), "PYTHONPATH": modules}
    sweep = replace(sweep, environment={**sweep.environment, **clock}).of_all_estimators()
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    jumped = tmp_path / "jumped"
    jumped.write_text(str(-HOUR))
    jumped.replace(offset)
    driver.finish()
    check_equals_undisturbed(sweep)
    timing = sweep.recorded().timing
    steps = [
        moment - timing[member, epoch - 1][0] for (member, epoch), (moment, _) in timing.items() if epoch > 1
    ]
    assert min(steps) < 0 < max(steps)
