"""The tracking server, or the database beneath it, is killed and comes back; or it is slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.conftest import Drive
from tests.chaos.servers import MlflowServer, PostgresServer, Server
from tests.chaos.slow_proxy import slow_proxy
from tests.chaos.sweeps import Command, Sweep

Check = Callable[[Sweep], None]

AWAY = "the tracking store does not take a write"
BACK = "the tracking store answers again"
SLOW_SECONDS = 1.0


def kill_for(seconds: float, server: Server, driver: Command, *, holds_training: bool = True) -> None:
    """Kill a server, and start it again after so long, and not before the driver has noticed.

    Once it has, training stands still if asked to, so that it does not end while the server starts on a busy
    machine: a driver waits for its store while it trains, and then for a minute.
    """
    server.kill()
    back = time.monotonic() + seconds
    driver.wait_until_it_says(AWAY)
    with driver.training_held() if holds_training else nullcontext():
        driver.wait_for(lambda: time.monotonic() > back)
        server.start()


def test_the_server_is_killed_for_some_seconds(
    served_sweep: Sweep, server: MlflowServer, drive: Drive, check_equals_undisturbed: Check
) -> None:
    driver = drive(served_sweep)
    driver.wait_for(served_sweep.has_epoch)
    kill_for(8, server, driver)
    assert BACK in driver.finish()
    check_equals_undisturbed(served_sweep)


@pytest.mark.slow
def test_the_server_is_killed_for_half_a_minute_while_training_goes_on(
    served_sweep: Sweep, server: MlflowServer, drive: Drive, check_equals_undisturbed: Check
) -> None:
    sweep = served_sweep.of_all_estimators()
    driver = drive(sweep)
    driver.wait_for(sweep.has_epoch)
    killed = time.time()
    kill_for(30, server, driver, holds_training=False)
    back = time.time()
    assert BACK in driver.finish()
    check_equals_undisturbed(sweep)
    ends = [(moment / 1000, seconds) for moment, seconds in sweep.recorded().timing.values()]
    assert any(killed < end - seconds and end < back for end, seconds in ends)


@pytest.mark.slow
def test_the_server_is_killed_for_the_rest_of_the_sweep(
    served_sweep: Sweep, server: MlflowServer, drive: Drive, check_equals_undisturbed: Check
) -> None:
    driver = drive(served_sweep)
    driver.wait_for(served_sweep.has_epoch)
    server.kill()
    ended = driver.end()
    assert ended.status == 2
    assert "once it answers, give the same command again" in ended.said
    before = served_sweep.recorded()
    server.start()
    assert "reported from checkpoints, without training them again" in drive(served_sweep).finish()
    assert served_sweep.recorded().epochs != before.epochs
    check_equals_undisturbed(served_sweep)


@pytest.mark.slow
def test_the_database_is_killed_for_half_a_minute(
    sweep: Sweep, postgres: PostgresServer, tmp_path: Path, drive: Drive, check_equals_undisturbed: Check
) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    server = MlflowServer(folder, postgres.database)
    try:
        server.start()
        sweep = replace(sweep, tracking_uri=server.uri, database=server.database)
        driver = drive(sweep)
        driver.wait_for(sweep.has_epoch)
        kill_for(30, postgres, driver)
        assert BACK in driver.finish()
    finally:
        server.kill()
    check_equals_undisturbed(sweep)


@pytest.mark.slow
def test_a_slow_store_holds_up_nobody(
    served_sweep: Sweep, server: MlflowServer, drive: Drive, check_equals_undisturbed: Check
) -> None:
    with slow_proxy(server.port, SLOW_SECONDS) as uri:
        driver = drive(replace(served_sweep, tracking_uri=uri))
        driver.finish()
    check_equals_undisturbed(served_sweep)
    timing = served_sweep.recorded().timing
    pauses = [
        (moment - timing[member, epoch - 1][0]) / 1000 - seconds
        for (member, epoch), (moment, seconds) in timing.items()
        if epoch > 1
    ]
    # To write an epoch down takes several answers of the store.
    assert max(pauses) < SLOW_SECONDS
