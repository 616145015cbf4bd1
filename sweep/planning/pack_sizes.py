"""Members per pack: as the spec says, or measured once for each kind of pack and kept in the home."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from sweep.home import Home
from sweep.spec.sweep_spec import Resources
from trainables.pack import COST_PARAMS, shared_params
from trainables.regular_file import read_json
from trainables.schema import Member
from trainables.tasks import task_of

if TYPE_CHECKING:
    from trainables.data import ImageDataset

SizeOf = Callable[[Member], int]
"""Maps a member to the most members that its pack may have."""


@dataclass(frozen=True)
class MeasuredSize:
    """The best size of a kind of pack.

    Args:
        size: How many members.
        most: The most that were considered; where `size` is as many, still more might be better.
        hardware: What it was measured on.
    """

    size: int
    most: int
    hardware: str

    def holds_for(self, num_members: int, hardware: str) -> bool:
        """Say whether another measurement for that many members would find the same."""
        return self.hardware == hardware and (num_members <= self.most or self.size < self.most)


class Bench(Protocol):
    """Where packs are measured."""

    def hardware(self) -> str:
        """Return the device and the version of what trains on it."""

    def best_size(self, member: Member, most: int) -> int:
        """Return the best size, up to `most`, of packs of members like this one."""


def pack_sizes(resources: Resources, home: Home) -> SizeOf:
    """Return the sizes of packs: the spec's, else what was measured for a GPU, else one, best on a CPU.

    All whose estimators are judged in one training are one pack, unless the spec says otherwise.
    """
    known = {} if not resources.is_pack_size_measured else _read(home)
    sizes = {kind: measured.size for kind, measured in known.items()}

    def size_of(member: Member) -> int:
        if resources.members_per_pack is None and task_of(member.params["task"]).trains_one_model:
            return sys.maxsize
        return resources.members_per_pack or sizes.get(_kind(member, resources), 1)

    return size_of


def are_sizes_known(members: Collection[Member], resources: Resources, home: Home) -> bool:
    """Say whether nothing is left to measure before packs of these members are formed."""
    if not resources.is_pack_size_measured:
        return True
    kinds = {_kind(group[0], resources) for group in _groups(members) if len(group) > 1}
    return kinds <= _read(home).keys()


def measure_pack_sizes(
    members: Iterable[Member],
    resources: Resources,
    dataset: ImageDataset,
    home: Home,
    bench: Bench | None = None,
) -> None:
    """Measure what is not known yet of the GPU that packs get, and keep it.

    Args:
        members: Members to train.
        resources: What a pack gets.
        dataset: The images.
        home: Where the sizes are kept.
        bench: Where to measure; none stands for workers of the cluster.
    """
    # The largest group of a kind comes last, and stays; one member needs no measurement.
    groups = sorted(_groups(members), key=len)
    largest = {_kind(group[0], resources): group for group in groups if len(group) > 1}
    if not largest:
        return
    if bench is None:
        from sweep.planning.pack_size_workers import Workers  # Ray and torch, which plans do without

        bench = Workers(resources, dataset)
    hardware, known = bench.hardware(), _read(home)
    for kind, group in largest.items():
        if kind not in known or not known[kind].holds_for(len(group), hardware):
            most = 1 << (len(group) - 1).bit_length()  # the next power of two, for a pack of all of them
            known[kind] = MeasuredSize(bench.best_size(group[0], most), most, hardware)
            home.keep(home.pack_sizes, {name: asdict(measured) for name, measured in known.items()})


def _groups(members: Iterable[Member]) -> list[list[Member]]:
    """Return the members whose packs are of a measured size, by those with whom they may share one."""
    groups: dict[tuple[tuple[str, str], ...], list[Member]] = {}
    for member in members:
        if not task_of(member.params["task"]).trains_one_model:
            groups.setdefault(shared_params(member), []).append(member)
    return list(groups.values())


def _kind(member: Member, resources: Resources) -> str:
    """Return as a key what the best size of a member's pack depends on."""
    params = {**member.params, "gpus": resources.gpus}
    return " ".join(f"{name}={params[name]}" for name in (*COST_PARAMS, "gpus") if name in params)


def _read(home: Home) -> dict[str, MeasuredSize]:
    try:
        content = read_json(home.pack_sizes)
        return {str(kind): _measured(**fields) for kind, fields in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return {}


def _measured(size: int, most: int, hardware: str) -> MeasuredSize:
    if min(size, most) < 1:
        raise ValueError(f"a pack must have a member, got {size} of {most}")
    return MeasuredSize(int(size), int(most), str(hardware))
