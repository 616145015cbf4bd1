"""A sweep named as one with other content: both are in one experiment, which is worth a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sweep.planning.plan import Plan
from trainables.schema import MEMBER_PARAMS, Member

_MOST_VALUES = 3


def note_of_others(plan: Plan) -> str | None:
    """Return what else the experiment of a sweep's name holds, a line for people; none where that is nothing.

    Args:
        plan: A plan whose requests are all cells that the spec declares.
    """
    asked = {request.cell.hash for request in plan.requests}
    others = [
        one.member
        for one in plan.stored.values()
        if one.experiment == plan.spec.name
        and one.member is not None
        and not (one.member.cell.hash in asked and one.member.seed in plan.spec.seeds)
    ]
    if not others:
        return None
    return (
        f"note: sweep {plan.spec.name} in this store also holds {len(others):,} members that this spec does "
        f"not ask for ({_differences(plan, others)}); they stay, and another name would keep them apart"
    )


def _differences(plan: Plan, others: Iterable[Member]) -> str:
    known = _values(member.params for request in plan.requests for member in request.members[:1])
    known["seed"] = set(map(str, plan.spec.seeds))
    found = _values(member.params for member in others)
    named = []
    for name in MEMBER_PARAMS:
        new = sorted(found.get(name, set()) - known.get(name, set()))
        if new:
            more = ", ..." if len(new) > _MOST_VALUES else ""
            named.append(f"{name} {', '.join(new[:_MOST_VALUES])}{more}")
    return "; ".join(named) or "values that this spec has in other combinations"


def _values(params: Iterable[Mapping[str, str]]) -> dict[str, set[str]]:
    values: dict[str, set[str]] = {}
    for one in params:
        for name, value in one.items():
            values.setdefault(name, set()).add(value)
    return values
