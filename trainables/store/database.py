"""A tracking database open for reading: SQLite by the standard library, any other by SQLAlchemy.

To import SQLAlchemy takes longer than to read ten thousand runs, and its rows take twice as long as SQLite's.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    import sqlalchemy as sa

_SQLITE_FILE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]*)", re.DOTALL)
_WAIT_SECONDS = 60
_ANY_TABLE = "runs"


class DatabaseError(Exception):
    """A database that cannot be reached or read, or is no MLflow store; the message is its driver's."""


@dataclass(frozen=True)
class Database:
    """A database that is open.

    Args:
        is_sqlite: Whether it is SQLite, whose SQL has functions of its own.
        rows: Returns the rows of a query, a tuple each; its values are named in it as `:name`.
    """

    is_sqlite: bool
    rows: Callable[..., Sequence[Sequence[Any]]]


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
def opened(tracking_uri: str) -> Iterator[Database | None]:
    """Open a database store for reading; None stands for an empty one.

    A SQLite file that does not exist is an empty store and is not created; so is a database without tables.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
    Raises:
        DatabaseError: If the database cannot be reached or read, within this context too.
        ImportError: If its driver is not installed.
    """
    path = sqlite_path(tracking_uri)
    if path is not None and "?" not in tracking_uri:
        with _sqlite(path) as database:
            yield database
        return
    with _any_other(tracking_uri) as database:
        yield database


@contextmanager
def _sqlite(path: Path) -> Iterator[Database | None]:
    if not path.is_file():
        if path.exists():
            raise DatabaseError(f"{path} is no regular file")
        yield None
        return
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:

            def rows(query: str, **values: object) -> list[tuple[Any, ...]]:
                return connection.execute(query, values).fetchall()

            tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"
            yield Database(True, rows) if rows(tables, name=_ANY_TABLE) else None
    except sqlite3.Error as error:
        raise DatabaseError(str(error)) from error


@contextmanager
def _any_other(tracking_uri: str) -> Iterator[Database | None]:
    with connected(tracking_uri) as connection:
        if connection is None:
            yield None
        else:
            yield Database(connection.dialect.name == "sqlite", _reader(connection))


@contextmanager
def connected(tracking_uri: str) -> Iterator[sa.Connection | None]:
    """Open a database store with SQLAlchemy, whichever it is; arguments and errors as for `opened`."""
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    try:
        url = sa.make_url(tracking_uri)
        is_sqlite = url.get_backend_name() == "sqlite"
        if is_sqlite and not (url.database and Path(url.database).is_file()):
            yield None
            return
        engine = sa.create_engine(url, connect_args={"timeout": _WAIT_SECONDS} if is_sqlite else {})
        try:
            with engine.connect() as connection:
                yield connection if sa.inspect(connection).has_table(_ANY_TABLE) else None
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise DatabaseError(str(error)) from error


def _reader(connection: sa.Connection) -> Callable[..., Sequence[Sequence[Any]]]:
    import sqlalchemy as sa

    def rows(query: str, **values: object) -> Sequence[Sequence[Any]]:
        result = connection.execute(sa.text(query), values)
        # As the driver gives them: SQLAlchemy's own would take as long again.
        return result.all() if result.cursor is None else result.cursor.fetchall()

    return rows
