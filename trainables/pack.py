"""Packs: members that train together in one process by batched matrix products."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from trainables.schema import COST_PARAMS, FREE_IN_PACKS, Member, own_names, param_of
from trainables.task import Task
from trainables.task_registry import task_of


def shared_params(member: Member, *, is_on_gpu: bool = False) -> tuple[tuple[str, str], ...]:
    """Return the params that every member of this member's pack must have, as a hashable key.

    On a GPU packs had better be large, and members may differ in more.
    """
    free = free_params_of(member, is_on_gpu=is_on_gpu)
    return tuple((name, value) for name, value in member.params.items() if name not in free)


def free_params_of(member: Member, *, is_on_gpu: bool = False) -> frozenset[str]:
    """Return what members of this member's pack may differ in: hyperparameters of a user's own, too."""
    task = task_of(member.params["task"])
    free = task.free_params | task.free_on_gpu if is_on_gpu else task.free_params
    own = own_names(member.params) if free >= FREE_IN_PACKS else ()
    return free.union(name for name in own if param_of(name).is_free_in_pack)


def cost_key(member: Member, **more: object) -> str:
    """Return as a key what the seconds of a step and the best size of a pack depend on, and more."""
    own = (name for name in own_names(member.params) if param_of(name).costs_time)
    values = {**member.params, **more}
    return " ".join(f"{name}={values[name]}" for name in (*COST_PARAMS, *own, *more) if name in values)


@dataclass(frozen=True)
class Pack:
    """P >= 1 members that differ in nothing but what their task says; it becomes one Tune trial.

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
        if len({shared_params(member, is_on_gpu=True) for member in self.members}) > 1:
            free = free_params_of(self.members[0], is_on_gpu=True)
            raise ValueError(f"members of a pack may differ only in {', '.join(sorted(free))}")

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
    def images_per_step(self) -> int:
        """How many training images a step takes of each member: the batch, times the images of an example."""
        of_example = int(self.shared["latent_dim"]) if self.task.has_image_per_variable else 1
        return int(self.shared["batch_size"]) * of_example

    @property
    def shared(self) -> Mapping[str, str]:
        """The params that all members share, wherever they train."""
        return dict(shared_params(self.members[0], is_on_gpu=True))

    @property
    def free_params(self) -> frozenset[str]:
        """What the members may differ in, wherever they train."""
        return free_params_of(self.members[0])

    @property
    def task(self) -> Task:
        """What is done with the members."""
        return task_of(self.shared["task"])

    @property
    def epochs(self) -> int:
        """How many epochs the pack trains for."""
        return int(self.shared["epochs"])

    @property
    def num_models(self) -> int:
        """How many models the pack trains: one for each member, unless it judges its members' estimators."""
        return 1 if self.task.trains_one_model else len(self)

    def __len__(self) -> int:
        return len(self.members)
