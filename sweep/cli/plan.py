"""`catsweep plan`: what a spec asks for, what is done, and what the rest will cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sweep.cli.groups import in_few_groups
from sweep.cli.options import (
    CpusOption,
    EstimateAddressOption,
    GpusOption,
    HomeOption,
    JsonOption,
    PackSizeOption,
    SpecArgument,
    TrackingOption,
    typed_resources,
)
from sweep.cli.search_summary import as_search, search_as_json, search_lines
from trainables.terminal import echo, make_console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sweep.home import Home
    from sweep.planning.capacity import Capacity
    from sweep.planning.estimates import Estimate
    from sweep.planning.plan import Plan
    from trainables.schema import CellRequest


_LABELS: tuple[Callable[[CellRequest], tuple[str, str]], ...] = (
    lambda one: (one.cell.estimator, one.cell.latent),
    lambda one: (one.cell.estimator, "all"),
)


def command(
    spec: SpecArgument,
    as_json: JsonOption = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Train a few steps of every kind of pack first, where no run was recorded."
        ),
    ] = False,
    address: EstimateAddressOption = None,
    gpus: GpusOption = None,
    cpus: CpusOption = None,
    members_per_pack: PackSizeOption = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Show cells, members and packs of a spec, and the hours and the disk that the rest will take.

    Where nothing is known of how long its epochs take, two steps of each kind are timed, for six seconds of
    a core at most; kinds that do not get their turn are taken to be as long as the others are on average.

    Example: `catsweep plan table2 --calibrate`
    """
    from sweep import api
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    resources = typed_resources(gpus, cpus, members_per_pack)
    found = api.placed_plan(spec, place, address=address, resources=resources)
    plan, capacity = found.plan, found.capacity
    note_others(plan)
    if calibrate:
        _calibrate(plan, place, capacity, address)
    timed = _timed(plan, place, capacity) if address is None else {}
    if as_json:
        placement = {**plan.spec.resources.model_dump(), "why": found.placement.why}
        echo(json.dumps({**_as_json(plan, place, capacity, timed), "resources": placement}, indent=1))
    else:
        print_summary(plan, place, capacity, timed, str(found.placement))


def _timed(plan: Plan, home: Home, capacity: Capacity) -> Mapping[str, float]:
    """Time a few steps of what there is to train on this machine, where nothing is known of any of it."""
    from sweep.planning.estimates import estimate
    from sweep.planning.quick_timing import timed_seconds

    resources = plan.spec.resources
    if not plan.packs or not capacity.num_packs(resources) or estimate(plan, home, capacity).num_known:
        return {}
    return timed_seconds(plan.packs, plan.spec.dataset, resources)


def note_others(plan: Plan) -> None:
    """Say on stderr what else the store has under the name of a plan's sweep."""
    from sweep.planning.namesake import note_of_others

    search = as_search(plan)
    if note := note_of_others(search.for_store if search else plan):
        echo(note, err=True)


def print_summary(
    plan: Plan,
    home: Home,
    capacity: Capacity,
    timed: Mapping[str, float] | None = None,
    placement: str = "",
) -> None:
    """Print a plan for people.

    Args:
        plan: The plan.
        home: Where its store and its calibration are.
        capacity: What there is to train on.
        timed: As for `sweep.planning.estimates.estimate`.
        placement: What packs get, and why.
    """
    for line in _heading(plan):
        echo(line)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("estimator", "latent", "cells", "members", "done"):
        table.add_column(heading, justify="left" if heading in ("estimator", "latent") else "right")
    groups = in_few_groups(plan.requests, *_LABELS)
    for label, requests in groups.items():
        members = [member for request in requests for member in request.members]
        done = sum(map(plan.is_finished, members))
        table.add_row(*label, *map(str, (len(requests), len(members), done)))
    if groups:  # a search may have tried nothing yet
        make_console().print(table)
    if placement and plan.packs:
        echo(placement)
    for line in estimate_lines(plan, home, capacity, timed):
        echo(line)


def _heading(plan: Plan) -> list[str]:
    search = as_search(plan)
    num_done = sum(plan.is_finished(member) for member in plan.members)
    cells = f"{len(plan.requests)} cells{' tried' if search else ''}{_provenance(plan)}"
    return [
        f"{plan.spec.name}: {cells}, {len(plan.members)} members ({num_done} done), "
        f"{len(plan.packs)} packs to train",
        *(search_lines(search) if search else []),
    ]


def _provenance(plan: Plan) -> str:
    """Say how many of the cells are the paper's own: "(42 as published, 3 as printed)"."""
    from analysis.published.printed import provenance

    counts = Counter(provenance(request.cell) for request in plan.requests)
    words = [f"{counts[kind]} {kind}" for kind in ("as published", "as printed") if counts[kind]]
    return f" ({', '.join(words)})" if words else ""


def estimate_lines(
    plan: Plan, home: Home, capacity: Capacity, timed: Mapping[str, float] | None = None
) -> list[str]:
    """Return what the rest of a plan will take, in lines for people; arguments as for `print_summary`."""
    from sweep.planning.estimates import estimate as estimate_of

    if not plan.packs:
        return ["nothing left to do"]
    estimate = estimate_of(plan, home, capacity, timed)
    lines = [_hours(plan, estimate)] if estimate.num_known else []
    if estimate.num_unknown:
        lines.append(
            f"no estimate for {estimate.num_unknown} packs, of which no epoch has been measured; "
            f"measure a few steps with --calibrate"
        )
    if not _are_pack_sizes_known(plan, home):
        lines.append(
            "members per pack are not measured yet, so that every member is a pack of its own here; "
            "`catsweep run` measures them on a GPU before it trains"
        )
    return [*lines, _disk(plan, estimate)]


def _hours(plan: Plan, estimate: Estimate) -> str:
    resources = plan.spec.resources
    hours = [f"{estimate.core_hours:.2f} core-hours"]
    hours += [f"{estimate.gpu_hours:.2f} GPU-hours"] if resources.share else []
    if estimate.wall_hours is None:
        wall = (
            f"but no pack, with {resources.cpus} cpus and {resources.share:g} gpus, fits on {estimate.where}"
        )
    else:
        wall = f"{estimate.wall_hours:.2f} hours on {estimate.where}, {estimate.num_at_once} packs at once"
    bases = ", ".join(f"{count} packs {basis}" for basis, count in estimate.bases.items())
    return f"estimate: {', '.join(hours)}, {wall}; seconds per epoch: {bases}"


def _disk(plan: Plan, estimate: Estimate) -> str:
    from sweep.store.disk_use import BYTES_PER_METRIC, BYTES_PER_PICTURE, FILES_AT_ONCE

    at_once = min(estimate.num_at_once, len(plan.packs))
    return (
        f"disk: up to {_mebibytes(estimate.checkpoint_bytes)} of checkpoints ({at_once} packs at once, "
        f"{FILES_AT_ONCE} files each), {_mebibytes(estimate.store_bytes)} more in the store "
        f"({BYTES_PER_METRIC} bytes a value and {BYTES_PER_PICTURE // 1000} kB a picture, as measured on "
        "SQLite)"
    )


def _mebibytes(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _calibrate(plan: Plan, home: Home, capacity: Capacity, address: str | None) -> None:
    from sweep.cluster.calibrate import calibrate
    from sweep.cluster_error import ClusterError
    from sweep.planning.calibration import kind_of
    from sweep.planning.estimates import recorded_seconds
    from trainables.data import fetch, load
    from trainables.own_data import OWN_DATA

    if not capacity.num_packs(plan.spec.resources):
        raise ClusterError(f"no pack fits on {capacity}, so that none can be calibrated there; see --address")
    home.make_folders()
    name = plan.spec.dataset
    if name is not None and name not in OWN_DATA:
        fetch(name, home.data)
    recorded = recorded_seconds(plan.stored.values())
    packs = [pack for pack in plan.packs if kind_of(pack.members[0], len(pack)) not in recorded]
    own = OWN_DATA.get(name or "")
    shipped = None if name is None or own else load(name, home.data)
    dataset = own.to_train() if own else shipped
    calibrate(packs, dataset, home, plan.spec.resources, address, capacity.where)


def _as_json(plan: Plan, home: Home, capacity: Capacity, timed: Mapping[str, float]) -> dict[str, Any]:
    return {
        "name": plan.spec.name,
        "num_cells": len(plan.requests),
        "num_members": len(plan.members),
        "num_done": sum(plan.is_finished(member) for member in plan.members),
        "num_packs": len(plan.packs),
        **({"search": search_as_json(search)} if (search := as_search(plan)) else {}),
        "estimate": estimate_as_json(plan, home, capacity, timed),
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


def estimate_as_json(
    plan: Plan, home: Home, capacity: Capacity, timed: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return what the rest of a plan will take, for programs; arguments as for `print_summary`."""
    from sweep.planning.estimates import estimate

    are_known = _are_pack_sizes_known(plan, home)
    return {**asdict(estimate(plan, home, capacity, timed)), "are_pack_sizes_known": are_known}


def _are_pack_sizes_known(plan: Plan, home: Home) -> bool:
    from sweep.planning.pack_sizes import are_sizes_known

    # A search's packs are the seeds of a cell.
    return not plan.spec.search.is_grid or are_sizes_known(plan.members_to_run, plan.spec.resources, home)
