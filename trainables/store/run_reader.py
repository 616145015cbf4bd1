"""Every member run of a store, whichever kind it is: a database or a tracking server."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from trainables.store import run_client, run_tables
from trainables.store.database import sqlite_path
from trainables.store.run_record import RunRecord


def read_records(tracking_uri: str, metrics: Sequence[str] | None = None) -> list[RunRecord]:
    """Return every member run of a store that is not deleted, with its metrics at their last steps.

    A SQLite file that does not exist is an empty store and is not created; so is a database without tables.

    Args:
        tracking_uri: Of a database (read through SQL) or of a server (read through MLflow's client).
        metrics: The metrics wanted; all by default.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
        DatabaseError: If the database cannot be reached or is no MLflow store.
        mlflow.exceptions.MlflowException: If the server cannot be reached or refuses.
    """
    if is_server(tracking_uri):
        return run_client.read_records(tracking_uri, metrics)
    return run_tables.read_records(tracking_uri, metrics)


def is_server(tracking_uri: str) -> bool:
    """Tell whether a store is read through MLflow's client, not through SQL.

    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    if urlsplit(str(tracking_uri)).scheme in ("http", "https"):
        return True
    if sqlite_path(str(tracking_uri)) is not None:
        return False
    import sqlalchemy as sa

    try:
        sa.make_url(tracking_uri).get_dialect()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        raise ValueError(
            "tracking URI must be sqlite:///FILE, postgresql://USER@HOST/DATABASE, http://HOST "
            f"or https://HOST, got one that starts with {str(tracking_uri).partition(':')[0]!r}"
        ) from None
    return False
