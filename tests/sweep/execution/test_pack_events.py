from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweep.execution.pack_events import PackEvents
from sweep.execution.progress import Progress
from tests.sweep.samples import Driver, metrics_of, record, spec_of
from trainables.pack import Pack
from trainables.training.checkpoint import CheckpointFolder


class Lines:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)


class Sweep:
    """A driver with the events that Tune would call, and the folders of its packs."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.packs = driver.plan.packs
        self.progress = Progress(driver.plan)
        self.lines = Lines()
        folder = driver.home.checkpoints
        self.folders = {pack.hash: CheckpointFolder(folder / pack.hash) for pack in self.packs}
        self.events = PackEvents(driver.tracker, self.progress, self.lines, driver.home)  # type: ignore[arg-type]

    def start(self, pack: Pack) -> None:
        self.events.on_trial_start(0, [], trial(pack))

    def report(self, pack: Pack, *records: Any) -> None:
        states = [one.to_state() for one in records]
        self.events.on_trial_result(0, [], trial(pack), {"records": states, "done": False})

    def complete(self, pack: Pack) -> None:
        self.events.on_trial_complete(0, [], trial(pack))

    def fail(self, pack: Pack, error: str | None) -> None:
        self.events.on_trial_error(0, [], trial(pack, error))


def trial(pack: Pack, error: str | None = None) -> Any:
    """Return what the events need of a Tune trial; its errors are in a file."""
    file = Path(pack.hash)
    if error is not None:
        file.write_text(error)
    config = {"pack": {"members": pack.to_params()}}
    return SimpleNamespace(trial_id=pack.hash, config=config, error_file=str(file))


@pytest.fixture
def sweep(drive: Callable[..., Driver]) -> Sweep:
    return Sweep(drive(spec_of(resources={"members_per_pack": 2})))


def test_a_pack_trains_where_the_disk_does_not_even_take_its_manifest(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    folder = sweep.driver.home.checkpoints / pack.hash
    shutil.rmtree(folder)
    folder.touch()
    sweep.start(pack)
    (said,) = sweep.lines.said
    assert said.startswith("warning: st 8x4 adam lr=0.0005 τ=1.0 seed 0 (+1 more): ")
    assert "cannot be written (File exists); training goes on" in said
    assert [sweep.driver.run_of(one).info.status for one in pack.members] == ["RUNNING"] * 2


def test_a_pack_that_ends_well_is_in_the_store_and_its_checkpoints_are_gone(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    assert pack.hash in sweep.progress.running
    assert sweep.folders[pack.hash].path.is_dir()
    sweep.report(pack, record(1, 110.0, 114.0))
    sweep.report(pack, record(2, 100.0, 104.0))
    sweep.complete(pack)
    runs = [sweep.driver.run_of(member) for member in pack.members]
    assert [run.data.metrics for run in runs] == [metrics_of(100.0), metrics_of(104.0)]
    assert not sweep.folders[pack.hash].path.exists()
    assert (sweep.progress.num_members_done, sweep.progress.running) == (2, {})
    assert sweep.lines.said == []


def test_a_result_without_records_is_nothing_new(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    sweep.report(pack, record(1, 110.0, 114.0), record(2, 100.0, 104.0))
    sweep.report(pack)
    sweep.complete(pack)
    assert sweep.driver.run_of(pack.members[0]).data.metrics == metrics_of(100.0)


def test_pictures_are_artifacts_of_their_members_and_not_left_to_tune(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    result = {"records": [record(2, None, 104.0).to_state()], "pictures": [None, b"of the second"]}
    sweep.events.on_trial_result(0, [], trial(pack), result)
    sweep.complete(pack)
    client = sweep.driver.store.client
    run_ids = [sweep.driver.run_of(member).info.run_id for member in pack.members]
    listed = [[file.path for file in client.list_artifacts(run_id)] for run_id in run_ids]
    assert listed == [[], ["pictures.png"]]
    assert Path(client.download_artifacts(run_ids[1], "pictures.png")).read_bytes() == b"of the second"
    assert "pictures" not in result


def test_what_a_worker_warns_of_is_said_with_the_name_of_its_pack(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    result = {"records": [record(1, 110.0, 114.0).to_state()], "warnings": ["checkpoint [x] cannot be used"]}
    sweep.events.on_trial_result(0, [], trial(pack), result)
    assert sweep.lines.said == [
        "warning: st 8x4 adam lr=0.0005 τ=1.0 seed 0 (+1 more): checkpoint [x] cannot be used"
    ]
    sweep.report(pack, record(2, 100.0, 104.0))
    assert len(sweep.lines.said) == 1


def test_a_member_that_diverges_is_said(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    sweep.report(pack, record(1, None, 114.0), record(2, None, 104.0))
    sweep.complete(pack)
    assert sweep.lines.said == [
        "diverged: st 8x4 adam lr=0.0005 τ=1.0 seed 0 (+1 more), in epoch 1; counts as missing in means"
    ]
    assert sweep.progress.diverged == {pack.members[0].hash}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Traceback ...\nRuntimeError: no memory\n", "RuntimeError: no memory"),
        (None, "the trial ended without saying why"),
        ("", "the trial ended without saying why"),
    ],
)
def test_a_pack_that_fails_is_said_and_stored_and_keeps_its_checkpoints(
    error: str | None, reason: str, sweep: Sweep
) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    sweep.fail(pack, error)
    assert sweep.lines.said == [f"failed: st 8x4 adam lr=0.0005 τ=1.0 seed 0 (+1 more): {reason}"]
    runs = [sweep.driver.run_of(member) for member in pack.members]
    assert [(run.info.status, run.data.tags["catsweep.error"]) for run in runs] == [
        ("FAILED", (error or reason).strip())
    ] * 2
    assert (sweep.progress.num_members_failed, sweep.progress.is_complete) == (2, True)
    assert sweep.folders[pack.hash].path.is_dir()


def test_a_pack_that_is_stopped_before_its_last_epoch_was_given_up_by_a_search(sweep: Sweep) -> None:
    (pack,) = sweep.packs
    sweep.start(pack)
    sweep.report(pack, record(1, 110.0, 114.0))
    sweep.complete(pack)
    runs = [sweep.driver.run_of(member) for member in pack.members]
    assert [(run.info.status, run.data.tags["catsweep.pruned"]) for run in runs] == [("KILLED", "1")] * 2
    assert sweep.folders[pack.hash].path.is_dir()  # a grid may go on from there
    assert (sweep.progress.finished, len(sweep.progress.pruned)) == (set(), 2)
    assert (sweep.progress.running, sweep.progress.notes) == ({}, ["2 stopped early"])


def test_tune_may_pickle_the_events(sweep: Sweep) -> None:
    assert isinstance(pickle.loads(pickle.dumps(sweep.events)), PackEvents)
