from __future__ import annotations

from pathlib import Path

import pytest

from sweep.execution.progress import Progress
from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.planning.plan import Plan, make_plan
from sweep.store.store import StoredMember
from tests.sweep.samples import record, spec_of
from trainables.pack import Pack
from trainables.schema import Member


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def plan_of(
    tmp_path: Path, *stored: tuple[Member, str], retry_failed: bool = False, **changes: object
) -> Plan:
    known = {member.hash: StoredMember(member, "run", status, 2, {}) for member, status in stored}
    spec = spec_of({"lr": [0.001, 0.002]}, **changes)
    return make_plan(spec, known, Home.resolve(tmp_path), retry_failed=retry_failed)


def test_cells_are_done_once_all_their_seeds_are(tmp_path: Path) -> None:
    progress = Progress(plan_of(tmp_path))
    first, second, third, _ = progress.plan.packs
    counts = []
    for pack in (first, third, second):
        progress.ended(pack, has_failed=False)
        counts.append((progress.num_members_done, progress.num_cells_done))
    assert counts == [(1, 0), (2, 0), (3, 1)]
    assert not progress.is_complete


def test_what_had_finished_before_counts(tmp_path: Path) -> None:
    members = plan_of(tmp_path).members
    progress = Progress(plan_of(tmp_path, (members[0], "FINISHED"), (members[1], "FINISHED")))
    assert (progress.num_members_done, progress.num_cells_done) == (2, 1)


def test_a_running_pack_shows_its_epoch_and_mean_loss(tmp_path: Path) -> None:
    progress = Progress(plan_of(tmp_path, resources={"members_per_pack": 2}))
    pack = progress.plan.packs[0]
    progress.started(pack)
    assert (progress.running[pack.hash].epoch, progress.running[pack.hash].value) == (0, None)
    progress.advanced(pack, [record(1, 110.0, 120.0)])
    assert (progress.running[pack.hash].epoch, progress.running[pack.hash].value) == (1, 115.0)
    progress.advanced(pack, [record(2, None, 100.0)])
    assert progress.running[pack.hash].value == 100.0
    progress.advanced(pack, [record(2, None, None)])
    assert progress.running[pack.hash].value is None
    progress.advanced(pack, [])
    assert progress.running[pack.hash].epoch == 2
    progress.ended(pack, has_failed=False)
    assert progress.running == {}


def test_the_time_left_follows_from_the_epochs_of_this_run(tmp_path: Path) -> None:
    clock = Clock()
    progress = Progress(plan_of(tmp_path), clock)
    first, second, *_ = progress.plan.packs
    assert progress.seconds_left is None
    clock.now += 10
    progress.advanced(first, [record(1, 110.0)])
    assert progress.seconds_left == pytest.approx(10 * 7)  # one of 4 x 2 epochs took 10 s
    clock.now += 10
    # A pack that goes on from a checkpoint reports all its epochs, of which this run trained one.
    progress.advanced(second, [record(1, 110.0), record(2, 100.0)])
    assert progress.seconds_left == pytest.approx(10 * 5)
    progress.ended(second, has_failed=False)
    progress.ended(first, has_failed=True)
    assert progress.seconds_left == pytest.approx(10 * 4)


def test_a_sweep_is_complete_when_every_member_has_finished_or_failed(tmp_path: Path) -> None:
    progress = Progress(plan_of(tmp_path))
    *others, last = progress.plan.packs
    for pack in others:
        progress.ended(pack, has_failed=False)
    assert not progress.is_complete
    progress.ended(last, has_failed=True)
    assert progress.is_complete
    assert (progress.num_members_done, progress.num_members_failed) == (3, 1)


def test_members_that_failed_before_and_do_not_run_again_leave_it_complete(tmp_path: Path) -> None:
    members = plan_of(tmp_path).members
    progress = Progress(plan_of(tmp_path, (members[0], "FAILED")))
    assert (progress.num_members_failed, progress.is_complete) == (1, False)
    for pack in progress.plan.packs:
        progress.ended(pack, has_failed=False)
    assert (progress.num_members_done, progress.num_members_failed) == (3, 1)
    assert progress.is_complete


def test_members_that_failed_before_and_run_again_are_open(tmp_path: Path) -> None:
    members = plan_of(tmp_path).members
    stored = [(member, "FAILED" if member == members[0] else "FINISHED") for member in members]
    progress = Progress(plan_of(tmp_path, *stored, retry_failed=True))
    assert (progress.num_members_failed, progress.is_complete) == (0, False)
    progress.ended(progress.plan.packs[0], has_failed=False)
    assert (progress.num_members_failed, progress.is_complete) == (0, True)


def test_members_of_a_failed_pack_that_were_not_asked_for_or_had_finished_are_no_failures(
    tmp_path: Path,
) -> None:
    (cell, *_) = (request.cell for request in plan_of(tmp_path).requests)
    pack = Pack(tuple(Member(cell, seed) for seed in (0, 1, 7)))
    (write_manifest(Home.resolve(tmp_path).checkpoints, pack) / "epoch-000001.pt").touch()
    progress = Progress(plan_of(tmp_path, (Member(cell, 0), "FINISHED")))
    assert progress.plan.packs[0] == pack
    progress.ended(pack, has_failed=True)
    assert progress.failed == {Member(cell, seed).hash for seed in (1, 7)}
    assert (progress.num_members_done, progress.num_members_failed) == (1, 1)
    assert not progress.is_complete


def test_diverged_members_are_remembered(tmp_path: Path) -> None:
    progress = Progress(plan_of(tmp_path))
    pack = progress.plan.packs[0]
    progress.ended(pack, has_failed=False, diverged=pack.members)
    assert progress.diverged == {pack.members[0].hash}
    assert progress.num_members_done == 1
