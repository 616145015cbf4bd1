from __future__ import annotations

from collections.abc import Callable

import pytest

from sweep.search.progress import SearchProgress
from sweep.search.queue import CellQueue, Job
from tests.sweep.search.samples import Lab, records_of, stored_of, value_of

MakeLab = Callable[..., Lab]


def start(lab: Lab, queue: CellQueue, progress: SearchProgress) -> Job:
    job = queue.next()
    assert job is not None
    lab.start(job)
    progress.started(job.pack)
    return job


def advance(queue: CellQueue, progress: SearchProgress, job: Job, epoch: int) -> None:
    queue.advanced(job, [records_of(job, epoch)])
    progress.advanced(job.pack, [records_of(job, epoch)])


def finish(queue: CellQueue, progress: SearchProgress, job: Job) -> None:
    queue.ended(job, has_failed=False)
    progress.ended(job.pack, has_failed=False)


def test_cells_become_known_as_they_start(lab: MakeLab) -> None:
    small = lab(trials=3)
    queue, now = small.open(), [0.0]
    progress = SearchProgress(small.plan(), clock=lambda: now[0], queue=queue)
    assert (progress.num_cells_asked, progress.num_members_asked, progress.num_cells_done) == (3, 6, 0)
    assert (progress.seconds_left, progress.notes) == (None, [])

    first = start(small, queue, progress)
    now[0] = 10.0
    advance(queue, progress, first, 1)
    assert progress.seconds_left == 50.0  # of six epochs one is done
    now[0] = 20.0
    advance(queue, progress, first, 2)
    finish(queue, progress, first)
    assert (progress.num_cells_done, progress.num_members_done, progress.num_members_run) == (1, 2, 2)
    assert progress.seconds_left == 40.0
    assert progress.notes[0].startswith(f"best {value_of(first.request) + 0.5:.2f}: st 8x4 adam lr=")

    second = start(small, queue, progress)
    third = start(small, queue, progress)
    assert queue.next() is None
    assert not progress.is_complete
    queue.ended(second, has_failed=True)
    progress.ended(second.pack, has_failed=True)
    advance(queue, progress, third, 1)
    queue.ended(third, has_failed=False)
    progress.ended(third.pack, has_failed=False, is_pruned=True)
    assert progress.is_complete
    assert (progress.num_cells_done, progress.num_members_done) == (1, 2)  # as of a grid
    assert (progress.num_members_failed, progress.num_members_run) == (2, 2)
    assert progress.notes[1:] == ["2 failed", "2 stopped early"]


@pytest.mark.parametrize("is_known", [True, False])
def test_what_had_finished_before_is_done_and_was_not_run_now(is_known: bool, lab: MakeLab) -> None:
    small = lab(trials=1)
    if is_known:
        for request in small.space.requests.values():
            small.stored[request.members[0].hash] = stored_of(request.members[0], 100.0)
    queue = small.open()
    progress = SearchProgress(small.plan(), queue=queue)
    job = start(small, queue, progress)
    assert progress.num_members_done == int(is_known)
    advance(queue, progress, job, 2)
    finish(queue, progress, job)
    assert (progress.num_members_done, progress.num_members_run) == (2, 2 - int(is_known))


def test_cells_that_the_store_had_count_with_their_members(lab: MakeLab) -> None:
    small = lab(trials=6)
    *known, _ = small.space.requests.values()
    for member in (member for request in known for member in request.members):
        small.stored[member.hash] = stored_of(member, 100.0)
    queue = small.open()
    progress = SearchProgress(small.plan(), queue=queue)
    start(small, queue, progress)
    told = len(queue.verdicts)
    assert told > 0
    assert (progress.num_cells_done, progress.num_members_done) == (told, 2 * told)
