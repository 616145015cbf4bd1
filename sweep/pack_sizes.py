"""Members per pack: as the spec says, or measured once for each kind of pack and kept in the home."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import ray
import torch

from sweep.home import Home
from sweep.spec import Resources
from trainables.data import ImageDataset
from trainables.pack import COST_PARAMS, shared_params
from trainables.pack_size import measure_pack_size
from trainables.schema import Member
from trainables.training import images_from_numpy

SizeOf = Callable[[Member], int]
"""Maps a member to the most members that its pack may have."""


def pack_sizes(resources: Resources, home: Home) -> SizeOf:
    """Return the sizes of packs: the spec's, else what was measured for a GPU, else one, best on a CPU."""
    if not resources.is_pack_size_measured:
        return lambda _member: resources.members_per_pack or 1
    known = _read(home)
    return lambda member: known.get(_kind(member, resources), 1)


def measure_pack_sizes(
    members: Iterable[Member], resources: Resources, dataset: ImageDataset, home: Home
) -> None:
    """Measure, on a worker with the share of a GPU that a pack gets, what is not known yet, and keep it.

    Args:
        members: Members to train; those that may form one pack are tried together.
        resources: What a pack gets.
        dataset: The images.
        home: Where the sizes are kept.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Member]] = {}
    for member in members:
        groups.setdefault(shared_params(member), []).append(member)
    known = _read(home)
    # The largest group of a kind goes first: what is best for it is an upper bound for the others.
    for group in sorted(groups.values(), key=len, reverse=True):
        kind = _kind(group[0], resources)
        if kind not in known:
            known[kind] = ray.get(_measure(resources, group, dataset))
            home.pack_sizes.write_text(json.dumps(known, indent=1))


def _measure(resources: Resources, group: Sequence[Member], dataset: ImageDataset) -> ray.ObjectRef:
    @ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)  # type: ignore[untyped-decorator]
    def measure(params: list[dict[str, str]], images: ImageDataset) -> int:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return measure_pack_size(
            [Member.from_params(one) for one in params],
            images_from_numpy(images.train_images),
            images_from_numpy(images.test_images),
            device,
            min(1.0, resources.gpus),
        )

    return measure.remote([member.params for member in group], dataset)


def _kind(member: Member, resources: Resources) -> str:
    """Return as a key what the best size of a member's pack depends on."""
    params = {**member.params, "gpus": resources.gpus}
    return " ".join(f"{name}={params[name]}" for name in (*COST_PARAMS, "gpus") if name in params)


def _read(home: Home) -> dict[str, int]:
    try:
        return {str(kind): int(size) for kind, size in json.loads(home.pack_sizes.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
