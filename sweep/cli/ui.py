"""`catsweep ui`: the MLflow UI on a home's store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import HomeOption, TrackingOption
from trainables.terminal import echo

if TYPE_CHECKING:
    from sweep.home import Home


_MOST_SWEEPS = 20


def command(
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 5000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others see the store if it is not local.")
    ] = "127.0.0.1",
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Serve the MLflow UI of this home's store, to be looked at, and print its address.

    Whoever reaches it can look and change nothing: every user of this machine, and of others if `--host` says
    so. To delete runs, use MLflow's own commands. A store behind a server has a UI already.

    Example: `catsweep ui --port 5000`
    """
    from sweep.cli.ui_server import ui_server
    from sweep.home import Home
    from sweep.store.store import Store, StoreError

    place = Home.resolve(home, tracking_uri)
    if place.is_server:
        raise StoreError(f"the store is a server, which has a UI of its own: open {place.shown_uri}")
    if place.sqlite_path is not None and not place.sqlite_path.exists():
        raise StoreError(
            f"there is no store at {place.sqlite_path} yet; run a sweep first: catsweep run SPEC"
        )
    Store(place).check_readable()
    _settle(place)
    server = ui_server(place, host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    echo(f"MLflow UI on {address} (Ctrl-C ends it)", err=True)
    for line in _pages(place, address):
        echo(line, err=True)
    server.serve_forever()


def _pages(place: Home, address: str) -> Iterator[str]:
    """Yield the address of each sweep's cells with mean and standard deviation, the newest sweep first."""
    from sweep.execution.experiment_page import VIEW, cells_address
    from sweep.store.store import Store

    found = Store(place).client.search_experiments(
        filter_string=f"tags.`mlflow.sharedViewState.{VIEW}` != ''", order_by=["creation_time DESC"]
    )
    for experiment in found[:_MOST_SWEEPS]:
        yield f"  {experiment.name}: {cells_address(address, experiment.experiment_id)}"


def _settle(place: Home) -> None:
    """Have the store find the artifacts of a home that was moved; a driver at work has done that already."""
    from sweep.home import HomeError
    from sweep.messages import say
    from sweep.store.moved_home import former_places, settle

    if former_places(place):
        from sweep.runner import driver_lock  # imports Ray, which takes seconds

        with suppress(HomeError), driver_lock(place):
            settle(place, say)
