"""`catsweep status`: how every cell of a sweep stands."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console

from sweep.cli.aligned import aligned
from sweep.cli.no_store import warn_where_none
from sweep.cli.options import (
    EstimateAddressOption,
    HomeOption,
    JsonOption,
    SpecArgument,
    TrackingOption,
)
from sweep.cli.plan import estimate_as_json, estimate_lines
from sweep.cli.search_summary import as_search, search_as_json, search_lines

_COUNTS = ("done", "diverged", "running", "failed", "pruned", "missing")
_PIPE_WIDTH = 200


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
    from sweep.cell_runs import cell_name
    from sweep.cell_status import sweep_status
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    plan = api.current_plan(spec, place)
    capacity = api.capacity(spec, plan, address)
    warn_where_none(place)
    cells = sweep_status(plan)
    totals = {key: sum(getattr(cell, f"num_{key}") for cell in cells) for key in _COUNTS}
    search = as_search(plan)
    if as_json:
        members = [_as_json(cell) for cell in cells]
        left = estimate_as_json(plan, place, capacity)
        more = {"search": search_as_json(search)} if search else {}
        answer = {"name": plan.spec.name, **more, "totals": totals, "estimate": left, "cells": members}
        typer.echo(json.dumps(answer, indent=1))
        return
    shown = [key for key in _COUNTS if key != "pruned" or search or totals[key]]
    rows = [["cell", *shown]]
    for cell in cells:
        note = f" ({cell.cell.note})" if cell.cell.note else ""
        rows.append([cell_name(cell.cell) + note, *(str(getattr(cell, f"num_{key}")) for key in shown)])
    rows.append(["all", *(str(totals[key]) for key in shown)])
    # In a pipe nothing says how wide a line may be, so that a cell stays on one line.
    console = Console(
        highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH
    )
    heading, *lines = aligned(rows)
    console.print(heading, style="bold")
    console.print("\n".join(lines))
    for cell in cells:
        for error in cell.errors:
            console.print(f"failed: {cell_name(cell.cell)} {error}")
    for line in search_lines(search) if search else ():
        console.print(line)
    for line in estimate_lines(plan, place, capacity):
        console.print(line)


def _as_json(cell: Any) -> dict[str, Any]:
    counts = {key: getattr(cell, f"num_{key}") for key in _COUNTS}
    labels = {"latent": cell.cell.latent, "note": cell.cell.note, "cell": cell.cell.hash}
    return {**cell.cell.params, **labels, **counts, "errors": list(cell.errors)}
