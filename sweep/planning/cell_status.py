"""How a sweep stands: done, running, failed, diverged, pruned and missing members of every cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sweep.planning.plan import Plan
from trainables.schema import Cell, CellRequest, Member
from trainables.store.member_state import COUNTED, INCOMPLETE, MISSING, RUNNING

_COUNTED_AS = {COUNTED: "done", INCOMPLETE: RUNNING}
"""What a finished run lacks is trained again, as that of a driver which was killed."""


@dataclass(frozen=True)
class CellStatus:
    """How a cell stands; the counts add up to the seeds asked for.

    Args:
        cell: The cell.
        num_done: Members that finished with a result.
        num_diverged: Members that finished without one.
        num_running: Members that are in training, or were when their driver was killed.
        num_failed: Members that ended with an error.
        num_pruned: Members that a search gave up before their last epoch.
        num_missing: Members that have not started.
        errors: Why members failed, a line each.
    """

    cell: Cell
    num_done: int
    num_diverged: int
    num_running: int
    num_failed: int
    num_pruned: int
    num_missing: int
    errors: tuple[str, ...]


def sweep_status(plan: Plan) -> list[CellStatus]:
    """Return the status of every cell of a plan, in its order."""
    return [_cell_status(plan, request) for request in plan.requests]


def _cell_status(plan: Plan, request: CellRequest) -> CellStatus:
    counts = Counter(_state(plan, member) for member in request.members)
    errors = tuple(
        f"seed {member.seed}: {plan.stored[member.hash].error.strip().splitlines()[-1]}"
        for member in request.members
        if member.hash in plan.stored and plan.stored[member.hash].error.strip()
    )
    return CellStatus(
        cell=request.cell,
        num_done=counts["done"],
        num_diverged=counts["diverged"],
        num_running=counts["running"],
        num_failed=counts["failed"],
        num_pruned=counts["pruned"],
        num_missing=counts["missing"],
        errors=errors,
    )


def _state(plan: Plan, member: Member) -> str:
    if member.hash not in plan.stored:
        return MISSING
    return _COUNTED_AS.get(state := plan.stored[member.hash].state, state)
