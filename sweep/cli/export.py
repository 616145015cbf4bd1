"""`catsweep export`: a sweep's members in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from trainables.terminal import echo


def command(
    spec: SpecArgument,
    out: Annotated[
        Path, typer.Option("--out", help="The file: its name ends with .parquet, .csv.gz or .csv.")
    ],
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Write a sweep's members into one file: params, tags, status, and every metric of every epoch, exactly.

    A row is an epoch of a member. `catsweep import` brings the file into another store, and any program reads
    it. Pictures and checkpoints are not in it.

    Example: `catsweep export quickstart --out quickstart.parquet`
    """
    from analysis import load_members
    from sweep import api
    from sweep.home import Home
    from sweep.store.store import Store
    from trainables.store.member_file import check_form, write_members

    place = Home.resolve(home, tracking_uri)
    check_form(out)
    Store(place).check_readable()
    wanted = {member.hash for member in api.current_plan(spec, place).members}
    table = load_members(place.tracking_uri, wanted)
    write_members(table, out)
    found = set(table.column("member").to_pylist())
    echo(f"{len(found):,} of {len(wanted):,} members in {table.num_rows:,} rows: {out}")
