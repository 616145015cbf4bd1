"""`catsweep stop`: some cells of a sweep that is running end, and the rest goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.cells import chosen_requests
from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from trainables.terminal import echo


def command(
    spec: SpecArgument,
    cell: Annotated[
        list[str],
        typer.Option(
            "--cell",
            help="The cell of this hash, or cells such as estimator=reinmax,lr=0.0005. Repeatable.",
        ),
    ],
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Stop cells of a sweep that is running, while the rest goes on; the next run goes on with them.

    Their packs end after the epoch in progress, or do not start. A pack that has members of other cells too
    goes on. It is told through the store, hence from any machine.

    Example: `catsweep stop table2 --cell estimator=stgs,latent=8x4`
    """
    from sweep import api
    from sweep.home import Home
    from sweep.spec.file import SpecError
    from sweep.store.lease import ask_to_stop
    from sweep.store.store import Store

    place = Home.resolve(home, tracking_uri)
    store = Store(place)
    store.check_readable()
    plan = api.current_plan(spec, place)
    if not plan.spec.search.is_grid:
        raise SpecError("cells of a search cannot be stopped: it chooses by what all that it tried came to")
    cells = [one.cell.hash for one in chosen_requests(plan.requests, cell)]
    ask_to_stop(store.client, plan.spec.name, cells)
    echo(f"{len(cells):,} cells end after the epoch in progress; catsweep run {spec} goes on with them later")
