"""`catsweep ui`: the MLflow UI on a home's store."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from sweep.cli.options import HomeOption, TrackingOption


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
    from sweep.home import Home
    from sweep.store import StoreError
    from sweep.ui_server import ui_server

    place = Home.resolve(home, tracking_uri)
    if place.is_server:
        raise StoreError(f"the store is a server, which has a UI of its own: open {place.shown_uri}")
    if place.sqlite_path is not None and not place.sqlite_path.exists():
        raise StoreError(
            f"there is no store at {place.sqlite_path} yet; run a sweep first: catsweep run SPEC"
        )
    server = ui_server(place, host, port)
    shown = f"[{host}]" if ":" in host else host
    Console(stderr=True, highlight=False).print(
        f"MLflow UI on http://{shown}:{port} (Ctrl-C ends it)", markup=False, soft_wrap=True
    )
    server.serve_forever()
