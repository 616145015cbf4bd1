"""`catsweep status`: how every cell of a sweep stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sweep.cli.aligned import aligned
from sweep.cli.groups import in_few_groups
from sweep.cli.options import (
    EstimateAddressOption,
    HomeOption,
    JsonOption,
    SpecArgument,
    TrackingOption,
)
from sweep.cli.plan import estimate_as_json, estimate_lines
from sweep.cli.search_summary import as_search, search_as_json, search_lines
from sweep.spec.limits import MAX_ERRORS, first_of
from trainables.terminal import echo, make_console

if TYPE_CHECKING:
    from sweep.planning.cell_status import CellStatus

_COUNTS = ("done", "diverged", "running", "failed", "pruned", "missing")


_LABELS: tuple[Callable[[CellStatus], str], ...] = (
    lambda one: one.cell.hash,
    lambda one: f"{one.cell.estimator} {one.cell.latent}",
    lambda one: one.cell.estimator,
)


def command(
    spec: SpecArgument,
    as_json: JsonOption = False,
    address: EstimateAddressOption = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Show how many members of every cell are done, diverged, running, failed and missing, and what is left.

    "Running" are members in training, and those whose driver was killed. Of a search, the cells that it has
    tried are shown, "pruned" being members that it gave up, and the best cell so far.

    Example: `catsweep status quickstart`
    """
    from sweep import api
    from sweep.execution.cell_runs import cell_name
    from sweep.home import Home
    from sweep.planning.cell_status import sweep_status
    from sweep.store.store import Store

    place = Home.resolve(home, tracking_uri)
    found = api.placed_plan(spec, place, address=address)
    plan, capacity = found.plan, found.capacity
    if Store(place).is_empty_file:
        echo(f"warning: there is no tracking store at {place.shown_uri} yet", err=True)
    cells = sweep_status(plan)
    totals = {key: sum(getattr(cell, f"num_{key}") for cell in cells) for key in _COUNTS}
    search = as_search(plan)
    if as_json:
        members = [_as_json(cell) for cell in cells]
        left = estimate_as_json(plan, place, capacity)
        more = {"search": search_as_json(search)} if search else {}
        answer = {"name": plan.spec.name, **more, "totals": totals, "estimate": left, "cells": members}
        echo(json.dumps(answer, indent=1))
        return
    shown = [key for key in _COUNTS if key != "pruned" or search or totals[key]]
    groups = in_few_groups(cells, *_LABELS)
    rows = [["cell", *shown]]
    for label, group in groups.items():
        rows.append(
            [_name(label, group), *(str(sum(getattr(cell, f"num_{key}") for cell in group)) for key in shown)]
        )
    rows.append(["all", *(str(totals[key]) for key in shown)])
    heading, *lines = aligned(rows)
    make_console().print(heading, style="bold")
    errors = [f"failed: {cell_name(cell.cell)} {error}" for cell in cells for error in cell.errors]
    lines += first_of(errors, MAX_ERRORS, "more have failed; --json has them all")
    if len(groups) < len(cells):
        lines.append(f"sums of {len(cells):,} cells; --json has each")
    lines += [*(search_lines(search) if search else ()), *estimate_lines(plan, place, capacity)]
    echo("\n".join(lines))


def _name(label: str, cells: Sequence[CellStatus]) -> str:
    """Return what a line is called: a cell's name with its note, or the label of several."""
    from sweep.execution.cell_runs import cell_name

    if len(cells) > 1:
        return f"{label} ({len(cells):,} cells)"
    (cell,) = (one.cell for one in cells)
    return f"{cell_name(cell)} ({cell.note})" if cell.note else cell_name(cell)


def _as_json(cell: Any) -> dict[str, Any]:
    counts = {key: getattr(cell, f"num_{key}") for key in _COUNTS}
    labels = {"latent": cell.cell.latent, "note": cell.cell.note, "cell": cell.cell.hash}
    return {**cell.cell.params, **labels, **counts, "errors": list(cell.errors)}
