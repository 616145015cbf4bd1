"""Where packs are to be trained: the nodes of a cluster, and how many packs fit on them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweep.spec.sweep_spec import Resources
from trainables.allowance import usable_cores, usable_memory

THIS_MACHINE = "this machine"

PROCESS_BYTES = 400 * 2**20
"""Memory that a process takes for itself while it trains a pack of one: 273 MiB at 8x4 and 291 at 64x8 with
100 draws a variable, as measured on Linux with torch 2.13 for CPUs, and some to spare."""
_SIGNS_OF_GPUS = (("/dev", "nvidia[0-9]*"), ("/dev", "kfd"), ("/dev", "dxg"))
"""What drivers of GPUs leave in the file system: NVIDIA's, AMD's, and Windows's for Linux."""
_UNITS = 10_000
"""Ray counts shares of a GPU in ten-thousandths."""


@dataclass(frozen=True)
class Node:
    """A machine.

    Args:
        cpus: Cores.
        gpus: GPUs.
        memory: Bytes that all packs on it may take, as far as that is known.
    """

    cpus: float
    gpus: float
    memory: float = math.inf

    def num_packs(self, resources: Resources) -> int:
        """Return how many packs fit on it at once; a pack with a share of a GPU stays on one."""
        by_cpus = int(self.cpus // resources.cpus)
        if self.memory < math.inf:  # one is tried in any case
            by_cpus = min(by_cpus, max(1, int(self.memory // PROCESS_BYTES)))
        if resources.share == 0:
            return by_cpus
        share = max(1, round(resources.share * _UNITS))
        by_gpus = int(self.gpus) * (_UNITS // share) if share < _UNITS else int(self.gpus * _UNITS) // share
        return min(by_cpus, by_gpus)


@dataclass(frozen=True)
class Capacity:
    """What there is to train on.

    Args:
        where: What to call it.
        nodes: Its machines, those that are alive.
        to_come: What the nodes have that an autoscaler may start, by the name of their type.
    """

    where: str
    nodes: tuple[Node, ...]
    to_come: Mapping[str, Node] = field(default_factory=dict)

    def num_packs(self, resources: Resources) -> int:
        """Return how many packs fit on it at once."""
        return sum(node.num_packs(resources) for node in self.nodes)

    def __str__(self) -> str:
        """Describe it, for example "this machine (2 cores)"."""
        counts = [f"{len(self.nodes)} nodes"] if self.where != THIS_MACHINE else []
        counts.append(f"{sum(node.cpus for node in self.nodes):g} cores")
        num_gpus = sum(node.gpus for node in self.nodes)
        counts += [f"{num_gpus:g} GPUs"] if num_gpus else []
        return f"{self.where} ({', '.join(counts)})"


def this_machine(resources: Resources) -> Capacity:
    """Return what a sweep without an address has; nothing is started, and no GPU looked for without need."""
    return Capacity(THIS_MACHINE, (Node(usable_cores(), num_gpus_here(resources), usable_memory()),))


def num_gpus_here(resources: Resources) -> int:
    """Return how many GPUs PyTorch can use here, of which packs want some.

    Where they are only welcome, it is loaded only if a driver shows that there are any.
    """
    has_signs = any(any(Path(folder).glob(names)) for folder, names in _SIGNS_OF_GPUS)
    if resources.gpus == (0.0,) or (resources.is_open and not has_signs):
        return 0
    import torch

    return torch.cuda.device_count()
