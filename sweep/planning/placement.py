"""Which devices packs get: as the spec says, or, where that is left to us, GPUs where there are any."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sweep.cluster_error import ClusterError
from sweep.home import Home
from sweep.planning.capacity import Capacity, Node
from sweep.planning.pack_sizes import largest_packs
from sweep.spec.sweep_spec import Resources, Spec
from trainables.schema import Member

WHOLE_GPU = 1.0
MOST_PACKS_TO_A_GPU = 4
"""How many packs may share a GPU where that is left to us."""


@dataclass(frozen=True)
class Placement:
    """What packs get.

    Args:
        resources: What a pack gets, without anything that is still to be chosen; where there are several
            kinds of it, packs take the first as long as there is room.
        why: The reason, for people.
        is_share_open: Whether the share of a GPU may be made smaller, once the sizes of packs are known.
    """

    resources: Resources
    why: str
    is_share_open: bool = False

    def __str__(self) -> str:
        """Describe it in a line."""
        kinds = " or ".join(_what(kind) for kind in self.resources.kinds)
        return f"a pack gets {kinds} ({self.why})"


def place(resources: Resources, capacity: Capacity) -> Placement:
    """Choose what the spec leaves open.

    Args:
        resources: What the spec asks for.
        capacity: What there is to train on, and what may come.
    """
    if not resources.is_open:
        return Placement(resources, "as asked for")
    there = [node for node in capacity.nodes if _has_gpu(node, resources)]
    to_come = [name for name, node in capacity.to_come.items() if _has_gpu(node, resources)]
    if not there and not to_come:
        return Placement(resources.with_gpus(0.0), f"gpus is auto, and {capacity.where} has none")
    shares = tuple(dict.fromkeys(WHOLE_GPU if share is None else share for share in resources.gpus))
    why = f"gpus is auto, and {capacity.where} "
    why += f"has {sum(node.gpus for node in there):g}" if there else f"may start nodes of type {to_come[0]}"
    if 0.0 not in shares and any(node.gpus == 0 and node.cpus >= resources.cpus for node in capacity.nodes):
        why += "; nodes without one are left alone, --gpus auto,0 takes them too"
    return Placement(resources.with_gpus(*shares), why, is_share_open=True)


def with_share(placement: Placement, members: Iterable[Member], capacity: Capacity, home: Home) -> Placement:
    """Let several packs share a GPU where each is too small to fill it, as far as that has been measured.

    A pack of M members, where P fill a GPU, gets M / P of it, rounded up to a half or a quarter; of several
    kinds of pack the largest counts. On every node there is a core for each pack.

    Args:
        placement: What packs get so far.
        members: What is to be trained.
        capacity: What there is to train on.
        home: Where measured sizes are kept.
    """
    resources = placement.resources
    needed = [group / size for group, size in largest_packs(members, resources, home)]
    if not placement.is_share_open or not needed:
        return placement
    nodes = [node for node in (*capacity.nodes, *capacity.to_come.values()) if _has_gpu(node, resources)]
    by_cores = min((int(node.cpus // resources.cpus / node.gpus) for node in nodes), default=1)
    room = max(1, min(math.floor(1 / max(needed)), by_cores, MOST_PACKS_TO_A_GPU))
    at_once = 1 << (room.bit_length() - 1)  # shares are halves and quarters
    if at_once == 1:
        return placement
    shares = (WHOLE_GPU / at_once, *resources.gpus[1:])
    return Placement(resources.with_gpus(*shares), f"{placement.why}; {at_once} packs fill one, as measured")


def placed(spec: Spec, placement: Placement) -> Spec:
    """Return a spec with what its packs get.

    Raises:
        ClusterError: If they get no GPU, and the spec's precision needs one.
    """
    if spec.precision == "tf32" and placement.resources.share == 0:
        raise ClusterError(
            f"precision must be float32 where packs get no GPU, got tf32: {placement}", key="gpus"
        )
    return spec.model_copy(update={"resources": placement.resources})


def _has_gpu(node: Node, resources: Resources) -> bool:
    return node.gpus >= WHOLE_GPU and node.cpus >= resources.cpus


def _what(kind: Resources) -> str:
    cores = f"{kind.cpus} core{'s' if kind.cpus > 1 else ''}"
    if kind.share == 0:
        return f"{cores} and no GPU"
    return f"{cores} and {kind.share:g} GPU{'s' if kind.share > 1 else ''}"
