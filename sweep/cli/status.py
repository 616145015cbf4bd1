"""`catsweep status`: how every cell of a sweep stands."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from sweep.cli.options import HomeOption, JsonOption, SpecArgument, TrackingOption
from sweep.cli.plan import estimate_lines

_COUNTS = ("done", "diverged", "running", "failed", "missing")
_PIPE_WIDTH = 200


def command(
    spec: SpecArgument,
    as_json: JsonOption = False,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Show how many members of every cell are done, diverged, running, failed and missing, and what is left.

    "Running" are members in training, and those whose driver was killed.

    Example: `catsweep status quickstart`
    """
    from sweep.api import current_plan
    from sweep.cell_runs import cell_name
    from sweep.cell_status import sweep_status
    from sweep.estimates import estimate
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    plan = current_plan(spec, place)
    cells = sweep_status(plan)
    totals = {key: sum(getattr(cell, f"num_{key}") for cell in cells) for key in _COUNTS}
    if as_json:
        rows = [_as_json(cell) for cell in cells]
        left = asdict(estimate(plan, place))
        answer = {"name": plan.spec.name, "totals": totals, "estimate": left, "cells": rows}
        typer.echo(json.dumps(answer, indent=1))
        return
    table = Table("cell", box=None, padding=(0, 2, 0, 0))
    for key in _COUNTS:
        table.add_column(key, justify="right")
    for cell in cells:
        note = f" ({cell.cell.note})" if cell.cell.note else ""
        table.add_row(cell_name(cell.cell) + note, *(str(getattr(cell, f"num_{key}")) for key in _COUNTS))
    table.add_section()
    table.add_row("all", *(str(totals[key]) for key in _COUNTS))
    # In a pipe nothing says how wide a line may be, so that a cell stays on one line.
    console = Console(
        highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH
    )
    console.print(table)
    for cell in cells:
        for error in cell.errors:
            console.print(f"failed: {cell_name(cell.cell)} {error}")
    for line in estimate_lines(plan, place):
        console.print(line)


def _as_json(cell: Any) -> dict[str, Any]:
    counts = {key: getattr(cell, f"num_{key}") for key in _COUNTS}
    labels = {"latent": cell.cell.latent, "note": cell.cell.note, "cell": cell.cell.hash}
    return {**cell.cell.params, **labels, **counts, "errors": list(cell.errors)}
