"""Three Ray nodes on one machine, until stdin ends; run as a program, which prints the cluster's address.

The first node has no cores to lend, so that every trial is on one of the others.
"""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

_OBJECT_STORE_BYTES = 200 * 2**20
_CORES = (0, 1, 1)


def main() -> None:
    cluster = Cluster()
    for cores in _CORES:
        cluster.add_node(num_cpus=cores, object_store_memory=_OBJECT_STORE_BYTES, include_dashboard=False)
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
