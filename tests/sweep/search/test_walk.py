from __future__ import annotations

from collections.abc import Callable

import pytest
from ray.tune.search import ConcurrencyLimiter

from sweep.planning.capacity import THIS_MACHINE, Capacity, Node
from sweep.search.halving import PackHalving
from sweep.search.walk import search_walk
from tests.sweep.search.samples import Lab, records_of

MakeLab = Callable[..., Lab]


TWO_CORES = Capacity(THIS_MACHINE, (Node(2, 0),))


@pytest.mark.parametrize(("concurrency", "at_once"), [("auto", 2), (1, 1), (7, 7)])
def test_as_many_cells_train_at_once_as_the_spec_says_or_the_cluster_has_room_for(
    concurrency: object, at_once: int, lab: MakeLab
) -> None:
    small = lab(concurrency=concurrency)
    walk = search_walk(small.plan(), small.open(), small.home, TWO_CORES)
    assert isinstance(walk.tune_config.search_alg, ConcurrencyLimiter)
    assert walk.tune_config.search_alg.max_concurrent == at_once
    assert walk.tune_config.scheduler is None


def test_a_search_says_what_it_is_going_to_do(lab: MakeLab) -> None:
    small = lab(trials=4, sampler="random")
    small.run(small.open(), limit=1)
    walk = search_walk(small.plan(), small.open(), small.home, TWO_CORES)
    assert walk.announcement == (
        "small: search of 6 cells for the lowest train_neg_elbo (random), 4 trials of 2 seeds; 1 done before"
    )


def test_early_stopping_knows_what_earlier_runs_scored(lab: MakeLab) -> None:
    small = lab(trials=4, epochs=5, early_stopping={"kind": "asha", "grace_epochs": 2, "reduction_factor": 2})
    (done,) = small.run(small.open(), limit=1)
    walk = search_walk(small.plan(), small.open(), small.home, TWO_CORES)
    assert isinstance(walk.tune_config.scheduler, PackHalving)
    rungs = walk.tune_config.scheduler.debug_string()
    (trial,) = (one for one in small.plan().trials.values() if one.cell == done.request.cell.hash)
    assert f"Iter 2.000: {-trial.scores[2]}" in rungs
    assert f"Iter 4.000: {-trial.scores[4]}" in rungs


def test_the_store_hears_of_every_cell_of_the_space_and_of_cells_given_up_before(lab: MakeLab) -> None:
    small = lab(trials=4, epochs=3)
    killed = small.open()
    job = killed.next()
    assert job is not None
    small.start(job)
    killed.advanced(job, [records_of(job, 1)])
    killed.ended(job, has_failed=False)
    walk = search_walk(small.plan(), small.open(), small.home, TWO_CORES)
    assert walk.pruned == [(job.pack, 1)]
    assert walk.plan.requests == tuple(small.space.requests.values())


def test_a_search_of_the_whole_space_is_asked_until_it_has_no_more(lab: MakeLab) -> None:
    small = lab(trials=6)
    queue = small.open()
    walk = search_walk(small.plan(), queue, small.home, TWO_CORES)
    for _ in range(walk.tune_config.num_samples - 1):
        job = queue.next()
        assert job is not None
        small.start(job)
        queue.advanced(job, [records_of(job, epoch) for epoch in (1, 2)])
        queue.ended(job, has_failed=False)
    assert not queue.is_over
    assert queue.next() is None
    assert queue.is_over
