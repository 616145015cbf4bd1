"""How the packs of a sweep come to Ray Tune: in their order for a grid, as they are chosen for a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from ray.tune.search import ConcurrencyLimiter

from sweep.execution.pack_queue import PackQueue
from sweep.execution.progress import Progress
from sweep.home import Home
from sweep.planning.capacity import Node
from sweep.planning.estimates import start_order
from sweep.planning.plan import Plan
from sweep.spec.sweep_spec import Resources
from trainables.allowance import usable_memory
from trainables.pack import Pack
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
    """Return what a pack's trainable is told under the key `PACK`."""
    return {
        "members": pack.to_params(),
        "checkpoint_folder": str(home.checkpoints / pack.hash),
        "num_threads": resources.cpus,
        "gpus": resources.gpus,
        "code": own_code(),
        "device": "cuda" if resources.gpus > 0 else "cpu",
    }


def room_for_packs(resources: Resources, address: str | None) -> int:
    """Return how many packs fit at once on the nodes that the cluster has now, at least one.

    On a cluster that was started for this run, on this machine, they also have room in its memory.
    """
    memory = usable_memory() if address is None else math.inf
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [Node(there.get("CPU", 0), there.get("GPU", 0), memory) for there in alive]
    return max(1, sum(node.num_packs(resources) for node in nodes))


def grid_walk(plan: Plan, home: Home, num_at_once: int | None = None) -> Walk:
    """Return the walk through all packs of a plan.

    Args:
        plan: What is to be done.
        home: Where checkpoints are.
        num_at_once: How many packs the cluster has room for, where that stays so: Tune then gets a pack when
            there is room for it, and asks for no place that is never used. None where nodes may come; packs
            that wait for room are what makes an autoscaler start them.
    """
    done = len(plan.members) - len(plan.members_to_run)
    queue = PackQueue(start_order(plan, home), lambda pack: pack_config(pack, home, plan.spec.resources))
    return Walk(
        plan=plan,
        progress=Progress(plan),
        announcement=(
            f"{plan.spec.name}: {len(plan.requests)} cells, {len(plan.members)} members; "
            f"{done} done before, {len(plan.members_to_run)} to run in {len(plan.packs)} packs"
        ),
        param_space={},
        tune_config=tune.TuneConfig(
            search_alg=queue if num_at_once is None else ConcurrencyLimiter(queue, num_at_once),
            num_samples=len(plan.packs),
            reuse_actors=True,
        ),
    )
