"""A tracking database open for reading, by SQLAlchemy whichever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from trainables.user_error import UserError

if TYPE_CHECKING:
    import sqlalchemy as sa

_SQLITE_FILE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]*)", re.DOTALL)
_WAIT_SECONDS = 60
_ANY_TABLE = "runs"


class DatabaseError(UserError):
    """A database that cannot be reached or read, or is no MLflow store; the message is its driver's."""


def sqlite_uri(path: Path) -> str:
    """Return the SQLAlchemy URL of an SQLite file, from which `sqlite_path` gives the file back.

    What SQLAlchemy would decode in a path is escaped, and then the driver is named: after plain `sqlite:///`
    MLflow makes a folder of the name as it is spelt there.
    """
    escaped = str(path).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{escaped}" if escaped == str(path) else f"sqlite+pysqlite:///{escaped}"


def sqlite_path(tracking_uri: str) -> Path | None:
    """Return the file that SQLAlchemy opens for a URL, or none where that is no SQLite file."""
    match = _SQLITE_FILE.match(tracking_uri)
    return Path(unquote(match[1])) if match else None


@contextmanager
def opened(tracking_uri: str) -> Iterator[sa.Connection | None]:
    """Open a database store; None stands for an empty one.

    A SQLite file that does not exist is an empty store and is not created; so is a database without tables.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
    Raises:
        DatabaseError: If the database cannot be reached or read, within this context too.
        ImportError: If its driver is not installed.
    """
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    errors: tuple[type[Exception], ...] = (SQLAlchemyError,)
    try:
        url = sa.make_url(tracking_uri)
        is_sqlite = url.get_backend_name() == "sqlite"
        if is_sqlite and not _is_file(url.database):
            yield None
            return
        engine = sa.create_engine(url, connect_args={"timeout": _WAIT_SECONDS} if is_sqlite else {})
        if engine.dialect.loaded_dbapi is not None:
            errors = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)  # the latter from `rows`
        try:
            with engine.connect() as connection:
                yield connection if sa.inspect(connection).has_table(_ANY_TABLE) else None
        finally:
            engine.dispose()
    except errors as error:
        raise DatabaseError(str(getattr(error, "orig", None) or error)) from error


def _is_file(name: str | None) -> bool:
    path = Path(name or "")
    if name and path.exists() and not path.is_file():
        raise DatabaseError(f"{path} is no regular file")
    return bool(name) and path.is_file()


def rows(connection: sa.Connection, query: str, **values: object) -> Sequence[Sequence[Any]]:
    """Return the rows of a query as the driver gives them: SQLAlchemy's own would take as long again.

    Args:
        connection: Of a store that is open.
        query: SQL, in which a value is named as `:name`.
        values: The values, by their names.
    """
    import sqlalchemy as sa

    result = connection.execute(sa.text(query), values)
    return result.all() if result.cursor is None else result.cursor.fetchall()
