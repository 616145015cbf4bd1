"""Seconds per epoch measured where a sweep is to run: in this process, or on a node of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sweep.home import Home
from sweep.planning.calibration import kind_with, read_calibration, seconds_per_epoch
from sweep.planning.capacity import THIS_MACHINE
from sweep.spec.sweep_spec import Resources
from sweep.spec.use import shipped_by_value
from trainables.pack import Pack

if TYPE_CHECKING:
    from trainables.data import ImageDataset


def calibrate(
    packs: Iterable[Pack],
    dataset: ImageDataset | None,
    home: Home,
    resources: Resources,
    address: str | None = None,
    where: str = THIS_MACHINE,
) -> None:
    """Measure the seconds per epoch of every kind that is not known there yet, one at a time, and keep them.

    Args:
        packs: The packs.
        dataset: The images; none for a task that needs none.
        home: Where the seconds are kept.
        resources: What a pack gets.
        address: Address of a Ray cluster, on a node of which to measure; none measures in this process.
        where: What to call the place.

    Raises:
        ClusterError: If the cluster cannot be used.
        HomeError: If the home does not take what was measured.
    """
    known = {kind: dict(measured) for kind, measured in read_calibration(home).items()}
    kinds = {kind_with(pack, resources): pack for pack in packs}
    missing = {kind: pack for kind, pack in kinds.items() if where not in known.get(kind, {})}
    if not missing:
        return
    for kind, seconds in _measure(missing, dataset, resources, address):
        known.setdefault(kind, {})[where] = seconds
        home.keep(home.calibration, known)


def _measure(
    packs: Mapping[str, Pack], dataset: ImageDataset | None, resources: Resources, address: str | None
) -> Iterable[tuple[str, float]]:
    if address is None:
        for kind, pack in packs.items():
            yield kind, seconds_per_epoch(pack.to_params(), dataset, resources)
        return
    import ray

    from sweep.cluster.cluster import cluster

    with cluster(address, resources):
        data = ray.put(dataset)
        task = ray.remote(num_cpus=resources.cpus, num_gpus=resources.share)(seconds_per_epoch)
        for kind, pack in packs.items():
            own = shipped_by_value(pack.members)
            yield kind, ray.get(task.remote(pack.to_params(), data, resources, shipped=own))
