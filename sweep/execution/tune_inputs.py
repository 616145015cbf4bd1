"""How the packs of a sweep come to Ray Tune: in their order for a grid, as they are chosen for a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.tune.search import ConcurrencyLimiter

from sweep.execution.kinds_of_place import KindsOfPlace
from sweep.execution.pack_queue import PackQueue
from sweep.execution.progress import Progress
from sweep.home import Home
from sweep.planning.capacity import Capacity
from sweep.planning.estimates import start_order
from sweep.planning.plan import Plan
from sweep.spec.sweep_spec import Resources
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
    """

    plan: Plan
    progress: Progress
    announcement: str
    param_space: Mapping[str, Any]
    tune_config: tune.TuneConfig
    pruned: Sequence[tuple[Pack, int]] = ()


def pack_config(pack: Pack, home: Home, resources: Resources) -> dict[str, object]:
    """Return what a pack's trainable is told under the key `PACK`, given what it gets."""
    return {
        "members": pack.to_params(),
        "checkpoint_folder": str(home.checkpoints / pack.hash),
        "num_threads": resources.cpus,
        "gpus": resources.share,
        "code": own_code(),
        "device": "cuda" if resources.share > 0 else "cpu",
    }


def resources_of_trial(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """Return what a trial gets, given its config."""
    own = config[PACK]
    return tune.PlacementGroupFactory([{"CPU": own["num_threads"], "GPU": own["gpus"]}])


def grid_walk(plan: Plan, home: Home, capacity: Capacity, *, is_fixed: bool) -> Walk:
    """Return the walk through all packs of a plan.

    Args:
        plan: What is to be done.
        home: Where checkpoints are.
        capacity: What there is to train on.
        is_fixed: Whether no more will come: Tune then gets a pack when there is room for it, and asks for no
            place that is never used. Packs that wait for room are what makes an autoscaler start nodes.
    """
    done = len(plan.members) - len(plan.members_to_run)
    kinds = KindsOfPlace(plan.spec.resources, capacity)
    # A pack that waits waits for one kind of place, and another kind may be free sooner.
    is_fixed = is_fixed or (len(plan.spec.resources.gpus) > 1 and not capacity.to_come)
    queue = PackQueue(start_order(plan, home), kinds, lambda pack, kind: pack_config(pack, home, kind))
    return Walk(
        plan=plan,
        progress=Progress(plan),
        announcement=(
            f"{plan.spec.name}: {len(plan.requests)} cells, {len(plan.members)} members; "
            f"{done} done before, {len(plan.members_to_run)} to run in {len(plan.packs)} packs"
        ),
        param_space={},
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(queue, kinds.room) if is_fixed else queue,
            num_samples=len(plan.packs),
            reuse_actors=True,
        ),
    )
