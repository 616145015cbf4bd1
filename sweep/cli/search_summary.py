"""What `catsweep plan` and `catsweep status` say of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.planning.plan import Plan
    from sweep.search.planning import SearchPlan


def as_search(plan: Plan) -> SearchPlan | None:
    """Return a plan as that of a search, or none where it is a grid's."""
    if plan.spec.search.is_grid:
        return None
    from sweep.search.planning import SearchPlan

    return plan if isinstance(plan, SearchPlan) else None


def search_lines(plan: SearchPlan) -> list[str]:
    """Return how a search stands, in lines for people."""
    search = plan.spec.search
    fates = ", ".join(f"{count} {fate}" for fate, count in _fates(plan).items() if count)
    lines = [
        f"search of {plan.num_cells} cells for the lowest {search.metric} ({search.sampler}): "
        f"{plan.num_done}/{plan.num_allowed} trials done{f' ({fates})' if fates else ''}, "
        f"each of {len(plan.spec.seeds)} seeds"
    ]
    lines += [best_line(plan)] if plan.best is not None else []
    if plan.num_to_come:
        to_the_end = ", trained to the end" if search.early_stopping is not None else ""
        lines.append(
            f"{plan.num_to_come} cells are still to be chosen; "
            f"estimates are for cells spread over the space{to_the_end}"
        )
    return lines


def best_line(plan: SearchPlan) -> str:
    """Return which cell is the best by the metric that is searched: the winner, once all are tried."""
    from sweep.execution.cell_runs import cell_name
    from sweep.search.scores import Fate

    metric = plan.spec.search.metric
    what = "winner" if plan.num_done == plan.num_allowed else "best so far"
    if plan.best is None:
        return f"{what}: none, since no cell has a {metric}"
    cell, value = plan.best
    among = f"the lowest of {plan.count(Fate.COMPLETE)} cells trained to the end"
    return f"{what}: {cell_name(cell)}, {metric} {value:.2f}, {among}"


def search_as_json(plan: SearchPlan) -> dict[str, Any]:
    """Return how a search stands, for programs; values at full precision."""
    search = plan.spec.search
    best = None
    if plan.best is not None:
        cell, value = plan.best
        best = {**cell.params, "latent": cell.latent, "cell": cell.hash, "value": value}
    return {
        "num_cells": plan.num_cells,
        "sampler": search.sampler,
        "metric": search.metric,
        "trials_asked": plan.num_allowed,
        "trials_done": plan.num_done,
        **_fates(plan),
        "best": best,
    }


def _fates(plan: SearchPlan) -> dict[str, int]:
    from sweep.search.scores import Fate

    return {fate.value: plan.count(fate) for fate in Fate}
