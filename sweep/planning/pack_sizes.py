"""Members per pack: as the spec says, or measured once for each kind of pack and kept in the home."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from sweep.home import Home
from sweep.spec.sweep_spec import Resources
from trainables.pack import cost_key, shared_params
from trainables.regular_file import read_json
from trainables.schema import Member
from trainables.task_registry import task_of

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

    def size_of(member: Member) -> int:
        if resources.members_per_pack is None and task_of(member.params["task"]).trains_one_model:
            return sys.maxsize
        return resources.members_per_pack or _known_size(member, resources, known) or 1

    return size_of


def _known_size(member: Member, resources: Resources, known: Mapping[str, MeasuredSize]) -> int | None:
    """Return what was measured with a member's share of a GPU, else that part of what fills a whole one."""
    if measured := known.get(_kind(member, resources)):
        return measured.size
    if measured := known.get(_kind(member, resources.with_gpus(1.0))):
        return max(1, int(measured.size * min(1.0, resources.share)))
    return None


def largest_packs(members: Iterable[Member], resources: Resources, home: Home) -> list[tuple[int, int]]:
    """Return of each kind that was measured how large packs may be, and the size that fills a GPU."""
    known = _read(home)
    packs: dict[str, tuple[int, int]] = {}
    for group in sorted(_groups(members, resources), key=len):
        kind = _kind(group[0], resources.with_gpus(1.0))
        if kind in known:
            packs[kind] = (min(len(group), resources.members_per_pack or len(group)), known[kind].size)
    return list(packs.values())


def are_sizes_known(members: Collection[Member], resources: Resources, home: Home) -> bool:
    """Say whether nothing is left to measure before packs of these members are formed."""
    if not resources.is_pack_size_measured:
        return True
    known = _read(home)
    groups = [group for group in _groups(members, resources) if len(group) > 1]
    return all(_known_size(group[0], resources, known) for group in groups)


def measure_pack_sizes(
    members: Iterable[Member],
    resources: Resources,
    dataset: ImageDataset,
    home: Home,
    bench: Bench | None = None,
    *,
    packs_to_a_gpu: int = 1,
) -> None:
    """Measure what is not known yet of the GPU that packs get, and keep it.

    Args:
        members: Members to train.
        resources: What a pack gets.
        dataset: The images.
        home: Where the sizes are kept.
        bench: Where to measure; none stands for workers of the cluster.
        packs_to_a_gpu: How many packs may share a GPU later, if several fill it no more than one.
    """
    # The largest group of a kind comes last, and stays; one member needs no measurement.
    groups = sorted(_groups(members, resources), key=len)
    largest = {_kind(group[0], resources): group for group in groups if len(group) > 1}
    if not largest:
        return
    if bench is None:
        from sweep.planning.pack_size_workers import Workers  # Ray and torch, which plans do without

        bench = Workers(resources, dataset)
    hardware, known = bench.hardware(), _read(home)
    for kind, group in largest.items():
        num_members = packs_to_a_gpu * len(group)
        if kind not in known or not known[kind].holds_for(num_members, hardware):
            most = 1 << (num_members - 1).bit_length()  # the next power of two, for a pack of all of them
            known[kind] = MeasuredSize(bench.best_size(group[0], most), most, hardware)
            home.keep(home.pack_sizes, {name: asdict(measured) for name, measured in known.items()})


def _groups(members: Iterable[Member], resources: Resources) -> list[list[Member]]:
    """Return the members whose packs are of a measured size, by those with whom they may share one."""
    groups: dict[tuple[tuple[str, str], ...], list[Member]] = {}
    for member in members:
        if not task_of(member.params["task"]).trains_one_model:
            key = shared_params(member, is_on_gpu=resources.share > 0)
            groups.setdefault(key, []).append(member)
    return list(groups.values())


def _kind(member: Member, resources: Resources) -> str:
    """Return as a key what the best size of a member's pack depends on."""
    return cost_key(member, gpus=resources.share)


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
