"""Where a search's study is kept: a database of Optuna's, beside the tracking store.

Not in MLflow's own tables: both programs keep the version of their schema in a table `alembic_version`, and
each refuses a database in which it finds the other's. On a PostgreSQL server the study therefore has a schema
of its own in the same database; otherwise it is in an SQLite file of the home, `optuna.db`.
"""

from __future__ import annotations

import os
from pathlib import Path

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from sweep.home import Home
from sweep.store.store import StoreError
from trainables.error_reason import reason_of

STORAGE_VARIABLE = "CATSWEEP_STUDY_STORAGE"
"""Environment variable with an SQLAlchemy URL that goes before these rules, for homes that share studies."""
SCHEMA = "catsweep_study"
FILE = "optuna.db"

_WAIT_SECONDS = 60


def storage_url(home: Home) -> sa.URL:
    """Return the URL of the database in which a home's studies are.

    Raises:
        StoreError: If the environment variable holds no URL.
    """
    given = os.environ.get(STORAGE_VARIABLE)
    if given:
        try:
            return sa.make_url(given)
        except SQLAlchemyError:
            raise StoreError(
                f"{STORAGE_VARIABLE} must be an SQLAlchemy URL, such as sqlite:////shared/optuna.db"
            ) from None
    if home.tracking_uri.startswith("postgresql"):
        return sa.make_url(home.tracking_uri).update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    return sa.URL.create("sqlite", database=str(home.path / FILE))


def open_storage(home: Home, *, is_made: bool) -> RDBStorage | None:
    """Open the database.

    Args:
        home: The home.
        is_made: Whether it is made where it is not there; otherwise there is none then.

    Raises:
        StoreError: If it cannot be used.
    """
    url = storage_url(home)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if not is_made and not _exists(url):
            return None
        if is_made and SCHEMA in str(url.query.get("options", "")):
            _make_schema(url)
        is_file = url.get_backend_name() == "sqlite"
        options = {"connect_args": {"timeout": _WAIT_SECONDS}} if is_file else {}
        return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=options)
    except (SQLAlchemyError, RuntimeError, ImportError, OSError) as error:
        raise StoreError(
            f"study storage {url.render_as_string()} cannot be used: {reason_of(error)}; name another with "
            f"{STORAGE_VARIABLE}"
        ) from None


def _exists(url: sa.URL) -> bool:
    if url.get_backend_name() == "sqlite":
        return bool(url.database) and Path(str(url.database)).is_file()
    engine = sa.create_engine(url)
    try:
        return sa.inspect(engine).has_table("studies")
    finally:
        engine.dispose()


def _make_schema(url: sa.URL) -> None:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
    finally:
        engine.dispose()
