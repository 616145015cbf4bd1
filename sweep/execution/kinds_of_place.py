"""Which kind of place each pack in training has, where a cluster has several: GPUs, and nodes without."""

from __future__ import annotations

from sweep.planning.capacity import Capacity
from sweep.spec.sweep_spec import Resources


class KindsOfPlace:
    """Gives each trial a place of the best kind that has room.

    Args:
        resources: What packs may get, the best first.
        capacity: What there is to train on. Packs without a GPU have room beside those with one only on nodes
            that have none, where Ray puts them first: they would take the cores of packs with GPUs.
    """

    def __init__(self, resources: Resources, capacity: Capacity) -> None:
        self._kinds = resources.kinds
        without_gpus = [node for node in capacity.nodes if node.gpus == 0]
        nodes = [
            without_gpus if kind.share == 0 and resources.share > 0 else capacity.nodes
            for kind in self._kinds
        ]
        self._room = [
            sum(node.num_packs(kind) for node in place)
            for kind, place in zip(self._kinds, nodes, strict=True)
        ]
        self._taken: dict[str, int] = {}

    @property
    def room(self) -> int:
        """How many packs fit at once, at least one."""
        return max(1, sum(self._room))

    def take(self, trial_id: str) -> Resources:
        """Return what a trial gets: where there is no room for it now, it waits for the best kind."""
        taken = list(self._taken.values())
        free = [index for index, room in enumerate(self._room) if taken.count(index) < room]
        self._taken[trial_id] = min(free, default=0)
        return self._kinds[self._taken[trial_id]]

    def leave(self, trial_id: str) -> None:
        """Give a trial's place back."""
        self._taken.pop(trial_id, None)
