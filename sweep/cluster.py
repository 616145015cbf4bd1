"""The Ray cluster that a sweep runs on: joined, or started on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ray

from sweep.spec import Resources

_OBJECT_STORE_BYTES = 400 * 2**20


class ClusterError(Exception):
    """The cluster cannot run the spec; the message says what it lacks.

    Args:
        message: The message.
        key: Key of the spec's resources that asks for too much, where that is the reason.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


@contextmanager
def cluster(address: str | None, resources: Resources) -> Iterator[None]:
    """Connect to a Ray cluster, or start one on this machine, for as long as the context lasts.

    Args:
        address: Address of the cluster; none starts one here.
        resources: What a pack needs.

    Raises:
        ClusterError: If the cluster cannot be reached or has no node that a pack fits on.
    """
    options = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            ray.init(include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **options)
        else:
            ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"Ray cluster {address or 'on this machine'} cannot be used: {error}") from None
    try:
        _check_fit(resources)
        yield
    finally:
        ray.shutdown()


def _check_fit(resources: Resources) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for name, key, wanted in (("cpus", "CPU", resources.cpus), ("gpus", "GPU", resources.gpus)):
        most = max((node.get(key, 0) for node in nodes), default=0)
        if wanted > most:
            raise ClusterError(
                f"{name} must be at most {most:g}, what the largest node of the cluster has, got {wanted:g}",
                key=name,
            )
