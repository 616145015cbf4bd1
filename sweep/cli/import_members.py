"""`catsweep import`: members of files, homes and stores brought into this store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import HomeOption, TrackingOption
from trainables.terminal import echo

if TYPE_CHECKING:
    import pyarrow as pa

    from sweep.exchange.bring_in import Account
    from sweep.home import Home

_SHOWN = 20


def command(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|HOME|URI...", help="Files of `catsweep export`, homes, stores."),
    ],
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Bring members into this store that it lacks; those that it has finished stay as they are.

    A member is recognised by its params, so that doing it twice changes nothing. One that is there with other
    numbers is listed, left as it is, and the exit status is 1. Members still in training stay out.

    Example: `catsweep import quickstart.parquet /shared/colleague/.catsweep`
    """
    from sweep.home import Home
    from sweep.quiet import quieten

    quieten()
    place = Home.resolve(home, tracking_uri)
    tables = [(source, _table(source)) for source in sources]  # all are read before anything is written
    has_conflict = False
    for source, table in tables:
        account = bring_table(table, place, source)
        echo("\n".join(_lines(source, account)))
        has_conflict = has_conflict or bool(account.conflicts)
    if has_conflict:
        raise typer.Exit(1)


def bring_table(table: pa.Table, home: Home, source: str) -> Account:
    """Bring the members of a table into a home's store; the table is checked whole before.

    Raises:
        MemberFileError: If the table holds what no member is.
        StoreError, HomeError: If the store or the home cannot be used.
    """
    from analysis import load_members
    from sweep.exchange.bring_in import bring_in
    from sweep.exchange.incoming import incoming_members
    from sweep.store.store import Store

    members = list(incoming_members(table, source))
    home.make_folders()
    store = Store(home)
    store.check()
    there = load_members(home.tracking_uri, {one.member.hash for one in members})
    present = {one.member.hash: one for one in incoming_members(there, home.shown_uri)}
    return bring_in(members, present, store, source)


def _table(source: str) -> pa.Table:
    from analysis import load_members
    from sweep.home import Home
    from sweep.store.store import Store
    from trainables.store.member_file import MemberFileError, read_members

    path = Path(source)
    if path.is_file():
        return read_members(path)
    if path.is_dir() and not (path / "mlflow.db").is_file():
        raise MemberFileError(f"{source} is a folder without mlflow.db, hence no home; name the store's URI")
    if not path.is_dir() and "://" not in source:
        raise MemberFileError(f"there is no file, home or store {source}")
    other = Home.resolve(path) if path.is_dir() else Home.resolve(None, source)
    if path.is_dir():  # whatever MLFLOW_TRACKING_URI says
        from trainables.store.database import sqlite_uri

        other = Home(other.path, sqlite_uri(other.path / "mlflow.db"))
    Store(other).check_readable()
    return load_members(other.tracking_uri)


def _lines(source: str, account: Account) -> Iterator[str]:
    from sweep.redaction import redact

    counts = f"{account.num_new:,} members brought in, {account.num_there:,} were there"
    if account.num_unfinished:
        counts += f", {account.num_unfinished:,} are still in training there and stay out"
    yield f"{redact(source)}: {counts}"
    if account.conflicts:
        yield f"{len(account.conflicts):,} members are there with other numbers, and stay as they are:"
    for number, (member, metrics) in enumerate(account.conflicts.items()):
        if number == _SHOWN:
            yield f"  and {len(account.conflicts) - _SHOWN:,} more"
            return
        yield f"  member {member}: {', '.join(metrics)}"
