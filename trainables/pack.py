"""Packs: members that train together in one process by batched matrix products."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from trainables.schema import Member

FREE_PARAMS = frozenset({"seed", "temperature", "eta", "beta"})
"""What members of one pack may differ in; everything else they share."""

COST_PARAMS = (
    "task",
    "dataset",
    "estimator",
    "categorical_dim",
    "latent_dim",
    "optimizer",
    "num_mc_samples",
    "num_samples",
    "batch_size",
    "precision",
)
"""What the seconds of a step and the best size of a pack depend on."""


def shared_params(member: Member) -> tuple[tuple[str, str], ...]:
    """Return the params that every member of this member's pack must have, as a hashable key."""
    return tuple((name, value) for name, value in member.params.items() if name not in FREE_PARAMS)


@dataclass(frozen=True)
class Pack:
    """P >= 1 members that differ in nothing but seed, temperature, eta and beta; it becomes one Tune trial.

    Args:
        members: The members, in the order of the leading axis of every tensor.

    Raises:
        ValueError: If there is no member, one occurs twice, or they differ in a param that a pack shares.
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("a pack must have at least one member")
        if len({member.hash for member in self.members}) < len(self.members):
            raise ValueError("the members of a pack must differ")
        if len({shared_params(member) for member in self.members}) > 1:
            raise ValueError(f"members of a pack may differ only in {', '.join(sorted(FREE_PARAMS))}")

    @classmethod
    def from_params(cls, members: Sequence[Mapping[str, object]]) -> Pack:
        """Build a pack from the params of its members, as a Tune config carries them."""
        return cls(tuple(Member.from_params(params) for params in members))

    def to_params(self) -> list[dict[str, str]]:
        """Return the params of the members, from which `from_params` builds the same pack."""
        return [member.params for member in self.members]

    @cached_property
    def hash(self) -> str:
        """Content hash of the members; the name of the pack's checkpoint folder."""
        text = " ".join(member.hash for member in self.members)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def shared(self) -> Mapping[str, str]:
        """The params that all members share."""
        return dict(shared_params(self.members[0]))

    @property
    def epochs(self) -> int:
        """How many epochs the pack trains for."""
        return int(self.shared["epochs"])

    def __len__(self) -> int:
        return len(self.members)
