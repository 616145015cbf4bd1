"""`catsweep sync`: send what the tracking store could not take before."""

from __future__ import annotations

from sweep.cli.options import HomeOption, TrackingOption
from trainables.terminal import echo


def command(tracking_uri: TrackingOption = None, home: HomeOption = None) -> None:
    """Send what waits on disk because the tracking store was away when a run ended.

    The next `catsweep run` does that too; this does it without training anything.

    Example: `catsweep sync --tracking-uri http://mlflow.example:5000`
    """
    from sweep import api
    from sweep.home import Home, HomeError

    place = Home.resolve(home, tracking_uri)
    if not place.path.is_dir():
        raise HomeError(f"there is no home at {place.path}; name another with --home")
    num_sent = api.sync_home(place, lambda line: echo(line, err=True))
    waits = f"{num_sent} writes sent to {place.shown_uri}" if num_sent else "nothing waits to be sent"
    echo(waits)
