"""A shard: every n-th pack of a spec, for jobs that know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.planning.packing import pack_members
from sweep.spec.file import SpecError
from sweep.spec.sweep_spec import Spec
from trainables.schema import CellRequest

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_PACKS_A_SHARD = 4
"""How many packs a shard has at least where they may be made small, so that shards take about as long."""


@dataclass(frozen=True)
class Shard:
    """The index-th of so many shards, from 1.

    Which members it has depends on the spec alone, not on what is done, on devices or on pack sizes, so that
    jobs on different machines and at different times share the work without a gap.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/16".

        Raises:
            SpecError: If it has another form, or there is no such shard.
        """
        found = _FORM.fullmatch(text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise SpecError(f"--shard must be i/N with i from 1 to N, such as 3/16, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        return f"{self.index}/{self.count}"

    @property
    def folder(self) -> str:
        """What the folder of its home is called."""
        return f"{self.index}-of-{self.count}"

    def requests(self, spec: Spec, requests: Sequence[CellRequest]) -> tuple[CellRequest, ...]:
        """Return what of a spec's cells and seeds it has.

        Raises:
            SpecError: If the spec has a search, whose next cell depends on all results so far.
        """
        if not spec.search.is_grid:
            raise SpecError("--shard must be left out where search.kind is optuna")
        members = [member for request in requests for member in request.members]
        size = spec.resources.members_per_pack or max(1, len(members) // (_PACKS_A_SHARD * self.count))
        packs = pack_members(members, lambda _member: size, is_on_gpu=True)
        mine = {member.hash for pack in packs[self.index - 1 :: self.count] for member in pack.members}
        shares = (
            CellRequest(request.cell, tuple(one.seed for one in request.members if one.hash in mine))
            for request in requests
        )
        return tuple(share for share in shares if share.seeds)
