"""What there is to train on at an address."""

from __future__ import annotations

from sweep.planning.capacity import Capacity, this_machine
from sweep.spec.sweep_spec import Resources


def capacity_at(address: str | None, resources: Resources) -> Capacity:
    """Return what a sweep with this address has.

    Args:
        address: Address of a Ray cluster, which is joined and left again; none stands for this machine.
        resources: What a pack needs.

    Raises:
        ClusterError: If the cluster cannot be reached, or will never have a node that a pack fits on.
    """
    if address is None:
        return this_machine(resources)
    # Imports Ray, for a second, which a sweep on this machine's cores need not wait for.
    from sweep.cluster.cluster import cluster

    with cluster(address, resources) as joined:
        return joined.capacity
