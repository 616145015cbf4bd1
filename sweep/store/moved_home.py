"""A home that was moved or copied: its store's records of artifacts follow it.

MLflow keeps the absolute place of artifacts with every experiment and run, and would go on writing there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import sqlalchemy as sa
from mlflow.tracking._tracking_service import utils as mlflow_client

from sweep.home import Home
from trainables.store.database import opened

_EXPERIMENTS = sa.table("experiments", sa.column("artifact_location", sa.String))
_RUNS = sa.table("runs", sa.column("run_uuid", sa.String), sa.column("artifact_uri", sa.String))


def former_places(home: Home) -> list[str]:
    """Return where the store has artifacts that lie in this home, as URIs of folders elsewhere.

    A store that is not in the home, and stayed where it was, has them there as long as that place exists: the
    home that its experiments were made from may be in use.

    Raises:
        DatabaseError: If the database cannot be read.
    """
    if home.is_server:
        return []
    with opened(home.tracking_uri) as connection:
        if connection is None:
            return []
        locations = connection.scalars(sa.select(_EXPERIMENTS.c.artifact_location).distinct()).all()
        elsewhere = [location for location in locations if location and _is_elsewhere(location, home)]
        return [location for location in elsewhere if _has_come_along(connection, location, home)]


def settle(home: Home, show: Callable[[str], None]) -> None:
    """Have the store name this home as the place of the artifacts that lie in it, in one transaction.

    Args:
        home: The home; its driver is this process.
        show: Shows a line to the user.
    Raises:
        DatabaseError: If the database does not take it.
    """
    # In it MLflow keeps for this process where a run's artifacts go, whatever store and home the run is of.
    mlflow_client._artifact_repos_cache.clear()
    places = former_places(home)
    if not places:
        return
    here = home.artifacts.as_uri()
    with opened(home.tracking_uri) as connection:
        assert connection is not None
        for place in places:
            moved = sa.literal(here, sa.String) + sa.func.substr(_RUNS.c.artifact_uri, len(place) + 1)
            connection.execute(sa.update(_RUNS).where(_is_within(place)).values(artifact_uri=moved))
            is_of_place = _EXPERIMENTS.c.artifact_location == place
            connection.execute(sa.update(_EXPERIMENTS).where(is_of_place).values(artifact_location=here))
        connection.commit()
    for place in places:
        show(
            f"this home has been moved or copied: artifacts that were in {place} are in {home.artifacts} now"
        )


def _is_elsewhere(location: str, home: Home) -> bool:
    """Whether a location is a folder of this machine that is no longer where the home's artifacts are."""
    parts = urlsplit(location)
    if location == home.artifacts.as_uri() or parts.scheme not in ("", "file"):
        return False
    folder = Path(url2pathname(parts.path))
    if not folder.exists():
        return True
    is_own_store = home.sqlite_path is not None and home.sqlite_path.parent == home.path
    return is_own_store and not (home.artifacts.exists() and folder.samefile(home.artifacts))


def _has_come_along(connection: sa.Connection, location: str, home: Home) -> bool:
    """Whether the artifacts of any run that has them at a location lie in this home."""
    here = {path.name for path in home.artifacts.iterdir()} if home.artifacts.is_dir() else set()
    runs = connection.scalars(sa.select(_RUNS.c.run_uuid).where(_is_within(location)))
    return bool(here) and any(run in here for run in runs)


def _is_within(location: str) -> sa.ColumnElement[bool]:
    return sa.func.substr(_RUNS.c.artifact_uri, 1, len(location) + 1) == f"{location}/"
