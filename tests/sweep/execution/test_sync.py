from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from sweep.execution.run_writer import RunWriter
from sweep.execution.spool import Spool
from sweep.execution.sync import send_spools
from sweep.execution.writes import LogMetrics, Write
from sweep.home import Home
from sweep.store.lease import Lease
from sweep.store.store import Store, StoreError
from tests.sweep.conftest import Answer
from tests.sweep.samples import Driver, metrics_of, record, spec_of

Drive = Callable[..., Driver]
Command = Callable[..., Answer]

PICTURE = bytes(range(256))


def away(*words: Any, **more: Any) -> None:
    raise MlflowException("away")


@pytest.fixture
def dead(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose store went away in the middle of a pack and stayed away until its end."""
    driver = drive(spec_of(seeds=1), patience=0.1)
    (pack,) = driver.plan.packs
    driver.tracker.start(pack)
    driver.tracker.log(pack, [record(1, 110.0)])
    driver.tracker.flush()
    driver.settle()
    with monkeypatch.context() as broken:
        for name in ("create_run", "log_batch", "set_terminated", "update_run", "log_artifact"):
            broken.setattr(driver.store.client, name, away)
        driver.tracker.log(pack, [record(2, 100.0)])
        driver.tracker.log_pictures(pack, [PICTURE])
        driver.tracker.finish(pack, record(2, 100.0))
        with pytest.raises(StoreError, match="catsweep sync"):
            driver.tracker.close(is_complete=True)
    return driver


def test_what_the_store_could_not_take_is_sent_later(dead: Driver, home: Home, catsweep: Command) -> None:
    (pack,) = dead.plan.packs
    assert not Store(home).members()[pack.members[0].hash].is_finished
    answer = catsweep("sync", "--home", home.path)
    assert (answer.status, answer.out) == (0, f"6 writes sent to {home.tracking_uri}\n")
    stored = Store(home).members()[pack.members[0].hash]
    assert (stored.is_finished, stored.epoch, stored.result) == (True, 2, metrics_of(100.0))
    picture = Store(home).client.download_artifacts(stored.run_id, "pictures.png")
    assert Path(picture).read_bytes() == PICTURE
    assert not (home.checkpoints / pack.hash).exists()
    assert list(home.spool.iterdir()) == []
    assert catsweep("sync", "--home", home.path).out == "nothing waits to be sent\n"


def test_there_is_nothing_to_send_in_a_new_home(catsweep: Command, home: Home) -> None:
    assert catsweep("sync", "--home", home.path).out == "nothing waits to be sent\n"


def test_a_home_that_is_not_there_is_mistyped_and_not_empty(catsweep: Command, own_folder: Any) -> None:
    answer = catsweep("sync", "--home", "typo")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == f"error: there is no home at {own_folder}/typo; name another with --home\n"
    assert not (own_folder / "typo").exists()


def test_a_spool_for_another_store_is_left_alone(dead: Driver, home: Home) -> None:
    other = Spool.new(home.spool, "small", "http://elsewhere:5000")
    other.append([])
    said: list[str] = []
    assert send_spools(Store(home), said.append) == 6
    assert said == [f"spool {other.path} is for store http://elsewhere:5000 and is left alone"]
    assert list(home.spool.iterdir()) == [other.path]


def test_a_store_that_is_still_away_leaves_the_spool(
    dead: Driver, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(home)
    before = dead.spool.path.read_bytes()
    monkeypatch.setattr(store.client, "log_batch", away)
    with pytest.raises(StoreError, match=r"did not take spool .*, which stays: away"):
        send_spools(store, print)
    assert dead.spool.path.read_bytes() == before


def test_a_driver_at_work_on_the_sweep_is_not_disturbed(dead: Driver, home: Home) -> None:
    store = Store(home)
    with (
        Lease(store.client, dead.experiment_id, print, beat_seconds=0.5),
        pytest.raises(StoreError, match="another catsweep run is at work on this sweep"),
    ):
        send_spools(store, print)
    assert dead.spool.path.exists()
    assert send_spools(store, print) == 6


def test_a_driver_that_takes_over_while_a_spool_is_sent_gets_no_more_of_it(
    dead: Driver, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(home)
    apply = RunWriter.apply
    sent: list[str] = []

    def apply_and_sleep(self: RunWriter, write: Write) -> None:
        apply(self, write)
        sent.append(write.kind)
        for key in store.client.get_experiment(dead.experiment_id).tags:
            if key.startswith("catsweep.driver."):
                store.client.delete_experiment_tag(dead.experiment_id, key)
        later = time.clock_gettime(time.CLOCK_BOOTTIME) + 60
        monkeypatch.setattr("sweep.store.lease._seconds", lambda: later)

    monkeypatch.setattr(RunWriter, "apply", apply_and_sleep)
    with pytest.raises(StoreError, match="another one took the sweep over"):
        send_spools(store, print)
    assert len(sent) == 1
    assert dead.spool.path.exists()


def test_a_member_some_of_whose_numbers_were_refused_is_not_finished_by_its_spool(
    dead: Driver, home: Home
) -> None:
    (pack,) = dead.plan.packs
    member = pack.members[0].hash
    dead.spool.set_aside(LogMetrics(member=member, rows=(("train_kl", 1.0, 1, 1),)), "deleted")
    assert send_spools(Store(home), print) == 5
    assert not Store(home).members()[member].is_finished
    assert (home.checkpoints / pack.hash).is_dir()


def test_what_was_set_aside_and_cannot_be_read_is_an_error_and_the_spool_stays(
    dead: Driver, home: Home, catsweep: Command
) -> None:
    dead.spool.refused_path.write_text("odd\nodder\n")
    answer = catsweep("sync", "--home", home.path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {dead.spool.refused_path} cannot be read")
    assert dead.spool.path.exists()


def test_a_write_for_a_run_that_is_gone_does_not_hold_up_the_others(dead: Driver, home: Home) -> None:
    store = Store(home)
    (pack,) = dead.plan.packs
    store.client.delete_run(store.members()[pack.members[0].hash].run_id)
    said: list[str] = []
    assert send_spools(Store(home), said.append) == 3
    assert len(said) == 3
    assert not dead.spool.path.exists()
    assert dead.spool.refused_path.exists()
    assert (home.checkpoints / pack.hash).is_dir()


def test_a_file_that_is_no_spool_is_an_error(home: Home, catsweep: Command) -> None:
    home.spool.mkdir()
    (home.spool / "odd.jsonl").write_text("odd")
    answer = catsweep("sync", "--home", home.path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"error: spool {home.spool}/odd.jsonl cannot be read")
