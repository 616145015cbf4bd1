"""`catsweep plan`: what a spec asks for, what is done, and what the rest will cost."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sweep.cli.options import HomeOption, JsonOption, SpecArgument, TrackingOption

if TYPE_CHECKING:
    from sweep.home import Home
    from sweep.planning import Plan


def command(
    spec: SpecArgument,
    as_json: JsonOption = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Train a few steps of every kind of pack first, where no run was recorded."
        ),
    ] = False,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Show cells, members and packs of a spec, and the hours that the rest will take.

    Example: `catsweep plan table2 --calibrate`
    """
    from sweep import api
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    plan = api.current_plan(spec, place)
    if calibrate:
        _calibrate(plan, place)
    if as_json:
        typer.echo(json.dumps(_as_json(plan, place), indent=1))
    else:
        print_summary(plan, place)


def print_summary(plan: Plan, home: Home) -> None:
    """Print a plan for people.

    Args:
        plan: The plan.
        home: Where its store and its calibration are.
    """
    console = Console(highlight=False, soft_wrap=True)
    num_done = sum(plan.is_finished(member) for member in plan.members)
    console.print(
        f"{plan.spec.name}: {len(plan.requests)} cells{_provenance(plan)}, {len(plan.members)} members "
        f"({num_done} done), {len(plan.packs)} packs to train"
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("estimator", "latent", "cells", "members", "done"):
        table.add_column(heading, justify="left" if heading in ("estimator", "latent") else "right")
    groups: dict[tuple[str, str], Counter[str]] = {}
    for request in plan.requests:
        counts = groups.setdefault((request.cell.estimator, request.cell.latent), Counter())
        done = sum(plan.is_finished(member) for member in request.members)
        counts.update(cells=1, members=len(request.seeds), done=done)
    for (estimator, latent), counts in groups.items():
        table.add_row(estimator, latent, *(str(counts[key]) for key in ("cells", "members", "done")))
    console.print(table)
    for line in estimate_lines(plan, home):
        console.print(line)


def _provenance(plan: Plan) -> str:
    """Say how many of the cells are the paper's own: "(42 as published, 3 as printed)"."""
    from analysis.published import provenance

    counts = Counter(provenance(request.cell) for request in plan.requests)
    words = [f"{counts[kind]} {kind}" for kind in ("as published", "as printed") if counts[kind]]
    return f" ({', '.join(words)})" if words else ""


def estimate_lines(plan: Plan, home: Home) -> list[str]:
    """Return what the rest of a plan will take, in lines for people; arguments as for `print_summary`."""
    from sweep.estimates import estimate as estimate_of

    estimate = estimate_of(plan, home)
    if not plan.packs:
        return ["nothing left to do"]
    bases = ", ".join(f"{count} packs {basis}" for basis, count in estimate.bases.items())
    lines = []
    if estimate.num_known:
        lines.append(
            f"estimate: {estimate.core_hours:.2f} core-hours, {estimate.wall_hours:.2f} hours on the "
            f"{os.cpu_count()} cores of this machine; seconds per epoch: {bases}"
        )
    if estimate.num_unknown:
        lines.append(
            f"no estimate for {estimate.num_unknown} packs, of which no epoch has been measured; "
            f"measure a few steps with --calibrate"
        )
    return lines


def _calibrate(plan: Plan, home: Home) -> None:
    from sweep.estimates import calibrate, kind_of, recorded_seconds
    from trainables.data import fetch, load

    home.make_folders()
    fetch(plan.spec.dataset, home.data)
    recorded = recorded_seconds(plan.stored.values())
    packs = [pack for pack in plan.packs if kind_of(pack.members[0], len(pack)) not in recorded]
    calibrate(packs, load(plan.spec.dataset, home.data), home, plan.spec.resources.cpus)


def _as_json(plan: Plan, home: Home) -> dict[str, Any]:
    from sweep.estimates import estimate

    return {
        "name": plan.spec.name,
        "num_cells": len(plan.requests),
        "num_members": len(plan.members),
        "num_done": sum(plan.is_finished(member) for member in plan.members),
        "num_packs": len(plan.packs),
        "estimate": asdict(estimate(plan, home)),
        "cells": [
            {
                **request.cell.params,
                "latent": request.cell.latent,
                "note": request.cell.note,
                "cell": request.cell.hash,
                "seeds": list(request.seeds),
                "done": [member.seed for member in request.members if plan.is_finished(member)],
            }
            for request in plan.requests
        ],
    }
