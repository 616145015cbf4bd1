"""How the packs of a sweep come to Ray Tune: in their order for a grid, as they are chosen for a search."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ray import tune
from ray.tune.search import ConcurrencyLimiter

from sweep.cluster.environment import code
from sweep.execution.kinds_of_place import KindsOfPlace
from sweep.execution.pack_queue import PackQueue
from sweep.execution.progress import Progress
from sweep.execution.stops import Stops
from sweep.home import Home
from sweep.planning.capacity import Capacity
from sweep.planning.estimates import start_order
from sweep.planning.plan import Plan
from sweep.spec.sweep_spec import Resources
from sweep.spec.use import shipped_by_value
from trainables.pack import Pack
from trainables.pack_trainable import PACK
from trainables.training_code import own_code


@dataclass(frozen=True)
class Walk:
    """A way through a spec's cells.

    Args:
        plan: What the store is told of: its requests are the cells whose means are written.
        progress: Counts what happens.
        announcement: What is going to happen, a line for people.
        param_space: Tune's space of configs.
        tune_config: Tune's searcher and scheduler.
        pruned: Packs that an earlier run gave up, and when, of which the store is still to be told.
        stops: Ends packs of cells that somebody has stopped.
    """

    plan: Plan
    progress: Progress
    announcement: str
    param_space: Mapping[str, Any]
    tune_config: tune.TuneConfig
    pruned: Sequence[tuple[Pack, int]] = ()
    stops: Stops | None = None


def pack_config(pack: Pack, home: Home, resources: Resources) -> dict[str, object]:
    """Return what a pack's trainable is told under the key `PACK`, given what it gets."""
    return {
        "members": pack.to_params(),
        "checkpoint_folder": str(home.checkpoints / pack.hash),
        "num_threads": resources.cpus,
        "gpus": resources.share,
        "code": own_code(),
        "described_code": code(),
        "estimators": shipped_by_value(pack.members),
        "device": "cuda" if resources.share > 0 else "cpu",
    }


def resources_of_trial(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """Return what a trial gets, given its config."""
    own = config[PACK]
    return _request(own["num_threads"], own["gpus"])


@cache
def _request(cpus: int, gpus: float) -> tune.PlacementGroupFactory:
    """Return the one request of a kind, since Tune compares those of all trials part by part."""
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}])


def grid_walk(
    plan: Plan,
    home: Home,
    capacity: Capacity,
    stopped_cells: Callable[[], Collection[str]],
    *,
    is_fixed: bool,
) -> Walk:
    """Return the walk through all packs of a plan.

    Args:
        plan: What is to be done.
        home: Where checkpoints are.
        capacity: What there is to train on.
        stopped_cells: Returns the hashes of the cells that are stopped by now.
        is_fixed: Whether no more will come: Tune then gets a pack when there is room for it, and asks for no
            place that is never used. Packs that wait for room are what makes an autoscaler start nodes.
    """
    done = len(plan.members) - len(plan.members_to_run)
    kinds = KindsOfPlace(plan.spec.resources, capacity)
    # A pack that waits waits for one kind of place, and another kind may be free sooner.
    is_fixed = is_fixed or (len(plan.spec.resources.gpus) > 1 and not capacity.to_come)
    stops = Stops(stopped_cells)
    progress = Progress(plan)
    queue = PackQueue(
        start_order(plan, home),
        kinds,
        stops,
        lambda pack: progress.ended(pack, has_failed=False, is_pruned=True),
        lambda pack, kind: pack_config(pack, home, kind),
    )
    return Walk(
        plan=plan,
        progress=progress,
        announcement=(
            f"{plan.spec.name}: {len(plan.requests)} cells, {len(plan.members)} members; "
            f"{done} done before, {len(plan.members_to_run)} to run in {len(plan.packs)} packs"
        ),
        stops=stops,
        param_space={},
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(queue, kinds.room) if is_fixed else queue,
            num_samples=len(plan.packs),
            reuse_actors=True,
        ),
    )
