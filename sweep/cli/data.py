"""`catsweep data`: fetch and verify datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import HomeOption
from trainables.terminal import echo

app = typer.Typer(no_args_is_help=True, help="Fetch and verify the datasets.")

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="mnist, fashion_mnist or omniglot.")]
SourceOption = Annotated[
    Path | None, typer.Option("--from", help="A folder or zip of yours that holds the files.")
]
EXIT_NOT_OK = 1


@app.command()
def fetch(dataset: DatasetArgument, source: SourceOption = None, home: HomeOption = None) -> None:
    """Fetch a dataset from the first source that has it, unless it is there already, and verify it.

    Example: `catsweep data fetch mnist`
    """
    from sweep.home import Home
    from trainables.data import fetch as fetch_dataset

    place = Home.resolve(home)
    place.make_folders()
    folder = fetch_dataset(dataset, place.data, source=source)
    echo(folder)


@app.command()
def verify(dataset: DatasetArgument, home: HomeOption = None) -> None:
    """Check a dataset's files against the published checksums and counts.

    Example: `catsweep data verify mnist`
    """
    from sweep.home import Home
    from trainables.data import verify as verify_dataset

    checks = verify_dataset(dataset, Home.resolve(home).data)
    for check in checks:
        echo(f"{'ok   ' if check.is_ok else 'WRONG'} {check.what}: {check.detail}")
    if not all(check.is_ok for check in checks):
        raise typer.Exit(EXIT_NOT_OK)
