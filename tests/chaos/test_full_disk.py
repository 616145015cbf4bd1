"""The disk under checkpoints is full, also while the store is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.chaos.conftest import Drive
from tests.chaos.servers import MlflowServer
from tests.chaos.small_disk import can_mount, small_disk
from tests.chaos.sweeps import Command, Sweep

Check = Callable[[Sweep], None]
Mount = Callable[[Path, int], None]

CHECKPOINT_BYTES = 15 * 2**20
"""More than one checkpoint of the sweep takes, and less than two do."""
NO_ROOM = "cannot be written (No space left on device)"
FILLER = "filler"

pytestmark = pytest.mark.slow


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Return a function that puts a small disk under a folder; it is taken away after the test."""
    if not can_mount():
        pytest.skip("only root may mount a small disk")
    with ExitStack() as disks:
        yield lambda folder, num_bytes: disks.enter_context(small_disk(folder, num_bytes))


def fill(folder: Path) -> None:
    """Fill the disk under a folder to its last byte."""
    with suppress(OSError), (folder / FILLER).open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**10))


def test_checkpoints_do_not_fit(
    sweep: Sweep, mount: Mount, drive: Drive, check_equals_undisturbed: Check
) -> None:
    mount(sweep.checkpoints, CHECKPOINT_BYTES)
    assert f"{NO_ROOM}; training goes on" in drive(sweep).finish()
    check_equals_undisturbed(sweep)


def test_not_even_a_manifest_fits(
    sweep: Sweep, mount: Mount, drive: Drive, check_equals_undisturbed: Check
) -> None:
    mount(sweep.checkpoints, 2**16)
    fill(sweep.checkpoints)
    assert f"{NO_ROOM}; training goes on" in drive(sweep).finish()
    (sweep.checkpoints / FILLER).unlink()
    check_equals_undisturbed(sweep)


def test_a_trial_is_killed_whose_checkpoints_do_not_fit(
    sweep: Sweep, mount: Mount, drive: Drive, check_equals_undisturbed: Check
) -> None:
    mount(sweep.checkpoints, 2**20)
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    for victim in driver.trials():
        victim.kill()
    driver.finish()
    check_equals_undisturbed(sweep)


def test_a_driver_is_killed_whose_checkpoints_do_not_fit(
    sweep: Sweep, mount: Mount, drive: Drive, check_equals_undisturbed: Check
) -> None:
    mount(sweep.checkpoints, 2**20)
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    driver.kill()
    drive(sweep).finish()
    check_equals_undisturbed(sweep)


@pytest.fixture
def stuck(served_sweep: Sweep, server: MlflowServer, mount: Mount, drive: Drive) -> Command:
    """A driver whose server was killed after an epoch, and which has no room for checkpoints."""
    mount(served_sweep.checkpoints, 2**20)
    driver = drive(served_sweep)
    driver.wait_for(served_sweep.has_epoch)
    server.kill()
    driver.wait_until_it_says("the tracking store does not take a write")
    return driver


def test_checkpoints_do_not_fit_while_the_store_is_away(
    stuck: Command, served_sweep: Sweep, server: MlflowServer, check_equals_undisturbed: Check
) -> None:
    with stuck.training_held():
        server.start()
    stuck.finish()
    check_equals_undisturbed(served_sweep)


def test_a_driver_is_killed_whose_checkpoints_do_not_fit_while_the_store_is_away(
    stuck: Command, served_sweep: Sweep, server: MlflowServer, drive: Drive, check_equals_undisturbed: Check
) -> None:
    stuck.kill()
    server.start()
    drive(served_sweep).finish()
    check_equals_undisturbed(served_sweep)
