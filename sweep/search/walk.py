"""The walk of a search: a searcher that gives out cells as fast as there is room for them."""

from __future__ import annotations

from ray import tune
from ray.tune.search import ConcurrencyLimiter

from sweep.execution.kinds_of_place import KindsOfPlace
from sweep.execution.tune_inputs import Walk, pack_config
from sweep.home import Home
from sweep.planning.capacity import Capacity
from sweep.search.halving import PackHalving
from sweep.search.planning import SearchPlan
from sweep.search.progress import SearchProgress
from sweep.search.queue import CellQueue
from sweep.search.searcher import CellSearcher


def search_walk(plan: SearchPlan, queue: CellQueue, home: Home, capacity: Capacity) -> Walk:
    """Return the walk through the cells of a queue.

    Args:
        plan: How the search stands.
        queue: Gives out cells.
        home: Where checkpoints are.
        capacity: What there is to train on.
    """
    spec = plan.spec
    search, kinds = spec.search, KindsOfPlace(spec.resources.best, capacity)
    scheduler = None
    if search.early_stopping is not None:
        scheduler = PackHalving(search.early_stopping, search.metric, spec.epochs)
        scheduler.replay(trial.scores for trial in plan.trials.values() if trial.is_told)
    searcher = CellSearcher(queue, lambda pack: pack_config(pack, home, spec.resources.best))
    at_once = search.concurrency or kinds.room
    return Walk(
        plan=plan.for_store,
        progress=SearchProgress(plan, queue=queue),
        announcement=announcement(plan),
        param_space={},
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(searcher, at_once),
            scheduler=scheduler,
            num_samples=plan.num_cells + 1,  # so that the searcher is asked until it has no more
            reuse_actors=True,
        ),
        pruned=queue.unnoted(),
    )


def announcement(plan: SearchPlan) -> str:
    """Return what a search is going to do, a line for people."""
    search = plan.spec.search
    return (
        f"{plan.spec.name}: search of {plan.num_cells} cells for the lowest {search.metric} "
        f"({search.sampler}), {plan.num_allowed} trials of {len(plan.spec.seeds)} seeds; "
        f"{plan.num_done} done before"
    )
