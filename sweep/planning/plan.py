"""The plan: a spec expanded to members, less what the store holds, formed into packs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sweep.home import Home
from sweep.planning.pack_sizes import pack_sizes
from sweep.planning.packing import form_packs
from sweep.planning.shard import Shard
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoredMember
from trainables.pack import Pack
from trainables.schema import CellRequest, Member


@dataclass(frozen=True)
class Plan:
    """What a spec asks for and what of it is left to do.

    Args:
        spec: The spec.
        requests: Its cells, each with its seeds.
        stored: What the store knows, by member hash; also of members that are only in a pack.
        packs: The packs to train.
    """

    spec: Spec
    requests: tuple[CellRequest, ...]
    stored: Mapping[str, StoredMember]
    packs: tuple[Pack, ...]

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every member asked for."""
        return tuple(member for request in self.requests for member in request.members)

    @cached_property
    def members_to_run(self) -> tuple[Member, ...]:
        """The members that the packs will finish and that the spec asks for."""
        asked = {member.hash for member in self.members}
        return tuple(
            member
            for pack in self.packs
            for member in pack.members
            if member.hash in asked and not self.is_finished(member)
        )

    def is_finished(self, member: Member) -> bool:
        """Whether the store holds the member's whole result."""
        return member.hash in self.stored and self.stored[member.hash].is_finished

    def has_failed(self, member: Member) -> bool:
        """Whether the member ended with an error."""
        return member.hash in self.stored and self.stored[member.hash].has_failed


def make_plan(
    spec: Spec,
    stored: Mapping[str, StoredMember],
    home: Home,
    *,
    retry_failed: bool = False,
    shard: Shard | None = None,
) -> Plan:
    """Expand the spec of a grid and leave out what is done.

    Args:
        spec: The spec.
        stored: Everything the store holds, by member hash.
        home: Where packs that a killed driver left behind have their checkpoints.
        retry_failed: Whether members that failed are to run again.
        shard: What part of the spec to plan for; none stands for all of it.

    Raises:
        SpecError: If a search is to be divided.
    """
    requests = spec.requests() if shard is None else shard.requests(spec, spec.requests())
    members = [member for request in requests for member in request.members]
    left = [
        member
        for member in members
        if member.hash not in stored
        or not (stored[member.hash].is_finished or (stored[member.hash].has_failed and not retry_failed))
    ]
    sizes, is_on_gpu = pack_sizes(spec.resources, home), spec.resources.share > 0
    packs = form_packs(left, home.checkpoints, sizes, is_on_gpu=is_on_gpu)
    return Plan(spec, requests, stored, packs)
